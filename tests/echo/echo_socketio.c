#include <stdlib.h>

#include "echo.h"
#include "net/conn.h"
#include "socketio/socketio.h"
#include "wire/socketio_packet.h"

/* An event with args, or what acknowledges one: [name,args], [args], [name], []. */
static void say(struct conn *conn, const struct socketio_packet *head, struct notify_str name,
                struct notify_str args, const struct notify_str *attachments)
{
    struct notify_str comma = NOTIFY_STR(",");
    struct notify_str json[] = {NOTIFY_STR_INIT("["), name, comma, args, NOTIFY_STR_INIT("]")};

    if (name.len == 0 || args.len == 0)
        json[2].len = 0;
    if (socketio_say(conn, head, 5, json, attachments) == CONN_BUSY)
        conn_pause_input(conn, true);
}

static const struct notify_str nothing = {NULL, 0};

static void send_back(struct conn *conn, const struct socketio_packet *packet,
                      const struct notify_str *attachments)
{
    struct socketio_packet event = {.type = packet->type, .attachments = packet->attachments};
    struct socketio_packet ack = {.type = SOCKETIO_ACK, .id = packet->id};

    say(conn, &event, NOTIFY_STR("\"message-back\""), packet->args, attachments);
    if (packet->id.len > 0)
        say(conn, &ack, nothing, nothing, NULL);
}

static void acknowledge(struct conn *conn, const struct socketio_packet *packet,
                        const struct notify_str *attachments)
{
    bool binary = packet->type == SOCKETIO_BINARY_EVENT;
    struct socketio_packet ack = {.type = binary ? SOCKETIO_BINARY_ACK : SOCKETIO_ACK,
                                  .attachments = packet->attachments,
                                  .id = packet->id};

    if (packet->id.len > 0)
        say(conn, &ack, nothing, packet->args, attachments);
}

static void on_packet(void *peer, const struct socketio_packet *packet,
                      const struct notify_str *attachments)
{
    if (packet->type != SOCKETIO_EVENT && packet->type != SOCKETIO_BINARY_EVENT)
        return;
    if (socketio_is_event(packet, "message"))
        send_back(peer, packet, attachments);
    else if (socketio_is_event(packet, "message-with-ack"))
        acknowledge(peer, packet, attachments);
}

static void on_drained(void *peer)
{
    conn_pause_input(peer, false);
}

static char *on_park(void *peer)
{
    char *state = malloc(2);

    (void)peer; /* that it was there is all that is to be known */
    if (state != NULL) {
        state[0] = '-';
        state[1] = '\0';
    }
    return state;
}

static void on_closed(void *peer, int code)
{
    (void)peer;
    (void)code;
}

static const struct peer_handlers peer_handlers = {
    .on_packet = on_packet, .on_drained = on_drained, .on_park = on_park, .on_closed = on_closed};

static void on_connect(void *ctx, struct conn *conn, struct notify_str auth,
                       struct notify_str state, void *seed)
{
    const struct socketio_packet event = {.type = SOCKETIO_EVENT};
    char sid[SOCKETIO_ID_LEN + 1];

    (void)ctx;
    (void)seed;
    conn_set_peer(conn, &peer_handlers, conn);
    if (state.len > 0)
        return;
    socketio_make_id(sid);
    socketio_accept(conn, notify_str_z(sid), nothing);
    say(conn, &event, NOTIFY_STR("\"auth\""), auth.len > 0 ? auth : NOTIFY_STR("{}"), NULL);
}

struct socketio *echo_socketio_new(struct loop *loop, const struct poll_store *store, unsigned pace)
{
    static const struct notify_str namespaces[] = {NOTIFY_STR_INIT("/"),
                                                   NOTIFY_STR_INIT("/custom")};
    struct socketio_config config = {.engine = echo_config(loop, store, pace),
                                     .namespaces = namespaces,
                                     .namespace_count = 2,
                                     .connect_timeout_ms = pace * ECHO_CONNECT_TIMEOUT_MS};

    config.handlers =
        (struct socketio_handlers){.on_handshake = config.engine.handlers.on_handshake,
                                   .on_forget = config.engine.handlers.on_forget,
                                   .on_connect = on_connect};
    return socketio_new(&config);
}
