/* topology_sentinel -- the primary that Sentinels name.
 *
 * No single sign tells of a failover in all cases, so all Sentinels are connected to at a time,
 * each by a link of its own: their +switch-master is heard, and all of them are asked every few
 * seconds, and at once when a link to the primary fails. The one that knows of the latest failover
 * (the highest config-epoch) is believed; an address that a later one has left is not gone back to,
 * as a primary that comes back from the dead takes writes for ten seconds that are lost then. Links
 * to it look healthy: they are made to leave. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/jitter.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "base/number.h"
#include "redis/redis_link.h"
#include "redis/resp.h"
#include "redis/topology_kind.h"

#define SENTINELS_MAX 16
#define HOST_MAX 256     /* with its NUL */
#define POLL_MS 2000     /* a random part of a half is taken off */
#define POLL_SOON_MS 100 /* once there is doubt */
#define ASK_EVERY_MS 50  /* at most, whatever is pushed */
#define LINK_NAME "notify-bridge:sentinel"

struct place {
    char host[HOST_MAX]; /* empty: not known */
    int port;
};

struct sentinel_topology;

struct sentinel {
    struct sentinel_topology *owner; /* NULL: no Sentinel is kept here */
    struct redis_address address;    /* owned */
    struct redis_route route;
    struct redis_link *link; /* owned */
    struct place says;       /* where the primary is */
    uint64_t epoch;          /* and since which failover */
    uint64_t asked_epoch;    /* from the first half of an answer */
    uint64_t asked_ms;       /* loop clock */
    bool learned;            /* of another one; not one of the URL's */
};

struct sentinel_topology {
    struct topology topology; /* first */
    struct sentinel sentinels[SENTINELS_MAX];
    size_t count; /* of places that were ever taken; the limit sentinels is SENTINELS_MAX */
    struct loop_timer *poll;
    uint64_t epoch; /* of the primary that we know */
    struct log_once said, crowded;
    bool poll_is_soon;
    bool stopped;
};

static void ask(struct sentinel *sentinel);

/* Whom to believe. */

static bool is_place(const struct place *place, const struct redis_address *address)
{
    return address->host != NULL && place->port == address->port &&
           strcmp(place->host, address->host) == 0;
}

static bool are_same(const struct place *a, const struct place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static const struct sentinel *latest(const struct sentinel_topology *t)
{
    const struct sentinel *best = NULL;

    for (const struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++) {
        if (s->owner == NULL || s->says.host[0] == '\0')
            continue;
        if (best == NULL || s->epoch > best->epoch ||
            (s->epoch == best->epoch && is_place(&s->says, &t->topology.server)))
            best = s;
    }
    return best;
}

/* Sentinels that were set up anew begin to count anew: then most of them say so. */
static bool do_most_agree(const struct sentinel_topology *t, const struct sentinel *with)
{
    size_t all = 0, agreeing = 0;

    for (const struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++) {
        all += s->owner != NULL;
        agreeing += s->owner != NULL && are_same(&s->says, &with->says);
    }
    return agreeing * 2 > all;
}

static void move_to(struct sentinel_topology *t, const struct sentinel *by)
{
    struct redis_address *server = &t->topology.server;
    char before[REDIS_ADDRESS_TEXT_MAX] = "", after[REDIS_ADDRESS_TEXT_MAX];
    char *host = strdup(by->says.host);

    if (host == NULL)
        return; /* it is asked again in a while */
    if (server->host != NULL)
        (void)redis_address_text(server, before);
    free(server->host);
    server->host = host;
    server->port = by->says.port;
    log_info("redis_primary", "name", t->topology.config->sentinel_master, "addr",
             redis_address_text(server, after), "before", before, "epoch",
             log_int((int64_t)by->epoch));
    topology_reroute(&t->topology, "Sentinel names another primary");
}

static void decide(struct sentinel_topology *t)
{
    const struct sentinel *best = latest(t);
    unsigned skipped;

    if (best == NULL)
        return;
    if (best->epoch < t->epoch && !do_most_agree(t, best)) {
        if (log_once(&t->said, loop_now_ms(t->topology.config->loop), "behind", &skipped))
            log_warn("sentinels_behind", "text",
                     "they name a primary that a failover which others told of has left");
        return;
    }
    t->epoch = best->epoch;
    if (!is_place(&best->says, &t->topology.server))
        move_to(t, best);
}

/* Sentinels. */

static const struct redis_address *where_sentinel(void *ctx)
{
    return &((struct sentinel *)ctx)->address;
}

static void on_up(void *ctx, struct redis_link *link);
static void on_down(void *ctx);
static void on_push(void *ctx, const struct resp *push);

static const struct redis_link_handlers link_handlers = {
    .on_up = on_up, .on_down = on_down, .on_push = on_push};

static void forget(struct sentinel *s)
{
    redis_link_free(s->link);
    redis_address_release(&s->address);
    *s = (struct sentinel){0};
}

static struct redis_tls *tls_of_sentinels(const struct topology *topology)
{
    const struct topology_config *config = topology->config;
    bool is_on =
        config->sentinel_tls == SENTINEL_TLS_ON ||
        (config->sentinel_tls == SENTINEL_TLS_AS_REDIS && redis_address_is_tls(config->url));

    return is_on ? topology->tls : NULL;
}

static void begin(struct sentinel *s)
{
    s->route.tls = tls_of_sentinels(&s->owner->topology);
    redis_link_start(s->link);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

static bool is_known(const struct sentinel_topology *t, const struct place *place)
{
    for (const struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++)
        if (s->owner != NULL && is_place(place, &s->address))
            return true;
    return false;
}

/* One that was learned of and cannot be had makes room. NULL: there is none. */
static struct sentinel *find_room(struct sentinel_topology *t)
{
    if (t->count < SENTINELS_MAX)
        return &t->sentinels[t->count++];
    for (struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++)
        if (s->owner == NULL || (s->learned && !redis_link_is_up(s->link))) {
            forget(s);
            return s;
        }
    return NULL;
}

/* NULL: no room, or no memory. */
static struct sentinel *add(struct sentinel_topology *t, const struct topology_config *config,
                            const struct place *place, bool learned)
{
    struct sentinel *s = find_room(t);

    if (s == NULL)
        return NULL;
    *s = (struct sentinel){.owner = t, .learned = learned};
    s->address = (struct redis_address){.host = strdup(place->host),
                                        .port = place->port,
                                        .user = copy(config->sentinel_user),
                                        .password = copy(config->sentinel_password)};
    s->route = (struct redis_route){.where = where_sentinel, .ctx = s, .role = REDIS_SENTINEL};
    s->link = redis_link_new(config->loop, LINK_NAME, &s->route);
    if (s->link == NULL || s->address.host == NULL ||
        (config->sentinel_password != NULL && s->address.password == NULL)) {
        forget(s);
        return NULL;
    }
    redis_link_listen(s->link, &link_handlers, s);
    return s;
}

/* Answers. */

static bool set_place(struct place *ret, const struct resp *host, const struct resp *port)
{
    struct notify_str name = resp_str(host), digits = resp_str(port);
    long number = digits.len == 0 ? 0 : strtol(digits.ptr, NULL, 10);

    if (name.len == 0 || name.len >= HOST_MAX || memchr(name.ptr, '\0', name.len) != NULL ||
        number <= 0 || number > 65535)
        return false;
    memcpy(ret->host, name.ptr, name.len);
    ret->host[name.len] = '\0';
    ret->port = (int)number;
    return true;
}

static void log_refusal(struct sentinel *s, const struct resp *reply)
{
    const struct topology_config *config = s->owner->topology.config;
    const char *text = reply->kind == RESP_ERROR ? log_bytes(reply->str.ptr, reply->str.len)
                                                 : "it knows no primary of that name";
    char address[REDIS_ADDRESS_TEXT_MAX];
    unsigned skipped;

    if (log_once(&s->owner->said, loop_now_ms(config->loop), text, &skipped))
        log_warn("sentinel_refuses", "name", config->sentinel_master, "addr",
                 redis_address_text(&s->address, address), "text", text);
}

static void on_master(void *ctx, const struct resp *reply)
{
    struct sentinel *s = ctx;
    struct notify_str epoch;

    s->asked_epoch = 0;
    if (reply == NULL || reply->kind == RESP_ERROR)
        return; /* the answer behind it says the same, but for rights: then epochs tell nothing */
    epoch = resp_str(resp_member(reply, "config-epoch"));
    if (epoch.len > 0)
        s->asked_epoch = strtoull(epoch.ptr, NULL, 10);
}

static void on_place(void *ctx, const struct resp *reply)
{
    struct sentinel *s = ctx;

    if (reply == NULL)
        return;
    s->says = (struct place){0};
    if (reply->kind != RESP_ARRAY || reply->len != 2 ||
        !set_place(&s->says, reply->items[0], reply->items[1])) {
        log_refusal(s, reply);
        return;
    }
    s->epoch = s->asked_epoch;
    decide(s->owner);
}

static void tell_crowd(struct sentinel_topology *t)
{
    unsigned skipped;

    counter_add(COUNTER_SENTINELS, 1);
    if (log_once(&t->crowded, loop_now_ms(t->topology.config->loop), "sentinels", &skipped))
        log_warn("limit_met", "limit", "sentinels", "times", log_int(skipped + 1));
}

/* Those that are not in the URL, too, are asked. */
static void on_others(void *ctx, const struct resp *reply)
{
    struct sentinel *s = ctx;
    struct sentinel_topology *t = s->owner;
    struct place place = {0};
    struct sentinel *added;
    bool is_full;

    if (reply == NULL || reply->kind != RESP_ARRAY || t->stopped)
        return;
    is_full = t->count == SENTINELS_MAX;
    for (size_t i = 0; i < reply->len; i++) {
        const struct resp *one = reply->items[i];
        if (!set_place(&place, resp_member(one, "ip"), resp_member(one, "port")) ||
            is_known(t, &place))
            continue;
        added = add(t, t->topology.config, &place, true);
        if (added == NULL) {
            tell_crowd(t);
            return;
        }
        begin(added);
        if (is_full || t->count == SENTINELS_MAX)
            return; /* one at a time takes the place of another */
    }
}

/* The epoch first: between the two a failover may end, and a new address under an old epoch is put
 * right by the next answer. In one write they are answered at one time. */
static void ask(struct sentinel *s)
{
    struct notify_str name = notify_str_z(s->owner->topology.config->sentinel_master);
    struct {
        const char *what;
        redis_reply_fn fn;
    } const questions[] = {
        {"MASTER", on_master}, {"GET-MASTER-ADDR-BY-NAME", on_place}, {"SENTINELS", on_others}};

    s->asked_ms = loop_now_ms(s->owner->topology.config->loop);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        const struct notify_str words[] = {NOTIFY_STR("SENTINEL"), notify_str_z(questions[i].what),
                                           name};
        if (redis_link_command(s->link, questions[i].fn, s, 3, words) != 0)
            return; /* at the next poll */
    }
}

static void on_subscribed(void *ctx, const struct resp *reply)
{
    if (reply != NULL && reply->kind == RESP_ERROR)
        log_refusal(ctx, reply); /* it is polled all the same */
}

static void on_up(void *ctx, struct redis_link *link)
{
    const struct notify_str words[] = {NOTIFY_STR("SUBSCRIBE"), NOTIFY_STR("+switch-master")};

    (void)redis_link_push_command(link, on_subscribed, ctx, 2, words); /* else polls alone tell */
    ask(ctx);
}

static void on_down(void *ctx)
{
    struct sentinel *s = ctx;

    s->says = (struct place){0};
}

/* Time. */

/* Asked for again and again it does not come later. */
static void poll_soon(struct sentinel_topology *t)
{
    if (t->stopped || t->poll_is_soon)
        return;
    t->poll_is_soon = true;
    loop_timer_set(t->poll, jittered(POLL_SOON_MS));
}

/* "name old-host old-port new-host new-port", for any primary of theirs. */
static bool is_about_us(const struct sentinel *s, struct notify_str text)
{
    struct notify_str name = notify_str_z(s->owner->topology.config->sentinel_master);

    return text.len > name.len && text.ptr[name.len] == ' ' &&
           memcmp(text.ptr, name.ptr, name.len) == 0;
}

static void on_push(void *ctx, const struct resp *push)
{
    struct sentinel *s = ctx;

    if (push->len != 3 || !notify_str_eq(resp_str(push->items[0]), NOTIFY_STR("message")) ||
        !is_about_us(s, resp_str(push->items[2])))
        return;
    if (loop_now_ms(s->owner->topology.config->loop) - s->asked_ms < ASK_EVERY_MS)
        poll_soon(s->owner);
    else
        ask(s);
}

static void on_poll(void *ctx)
{
    struct sentinel_topology *t = ctx;

    t->poll_is_soon = false;
    for (struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++)
        if (s->owner != NULL && redis_link_is_up(s->link))
            ask(s);
    loop_timer_set(t->poll, jittered(POLL_MS));
}

static void on_doubt(void *ctx)
{
    poll_soon(ctx);
}

/* Life. */

static const struct redis_address *where_primary(void *ctx)
{
    const struct sentinel_topology *t = ctx;

    return t->topology.server.host == NULL ? NULL : &t->topology.server;
}

static void free_it(struct topology *topology)
{
    struct sentinel_topology *t = (struct sentinel_topology *)topology;

    for (struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++)
        forget(s);
    loop_timer_free(t->poll);
    free(t);
}

/* What the URL says besides addresses is for the primary. */
static int init(struct sentinel_topology *t, const struct topology_config *config,
                const struct redis_address *addresses, size_t len)
{
    struct redis_address *server = &t->topology.server;
    struct place place = {0};

    if (redis_address_copy(server, &addresses[0]) != 0)
        return -ENOMEM;
    free(server->host);
    server->host = NULL;
    t->topology.route = (struct redis_route){
        .where = where_primary, .on_doubt = on_doubt, .ctx = t, .role = REDIS_PRIMARY};
    t->poll = loop_timer_new(config->loop, on_poll, t);
    if (t->poll == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < len && i < SENTINELS_MAX; i++) {
        (void)strncpy(place.host, addresses[i].host, HOST_MAX - 1); /* of a name no more is legal */
        place.port = addresses[i].port;
        if (!is_known(t, &place) && add(t, config, &place, false) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static struct topology *make(const struct topology_config *config,
                             const struct redis_address *addresses, size_t len)
{
    struct sentinel_topology *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    if (init(t, config, addresses, len) == 0)
        return &t->topology;
    redis_address_release(&t->topology.server);
    free_it(&t->topology);
    return NULL;
}

static void start(struct topology *topology)
{
    struct sentinel_topology *t = (struct sentinel_topology *)topology;

    for (struct sentinel *s = t->sentinels; s < t->sentinels + t->count; s++)
        begin(s);
    loop_timer_set(t->poll, jittered(POLL_MS));
}

static void stop(struct topology *topology)
{
    struct sentinel_topology *t = (struct sentinel_topology *)topology;

    t->stopped = true;
    loop_timer_cancel(t->poll);
}

const struct topology_kind topology_sentinel = {
    .make = make, .start = start, .stop = stop, .free = free_it};
