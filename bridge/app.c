#include "app.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "backend.h"
#include "base/file_limit.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/admission.h"
#include "clients/arrival.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/following.h"
#include "clients/request_rate.h"
#include "clients/inquiries.h"
#include "clients/review.h"
#include "config.h"
#include "ending.h"
#include "front_door.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "net/conn.h"
#include "net/listener_set.h"
#include "net/transport.h"
#include "requests/agent.h"
#include "requests/partings.h"
#include "requests/responder_ws.h"
#include "status_report.h"
#include "trust.h"
#include "wire/dialect.h"

/* Connections that are no WebSocket, those that are refused with 503 among them; out of the files
 * kept free. */
#define SOCKETS_BESIDES 32
#define ADDRESSES_MAX 1024 /* bytes of them that are logged */

struct app {
    const struct config *config; /* borrowed */
    struct loop *loop;
    struct key_names keys;
    struct plain_channels channels;
    struct backend backend;
    struct trust *trust;
    struct admissions admissions;
    struct category_filters filters;
    struct inquiries inquiries;
    struct agent agent;
    struct partings partings;
    struct client_shared clients;
    struct request_rate *request_rate;
    struct front_door door;
    struct ending ending;
    struct status_report status;
    struct peer_network *trusted, *exempt; /* owned */
    struct transport *transport;
    struct listener_set *listeners; /* NULL once it ends */
    bool clients_ready;             /* clients has been initialised */
    bool announced;
};

/* Something that was lacking is there now. */
static void on_ready(void *ctx)
{
    struct app *app = ctx;
    char addresses[ADDRESSES_MAX];

    if (app->announced || !front_door_is_ready(&app->door))
        return;
    listener_set_text(app->listeners, addresses, sizeof(addresses));
    log_info("ready", "listen", addresses);
    app->announced = true;
}

static void on_rights(void *ctx)
{
    struct app *app = ctx;

    review_all(&app->clients);
}

static const struct trust_handlers trust_handlers = {.on_keys = on_ready, .on_rights = on_rights};

static void on_hangup(void *ctx)
{
    struct app *app = ctx;

    trust_check_files(app->trust);
}

static const struct peer_handlers client_handlers = {
    .on_message = responder_ws_message,
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

static int build_clients(struct app *app)
{
    const struct config *config = app->config;
    const struct token_rate request_rate = {(uint32_t)config->request_rate,
                                            (uint32_t)config->request_burst};

    app->request_rate = request_rate_new(app->loop, &request_rate);
    if (app->request_rate == NULL)
        return -ENOMEM;
    app->clients = (struct client_shared){
        .senders = {.loop = app->loop,
                    .outbox_bytes = config->outbox_bytes,
                    .slow_timeout_ms = config->slow_timeout_ms},
        .router = app->backend.router,
        .commands = app->backend.turns,
        .sessions = app->backend.sessions,
        .followings = app->backend.followings,
        .keys = &app->keys,
        .channels = &app->channels,
        .handlers = &client_handlers,
        .max_subscriptions = config->max_subscriptions,
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

static int build_transport(struct app *app)
{
    const struct config *config = app->config;
    struct transport_config transport = {
        .max_message_bytes = config->max_message_bytes,
        .max_control_frames = config->max_control_frames,
        .heartbeat_ms = config->heartbeat_ms,
        .sse_heartbeat_ms = config->sse_heartbeat_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .max_sockets = app->door.max_connections + SOCKETS_BESIDES,
        .cert_file = config->tls_cert,
        .key_file = config->tls_key,
        .forwarding = {.trust = {app->trusted, config->trusted_proxies.len},
                       .header = config->trusted_proxies.len > 0 ? config->proxy_header : NULL},
        .addresses = {.connections = config->max_connections_per_address,
                      .attempts = {(uint32_t)config->connect_rate, (uint32_t)config->connect_burst},
                      .remembered = config->max_addresses,
                      .exempt = {app->exempt, config->exempt_addresses.len}},
    };

    front_door_attach(&app->door, &transport);
    app->transport = transport_new(app->loop, &transport);
    if (app->transport == NULL)
        return -ENOMEM;
    app->listeners = listener_set_new(app->loop, (const char *const *)config->listen.items,
                                      config->listen.len, transport_adopt, app->transport);
    return app->listeners == NULL ? -EADDRINUSE : 0;
}

static int build_status(struct app *app)
{
    app->status = (struct status_report){.loop = app->loop,
                                         .backend = &app->backend,
                                         .transport = app->transport,
                                         .keys = &app->keys,
                                         .interval_ms = app->config->status_interval_ms};
    return app->status.interval_ms == 0 ? 0 : status_report_start(&app->status);
}

/* Only what cannot be reached from elsewhere is guarded by the host's name: an address in a network
 * goes by names that we do not know. */
static void build_door(struct app *app)
{
    app->door.transport = app->transport;
    app->door.origins = (struct origins){
        .allowed = list_items(&app->config->cors_origins),
        .host_names = list_items(&app->config->host_names),
        .loopback_pages = app->config->dev,
        .guard_host = listener_set_has(app->listeners, LISTENER_LOOPBACK) &&
                      !listener_set_has(app->listeners, LISTENER_NETWORK),
    };
}

static int build(struct app *app)
{
    const struct config *config = app->config;

    name_keys(app);
    app->loop = loop_new();
    app->trust = app->loop == NULL ? NULL : trust_new(app->loop, config, &trust_handlers, app);
    if (app->trust == NULL ||
        backend_init(&app->backend, app->loop, config, &app->channels, on_ready, app) != 0)
        return -ENOMEM;
    app->door = (struct front_door){.loop = app->loop,
                                    .backend = &app->backend,
                                    .authority = trust_authority(app->trust),
                                    .clients = &app->clients,
                                    .max_connections = file_limit_raise(config->max_connections),
                                    .dev = config->dev};
    app->ending = (struct ending){.loop = app->loop,
                                  .door = &app->door,
                                  .clients = &app->clients,
                                  .spread_ms = config->restart_spread_ms,
                                  .timeout_ms = config->shutdown_timeout_ms,
                                  .listeners = &app->listeners};
    if (ending_init(&app->ending) != 0 || build_agent(app) != 0 || build_clients(app) != 0 ||
        read_all_networks(app) != 0 || build_transport(app) != 0 || build_status(app) != 0)
        return -ENOMEM;
    build_door(app);
    return loop_on_signal(app->loop, SIGTERM, ending_on_signal, &app->ending) != 0 ||
                   loop_on_signal(app->loop, SIGINT, ending_on_signal, &app->ending) != 0 ||
                   loop_on_signal(app->loop, SIGHUP, on_hangup, app) != 0
               ? -ENOMEM
               : 0;
}

struct app *app_new(const struct config *config)
{
    struct app *app = calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    app->config = config;
    if (build(app) != 0) {
        app_free(app);
        return NULL;
    }
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
    status_report_release(&app->status);
    listener_set_free(app->listeners);
    if (app->transport != NULL)
        transport_free(app->transport);
    backend_release(&app->backend); /* what waits for it is told while clients' memory is there */
    if (app->clients_ready)
        client_shared_release(&app->clients);
    admissions_release(&app->admissions);
    request_rate_free(app->request_rate);
    inquiries_release(&app->inquiries);
    partings_release(&app->partings);
    trust_free(app->trust);
    ending_release(&app->ending);
    if (app->loop != NULL)
        loop_free(app->loop);
    free(app->trusted);
    free(app->exempt);
    free(app);
}
