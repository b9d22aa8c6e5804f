#include "app.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "backend.h"
#include "base/counters.h"
#include "base/file_limit.h"
#include "base/log.h"
#include "base/loop.h"
#include "board.h"
#include "channels/router.h"
#include "clients/admission.h"
#include "clients/arrival.h"
#include "clients/delivery_log.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/following.h"
#include "clients/request_rate.h"
#include "clients/inquiries.h"
#include "clients/poll_box.h"
#include "clients/review.h"
#include "config.h"
#include "config_read.h"
#include "duty.h"
#include "ending.h"
#include "front_door.h"
#include "handover.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "net/bound_set.h"
#include "net/conn.h"
#include "net/transport.h"
#include "requests/agent.h"
#include "requests/partings.h"
#include "requests/responder_socketio.h"
#include "requests/responder_ws.h"
#include "socketio/poll_store.h"
#include "socketio_door.h"
#include "status_report.h"
#include "trust.h"
#include "wire/dialect.h"
#include "wire/frame.h"
#include "worker.h"

/* Connections that are no WebSocket, those that are refused with 503 among them; out of the files
 * kept free. */
#define SOCKETS_BESIDES 32
#define RELOAD_EVERY_MS 100 /* at most, however often somebody asks for it */
#define ADDRESSES_MAX 1024  /* bytes of them that are logged */

struct app {
    struct config *config; /* borrowed, as is the next */
    const struct worker *worker;
    struct loop *loop;
    struct key_names keys;
    struct plain_channels channels;
    struct backend backend;
    struct delivery_log delivery_log;
    struct trust *trust;
    struct admissions admissions;
    struct category_filters filters;
    struct inquiries inquiries;
    struct agent agent;
    struct partings partings;
    struct client_shared clients;
    struct request_rate *request_rate;
    struct front_door door;
    struct duty duty;
    struct handover handover;
    struct ending ending;
    struct status_report status, statistics;
    struct peer_network *trusted, *exempt; /* owned */
    struct transport *transport;
    struct loop_timer *reload_timer;
    uint64_t may_reload_ms; /* at the earliest */
    bool reload_asked;
    bool clients_ready; /* clients has been initialised */
    bool announced;
};

/* Something that was lacking is there now. */
static void on_ready(void *ctx)
{
    struct app *app = ctx;
    char addresses[ADDRESSES_MAX];

    if (!front_door_is_ready(&app->door))
        return;
    counter_set(COUNTER_READY, 1);
    if (app->announced)
        return;
    if (duty_on_ready(&app->duty) != 0)
        return; /* said by whoever had no memory; a later event asks again */
    bound_set_text(app->worker->bound, LISTEN_CLIENTS, addresses, sizeof(addresses));
    log_info("ready", "listen", addresses);
    app->announced = true;
}

static void on_rights(void *ctx)
{
    struct app *app = ctx;

    review_all(&app->clients);
}

static const struct trust_handlers trust_handlers = {.on_keys = on_ready, .on_rights = on_rights};

static const struct peer_handlers client_handlers = {
    .on_message = responder_ws_message,
    .on_packet = responder_socketio_packet,
    .on_park = responder_socketio_park,
    .on_drained = client_on_drained,
    .on_closed = client_on_closed,
    .on_beat = client_on_beat,
};

/* Building, from Redis to the listeners. */

static const char *const *list_items(const struct string_list *list)
{
    static const char *const nothing[] = {NULL};

    return list->items == NULL ? nothing : (const char *const *)list->items;
}

static void name_keys(struct app *app)
{
    app->keys.patterns[KEY_INBOX] = app->config->inbox_key;
    app->keys.patterns[KEY_TOPIC] = app->config->topic_key;
    app->keys.patterns[KEY_SESSION] = app->config->session_key;
    app->keys.patterns[KEY_USER_SESSIONS] = app->config->user_sessions_key;
    app->keys.patterns[KEY_SESSION_USERS] = app->config->session_users_key;
    app->keys.patterns[KEY_TOPIC_USERS] = app->config->presence_key;
    app->channels = (struct plain_channels){.patterns = list_items(&app->config->channels),
                                            .logs = list_items(&app->config->broadcast_logs),
                                            .keys = &app->keys};
    dialect_name_inboxes(app->config->inbox_key);
    dialect_name_sessions(app->config->session_key);
}

#define DELIVERY_LINES_BURST 10 /* seconds of their rate */

static void set_delivery_log(struct app *app)
{
    const struct config *config = app->config;
    struct delivery_log *log = &app->delivery_log;

    log->silent = config->delivery_log == CONFIG_DELIVERY_LOG_OFF;
    log->level = config->delivery_log == CONFIG_DELIVERY_LOG_DEBUG ? LOG_DEBUG : LOG_INFO;
    log->rate = (struct token_rate){(uint32_t)config->delivery_log_rate,
                                    (uint32_t)config->delivery_log_rate * DELIVERY_LINES_BURST};
}

static void build_delivery_log(struct app *app)
{
    app->delivery_log = (struct delivery_log){
        .loop = app->loop,
        .keys = &app->keys,
    };
    set_delivery_log(app);
    router_watch(app->backend.router, delivery_log_tell, &app->delivery_log);
}

static int build_agent(struct app *app)
{
    const struct config *config = app->config;

    app->inquiries = (struct inquiries){.loop = app->loop,
                                        .timeout_ms = config->agent_timeout_ms,
                                        .max = config->max_agent_requests,
                                        .max_per_client = config->max_agent_requests_per_client,
                                        .askers.max = config->max_agent_requests_per_user};
    app->agent = (struct agent){.stream = config->agent_stream,
                                .stream_max = config->agent_stream_max,
                                .grace_ms = config->agent_grace_ms,
                                .answer_bytes = config->max_agent_answer_bytes};
    app->partings = (struct partings){.shared = &app->clients};
    return inquiries_init(&app->inquiries);
}

static int build_admissions(struct app *app)
{
    const struct config *config = app->config;

    app->admissions = (struct admissions){.loop = app->loop,
                                          .authority = trust_authority(app->trust),
                                          .timeout_ms = config->auth_timeout_ms,
                                          .admit = arrival_admit,
                                          .on_renewed = review_client};
    return admissions_init(&app->admissions);
}

static int build_request_rate(struct app *app)
{
    const struct token_rate rate = {(uint32_t)app->config->request_rate,
                                    (uint32_t)app->config->request_burst};

    app->request_rate = request_rate_new(app->loop, &rate);
    return app->request_rate == NULL ? -ENOMEM : 0;
}

static int build_clients(struct app *app)
{
    const struct config *config = app->config;

    if (build_request_rate(app) != 0)
        return -ENOMEM;
    app->clients = (struct client_shared){
        .senders = {.loop = app->loop,
                    .outbox_bytes = config->outbox_bytes,
                    .slow_timeout_ms = config->slow_timeout_ms},
        .router = app->backend.router,
        .commands = app->backend.turns,
        .keyspace = app->backend.keys,
        .sessions = app->backend.sessions,
        .followings = app->backend.followings,
        .keys = &app->keys,
        .channels = &app->channels,
        .handlers = &client_handlers,
        .max_subscriptions = config->max_subscriptions,
        .recovery_ms = config->socketio_recovery_ms,
        .recovers_all = config->socketio_recovery,
        .message_rate = {(uint32_t)config->message_rate, (uint32_t)config->message_burst},
        .broadcast_logs = list_items(&config->broadcast_logs),
        .token_cookie = config->jwt_cookie,
        .admissions = &app->admissions,
        .request_rate = app->request_rate,
        .filters = &app->filters,
        .inquiries = &app->inquiries,
        .agent = &app->agent,
        .partings = &app->partings,
        .on_leaving = arrival_undo,
        .on_box_ended = following_renew,
        .on_closed = ending_on_closed,
        .ctx = &app->ending,
    };
    if (build_admissions(app) != 0 || client_shared_init(&app->clients) != 0 ||
        partings_init(&app->partings) != 0)
        return -ENOMEM;
    app->clients_ready = true;
    return 0;
}

/* Owned by the caller; NULL: out of memory. */
static struct peer_network *read_networks(const struct string_list *list)
{
    struct peer_network *networks = calloc(list->len + 1, sizeof(struct peer_network));

    for (size_t i = 0; networks != NULL && i < list->len; i++)
        (void)peer_network_parse(notify_str_z(list->items[i]), &networks[i]); /* was checked */
    return networks;
}

static int read_all_networks(struct app *app)
{
    app->trusted = read_networks(&app->config->trusted_proxies);
    app->exempt = read_networks(&app->config->exempt_addresses);
    return app->trusted == NULL || app->exempt == NULL ? -ENOMEM : 0;
}

/* Of what is limited for each address: the kernel gives each worker its part of an address's
 * connections. 0 stays 0, no limit. */
static uint64_t share_of(const struct app *app, uint64_t limit)
{
    return (limit + app->worker->count - 1) / app->worker->count;
}

static struct server_tls_config tls_of(const struct config *config)
{
    return (struct server_tls_config){.cert = config->tls_cert,
                                      .key = config->tls_key,
                                      .client_ca = config->tls_client_ca,
                                      .ciphers = config->tls_ciphers,
                                      .suites = config->tls_ciphersuites,
                                      .least = (enum tls_version)config->tls_least,
                                      .clients = (enum server_tls_clients)config->tls_client_auth};
}

static int build_transport(struct app *app)
{
    const struct config *config = app->config;
    struct transport_config transport = {
        .max_message_bytes = config->max_message_bytes,
        .max_control_frames = config->max_control_frames,
        .heartbeat_ms = config->heartbeat_ms,
        .sse_heartbeat_ms = config->sse_heartbeat_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .max_sockets = app->door.max_own + SOCKETS_BESIDES,
        .deflate = config->compress,
        .tls = tls_of(config),
        .forwarding = {.trust = {app->trusted, config->trusted_proxies.len},
                       .header = config->trusted_proxies.len > 0 ? config->proxy_header : NULL},
        .addresses = {.connections = share_of(app, config->max_connections_per_address),
                      .attempts = {(uint32_t)share_of(app, config->connect_rate),
                                   (uint32_t)share_of(app, config->connect_burst)},
                      .remembered = config->max_addresses,
                      .exempt = {app->exempt, config->exempt_addresses.len}},
    };

    frame_deflate_from(config->compress_min_bytes);
    front_door_attach(&app->door, &transport);
    app->transport = transport_new(app->loop, &transport);
    if (app->transport == NULL)
        return -ENOMEM;
    app->duty =
        (struct duty){.loop = app->loop, .worker = app->worker, .transport = app->transport};
    return duty_init(&app->duty);
}

static int build_status(struct app *app)
{
    app->status = (struct status_report){.loop = app->loop,
                                         .backend = &app->backend,
                                         .transport = app->transport,
                                         .clients = &app->clients,
                                         .keys = &app->keys,
                                         .interval_ms = app->config->status_interval_ms,
                                         .kind = &report_of_status};
    app->statistics = app->status;
    app->statistics.interval_ms = app->config->statistics_interval_ms;
    app->statistics.kind = &report_of_statistics;
    return status_report_start(&app->status) != 0 ? -ENOMEM : status_report_start(&app->statistics);
}

static int build_socketio(struct app *app)
{
    const struct poll_store store = poll_boxes_store(app->backend.polls);

    if (app->config->socketio_namespaces.len == 0)
        return 0;
    return socketio_door_open(&app->door, app->config, &store);
}

/* Only what cannot be reached from elsewhere is guarded by the host's name: an address in a network
 * goes by names that we do not know. But where no token is asked for it is always, whichever pages
 * may be clients. */
static void name_origins(struct app *app)
{
    static const char *const nobody[] = {NULL};
    const struct bound_set *bound = app->worker->bound;
    struct origins *origins = app->door.origins;

    for (size_t door = 0; door < LISTEN_DOORS; door++)
        origins[door] = (struct origins){
            .allowed = list_items(&app->config->cors_origins),
            .host_names = list_items(&app->config->host_names),
            .loopback_pages = app->config->dev,
            .guard_host = !bound_set_has(bound, (enum listen_door)door, BOUND_NETWORK),
        };
    origins[LISTEN_CLIENTS].guard_host &= bound_set_has(bound, LISTEN_CLIENTS, BOUND_LOOPBACK);
    origins[LISTEN_ADMIN].allowed = nobody;
    origins[LISTEN_ADMIN].guard_host = true;
}

/* What may change while we run (options.c). */
static void apply_config(struct app *app)
{
    const struct config *config = app->config;

    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    set_delivery_log(app);
    loop_set_slow(app->loop, config->slow_turn_ms);
    name_origins(app);
    frame_deflate_from(config->compress_min_bytes);
    transport_set_deflate(app->transport, config->compress);
    app->ending.delay_ms = config->drain_delay_ms;
    app->ending.spread_ms = config->restart_spread_ms;
    app->ending.timeout_ms = config->shutdown_timeout_ms;
}

/* All of it or nothing: what can fail comes first. */
static void read_again(struct app *app)
{
    char error[CONFIG_ERROR_MAX];
    struct server_tls_config tls;
    struct config old;

    loop_work(app->loop, LOOP_FILES, "configuration, certificates, keys and roles");
    if (config_reload(app->config, &old, error) != 0) {
        log_warn("config_unusable", "reason", error);
        return;
    }
    tls = tls_of(app->config);
    if (transport_read_tls(app->transport, &tls) != 0) {
        config_undo(app->config, &old);
        return;
    }
    transport_take_tls(app->transport);
    apply_config(app);
    config_release(&old);
    trust_check_files(app->trust);
    handover_on_reload(&app->handover);
    log_info("config_read");
}

static void on_reload_due(void *ctx)
{
    struct app *app = ctx;
    uint64_t asked;

    app->reload_asked = false;
    if (app->door.leaving)
        return;
    app->may_reload_ms = loop_now_ms(app->loop) + RELOAD_EVERY_MS;
    asked = duty_begin_reload(&app->duty);
    read_again(app);
    duty_end_reload(&app->duty, asked);
}

/* Signals without end must not keep the loop from anything else. */
static void on_hangup(void *ctx)
{
    struct app *app = ctx;
    uint64_t now = loop_now_ms(app->loop);

    if (app->reload_asked)
        return;
    app->reload_asked = true;
    loop_timer_set(app->reload_timer, app->may_reload_ms > now ? app->may_reload_ms - now : 0);
}

/* That another bridge has taken over all workers hear from the supervisor, and from nobody else. */
static void on_handed_over(void *ctx)
{
    struct app *app = ctx;

    if (board_is_handed_over(app->worker->board))
        ending_handed_over(&app->ending);
}

static int listen_as_worker(struct app *app)
{
    return loop_on_signal(app->loop, SIGQUIT, ending_at_once, &app->ending) != 0 ||
                   loop_on_signal(app->loop, SIGUSR2, on_handed_over, app) != 0
               ? -ENOMEM
               : 0;
}

static int listen_alone(struct app *app)
{
    app->handover = (struct handover){
        .loop = app->loop, .config = app->config, .worker = app->worker, .ending = &app->ending};
    return handover_init(&app->handover) != 0
               ? -ENOMEM
               : loop_on_signal(app->loop, SIGUSR2, handover_on_signal, &app->handover);
}

static int listen_to_signals(struct app *app)
{
    app->reload_timer = loop_timer_new(app->loop, on_reload_due, app);
    if (app->reload_timer == NULL ||
        loop_on_signal(app->loop, SIGTERM, ending_on_signal, &app->ending) != 0 ||
        loop_on_signal(app->loop, SIGINT, ending_on_signal, &app->ending) != 0 ||
        loop_on_signal(app->loop, SIGHUP, on_hangup, app) != 0)
        return -ENOMEM;
    return app->worker->supervisor != 0 ? listen_as_worker(app) : listen_alone(app);
}

static void watch_turns(struct app *app)
{
    loop_set_slow(app->loop, app->config->slow_turn_ms);
    loop_on_turn_end(app->loop, latency_on_turn_end, &app->clients.senders.latency);
}

/* Whoever runs out of files could make no link to Redis again. */
static size_t places_for_clients(const struct app *app)
{
    size_t wanted = app->config->max_connections;
    size_t count = file_limit_raise(wanted, bound_set_sockets(app->worker->bound) +
                                                backend_links_besides(&app->backend));

    if (count < wanted)
        log_info("file_limit", "connections", log_int((int64_t)count), "wanted",
                 log_int((int64_t)wanted));
    return count;
}

static int build(struct app *app)
{
    const struct config *config = app->config;

    name_keys(app);
    app->loop = loop_new();
    if (app->loop == NULL)
        return -ENOMEM;
    watch_turns(app);
    app->trust = trust_new(app->loop, config, &trust_handlers, app);
    if (app->trust == NULL || backend_init(&app->backend, app->loop, config, &app->channels,
                                           app->worker->journal, on_ready, app) != 0)
        return -ENOMEM;
    build_delivery_log(app);
    app->door = (struct front_door){.loop = app->loop,
                                    .backend = &app->backend,
                                    .authority = trust_authority(app->trust),
                                    .clients = &app->clients,
                                    .max_connections = config->max_connections,
                                    .max_own = places_for_clients(app),
                                    .board = app->worker->board,
                                    .dev = config->dev,
                                    .docs = config->docs,
                                    .metrics_apart = config->metrics_listen.len > 0};
    app->ending = (struct ending){.loop = app->loop,
                                  .door = &app->door,
                                  .clients = &app->clients,
                                  .delay_ms = config->drain_delay_ms,
                                  .spread_ms = config->restart_spread_ms,
                                  .timeout_ms = config->shutdown_timeout_ms,
                                  .duty = &app->duty,
                                  .supervisor = app->worker->supervisor};
    app->door.on_idle = ending_on_closed;
    app->door.idle_ctx = &app->ending;
    if (ending_init(&app->ending) != 0 || build_agent(app) != 0 || build_clients(app) != 0 ||
        read_all_networks(app) != 0 || build_transport(app) != 0 || build_socketio(app) != 0 ||
        build_status(app) != 0)
        return -ENOMEM;
    app->door.transport = app->transport;
    name_origins(app);
    return listen_to_signals(app);
}

/* Once, whoever answers there. */
static void tell_operators(const struct app *app)
{
    static const char *const events[LISTEN_DOORS] = {
        [LISTEN_METRICS] = "metrics_served", [LISTEN_ADMIN] = "admin_served"};
    char addresses[ADDRESSES_MAX];

    for (size_t door = LISTEN_METRICS; door < LISTEN_DOORS && app->worker->number == 0; door++) {
        bound_set_text(app->worker->bound, (enum listen_door)door, addresses, sizeof(addresses));
        if (addresses[0] != '\0')
            log_info(events[door], "listen", addresses);
    }
}

struct app *app_new(struct config *config, const struct worker *worker)
{
    struct app *app = calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    app->config = config;
    app->worker = worker;
    if (build(app) != 0) {
        app_free(app);
        return NULL;
    }
    if (duty_begin(&app->duty) != 0) {
        app_free(app);
        return NULL;
    }
    tell_operators(app);
    backend_start(&app->backend);
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
    app->ending.over = true;
    status_report_release(&app->status);
    status_report_release(&app->statistics);
    front_door_release(&app->door);
    handover_release(&app->handover);
    duty_release(&app->duty);
    socketio_door_let_go(&app->door);
    if (app->transport != NULL)
        transport_free(app->transport);
    if (app->backend.polls != NULL)
        poll_boxes_stop(app->backend.polls);
    socketio_door_release(&app->door);
    backend_release(&app->backend); /* what waits for it is told while clients' memory is there */
    if (app->clients_ready)
        client_shared_release(&app->clients);
    admissions_release(&app->admissions);
    request_rate_free(app->request_rate);
    inquiries_release(&app->inquiries);
    partings_release(&app->partings);
    trust_free(app->trust);
    ending_release(&app->ending);
    loop_timer_free(app->reload_timer);
    if (app->loop != NULL)
        loop_free(app->loop);
    free(app->trusted);
    free(app->exempt);
    free(app);
}
