#include "app.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/util.h>

#include "clients/arrival.h"
#include "clients/client.h"
#include "clients/opening.h"
#include "config.h"
#include "requests/http_routes.h"
#include "identity/key_names.h"
#include "identity/origins.h"
#include "net/listener.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "redis/module_check.h"
#include "redis/redis_address.h"
#include "redis/redis_link.h"
#include "redis/turns.h"
#include "requests/responder_ws.h"
#include "channels/router.h"
#include "net/transport.h"

#define REFUSALS_LOGGED_MS 10000 /* at most one in so long */
/* Connections that are no WebSocket, those that are refused with 503 among them; out of the files
 * kept free. */
#define SOCKETS_BESIDES 32
#define FILES_KEPT_FREE 64 /* for Redis, listeners, logs */
#define FILES_MAX 1048576  /* libwebsockets makes a table as long as the limit */
#define REASON_DELAY "restarting, come back after ms: "

struct app {
    const struct config *config; /* borrowed */
    struct loop *loop;
    struct redis_address address;
    struct redis_link *subscriber, *commands;
    struct turns *turns; /* of commands */
    struct module_check *module_check;
    struct loop_timer *shutdown_timer;
    struct key_names keys;
    struct origins origins;
    struct peer_network *trusted; /* owned */
    uint64_t refusal_logged_ms;   /* when a page was last logged that may not connect; 0: never */
    struct key_buffer check_key;  /* what module_check asks about */
    struct router *router;
    struct client_shared clients;
    struct transport *transport;
    struct listener **listeners;
    size_t listener_count, max_connections;
    bool clients_ready; /* clients has been initialised */
    bool announced, stopping;
};

/* Readiness: both links are up, and the server lets us use our commands. */

static bool is_ready(const struct app *app)
{
    return redis_link_is_up(app->subscriber) && redis_link_is_up(app->commands) &&
           module_check_passed(app->module_check) && !app->stopping;
}

static void announce_ready(struct app *app)
{
    char addresses[1024] = "";

    if (!is_ready(app) || app->announced)
        return;
    for (size_t i = 0; i < app->listener_count; i++) {
        size_t len = strlen(addresses);
        (void)snprintf(addresses + len, sizeof(addresses) - len, "%s%s", i == 0 ? "" : ",",
                       listener_address(app->listeners[i])); /* cut if there are very many */
    }
    log_info("ready", "listen", addresses);
    app->announced = true;
}

static void on_module_there(void *ctx)
{
    announce_ready(ctx);
}

/* What the links report. */

static void on_subscriber_up(void *ctx)
{
    struct app *app = ctx;

    router_subscriber_up(app->router, app->subscriber);
    announce_ready(app);
}

static void on_subscriber_down(void *ctx)
{
    struct app *app = ctx;

    router_subscriber_down(app->router);
}

static void on_push(void *ctx, const struct resp *push)
{
    struct app *app = ctx;

    router_push(app->router, push);
}

static void on_batch_end(void *ctx)
{
    struct app *app = ctx;

    router_batch_end(app->router);
}

static void on_commands_up(void *ctx)
{
    struct app *app = ctx;

    module_check_up(app->module_check, app->commands);
    router_reader_up(app->router, app->commands);
}

static void on_commands_down(void *ctx)
{
    struct app *app = ctx;

    module_check_down(app->module_check);
    router_reader_down(app->router);
}

static const struct redis_link_handlers subscriber_handlers = {
    .on_up = on_subscriber_up,
    .on_down = on_subscriber_down,
    .on_push = on_push,
    .on_batch_end = on_batch_end,
};

static const struct redis_link_handlers commands_handlers = {
    .on_up = on_commands_up,
    .on_down = on_commands_down,
    .on_batch_end = on_batch_end,
};

/* What the transport reports. */

static int on_upgrade(void *ctx, const struct http_request *req, struct conn_accept *ret)
{
    struct app *app = ctx;

    (void)ret;
    if (app->stopping || transport_count(app->transport) >= app->max_connections)
        return 503;
    return opening_is_path(req->path) ? 0 : 404;
}

static void on_unopened(void *ctx, void *arrival)
{
    (void)ctx;
    (void)arrival;
}

static void on_open(void *ctx, struct conn *conn, const struct http_request *req, void *arrival)
{
    struct app *app = ctx;

    (void)arrival;
    arrival_open(&app->clients, conn, req);
}

static const struct peer_handlers client_handlers = {
    .on_message = responder_ws_message,
    .on_drained = client_on_drained,
    .on_closed = client_on_closed,
};

static struct http_state http_state(const struct app *app)
{
    return (struct http_state){.dev = app->config->dev, .ready = is_ready(app)};
}

/* Whoever sets a page up wants to know why it cannot connect; nobody may fill the log by that. */
static void log_refusal(struct app *app, const char *event, const struct http_request *req)
{
    uint64_t now_ms = loop_now_ms(app->loop);

    if (app->refusal_logged_ms != 0 && now_ms - app->refusal_logged_ms < REFUSALS_LOGGED_MS)
        return;
    app->refusal_logged_ms = now_ms;
    log_warn(event, "origin", log_bytes(req->origin.ptr, req->origin.len), "host",
             log_bytes(req->host.ptr, req->host.len), "addr",
             log_bytes(req->addr.ptr, req->addr.len));
}

/* May it be called so? What comes over a unix socket comes from a proxy, which calls it as it was
 * called itself. */
static bool is_known_host(const struct app *app, const struct http_request *req)
{
    return req->peer.family == PEER_UNIX || origins_know_host(&app->origins, req->host);
}

/* Before an upgrade it is told whose pages may connect; plain answers go to all, but only pages
 * that may connect can read them. */
static int on_head(void *ctx, const struct http_request *req, struct http_plan *ret_plan)
{
    struct app *app = ctx;
    struct http_state state = http_state(app);
    int status;

    if (!is_known_host(app, req)) {
        log_refusal(app, "host_refused", req);
        ret_plan->why = "no host of this name is known here (see --host-names)";
        return 403;
    }
    ret_plan->readable = origins_allow(&app->origins, req->origin, req->host);
    status = http_route_plan(&state, req, ret_plan);
    if (ret_plan->readable || status != 0 || ret_plan->carrier != HTTP_WEBSOCKET ||
        !req->head->upgrade)
        return status;
    log_refusal(app, "origin_refused", req);
    ret_plan->why = "pages of this origin may not connect (see --cors-origins)";
    return 403;
}

/* What goes up and down is looked at when somebody asks. */
static void set_gauges(const struct app *app)
{
    counter_set(COUNTER_CONNECTIONS, transport_count(app->transport));
    counter_set(COUNTER_SOCKETS, transport_socket_count(app->transport));
    counter_set(COUNTER_CHANNELS, router_channel_count(app->router));
    counter_set(COUNTER_CHANNELS_LINGERING, router_lingering_count(app->router));
    counter_set(COUNTER_COMMANDS_IN_LINE, turns_in_line(app->turns));
    counter_set(COUNTER_SUBSCRIBER_UP, redis_link_is_up(app->subscriber));
    counter_set(COUNTER_COMMANDS_UP, redis_link_is_up(app->commands));
}

static void on_request(void *ctx, struct exchange *exchange)
{
    struct http_state state = http_state(ctx);

    set_gauges(ctx);
    http_route_answer(&state, exchange);
}

static void on_accepted(void *ctx, int fd, const struct listener_kind *kind)
{
    struct app *app = ctx;

    transport_adopt(app->transport, fd, kind);
}

/* Ending: no new clients, a closing handshake with each old one, then out. */

static void close_listeners(struct app *app)
{
    for (size_t i = 0; i < app->listener_count; i++)
        listener_free(app->listeners[i]);
    free(app->listeners);
    app->listeners = NULL;
    app->listener_count = 0;
}

static void close_client(struct client *client, uint64_t spread_ms)
{
    char reason[64];
    uint32_t random;

    evutil_secure_rng_get_bytes(&random, sizeof(random));
    (void)snprintf(reason, sizeof(reason), REASON_DELAY "%u", (unsigned)(random % (spread_ms + 1)));
    conn_close(client->sender.conn, CONN_CLOSE_RESTART, reason);
}

static void on_shutdown_timeout(void *ctx)
{
    struct app *app = ctx;

    loop_stop(app->loop);
}

static void on_all_closed(void *ctx)
{
    struct app *app = ctx;

    if (app->stopping && TAILQ_EMPTY(&app->clients.all))
        loop_stop(app->loop);
}

static void on_signal(void *ctx)
{
    struct app *app = ctx;
    struct client *client;

    if (app->stopping) { /* a second one: at once */
        loop_stop(app->loop);
        return;
    }
    app->stopping = true;
    log_info("stopping", "clients", log_int((int64_t)transport_count(app->transport)));
    close_listeners(app);
    TAILQ_FOREACH(client, &app->clients.all, all_link)
    {
        close_client(client, app->config->restart_spread_ms);
    }
    loop_timer_set(app->shutdown_timer, app->config->shutdown_timeout_ms);
    on_all_closed(app);
}

/* Building, from left to right of the data flow. */

/* As many files as the system lets us have, and how many of them clients may use. */
static size_t raise_file_limit(size_t wanted)
{
    struct rlimit limit;
    size_t usable;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("file_limit", "text", strerror(errno));
    usable =
        limit.rlim_cur > 2 * FILES_KEPT_FREE ? limit.rlim_cur - FILES_KEPT_FREE : FILES_KEPT_FREE;
    return usable < wanted ? usable : wanted;
}

static void name_keys(struct app *app)
{
    app->keys.patterns[KEY_INBOX] = app->config->inbox_key;
    app->keys.patterns[KEY_TOPIC] = app->config->topic_key;
    app->keys.patterns[KEY_SESSION] = app->config->session_key;
}

static int build_redis(struct app *app)
{
    const struct config *config = app->config;
    const struct router_limits limits = {
        .recent_events = config->recent_events,
        .recent_bytes = config->recent_bytes,
        .linger = {.ms = config->linger_ms,
                   .channels = config->max_lingering,
                   .per_client = config->max_lingering_per_client}};
    const char *why;

    if (redis_address_parse(&app->address, &why, config->redis) != 0)
        return -ENOMEM; /* config_read() has looked at it */
    app->subscriber = redis_link_new(app->loop, "notify-bridge:subscriber", &app->address,
                                     &subscriber_handlers, app);
    app->commands =
        redis_link_new(app->loop, "notify-bridge:commands", &app->address, &commands_handlers, app);
    app->turns = turns_new(app->commands);
    app->router = router_new(app->loop, &limits, &client_follow_handlers);
    app->module_check = module_check_new(
        app->loop, key_of(&app->keys, KEY_INBOX, NOTIFY_STR("readyz"), &app->check_key),
        on_module_there, app);
    app->shutdown_timer = loop_timer_new(app->loop, on_shutdown_timeout, app);
    return app->subscriber == NULL || app->commands == NULL || app->turns == NULL ||
                   app->router == NULL || app->module_check == NULL || app->shutdown_timer == NULL
               ? -ENOMEM
               : 0;
}

static const char *const *list_items(const struct string_list *list)
{
    static const char *const nothing[] = {NULL};

    return list->items == NULL ? nothing : (const char *const *)list->items;
}

static int build_clients(struct app *app)
{
    const struct config *config = app->config;

    app->clients = (struct client_shared){
        .senders = {.loop = app->loop,
                    .outbox_bytes = config->outbox_bytes,
                    .slow_timeout_ms = config->slow_timeout_ms},
        .router = app->router,
        .commands = app->turns,
        .keys = &app->keys,
        .handlers = &client_handlers,
        .max_subscriptions = config->max_subscriptions,
        .broadcast_logs = list_items(&config->broadcast_logs),
        .on_closed = on_all_closed,
        .ctx = app,
    };
    if (client_shared_init(&app->clients) != 0)
        return -ENOMEM;
    app->clients_ready = true;
    return 0;
}

/* Only what cannot be reached from elsewhere is guarded by the host's name: an address in a network
 * goes by names that we do not know. */
static void build_origins(struct app *app)
{
    bool network = false, loopback = false;

    for (size_t i = 0; i < app->listener_count; i++) {
        network = network || listener_reach(app->listeners[i]) == LISTENER_NETWORK;
        loopback = loopback || listener_reach(app->listeners[i]) == LISTENER_LOOPBACK;
    }
    app->origins = (struct origins){
        .allowed = list_items(&app->config->cors_origins),
        .host_names = list_items(&app->config->host_names),
        .loopback_pages = app->config->dev,
        .guard_host = loopback && !network,
    };
}

static int read_trusted(struct app *app)
{
    const struct string_list *list = &app->config->trusted_proxies;

    app->trusted = calloc(list->len + 1, sizeof(struct peer_network));
    for (size_t i = 0; app->trusted != NULL && i < list->len; i++)
        (void)peer_network_parse(notify_str_z(list->items[i]), &app->trusted[i]); /* was checked */
    return app->trusted == NULL ? -ENOMEM : 0;
}

static int build_transport(struct app *app)
{
    const struct config *config = app->config;
    const struct transport_config transport = {
        .max_message_bytes = config->max_message_bytes,
        .max_control_frames = config->max_control_frames,
        .heartbeat_ms = config->heartbeat_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .max_sockets = app->max_connections + SOCKETS_BESIDES,
        .cert_file = config->tls_cert,
        .key_file = config->tls_key,
        .forwarding = {.trust = {app->trusted, config->trusted_proxies.len},
                       .header = config->trusted_proxies.len > 0 ? config->proxy_header : NULL},
        .ws = {.on_upgrade = on_upgrade, .on_open = on_open, .on_unopened = on_unopened},
        .http = {.on_head = on_head, .on_request = on_request},
        .ctx = app,
    };

    app->transport = transport_new(app->loop, &transport);
    if (app->transport == NULL)
        return -ENOMEM;
    app->listeners = calloc(config->listen.len + 1, sizeof(struct listener *));
    if (app->listeners == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < config->listen.len; i++) {
        app->listeners[i] = listener_new(app->loop, config->listen.items[i], on_accepted, app);
        if (app->listeners[i] == NULL)
            return -EADDRINUSE;
        app->listener_count++;
    }
    build_origins(app);
    return 0;
}

struct app *app_new(const struct config *config)
{
    struct app *app = calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    app->config = config;
    name_keys(app);
    app->max_connections = raise_file_limit(config->max_connections);
    app->loop = loop_new();
    if (app->loop == NULL || build_redis(app) != 0 || build_clients(app) != 0 ||
        read_trusted(app) != 0 || build_transport(app) != 0 ||
        loop_on_signal(app->loop, SIGTERM, on_signal, app) != 0 ||
        loop_on_signal(app->loop, SIGINT, on_signal, app) != 0) {
        app_free(app);
        return NULL;
    }
    redis_link_start(app->subscriber);
    redis_link_start(app->commands);
    return app;
}

int app_run(struct app *app)
{
    return loop_run(app->loop);
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    close_listeners(app);
    if (app->transport != NULL)
        transport_free(app->transport);
    redis_link_free(
        app->commands); /* what waits for it is told while the clients' memory is there */
    turns_free(app->turns);
    router_free(app->router);
    if (app->clients_ready)
        client_shared_release(&app->clients);
    redis_link_free(app->subscriber);
    module_check_free(app->module_check);
    loop_timer_free(app->shutdown_timer);
    if (app->loop != NULL)
        loop_free(app->loop);
    redis_address_release(&app->address);
    free(app->trusted);
    free(app);
}
