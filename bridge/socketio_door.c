#include "socketio_door.h"

#include <errno.h>
#include <stdlib.h>

#include "clients/arrival_socket.h"
#include "clients/client.h"
#include "config.h"
#include "front_door.h"
#include "net/conn.h"
#include "net/http.h"
#include "socketio/socketio.h"

#define UPGRADE_TIMEOUT_MS 10000

/* A GET that goes on with a session brings what it needs for a client again, and is let in: who was
 * here before is not turned away for others. */
static bool goes_on(const struct http_request *req)
{
    return http_request_has(req, "sid");
}

static int on_handshake(void *ctx, const struct http_request *req, void **ret_seed)
{
    const struct front_door *door = ctx;

    if (!front_door_knows_page(door, req))
        return 403;
    if (!goes_on(req) && (front_door_is_full(door, req) || !front_door_is_ready(door)))
        return 503;
    *ret_seed = socket_seed_new(door->clients, req);
    return *ret_seed == NULL ? 503 : 0;
}

static void on_forget(void *ctx, void *seed)
{
    (void)ctx;
    socket_seed_free(seed);
}

static bool on_compare(const void *seed, const void *other)
{
    return socket_seed_compare(seed, other);
}

/* Without Redis nobody is refused for good: official clients come back only to a connection that
 * ended. */
static void on_connect(void *ctx, struct conn *conn, struct notify_str auth,
                       struct notify_str state, void *seed)
{
    const struct front_door *door = ctx;

    if (state.len > 0)
        arrival_go_on(door->clients, conn, state, seed);
    else if (!front_door_is_ready(door))
        conn_close(conn, CONN_CLOSE_TRY_AGAIN, "clients cannot be served just now");
    else
        arrival_join(door->clients, conn, auth, seed);
}

static struct notify_str *read_namespaces(const struct string_list *list)
{
    struct notify_str *names = calloc(list->len + 1, sizeof(*names));

    for (size_t i = 0; names != NULL && i < list->len; i++)
        names[i] = notify_str_z(list->items[i]);
    return names;
}

int socketio_door_open(struct front_door *door, const struct config *config,
                       const struct poll_store *store)
{
    const struct engineio_config engine = {
        .loop = door->loop,
        .store = *store,
        .ping_interval_ms = config->socketio_ping_interval_ms,
        .ping_timeout_ms = config->socketio_ping_timeout_ms,
        .upgrade_timeout_ms = UPGRADE_TIMEOUT_MS,
        .max_payload = config->max_message_bytes,
    };
    struct socketio_config socketio = {
        .engine = engine,
        .handlers = {.on_handshake = on_handshake,
                     .on_forget = on_forget,
                     .on_compare = on_compare,
                     .on_connect = on_connect},
        .ctx = door,
        .namespace_count = config->socketio_namespaces.len,
        .connect_timeout_ms = config->socketio_connect_timeout_ms,
    };

    door->namespaces = read_namespaces(&config->socketio_namespaces);
    socketio.namespaces = door->namespaces;
    door->socketio = door->namespaces == NULL ? NULL : socketio_new(&socketio);
    return door->socketio == NULL ? -ENOMEM : 0;
}

void socketio_door_let_go(struct front_door *door)
{
    if (door->socketio != NULL)
        engineio_let_go(socketio_engine(door->socketio));
}

void socketio_door_release(struct front_door *door)
{
    socketio_free(door->socketio);
    door->socketio = NULL; /* others are still told that clients have gone */
    free(door->namespaces);
}
