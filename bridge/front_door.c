#include "front_door.h"

#include "backend.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "board.h"
#include "base/process_stats.h"
#include "clients/arrival_request.h"
#include "clients/client.h"
#include "clients/opening.h"
#include "identity/authority.h"
#include "net/addresses.h"
#include "net/transport.h"
#include "requests/http_routes.h"
#include "socketio/socketio.h"

#define REFUSALS_LOGGED_MS 10000 /* at most one in so long */

bool front_door_is_ready(const struct front_door *door)
{
    return !door->closed && (!door->leaving || door->handed_over) &&
           backend_is_ready(door->backend) && authority_is_ready(door->authority);
}

static bool is_crowded(const struct front_door *door)
{
    return transport_count(door->transport) >= door->max_own ||
           counter_total(COUNTER_CONNECTIONS) + counter_total(COUNTER_STREAMS) >=
               door->max_connections;
}

/* Why nobody can come in just now, or NULL. */
static const char *why_full(const struct front_door *door)
{
    if (door->closed)
        return "the bridge is ending";
    if (!authority_is_ready(door->authority))
        return "tokens cannot be judged just now";
    return is_crowded(door) ? "too many connections" : NULL;
}

bool front_door_is_full(const struct front_door *door, const struct http_request *req)
{
    if (is_crowded(door))
        address_limit_met(req->address, COUNTER_SOCKETS_REFUSED);
    return why_full(door) != NULL;
}

static int on_upgrade(void *ctx, const struct http_request *req, struct conn_accept *ret)
{
    const struct front_door *door = ctx;

    if (http_route_is_socketio(req->path))
        return door->socketio == NULL ? 404
                                      : engineio_upgrade(socketio_engine(door->socketio), req, ret);
    if (front_door_is_full(door, req))
        return 503;
    ret->protocol = opening_protocol(req);
    ret->may_deflate = true;
    return opening_is_path(req->path) ? 0 : 404;
}

static void on_unopened(void *ctx, void *arrival)
{
    const struct front_door *door = ctx;

    if (arrival != NULL) /* only Socket.IO sets one */
        engineio_unopened(socketio_engine(door->socketio), arrival);
}

static void on_open(void *ctx, struct conn *conn, const struct http_request *req, void *arrival)
{
    struct front_door *door = ctx;

    if (http_route_is_socketio(req->path))
        engineio_open(socketio_engine(door->socketio), conn, req, arrival);
    else
        arrival_open(door->clients, conn, req);
}

void front_door_release(struct front_door *door)
{
    catalogue_pages_release(&door->pages);
}

/* The other processes too, as they have said last: who stands still says nothing any more. */
static bool is_all_ready(const struct front_door *door)
{
    counter_set(COUNTER_READY, front_door_is_ready(door));
    return counter_is_set_in_all(COUNTER_READY) &&
           (door->board == NULL ||
            board_serving(door->board, loop_now_ms(door->loop)) == board_rows(door->board));
}

/* Where only who runs the bridge connects, where a role lets somebody, and where whoever is there
 * develops. */
static bool serves_admin(const struct front_door *door, const struct http_request *req)
{
    return req->door == LISTEN_ADMIN ||
           (req->door == LISTEN_CLIENTS &&
            (door->dev || authority_gives(door->authority, RIGHT_ADMIN)));
}

static struct http_state http_state(struct front_door *door, const struct http_request *req)
{
    return (struct http_state){.clients = door->clients,
                               .engine =
                                   door->socketio == NULL ? NULL : socketio_engine(door->socketio),
                               .pages = &door->pages,
                               .docs = door->docs,
                               .dev = door->dev,
                               .demo = door->dev && authority_is_open(door->authority),
                               .door = req->door,
                               .admin = serves_admin(door, req),
                               .metrics_apart = door->metrics_apart,
                               .ready = is_all_ready(door),
                               .full = why_full(door),
                               .crowded = is_crowded(door)};
}

/* Whoever sets a page up wants to know why it cannot connect; nobody may fill the log by that. */
static void log_refusal(struct front_door *door, const char *event, const struct http_request *req)
{
    uint64_t now_ms = loop_now_ms(door->loop);

    if (door->refusal_logged_ms != 0 && now_ms - door->refusal_logged_ms < REFUSALS_LOGGED_MS)
        return;
    door->refusal_logged_ms = now_ms;
    log_warn(event, "origin", log_bytes(req->origin.ptr, req->origin.len), "host",
             log_bytes(req->host.ptr, req->host.len), "addr",
             log_bytes(req->addr.ptr, req->addr.len));
}

static const char *const nobody[] = {NULL};

/* May it be called so? What comes over a unix socket comes from a proxy, which calls it as it was
 * called itself. What runs the bridge is for its own page, whichever others may be clients. */
static bool is_known_host(const struct front_door *door, const struct http_request *req)
{
    struct origins origins = door->origins[req->door];

    if (http_route_is_own(req->path))
        origins.allowed = nobody;
    return req->peer.family == PEER_UNIX || origins_know_host(&origins, req->host);
}

/* A page's picture or script, or the like, whose address is one of ours: then a browser sends no
 * Origin. */
static bool is_part_of_another_page(const struct http_request *req)
{
    struct notify_str site = http_field(req->head, "Sec-Fetch-Site", NULL);

    return req->origin.len == 0 && (notify_str_eq(site, NOTIFY_STR("cross-site")) ||
                                    notify_str_eq(site, NOTIFY_STR("same-site")));
}

bool front_door_knows_page(const struct front_door *door, const struct http_request *req)
{
    return origins_allow(&door->origins[LISTEN_CLIENTS], req->origin, req->host) &&
           !is_part_of_another_page(req);
}

static bool is_reading(const struct http_request *req)
{
    return notify_str_eq(req->method, NOTIFY_STR("GET")) ||
           notify_str_eq(req->method, NOTIFY_STR("HEAD")) ||
           notify_str_eq(req->method, NOTIFY_STR("OPTIONS"));
}

/* Does it connect, or change something, and come from a page that may not? */
static bool is_foreign(const struct http_request *req, const struct http_plan *plan)
{
    switch (plan->carrier) {
    case HTTP_WEBSOCKET:
        return req->head->upgrade && !plan->readable;
    case HTTP_EVENTS:
        return !plan->readable || is_part_of_another_page(req);
    case HTTP_PLAIN:
        break;
    }
    return !plan->readable && !is_reading(req);
}

/* What runs the bridge is for its own page, whichever others may connect. */
static bool may_read(const struct front_door *door, const struct http_request *req)
{
    static const struct origins own = {.allowed = nobody};

    if (http_route_is_own(req->path))
        return origins_allow(&own, req->origin, req->host) &&
               (is_reading(req) || !is_part_of_another_page(req));
    return origins_allow(&door->origins[LISTEN_CLIENTS], req->origin, req->host);
}

/* Pages may connect, and change something, or they are told that they may not; other answers go to
 * all, but only pages that may connect can read them. */
static int on_head(void *ctx, const struct http_request *req, struct http_plan *ret_plan)
{
    struct front_door *door = ctx;
    struct http_state state = http_state(door, req);
    int status;

    if (!is_known_host(door, req)) {
        log_refusal(door, "host_refused", req);
        ret_plan->why = "no host of this name is known here (see --host-names)";
        return 403;
    }
    ret_plan->readable = may_read(door, req);
    ret_plan->credentials = ret_plan->readable && door->clients->token_cookie != NULL;
    status = http_route_plan(&state, req, ret_plan);
    if (status != 0 || !is_foreign(req, ret_plan))
        return status;
    log_refusal(door, "origin_refused", req);
    ret_plan->why = "pages of this origin may not connect (see --cors-origins)";
    return 403;
}

/* What goes up and down is looked at when somebody asks. */
static void set_gauges(void *ctx)
{
    const struct front_door *door = ctx;

    process_stats_set();
    counters_beat(loop_now_ms(door->loop));
    counter_set(COUNTER_READY, front_door_is_ready(door));
    counter_set(COUNTER_LEAVING, door->leaving);
    counter_set(COUNTER_TOKENS_UP, authority_is_ready(door->authority));
    counter_set(COUNTER_SOCKETS_MAX, transport_sockets_max(door->transport));
    counter_set(COUNTER_SOCKETS, transport_socket_count(door->transport));
    if (door->socketio != NULL)
        counter_set(COUNTER_POLLED, engineio_poll_count(socketio_engine(door->socketio)));
    counter_set(COUNTER_AGENT_WAITING, door->clients->inquiries->count);
    client_kinds_set_gauges(&door->clients->kinds);
    backend_set_gauges(door->backend);
}

static void on_request(void *ctx, struct exchange *exchange)
{
    struct http_state state = http_state(ctx, exchange_request(exchange));

    http_route_answer(&state, exchange);
}

static void on_idle(void *ctx)
{
    const struct front_door *door = ctx;

    if (door->closed)
        door->on_idle(door->idle_ctx);
}

void front_door_attach(struct front_door *door, struct transport_config *config)
{
    config->ws = (struct conn_handlers){
        .on_upgrade = on_upgrade, .on_open = on_open, .on_unopened = on_unopened};
    config->http =
        (struct http_handlers){.on_head = on_head, .on_request = on_request, .on_idle = on_idle};
    config->ctx = door;
    counters_know_gauges(set_gauges, door);
}
