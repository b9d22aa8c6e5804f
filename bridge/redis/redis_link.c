#include "redis/redis_link.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <hiredis/hiredis.h>

#include "base/histograms.h"
#include "base/jitter.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "base/number.h"
#include "redis/command_text.h"
#include "redis/pending.h"
#include "redis/redis_address.h"
#include "redis/redis_reader.h"
#include "redis/redis_route.h"
#include "redis/redis_tls.h"
#include "redis/resp.h"

#define CHUNK_BYTES 16384 /* that hiredis reads at a time */
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define GOOD_AFTER_MS 5000 /* up for so long, it begins with the least back-off again */
#define CONNECT_TIMEOUT_MS 3000
#define BEAT "beat"
#define BEAT_INTERVAL_MS 3000 /* without any byte from the server */
#define SILENCE_MAX_MS 8000   /* then the link counts as dead */
#define ANSWER_MAX_MS 30000   /* of a beat, behind all that was asked before it, while bytes come */

/* The states follow one another; any failure leads back to LINK_DOWN and a timer. */
enum link_state {
    LINK_STOPPED,
    LINK_DOWN,       /* waits for the back-off */
    LINK_RESOLVING,  /* asks for the address of the host */
    LINK_CONNECTING, /* connect() is under way */
    LINK_GREETING,   /* HELLO and so on are sent */
    LINK_UP,
};

struct redis_link {
    struct loop *loop;                   /* borrowed */
    const char *name;                    /* borrowed */
    const struct redis_route *route;     /* borrowed */
    const struct redis_address *address; /* borrowed: of the latest attempt; NULL: none yet */
    char where[REDIS_ADDRESS_TEXT_MAX];  /* the same as text */
    struct listener {
        const struct redis_link_handlers *handlers; /* borrowed */
        void *ctx;
    } listeners[REDIS_LINK_LISTENERS_MAX];
    size_t listener_count;
    enum link_state state;
    redisContext *context;              /* owned; NULL when down */
    struct ssl_st *ssl;                 /* of the context; NULL: none */
    struct redis_reply_size reply_size; /* of the reply that is being read */
    struct event *readable, *writable;
    struct evdns_getaddrinfo_request *lookup;
    struct loop_timer *timer; /* back-off, connect timeout and beat, by state */
    struct pending pending;
    struct command_text text; /* of the command that is put together */
    uint64_t heard_ms;        /* loop clock of the last byte from the server */
    uint64_t up_ms;           /* and of when the link came up */
    uint64_t backoff_ms;
    unsigned attempts; /* failed, ever */
    unsigned greeting; /* replies of the greeting that are still to come */
    bool reads_ahead;  /* redis_link_read_ahead() */
    bool is_behind;    /* there was more to be read than in its time */
    bool broken;       /* half a command could not be sent: nothing fits together any more */
    bool flush_due;    /* a deferred flush is on its way */
    bool flush_stuck;  /* until something has been read: so it is within a handshake */
    uint64_t sent;     /* commands, ever */
    uint64_t timed;    /* the number of one whose reply is timed; 0: none is, */
    uint64_t timed_us; /* and when it was sent */
    uint64_t beat_ms;  /* since when a beat is on its way; 0: none is */
    char failure[LOG_ONCE_TEXT_MAX]; /* why the link must go down; empty: it need not */
    struct log_once own_said;        /* of the log */
    struct log_once *said;           /* this, or another link's */
};

/* Links that are behind, of all of this process: they share the time. */
static unsigned behind_count;

static void on_timer(void *ctx);
static void begin_connect(struct redis_link *link, const char *host);

struct redis_link *redis_link_new(struct loop *loop, const char *name,
                                  const struct redis_route *route)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->name = name;
    link->route = route;
    link->said = &link->own_said;
    link->backoff_ms = BACKOFF_MIN_MS;
    link->timer = loop_timer_new(loop, on_timer, link);
    if (link->timer == NULL) {
        free(link);
        return NULL;
    }
    return link;
}

void redis_link_listen(struct redis_link *link, const struct redis_link_handlers *handlers,
                       void *ctx)
{
    assert(link->listener_count < REDIS_LINK_LISTENERS_MAX);
    link->listeners[link->listener_count++] = (struct listener){handlers, ctx};
}

void redis_link_read_ahead(struct redis_link *link)
{
    link->reads_ahead = true;
}

void redis_link_tell_with(struct redis_link *link, struct redis_link *other)
{
    link->said = other->said;
}

bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == LINK_UP;
}

/* What is told. */

static void tell_up(struct redis_link *link)
{
    for (const struct listener *l = link->listeners; l < link->listeners + link->listener_count;
         l++)
        if (l->handlers->on_up != NULL)
            l->handlers->on_up(l->ctx, link);
}

static void tell_down(struct redis_link *link)
{
    for (const struct listener *l = link->listeners; l < link->listeners + link->listener_count;
         l++)
        if (l->handlers->on_down != NULL)
            l->handlers->on_down(l->ctx);
}

static void tell_push(struct redis_link *link, const struct resp *push)
{
    for (const struct listener *l = link->listeners; l < link->listeners + link->listener_count;
         l++)
        if (l->handlers->on_push != NULL)
            l->handlers->on_push(l->ctx, push);
}

static void tell_batch_end(struct redis_link *link)
{
    for (const struct listener *l = link->listeners; l < link->listeners + link->listener_count;
         l++)
        if (l->handlers->on_batch_end != NULL)
            l->handlers->on_batch_end(l->ctx);
}

/* Down. */

static void set_behind(struct redis_link *link, bool is_behind)
{
    behind_count += (unsigned)is_behind - (unsigned)link->is_behind;
    link->is_behind = is_behind;
}

static void drop_connection(struct redis_link *link)
{
    set_behind(link, false);
    if (link->lookup != NULL)
        evdns_getaddrinfo_cancel(link->lookup);
    link->lookup = NULL;
    if (link->readable != NULL)
        event_free(link->readable);
    if (link->writable != NULL)
        event_free(link->writable);
    link->readable = link->writable = NULL;
    if (link->context != NULL)
        redisFree(link->context);
    link->context = NULL;
    link->ssl = NULL;
    link->flush_stuck = false;
}

/* A link that was up is always worth a line; one that does not come up is so once in a while. */
static void log_down(struct redis_link *link, bool was_up, const char *why)
{
    unsigned skipped;

    if (was_up)
        log_once_forget(link->said);
    if (log_once(link->said, loop_now_ms(link->loop), why, &skipped))
        log_warn("redis_link_down", "link", link->name, "addr", link->where, "reason", why,
                 "attempts", log_int(skipped + 1));
}

static void choose_backoff(struct redis_link *link, bool was_up)
{
    if (was_up && loop_now_ms(link->loop) - link->up_ms >= GOOD_AFTER_MS)
        link->backoff_ms = BACKOFF_MIN_MS;
    loop_timer_set(link->timer, jittered(link->backoff_ms));
    link->backoff_ms *= 2;
    if (link->backoff_ms > BACKOFF_MAX_MS)
        link->backoff_ms = BACKOFF_MAX_MS;
}

static void go_down(struct redis_link *link, const char *why)
{
    bool was_up = link->state == LINK_UP;

    log_down(link, was_up, why);
    drop_connection(link);
    link->state = LINK_DOWN;
    link->attempts++;
    link->broken = false;
    link->failure[0] = '\0';
    choose_backoff(link, was_up);
    link->timed = 0;
    pending_fail(&link->pending);
    if (was_up)
        tell_down(link);
    if (link->route->on_doubt != NULL)
        link->route->on_doubt(link->route->ctx);
}

/* An end is told by one text, whether or not the server had read all that we wrote: one reset and
 * one end in turns would fill the log. */
static bool has_ended(const redisContext *context)
{
    return context->err == REDIS_ERR_EOF ||
           (context->err == REDIS_ERR_IO && (errno == ECONNRESET || errno == EPIPE));
}

/* The server could not be read from, or written to. */
static void go_down_by_error(struct redis_link *link)
{
    bool ended = has_ended(link->context);
    char why[TLS_WHY_MAX];

    if (link->ssl != NULL && link->state == LINK_GREETING)
        go_down(link, redis_tls_failure(link->ssl, ended, why));
    else if (ended && link->state == LINK_GREETING)
        go_down(link, "the server closed the connection at HELLO: perhaps it speaks RESP2 alone, "
                      "as some proxies do, or TLS (rediss://)");
    else
        go_down(link, ended ? "the server closed the connection" : link->context->errstr);
}

/* From within a callback of a reply, where the connection cannot be dropped: it is, behind it. */
static void fail(struct redis_link *link, const char *why)
{
    if (link->failure[0] == '\0')
        (void)snprintf(link->failure, sizeof(link->failure), "%s", why); /* cut if too long */
}

/* Out. */

static void flush(struct redis_link *link)
{
    int done = 0;

    if (link->context == NULL || link->state < LINK_GREETING)
        return;
    if (link->broken) {
        go_down(link, "out of memory");
        return;
    }
    if (link->ssl != NULL)
        redis_tls_prepare();
    if (redisBufferWrite(link->context, &done) != REDIS_OK) {
        go_down_by_error(link);
        return;
    }
    link->flush_stuck = !done && link->ssl != NULL && redis_tls_wants_read(link->ssl);
    if (!done &&
        !link->flush_stuck) /* else a socket that can be written to would wake us for ever */
        event_add(link->writable, NULL);
}

static void on_flush_due(void *ctx)
{
    struct redis_link *link = ctx;

    link->flush_due = false;
    flush(link);
}

static void flush_soon(struct redis_link *link)
{
    if (link->flush_due)
        return;
    link->flush_due = true;
    loop_defer(link->loop, on_flush_due, link);
}

static int append(struct redis_link *link, size_t argc, const struct notify_str *argv)
{
    struct notify_str text;

    if (command_text_make(&link->text, argc, argv, &text) != 0)
        return -ENOMEM;
    return redisAppendFormattedCommand(link->context, text.ptr, text.len) == REDIS_OK ? 0 : -ENOMEM;
}

/* One at a time: that costs next to nothing, and is enough. */
static void begin_timing(struct redis_link *link)
{
    link->sent++;
    if (link->timed != 0)
        return;
    link->timed = link->sent;
    link->timed_us = loop_clock_us();
}

static void end_timing(struct redis_link *link)
{
    if (link->timed == 0 || link->sent - link->pending.len < link->timed)
        return;
    link->timed = 0;
    histogram_add(HISTOGRAM_ROUND_TRIP, loop_clock_us() - link->timed_us, 1);
}

static int send_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                        const struct notify_str *argv)
{
    int result = pending_push(&link->pending, fn, ctx);

    if (result == 0 && (result = append(link, argc, argv)) != 0)
        pending_drop_last(&link->pending);
    if (result != 0)
        return result;
    begin_timing(link);
    flush_soon(link);
    return 0;
}

int redis_link_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                       const struct notify_str *argv)
{
    if (link->state != LINK_UP)
        return -ENOTCONN;
    return send_command(link, fn, ctx, argc, argv);
}

/* What a server repeats: one that loads its data does by ECHO alone, a Sentinel knows no ECHO. */
static struct notify_str probe(const struct redis_link *link)
{
    return link->route->role == REDIS_SENTINEL ? NOTIFY_STR("PING") : NOTIFY_STR("ECHO");
}

int redis_link_push_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                            const struct notify_str *argv)
{
    struct notify_str echo[2] = {probe(link)};
    char fence[PENDING_FENCE_MAX];
    int result;

    if (link->state != LINK_UP)
        return -ENOTCONN;
    result = pending_push_fenced(&link->pending, fn, ctx, fence);
    if (result != 0)
        return result;
    echo[1] = notify_str_z(fence);
    if ((result = append(link, argc, argv)) != 0)
        pending_drop_last(&link->pending);
    else
        link->broken = append(link, 2, echo) != 0;
    if (result == 0)
        begin_timing(link);
    flush_soon(link);
    return result;
}

/* In. */

static void on_reply(struct redis_link *link, const struct resp *reply)
{
    if (reply->kind != RESP_PUSH) {
        if (!pending_answer(&link->pending, reply))
            fail(link, "a reply that nobody waits for");
        else if (link->route->role == REDIS_PRIMARY && resp_is_error(reply, "READONLY"))
            fail(link, "it takes no writes: it has become a replica");
        end_timing(link);
    } else if (link->state == LINK_UP) {
        tell_push(link, reply);
    }
}

static void work_off_replies(struct redis_link *link)
{
    struct resp *reply = NULL;
    int found = 1;

    while (link->failure[0] == '\0' && found == 1) {
        found = redis_reader_next(link->context->reader, &reply);
        if (found == 1) {
            on_reply(link, reply);
            redis_reader_free_reply(reply);
        } else if (found < 0) {
            fail(link, found == -E2BIG                ? "a reply is too large"
                       : link->state == LINK_GREETING ? "what it answers is no RESP: perhaps TLS "
                                                        "(rediss://), or no Redis at all"
                                                      : "bad protocol");
        }
    }
}

/* Reads a chunk and works it off. False: the link has gone down. *ret_more: there may be more. */
static bool read_chunk(struct redis_link *link, bool *ret_more)
{
    size_t before = link->context->reader->len, got;

    if (link->ssl != NULL)
        redis_tls_prepare();
    if (redisBufferRead(link->context) != REDIS_OK) {
        go_down_by_error(link);
        return false;
    }
    got = link->context->reader->len - before;
    *ret_more = link->ssl != NULL ? got > 0 : got >= CHUNK_BYTES; /* a record may be short */
    if (link->flush_stuck)
        flush_soon(link);
    work_off_replies(link);
    if (link->failure[0] != '\0')
        go_down(link, link->failure);
    return link->context != NULL;
}

/* Whether there is time for another chunk. The clock is not looked at for a single one. */
static bool may_go_on(const struct redis_link *link, uint64_t *until_us)
{
    uint64_t now_us;

    if (!link->reads_ahead || link->state != LINK_UP)
        return false;
    now_us = loop_clock_us();
    if (*until_us == 0)
        *until_us = now_us + REDIS_LINK_SLICE_US / (behind_count + !link->is_behind);
    return now_us < *until_us;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_link *link = ctx;
    uint64_t until_us = 0;
    bool more = true;

    (void)fd;
    (void)what;
    loop_work(link->loop, LOOP_REDIS, link->name);
    link->heard_ms = loop_now_ms(link->loop);
    do
        if (!read_chunk(link, &more))
            return;
    while (more && may_go_on(link, &until_us));
    set_behind(link, more && link->reads_ahead && link->state == LINK_UP);
    if (link->state == LINK_UP)
        tell_batch_end(link);
}

/* Greeting: HELLO; SELECT; a probe, since fences and beats need it. */

/* What a server has to say of itself, by what it is taken for; and what is wrong where it says
 * something else. One that says nothing of it is believed. */
#define IS_SENTINEL                                                                                \
    {                                                                                              \
        "sentinel", "the server is a Sentinel: see --redis-mode and --sentinel-master"             \
    }
#define IS_OF_CLUSTER                                                                              \
    {                                                                                              \
        "cluster", "the server belongs to a Redis Cluster: see --redis-mode"                       \
    }
static const struct {
    const char *mode, *why;
} modes[][2] = {
    [REDIS_ANY] = {IS_OF_CLUSTER, IS_SENTINEL},
    [REDIS_PRIMARY] = {IS_OF_CLUSTER, IS_SENTINEL},
    [REDIS_CLUSTER] = {{"standalone", "the server belongs to no Redis Cluster (cluster-enabled), "
                                      "as --redis-mode says"},
                       IS_SENTINEL},
};

/* How servers and proxies that do not know HELLO answer it. */
static const char *const no_resp3_errors[] = {"NOPROTO", "ERR unknown command",
                                              "ERR unsupported command"};

#define NO_RESP3 "this is no server that speaks RESP3 (Redis 6.0 or newer, without a proxy)"

static bool speaks_no_resp3(const struct resp *hello)
{
    if (hello->kind != RESP_ERROR)
        return hello->kind != RESP_MAP;
    for (size_t i = 0; i < sizeof(no_resp3_errors) / sizeof(no_resp3_errors[0]); i++)
        if (strncasecmp(hello->str.ptr, no_resp3_errors[i], strlen(no_resp3_errors[i])) == 0)
            return true;
    return false;
}

static const char *find_wrong_mode(enum redis_role role, struct notify_str mode)
{
    for (size_t i = 0; i < sizeof(modes[role]) / sizeof(modes[role][0]); i++)
        if (notify_str_eq(mode, notify_str_z(modes[role][i].mode)))
            return modes[role][i].why;
    return NULL;
}

/* NULL: none, or an error that tells by itself. */
static const char *find_fault(const struct redis_link *link, const struct resp *hello)
{
    struct notify_str mode = resp_str(resp_member(hello, "mode"));
    const char *why;

    if (speaks_no_resp3(hello))
        return NO_RESP3;
    if (hello->kind == RESP_ERROR)
        return NULL;
    if (link->route->role == REDIS_SENTINEL)
        return notify_str_eq(mode, NOTIFY_STR("sentinel"))
                   ? NULL
                   : "this is no Sentinel, as --redis-mode says: is it the port of Redis itself?";
    why = find_wrong_mode(link->route->role, mode);
    if (why == NULL && link->route->role == REDIS_PRIMARY &&
        !notify_str_eq(resp_str(resp_member(hello, "role")), NOTIFY_STR("master")))
        return "it is a replica, not the primary that Sentinel says it is";
    return why;
}

static void on_greeting_reply(void *ctx, const struct resp *reply)
{
    struct redis_link *link = ctx;

    if (reply == NULL)
        return;
    if (reply->kind == RESP_ERROR) {
        fail(link, reply->str.ptr);
        return;
    }
    if (--link->greeting > 0)
        return;
    link->state = LINK_UP;
    link->up_ms = loop_now_ms(link->loop);
    loop_timer_set(link->timer, BEAT_INTERVAL_MS);
    log_info("redis_link_up", "link", link->name, "addr", link->where);
    tell_up(link);
}

static void on_hello(void *ctx, const struct resp *reply)
{
    const char *fault = reply == NULL ? NULL : find_fault(ctx, reply);

    if (fault != NULL)
        fail(ctx, fault);
    else
        on_greeting_reply(ctx, reply);
}

static int say_hello(struct redis_link *link)
{
    const struct redis_address *a = link->address;
    struct notify_str words[7] = {NOTIFY_STR("HELLO"), NOTIFY_STR("3")};
    size_t n = 2;

    if (a->password != NULL) {
        words[n++] = NOTIFY_STR("AUTH");
        words[n++] = notify_str_z(a->user == NULL ? "default" : a->user);
        words[n++] = notify_str_z(a->password);
    }
    words[n++] = NOTIFY_STR("SETNAME");
    words[n++] = notify_str_z(link->name);
    return send_command(link, on_hello, link, n, words);
}

static int greet(struct redis_link *link)
{
    char db[NUMBER_TEXT_MAX + 1];
    const struct notify_str select[] = {NOTIFY_STR("SELECT"),
                                        number_text(db, (int64_t)link->address->db)};
    const struct notify_str echo[] = {probe(link), NOTIFY_STR("hello")};
    int result = say_hello(link);

    link->greeting = 2;
    if (result == 0 && link->address->db != 0) {
        link->greeting++;
        result = send_command(link, on_greeting_reply, link, 2, select);
    }
    return result != 0 ? result : send_command(link, on_greeting_reply, link, 2, echo);
}

/* Connecting. */

static int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static void on_connected(struct redis_link *link)
{
    int error = socket_error(link->context->fd);
    char why[TLS_WHY_MAX];

    if (error != 0) {
        go_down(link, strerror(error));
        return;
    }
    link->state = LINK_GREETING;
    link->heard_ms = loop_now_ms(link->loop);
    if (link->route->tls != NULL && link->address->host != NULL) {
        link->ssl = redis_tls_begin(link->route->tls, link->context, link->address->host, why);
        if (link->ssl == NULL) {
            go_down(link, why);
            return;
        }
    }
    if (event_add(link->readable, NULL) != 0 || greet(link) != 0)
        go_down(link, "out of memory");
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_link *link = ctx;

    (void)fd;
    (void)what;
    loop_work(link->loop, LOOP_REDIS, link->name);
    if (link->state == LINK_CONNECTING)
        on_connected(link);
    else
        flush(link);
}

static int watch(struct redis_link *link)
{
    struct event_base *base = loop_base(link->loop);
    int fd = link->context->fd;

    link->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(base, fd, EV_WRITE, on_writable, link);
    if (link->readable == NULL || link->writable == NULL)
        return -ENOMEM;
    return event_add(link->writable, NULL) == 0 ? 0 : -ENOMEM;
}

/* host: a numeric address, so that hiredis does not block on a name server; NULL for a unix socket.
 */
static void begin_connect(struct redis_link *link, const char *host)
{
    redisOptions how = {.options = REDIS_OPT_NONBLOCK};

    if (host == NULL)
        REDIS_OPTIONS_SET_UNIX(&how, link->address->path);
    else
        REDIS_OPTIONS_SET_TCP(&how, host, link->address->port);
    link->context = redisConnectWithOptions(&how);
    if (link->context == NULL || link->context->err != 0) {
        go_down(link, link->context == NULL ? "out of memory" : link->context->errstr);
        return;
    }
    (void)evutil_make_socket_closeonexec(link->context->fd); /* hiredis does not */
    redis_reader_setup(link->context->reader, &link->reply_size);
    if (host != NULL)
        (void)redisEnableKeepAlive(link->context); /* helps, is not relied on */
    link->state = LINK_CONNECTING;
    loop_timer_set(link->timer, CONNECT_TIMEOUT_MS);
    if (watch(link) != 0)
        go_down(link, "out of memory");
}

/* A name may have several addresses, of which only some answer (::1 beside 127.0.0.1): each attempt
 * takes the next one. */
static const struct evutil_addrinfo *choose(const struct redis_link *link,
                                            const struct evutil_addrinfo *found)
{
    const struct evutil_addrinfo *a;
    unsigned count = 0;
    unsigned turn;

    for (a = found; a != NULL; a = a->ai_next)
        count++;
    turn = count == 0 ? 0 : link->attempts % count;
    for (a = found; turn > 0; turn--)
        a = a->ai_next;
    return a;
}

static void on_resolved(int result, struct evutil_addrinfo *found, void *ctx)
{
    struct redis_link *link = ctx;
    const struct evutil_addrinfo *a = choose(link, found);
    char host[NI_MAXHOST];

    if (result == EVUTIL_EAI_CANCEL)
        return;
    link->lookup = NULL;
    if (result != 0)
        go_down(link, evutil_gai_strerror(result));
    else if (a == NULL || getnameinfo(a->ai_addr, (socklen_t)a->ai_addrlen, host, sizeof(host),
                                      NULL, 0, NI_NUMERICHOST) != 0)
        go_down(link, "unusable address");
    else
        begin_connect(link, host);
    if (found != NULL)
        evutil_freeaddrinfo(found);
}

static void resolve(struct redis_link *link)
{
    struct evdns_base *resolver = loop_resolver(link->loop);
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct evdns_getaddrinfo_request *request;

    if (resolver == NULL) {
        go_down(link, "out of memory");
        return;
    }
    link->state = LINK_RESOLVING;
    loop_timer_set(link->timer, CONNECT_TIMEOUT_MS);
    request = evdns_getaddrinfo(resolver, link->address->host, NULL, &hints, on_resolved, link);
    if (link->state == LINK_RESOLVING)
        link->lookup = request; /* otherwise on_resolved() has been called already */
}

static void connect_now(struct redis_link *link)
{
    link->address = link->route->where(link->route->ctx);
    if (link->address == NULL) { /* redis_link_reroute() goes on */
        link->state = LINK_DOWN;
        return;
    }
    (void)redis_address_text(link->address, link->where);
    if (link->address->host == NULL || redis_address_is_numeric(link->address->host))
        begin_connect(link, link->address->host);
    else
        resolve(link);
}

void redis_link_start(struct redis_link *link)
{
    if (link->state == LINK_STOPPED)
        connect_now(link);
}

void redis_link_reroute(struct redis_link *link, const char *why)
{
    if (link->state == LINK_STOPPED)
        return;
    if (link->state != LINK_DOWN)
        go_down(link, why);
    link->backoff_ms = BACKOFF_MIN_MS;
    loop_timer_set(link->timer, 0);
}

/* Keeping an eye on the server. */

/* An error, too, is a sign of life: of a server that loads its data, or runs a long script. Any
 * other text is the answer to something else: one was lost, and each would go to the wrong one from
 * now on. */
static void on_beat(void *ctx, const struct resp *reply)
{
    struct redis_link *link = ctx;

    link->beat_ms = 0;
    if (reply != NULL && reply->kind != RESP_ERROR &&
        !notify_str_eq(resp_str(reply), NOTIFY_STR(BEAT)))
        fail(link, "its replies are out of step");
}

static void send_beat(struct redis_link *link)
{
    const struct notify_str echo[] = {probe(link), NOTIFY_STR(BEAT)};

    if (send_command(link, on_beat, link, 2, echo) == 0) /* if not, the next one */
        link->beat_ms = loop_now_ms(link->loop);
}

/* A beat also shows whether what is waited for will be answered at all, whatever else is heard. */
static void check_alive(struct redis_link *link)
{
    uint64_t now_ms = loop_now_ms(link->loop), silent_ms = now_ms - link->heard_ms;

    if (silent_ms >= SILENCE_MAX_MS) {
        go_down(link, "silent");
        return;
    }
    if (link->beat_ms != 0 && now_ms - link->beat_ms >= ANSWER_MAX_MS) {
        go_down(link, "it does not answer");
        return;
    }
    if (link->beat_ms == 0 && (silent_ms >= BEAT_INTERVAL_MS || link->pending.len > 0))
        send_beat(link);
    loop_timer_set(link->timer, BEAT_INTERVAL_MS);
}

static void on_timer(void *ctx)
{
    struct redis_link *link = ctx;

    switch (link->state) {
    case LINK_STOPPED:
        break;
    case LINK_DOWN:
        connect_now(link);
        break;
    case LINK_RESOLVING:
    case LINK_CONNECTING:
    case LINK_GREETING:
        go_down(link, link->ssl != NULL && !redis_tls_is_up(link->ssl)
                          ? "no TLS handshake came about: perhaps the server speaks none at this "
                            "port"
                          : "timeout while connecting");
        break;
    case LINK_UP:
        check_alive(link);
        break;
    }
}

void redis_link_free(struct redis_link *link)
{
    if (link == NULL)
        return;
    link->state = LINK_STOPPED;
    drop_connection(link);
    pending_fail(&link->pending);
    pending_release(&link->pending);
    loop_timer_free(link->timer);
    loop_undefer(link->loop, on_flush_due, link);
    command_text_release(&link->text);
    free(link);
}
