#include "redis/redis_link.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <hiredis/hiredis.h>

#include "base/log.h"
#include "base/loop.h"
#include "redis/redis_reader.h"
#include "redis/resp.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define CONNECT_TIMEOUT_MS 3000
#define PING_INTERVAL_MS 3000 /* without any byte from the server */
#define SILENCE_MAX_MS 8000   /* then the link counts as dead */

/* The states follow one another; any failure leads back to LINK_DOWN and a timer. */
enum link_state {
    LINK_STOPPED,
    LINK_DOWN,       /* waits for the back-off */
    LINK_RESOLVING,  /* asks for the address of the host */
    LINK_CONNECTING, /* connect() is under way */
    LINK_GREETING,   /* HELLO and so on are sent */
    LINK_UP,
};

struct waiting {
    redis_reply_fn fn;
    void *ctx;
};

struct redis_link {
    struct loop *loop;                   /* borrowed */
    const char *name;                    /* borrowed */
    const struct redis_address *address; /* borrowed */
    const struct redis_link_handlers *handlers;
    void *ctx;
    enum link_state state;
    redisContext *context;              /* owned; NULL when down */
    struct redis_reply_size reply_size; /* of the reply that is being read */
    struct event *readable, *writable;
    struct evdns_base *dns; /* owned; made when a host name is first looked up */
    struct evdns_getaddrinfo_request *lookup;
    struct loop_timer *timer; /* back-off, connect timeout and ping, by state */
    struct waiting *waiting;  /* owned ring: who gets the next reply */
    size_t waiting_cap, waiting_head, waiting_len;
    uint64_t heard_ms; /* loop clock of the last byte from the server */
    uint64_t backoff_ms;
    unsigned attempts; /* failed, ever */
    bool flush_due;    /* a deferred flush is on its way */
    bool freed;        /* by the owner, while that flush was on its way */
    const char *failure;
};

static void on_timer(void *ctx);
static void begin_connect(struct redis_link *link, const char *host);

struct redis_link *redis_link_new(struct loop *loop, const char *name,
                                  const struct redis_address *address,
                                  const struct redis_link_handlers *handlers, void *ctx)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->name = name;
    link->address = address;
    link->handlers = handlers;
    link->ctx = ctx;
    link->backoff_ms = BACKOFF_MIN_MS;
    link->timer = loop_timer_new(loop, on_timer, link);
    if (link->timer == NULL) {
        free(link);
        return NULL;
    }
    return link;
}

bool redis_link_is_up(const struct redis_link *link)
{
    return link->state == LINK_UP;
}

/* Who waits for a reply: a ring that doubles. */

static int waiting_push(struct redis_link *link, redis_reply_fn fn, void *ctx)
{
    if (link->waiting_len >= REDIS_LINK_MAX_PENDING)
        return -EBUSY;
    if (link->waiting_len == link->waiting_cap) {
        size_t cap = link->waiting_cap == 0 ? 64 : link->waiting_cap * 2;
        struct waiting *ring = malloc(cap * sizeof(*ring));
        if (ring == NULL)
            return -ENOMEM;
        for (size_t i = 0; i < link->waiting_len; i++)
            ring[i] = link->waiting[(link->waiting_head + i) % link->waiting_cap];
        free(link->waiting);
        link->waiting = ring;
        link->waiting_cap = cap;
        link->waiting_head = 0;
    }
    link->waiting[(link->waiting_head + link->waiting_len++) % link->waiting_cap] =
        (struct waiting){fn, ctx};
    return 0;
}

static struct waiting waiting_pop(struct redis_link *link)
{
    struct waiting w = link->waiting[link->waiting_head];

    link->waiting_head = (link->waiting_head + 1) % link->waiting_cap;
    link->waiting_len--;
    return w;
}

/* Those who joined while the others were told (they could not: the state is not LINK_UP) do not
 * exist, so this ends. */
static void waiting_fail_all(struct redis_link *link)
{
    while (link->waiting_len > 0) {
        struct waiting w = waiting_pop(link);
        w.fn(w.ctx, NULL);
    }
}

/* Down. */

static void drop_connection(struct redis_link *link)
{
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
}

static uint64_t jittered(uint64_t ms)
{
    uint32_t random;

    evutil_secure_rng_get_bytes(&random, sizeof(random));
    return ms / 2 + random % (ms / 2 + 1);
}

static void go_down(struct redis_link *link, const char *why)
{
    bool was_up = link->state == LINK_UP;

    log_warn("redis_link_down", "link", link->name, "reason", why);
    drop_connection(link);
    link->state = LINK_DOWN;
    link->attempts++;
    loop_timer_set(link->timer, jittered(link->backoff_ms));
    link->backoff_ms *= 2;
    if (link->backoff_ms > BACKOFF_MAX_MS)
        link->backoff_ms = BACKOFF_MAX_MS;
    waiting_fail_all(link);
    if (was_up && link->handlers->on_down != NULL)
        link->handlers->on_down(link->ctx);
}

/* Out. */

static void flush(struct redis_link *link)
{
    int done = 0;

    if (link->context == NULL || link->state < LINK_GREETING)
        return;
    if (redisBufferWrite(link->context, &done) != REDIS_OK) {
        go_down(link, link->context->errstr);
        return;
    }
    if (!done)
        event_add(link->writable, NULL);
}

static void on_flush_due(void *ctx)
{
    struct redis_link *link = ctx;

    link->flush_due = false;
    if (link->freed)
        free(link);
    else
        flush(link);
}

static int send_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                        const struct notify_str *argv)
{
    enum { INLINE_ARGS = 64 };
    const char *inline_ptrs[INLINE_ARGS];
    size_t inline_lens[INLINE_ARGS];
    const char **ptrs = argc > INLINE_ARGS ? malloc(argc * sizeof(*ptrs)) : inline_ptrs;
    size_t *lens = argc > INLINE_ARGS ? malloc(argc * sizeof(*lens)) : inline_lens;
    int result = -ENOMEM;

    if (ptrs == NULL || lens == NULL)
        goto out;
    for (size_t i = 0; i < argc; i++) {
        ptrs[i] = argv[i].ptr;
        lens[i] = argv[i].len;
    }
    if (fn != NULL && (result = waiting_push(link, fn, ctx)) != 0)
        goto out;
    result = 0;
    if (redisAppendCommandArgv(link->context, (int)argc, ptrs, lens) != REDIS_OK) {
        if (fn != NULL)
            link->waiting_len--;
        result = -ENOMEM;
        goto out;
    }
    if (!link->flush_due) {
        link->flush_due = true;
        loop_defer(link->loop, on_flush_due, link);
    }
out:
    if (ptrs != inline_ptrs)
        free(ptrs);
    if (lens != inline_lens)
        free(lens);
    return result;
}

int redis_link_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                       const struct notify_str *argv)
{
    if (link->state != LINK_UP)
        return -ENOTCONN;
    return send_command(link, fn, ctx, argc, argv);
}

/* In. */

static void on_reply(struct redis_link *link, struct resp *reply)
{
    if (reply->kind == RESP_PUSH) {
        if (link->handlers->on_push != NULL)
            link->handlers->on_push(link->ctx, reply);
    } else if (link->waiting_len > 0) {
        struct waiting w = waiting_pop(link);
        w.fn(w.ctx, reply);
    } else {
        /* The answer to something that awaits none, such as a refused SUBSCRIBE: what the server
         * holds is no longer known. */
        link->failure = "unexpected reply";
        log_warn("redis_reply_unexpected", "link", link->name, "text",
                 log_bytes(reply->str.ptr, reply->str.len));
    }
}

static void work_off_replies(struct redis_link *link)
{
    struct resp *reply = NULL;
    int found = 1;

    while (link->context != NULL && link->failure == NULL && found == 1) {
        found = redis_reader_next(link->context->reader, &reply);
        if (found == 1) {
            on_reply(link, reply);
            redis_reader_free_reply(reply);
        } else if (found < 0) {
            link->failure = found == -E2BIG ? "a reply is too large" : "bad protocol";
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_link *link = ctx;

    (void)fd;
    (void)what;
    link->heard_ms = loop_now_ms(link->loop);
    if (redisBufferRead(link->context) != REDIS_OK) {
        go_down(link, link->context->errstr);
        return;
    }
    link->failure = NULL;
    work_off_replies(link);
    if (link->failure != NULL) {
        go_down(link, link->failure);
        return;
    }
    if (link->state == LINK_UP && link->handlers->on_batch_end != NULL)
        link->handlers->on_batch_end(link->ctx);
}

/* Greeting: HELLO, SELECT. */

static void on_greeted(void *ctx, const struct resp *reply)
{
    struct redis_link *link = ctx;

    if (reply == NULL || link->state != LINK_GREETING)
        return;
    if (reply->kind == RESP_ERROR) {
        log_error("redis_refused", "link", link->name, "text",
                  log_bytes(reply->str.ptr, reply->str.len));
        link->failure = "refused";
        return;
    }
    if (link->waiting_len > 0)
        return; /* one more answer of the greeting to come */
    link->state = LINK_UP;
    link->backoff_ms = BACKOFF_MIN_MS;
    loop_timer_set(link->timer, PING_INTERVAL_MS);
    log_info("redis_link_up", "link", link->name);
    if (link->handlers->on_up != NULL)
        link->handlers->on_up(link->ctx);
}

static int greet(struct redis_link *link)
{
    const struct redis_address *a = link->address;
    const char *user = a->user == NULL ? "default" : a->user;
    struct notify_str hello[7] = {NOTIFY_STR("HELLO"), NOTIFY_STR("3")};
    size_t n = 2;
    const char *db = log_int(a->db);
    int result;

    if (a->password != NULL) {
        hello[n++] = NOTIFY_STR("AUTH");
        hello[n++] = notify_str_z(user);
        hello[n++] = notify_str_z(a->password);
    }
    hello[n++] = NOTIFY_STR("SETNAME");
    hello[n++] = notify_str_z(link->name);
    result = send_command(link, on_greeted, link, n, hello);
    if (result == 0 && a->db != 0)
        result = send_command(link, on_greeted, link, 2,
                              (struct notify_str[]){NOTIFY_STR("SELECT"), notify_str_z(db)});
    return result;
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

    if (error != 0) {
        go_down(link, strerror(error));
        return;
    }
    link->state = LINK_GREETING;
    link->heard_ms = loop_now_ms(link->loop);
    if (event_add(link->readable, NULL) != 0 || greet(link) != 0)
        go_down(link, "out of memory");
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct redis_link *link = ctx;

    (void)fd;
    (void)what;
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
    redisOptions options = {.options = REDIS_OPT_NONBLOCK};

    if (host == NULL)
        REDIS_OPTIONS_SET_UNIX(&options, link->address->path);
    else
        REDIS_OPTIONS_SET_TCP(&options, host, link->address->port);
    link->context = redisConnectWithOptions(&options);
    if (link->context == NULL || link->context->err != 0) {
        go_down(link, link->context == NULL ? "out of memory" : link->context->errstr);
        return;
    }
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
    struct event_base *base = loop_base(link->loop);
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct evdns_getaddrinfo_request *request;

    if (link->dns == NULL)
        link->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                             EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (link->dns == NULL) {
        go_down(link, "no name server is configured");
        return;
    }
    link->state = LINK_RESOLVING;
    loop_timer_set(link->timer, CONNECT_TIMEOUT_MS);
    request = evdns_getaddrinfo(link->dns, link->address->host, NULL, &hints, on_resolved, link);
    if (link->state == LINK_RESOLVING)
        link->lookup = request; /* otherwise on_resolved() has been called already */
}

static bool is_numeric(const char *host)
{
    unsigned char out[sizeof(struct in6_addr)];

    return evutil_inet_pton(AF_INET, host, out) == 1 || evutil_inet_pton(AF_INET6, host, out) == 1;
}

static void connect_now(struct redis_link *link)
{
    if (link->address->host == NULL || is_numeric(link->address->host))
        begin_connect(link, link->address->host);
    else
        resolve(link);
}

void redis_link_start(struct redis_link *link)
{
    if (link->state == LINK_STOPPED)
        connect_now(link);
}

/* Keeping an eye on the server. */

static void on_pong(void *ctx, const struct resp *reply)
{
    struct redis_link *link = ctx;

    if (reply != NULL && reply->kind == RESP_ERROR)
        link->failure = "error instead of PONG";
}

static void check_alive(struct redis_link *link)
{
    uint64_t silent_ms = loop_now_ms(link->loop) - link->heard_ms;

    if (silent_ms >= SILENCE_MAX_MS) {
        go_down(link, "silent");
        return;
    }
    if (silent_ms >= PING_INTERVAL_MS)
        (void)send_command(link, on_pong, link, 1, &NOTIFY_STR("PING")); /* else the next one */
    loop_timer_set(link->timer, PING_INTERVAL_MS);
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
        go_down(link, "timeout while connecting");
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
    waiting_fail_all(link);
    loop_timer_free(link->timer);
    if (link->dns != NULL)
        evdns_base_free(link->dns, 0);
    free(link->waiting);
    link->freed = true;
    if (!link->flush_due)
        free(link);
}
