/* namespaces -- what a client may say in Socket.IO, and when. */
#include <stdlib.h>

#include "base/short_time.h"
#include "base/loop.h"
#include "net/addresses.h"
#include "socketio/incoming.h"
#include "socketio/parcel.h"
#include "socketio/session.h"
#include "socketio/socket.h"
#include "socketio/socketio.h"
#include "wire/engineio_packet.h"
#include "wire/socketio_packet.h"

#define NO_NAMESPACE SOCKETIO_NAMESPACES_MAX

/* NO_NAMESPACE: there is none of that name. */
static unsigned find_namespace(const struct socketio *socketio, struct notify_str nsp)
{
    for (size_t i = 0; i < socketio->config.namespace_count; i++)
        if (notify_str_eq(socketio->config.namespaces[i], nsp))
            return (unsigned)i;
    return NO_NAMESPACE;
}

/* What of the handshake is needed at CONNECT is kept no longer than until everything is joined. Who
 * joins something again long after that begins with a new session, as official clients do by
 * themselves when this one ends. */
static void forget(struct session *session)
{
    if (session_conn(session) == NULL || !sockets_are_all_accepted(session))
        return;
    membership_of(session)->forgotten = session_seed(session) != NULL;
    session_forget_seed(session);
}

/* Packets, by their types. */

/* Who joins again what he has joined before connects once more, over the connection that he has:
 * he may do so as often as anybody from there may connect. */
static bool may_join(struct session *session, unsigned nsp)
{
    uint64_t wait_ms = 0;

    if ((membership_of(session)->joined & 1U << nsp) != 0)
        wait_ms = address_try(session_address(session), 1);
    if (wait_ms == 0)
        return true;
    session_limit_met(session, COUNTER_ADDRESS_ATTEMPTS);
    session_close(session, CONN_CLOSE_RATE_LIMITED, "this namespace was joined too often",
                  (uint32_t)wait_ms);
    return false;
}

static void on_connect(struct session *session, const struct socketio_packet *packet)
{
    unsigned nsp = find_namespace(socketio_of(session), packet->nsp);
    static const struct notify_str anew = {NULL, 0};

    if (nsp == NO_NAMESPACE)
        socket_refuse(session, packet->nsp, NOTIFY_STR("Invalid namespace"));
    else if (socket_find(session, nsp) != NULL)
        session_violated(session, "this namespace was joined already");
    else if (membership_of(session)->forgotten)
        session_close(session, CONN_CLOSE_RESTART, "joined once more: come back", 0);
    else if (may_join(session, nsp))
        socket_join(session, nsp, packet->json, anew);
}

static void on_disconnect(struct session *session, struct socket *socket)
{
    (void)session;
    socket_leave(socket);
}

/* What crosses with our own goodbye is no fault. */
static void on_stray(struct session *session, unsigned nsp)
{
    if (nsp == NO_NAMESPACE || (membership_of(session)->joined & 1U << nsp) == 0)
        session_violated(session, "this namespace was not joined");
}

static void handle(struct session *session, const struct socketio_packet *packet,
                   const struct notify_str *attachments)
{
    unsigned nsp = find_namespace(socketio_of(session), packet->nsp);
    struct socket *socket = nsp == NO_NAMESPACE ? NULL : socket_find(session, nsp);

    if (packet->type == SOCKETIO_CONNECT)
        on_connect(session, packet);
    else if (packet->type == SOCKETIO_CONNECT_ERROR)
        session_violated(session, "only a server refuses");
    else if (socket == NULL)
        on_stray(session, nsp);
    else if (packet->type == SOCKETIO_DISCONNECT)
        on_disconnect(session, socket);
    else if (!socketio_is_accepted(&socket->carried.conn))
        session_violated(session, "this namespace was not joined yet");
    else
        socket_take(socket, packet, attachments);
}

/* Attachments. */

static void await_attachments(struct session *session, struct notify_str text)
{
    struct incoming *incoming = incoming_new(text);

    membership_of(session)->incoming = incoming;
    if (incoming == NULL) {
        session_close(session, CONN_CLOSE_INTERNAL, "out of memory", 0);
        return;
    }
    incoming->since_at = short_time(session_now_ms(session));
    if (!session->has_alarm)
        session_set_alarm(session, socketio_of(session)->config.connect_timeout_ms);
}

/* May so much more be kept for this session? */
static bool may_keep(struct session *session, size_t len)
{
    size_t kept = membership_of(session)->incoming->bytes;

    if (kept + len <= SOCKETIO_KEPT_MAX(socketio_of(session)->config.engine.max_payload))
        return true;
    session_limit_met(session, COUNTER_SOCKETIO_ATTACHMENTS);
    session_close(session, CONN_CLOSE_TOO_BIG, "the attachments are too big", 0);
    return false;
}

static void on_binary(struct session *session, struct notify_str bytes)
{
    struct membership *members = membership_of(session);
    struct incoming *incoming = members->incoming;

    if (incoming == NULL) {
        session_violated(session, "this belongs to no packet");
        return;
    }
    if (!may_keep(session, bytes.len))
        return;
    if (!incoming_add(incoming, bytes)) {
        session_close(session, CONN_CLOSE_INTERNAL, "out of memory", 0);
        return;
    }
    if (!incoming_is_whole(incoming))
        return;
    members->incoming = NULL;
    handle(session, &incoming->packet, incoming->attachments);
    incoming_free(incoming);
}

static void on_text(struct session *session, struct notify_str text)
{
    struct socketio_packet packet;

    if (membership_of(session)->incoming != NULL)
        session_violated(session, "attachments were to come");
    else if (!socketio_read(text, &packet))
        session_violated(session, "no packet of Socket.IO");
    else if (packet.attachments > 0)
        await_attachments(session, text);
    else
        handle(session, &packet, NULL);
}

/* Between two polls: when a namespace must have been joined (0: one was), which were asked for, a
 * packet without all of its attachments, and each socket. Times are those of the wall, as another
 * process may go on. */

static uint64_t wall_ms(const struct session *session)
{
    return loop_wall_ms(socketio_of(session)->config.engine.loop);
}

/* As the client has said it, to be taken once more. */
static void park_incoming(const struct incoming *incoming, struct parcel *ret)
{
    parcel_append(ret, NOTIFY_STR("4"));
    parcel_append(ret, notify_str_of(incoming->text, incoming->text_len));
    for (unsigned i = 0; i < incoming->have; i++) {
        struct notify_str bytes = incoming->attachments[i];
        char *text = malloc(ENGINEIO_BINARY_LEN(bytes.len));

        ret->failed = ret->failed || text == NULL;
        parcel_append(ret, NOTIFY_STR("\x1e"));
        if (text != NULL)
            parcel_append(ret,
                          notify_str_of(text, engineio_write_binary(text, bytes.ptr, bytes.len)));
        free(text);
    }
}

static uint64_t connect_by_ms(const struct session *session, bool joined)
{
    uint64_t now_ms = session_now_ms(session);

    if (joined || !session->has_alarm)
        return 0;
    return wall_ms(session) + short_time_ms(session->alarm_at, now_ms) - now_ms;
}

static bool on_park(struct session *session, struct parcel *ret_state)
{
    struct membership *members = membership_of(session);
    struct parcel incoming = {.bytes = NULL};

    if (members->incoming != NULL)
        park_incoming(members->incoming, &incoming);
    parcel_add_number(ret_state, connect_by_ms(session, members->joined != 0));
    parcel_add_number(ret_state, members->joined);
    parcel_add(ret_state, parcel_text(&incoming));
    ret_state->failed = ret_state->failed || incoming.failed;
    parcel_release(&incoming);
    return sockets_park(session, ret_state);
}

static void set_connect_timeout(struct session *session, uint64_t by_ms)
{
    uint64_t now_ms = wall_ms(session);

    if (by_ms != 0)
        session_set_alarm(session, by_ms > now_ms ? by_ms - now_ms : 0);
}

/* A socket that cannot go on closes the session itself. */
static bool restore_socket(struct session *session, struct notify_str *state)
{
    static const struct notify_str nothing = {NULL, 0};
    struct notify_str name, own;
    unsigned nsp;

    if (!parcel_next(state, &name) || !parcel_next(state, &own) || own.len == 0)
        return false;
    nsp = find_namespace(socketio_of(session), name);
    if (nsp == NO_NAMESPACE || socket_find(session, nsp) != NULL)
        return false;
    socket_join(session, nsp, nothing, own);
    return true;
}

static bool restore(struct session *session, struct notify_str state)
{
    uint64_t by_ms, joined;
    struct notify_str incoming, packet;
    struct engineio_walk walk;

    if (!parcel_next_number(&state, &by_ms) || !parcel_next_number(&state, &joined) ||
        !parcel_next(&state, &incoming))
        return false;
    membership_of(session)->joined = (uint16_t)joined;
    set_connect_timeout(session, by_ms);
    while (state.len > 0)
        if (!restore_socket(session, &state))
            return false;
    walk = engineio_walk(incoming);
    while (incoming.len > 0 && !session->closing && engineio_next(&walk, &packet))
        session_take(session, packet);
    return true;
}

/* Has its client joined, perhaps, and been told so, and Redis has lost that? It would wait for what
 * never comes; with a new session it says where it was. */
static bool may_have_joined(struct session *session)
{
    return session_is_set_back(session) && TAILQ_EMPTY(&membership_of(session)->sockets);
}

static bool on_open(struct session *session, struct notify_str state)
{
    TAILQ_INIT(&membership_of(session)->sockets);
    if (state.len > 0)
        return restore(session, state) && !may_have_joined(session);
    set_connect_timeout(session,
                        wall_ms(session) + socketio_of(session)->config.connect_timeout_ms);
    return !may_have_joined(session);
}

/* Attachments have as much time as joining has. */
static void check_incoming(struct session *session)
{
    const struct incoming *incoming = membership_of(session)->incoming;
    uint64_t now_ms = session_now_ms(session), due_ms;

    if (incoming == NULL)
        return;
    due_ms =
        short_time_ms(incoming->since_at, now_ms) + socketio_of(session)->config.connect_timeout_ms;
    if (now_ms < due_ms) {
        session_set_alarm(session, due_ms - now_ms);
        return;
    }
    session_limit_met(session, COUNTER_SOCKETIO_ATTACHMENTS);
    session_close(session, CONN_CLOSE_IDLE, "the attachments did not come in time", 0);
}

/* Who has left everything has as much time for the next as he had for the first. */
static bool may_join_again(struct session *session)
{
    struct membership *members = membership_of(session);

    if (!members->accepted)
        return false;
    members->accepted = false;
    session_set_alarm(session, socketio_of(session)->config.connect_timeout_ms);
    return true;
}

static void on_alarm(struct session *session)
{
    if (TAILQ_EMPTY(&membership_of(session)->sockets)) {
        if (may_join_again(session))
            return;
        session_limit_met(session, COUNTER_SOCKETIO_CONNECT_TIMEOUT);
        session_close(session, CONN_CLOSE_IDLE, "no namespace was joined", 0);
        return;
    }
    forget(session);
    check_incoming(session);
}

static void on_closed(struct session *session, int code)
{
    sockets_take_down(session, code);
    incoming_free(membership_of(session)->incoming);
}

/* The room. */

static int on_handshake(void *ctx, const struct http_request *req, void **ret_seed)
{
    const struct socketio_config *config = &((struct socketio *)ctx)->config;

    return config->handlers.on_handshake(config->ctx, req, ret_seed);
}

static void on_forget(void *ctx, void *seed)
{
    const struct socketio_config *config = &((struct socketio *)ctx)->config;

    config->handlers.on_forget(config->ctx, seed);
}

struct socketio *socketio_new(const struct socketio_config *config)
{
    struct socketio *socketio = malloc(sizeof(*socketio));
    struct engineio_config engine = config->engine;

    if (socketio == NULL)
        return NULL;
    socketio->config = *config;
    engine.ctx = socketio;
    engine.handlers = (struct engineio_handlers){.on_handshake = on_handshake,
                                                 .on_forget = on_forget,
                                                 .upper_bytes = sizeof(struct membership),
                                                 .on_open = on_open,
                                                 .on_text = on_text,
                                                 .on_binary = on_binary,
                                                 .on_busy = sockets_block,
                                                 .on_drained = sockets_drained,
                                                 .on_alarm = on_alarm,
                                                 .on_park = on_park,
                                                 .on_end = sockets_send_away,
                                                 .on_kept = sockets_stay,
                                                 .on_compare = config->handlers.on_compare,
                                                 .on_closing = sockets_end,
                                                 .on_closed = on_closed};
    socketio->engine = engineio_new(&engine);
    if (socketio->engine != NULL)
        return socketio;
    free(socketio);
    return NULL;
}

void socketio_free(struct socketio *socketio)
{
    if (socketio == NULL)
        return;
    engineio_free(socketio->engine);
    free(socketio);
}

struct engineio *socketio_engine(const struct socketio *socketio)
{
    return socketio->engine;
}
