/* socket -- the connections of Socket.IO: how they are written to, and how they end. */
#include "socketio/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "socketio/parcel.h"
#include "socketio/session.h"
#include "wire/json_writer.h"
#include "wire/socketio_packet.h"
#include "wire/text.h"
#include "wire/ws_frame.h"

/* After everything was joined: then what is needed for joining is forgotten. */
#define SETTLED_MS 1000

#define SOCKETS_FOREACH(conn, next, session)                                                       \
    for ((conn) = TAILQ_FIRST(&membership_of(session)->sockets);                                   \
         (conn) != NULL && ((next) = TAILQ_NEXT(conn, all_link), true); (conn) = (next))

struct membership *membership_of(struct session *session)
{
    return session_upper(session);
}

struct socketio *socketio_of(const struct session *session)
{
    return session_ctx(session);
}

static struct notify_str nsp_of(const struct socket *socket)
{
    return socketio_of(socket->session)->config.namespaces[socket->nsp];
}

static bool is_main(const struct socket *socket)
{
    return notify_str_eq(nsp_of(socket), NOTIFY_STR("/"));
}

/* What goes out. */

/* <type>[<attachments>-][<namespace>,][<id>] and JSON. */
static void say(struct session *session, const struct socketio_packet *packet, size_t count,
                const struct notify_str *json)
{
    char head[SOCKETIO_HEAD_MAX];
    struct notify_str parts[8] = {{head, socketio_write_head(head, packet)}};

    for (size_t i = 0; i < count && i < 7; i++)
        parts[1 + i] = json[i];
    session_say(session, 1 + count, parts);
}

/* An acknowledgement has been written: a poll need not wait for it any more. */
static void note_ack(struct socket *socket, char type)
{
    if ((type != '3' && type != '6') || socket->acks == 0)
        return;
    socket->acks--;
    session_hold(socket->session, -1);
}

static enum conn_write outcome(const struct socket *socket)
{
    const struct conn *ws = session_conn(socket->session);

    if (ws == NULL && socket->parks) /* what it says now goes out at the next polls */
        return CONN_SENT;
    if (ws == NULL) /* it is asked how full it is */
        return session_relay(socket->session, NULL, 0);
    return ws->state != CONN_OPEN ? CONN_DEAD : ws->busy ? CONN_BUSY : CONN_SENT;
}

/* 42["alert",…] becomes 42/admin,["alert",…], and 4213[…] 42/admin,13[…]. */
static void say_elsewhere(const struct socket *socket, struct notify_str packet)
{
    struct notify_str nsp = nsp_of(socket);
    const struct notify_str parts[] = {
        {packet.ptr, 2}, nsp, NOTIFY_STR_INIT(","), {packet.ptr + 2, packet.len - 2}};

    session_say(socket->session, 4, parts);
}

/* What cannot go out as it is: over a poll, or of another namespace. */
static enum conn_write relay(struct conn *conn, const void *frames, size_t len)
{
    struct socket *socket = socket_of(conn);
    struct notify_str rest = notify_str_of(frames, len), packet;
    bool as_it_is = is_main(socket);

    if (as_it_is && session_conn(socket->session) != NULL)
        return session_relay(socket->session, frames, len);
    while (ws_frame_take(&rest, &packet)) {
        if (packet.len < 2)
            continue;
        if (as_it_is)
            session_say(socket->session, 1, &packet);
        else
            say_elsewhere(socket, packet);
        note_ack(socket, packet.ptr[1]);
    }
    conn->busy = outcome(socket) == CONN_BUSY;
    return outcome(socket);
}

enum conn_write socketio_say(struct conn *conn, const struct socketio_packet *head, size_t count,
                             const struct notify_str *json, const struct notify_str *attachments)
{
    struct socket *socket = socket_of(conn);
    struct socketio_packet packet = *head;

    if (conn->state != CONN_OPEN)
        return CONN_DEAD;
    packet.nsp = nsp_of(socket);
    say(socket->session, &packet, count, json);
    for (unsigned i = 0; i < packet.attachments; i++)
        session_say_binary(socket->session, attachments[i]);
    note_ack(socket, (char)('0' + packet.type));
    return outcome(socket);
}

/* The end. */

/* Codes after which a client shall stay away until its user does something. */
static bool stays_away(int code)
{
    static const int codes[] = {CONN_CLOSE_ABUSE,    CONN_CLOSE_UNAUTHORIZED, CONN_CLOSE_FORBIDDEN,
                                CONN_CLOSE_TOO_MANY, CONN_CLOSE_KICKED,       CONN_CLOSE_POLICY};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* The same with text as a JSON string between what goes before and behind it. */
static void say_text(struct session *session, const struct socketio_packet *packet,
                     const char *before, struct notify_str text, const char *behind)
{
    struct json_writer writer = {.bytes = NULL};
    struct text json;

    json_writer_add(&writer, notify_str_z(before));
    json_writer_add_string(&writer, text);
    json_writer_add(&writer, notify_str_z(behind));
    if (json_writer_end(&writer, &json))
        say(session, packet, 1, json.parts);
    text_release(&json);
}

static void say_disconnected(struct socket *socket, const char *reason)
{
    const struct socketio_packet packet = {.type = SOCKETIO_EVENT, .nsp = nsp_of(socket)};

    if (socket->accepted && socket->carried.conn.state == CONN_OPEN)
        say_text(socket->session, &packet, "[\"disconnected\",{\"reason\":", notify_str_z(reason),
                 "}]");
}

static void send_away(struct socket *socket, int code, const char *reason)
{
    struct socketio_packet packet = {.type = SOCKETIO_DISCONNECT, .nsp = nsp_of(socket)};
    char data[40];

    if (socket->accepted) {
        say_disconnected(socket, reason);
        say(socket->session, &packet, 0, NULL);
    } else {
        packet.type = SOCKETIO_CONNECT_ERROR;
        (void)snprintf(data, sizeof(data), ",\"data\":{\"code\":%d}}", code);
        say_text(socket->session, &packet, "{\"message\":", notify_str_z(reason), data);
    }
    socketio_hold(&socket->carried.conn, false);
    carried_end(&socket->carried, code);
}

/* Official clients come back by themselves only if the connection ends below them. */
static void end_all(struct session *session, int code, const char *reason, uint32_t retry_ms)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    say_disconnected(socket_of(conn), reason);
    sockets_end(session, code);
    session_close(session, code, reason, retry_ms);
}

void sockets_send_away(struct session *session)
{
    end_all(session, CONN_CLOSE_RESTART, "restarting", 0);
}

static void close_it(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    struct socket *socket = socket_of(conn);

    if (reason == NULL)
        reason = "";
    if (stays_away(code))
        send_away(socket, code, reason);
    else
        end_all(socket->session, code, reason, retry_ms);
}

static void release(struct conn *conn)
{
    struct socket *socket = socket_of(conn);

    TAILQ_REMOVE(&membership_of(socket->session)->sockets, conn, all_link);
    session_hold(socket->session, -(int)socket->acks - socket->held);
    free(socket);
}

/* What happens to the connection below. */

static void want_input(struct conn *changed)
{
    struct session *session = socket_of(changed)->session;
    struct conn *conn, *next;
    bool paused = false;

    SOCKETS_FOREACH(conn, next, session)
    paused = paused || (conn->paused && conn->state == CONN_OPEN);
    session_pause(session, paused);
}

static void stuck(struct conn *conn)
{
    struct conn *ws = session_conn(socket_of(conn)->session);

    ws->busy = true;
    sockets_block(socket_of(conn)->session);
}

static void spoilt(struct conn *conn)
{
    conn_end(session_conn(socket_of(conn)->session));
}

static const struct conn_kind socket_kind = {.close = close_it,
                                             .want_input = want_input,
                                             .relay = relay,
                                             .stuck = stuck,
                                             .spoilt = spoilt,
                                             .release = release};

void sockets_block(struct session *session)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    conn->busy = true;
}

/* Has it as much to say as goes out at once? */
static bool is_busy(struct session *session)
{
    const struct conn *ws = session_conn(session);

    return ws != NULL ? ws->busy : session_relay(session, NULL, 0) == CONN_BUSY;
}

/* Each has its turn first once: whoever was told goes to the end of the line. */
void sockets_drained(struct session *session)
{
    struct socket_list *list = &membership_of(session)->sockets;
    struct conn *conn, *last = TAILQ_LAST(list, socket_list);

    while ((conn = TAILQ_FIRST(list)) != NULL && !is_busy(session)) {
        TAILQ_REMOVE(list, conn, all_link);
        TAILQ_INSERT_TAIL(list, conn, all_link);
        if (conn->state == CONN_OPEN)
            carried_drained(&socket_of(conn)->carried);
        if (conn == last)
            break;
    }
}

void sockets_end(struct session *session, int code)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    carried_end(&socket_of(conn)->carried, code);
}

void sockets_take_down(struct session *session, int code)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    carried_take_down(&socket_of(conn)->carried, code);
}

/* Between two polls. */

bool sockets_park(struct session *session, struct parcel *ret)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    {
        char *state;

        if (conn->state != CONN_OPEN)
            continue;
        if (!socket_of(conn)->accepted || conn->handlers->on_park == NULL)
            return false; /* what it has not been told yet would be lost */
        socket_of(conn)->parks = true;
        conn->busy = false;
        state = conn->handlers->on_park(conn->peer);
        if (state == NULL)
            return false;
        parcel_add(ret, nsp_of(socket_of(conn)));
        parcel_add(ret, notify_str_z(state));
        free(state);
    }
    return true;
}

void sockets_stay(struct session *session)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    {
        socket_of(conn)->parks = false;
        conn->busy = is_busy(session);
    }
    sockets_drained(session);
}

/* Joining and leaving. */

_Static_assert(SOCKETIO_ID_LEN == ENGINEIO_SID_LEN, "both are made alike");

void socketio_make_id(char out[SOCKETIO_ID_LEN + 1])
{
    session_make_sid(out);
}

struct socket *socket_of(const struct conn *conn)
{
    return (struct socket *)conn;
}

struct socket *socket_find(struct session *session, unsigned nsp)
{
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    if (socket_of(conn)->nsp == nsp && conn->state == CONN_OPEN)
        return socket_of(conn);
    return NULL;
}

static struct socket *socket_new(struct session *session, unsigned nsp)
{
    struct socket *socket = calloc(1, sizeof(*socket));
    struct conn *ws = session_conn(session);

    if (socket == NULL)
        return NULL;
    socket->session = session;
    socket->nsp = (uint8_t)nsp;
    if (ws != NULL)
        carried_begin(&socket->carried, ws, &socket_kind);
    else
        carried_begin_alone(&socket->carried, session->engine->transport, session_address(session),
                            &socket_kind);
    if (ws != NULL && is_main(socket))
        carried_go_direct(&socket->carried, ws);
    TAILQ_INSERT_TAIL(&membership_of(session)->sockets, &socket->carried.conn, all_link);
    return socket;
}

void socket_join(struct session *session, unsigned nsp, struct notify_str auth,
                 struct notify_str state)
{
    struct socketio *socketio = socketio_of(session);
    struct socket *socket = socket_new(session, nsp);

    if (socket == NULL) {
        session_close(session, CONN_CLOSE_INTERNAL, "out of memory", 0);
        return;
    }
    membership_of(session)->joined |= (uint16_t)(1U << nsp);
    socket->accepted = state.len > 0;
    if (!socket->accepted)
        socketio_hold(&socket->carried.conn, true);
    socketio->config.handlers.on_connect(socketio->config.ctx, &socket->carried.conn, auth, state,
                                         session_seed(session));
    if (socket->carried.conn.peer == NULL)
        conn_close(&socket->carried.conn, CONN_CLOSE_INTERNAL, "refused");
}

void socket_refuse(struct session *session, struct notify_str nsp, struct notify_str message)
{
    const struct socketio_packet packet = {.type = SOCKETIO_CONNECT_ERROR, .nsp = nsp};

    say_text(session, &packet, "{\"message\":", message, "}");
}

void socket_take(struct socket *socket, const struct socketio_packet *packet,
                 const struct notify_str *attachments)
{
    struct conn *conn = &socket->carried.conn;
    bool asks = packet->type == SOCKETIO_EVENT || packet->type == SOCKETIO_BINARY_EVENT;

    if (conn->peer == NULL || conn->handlers->on_packet == NULL)
        return;
    if (asks && packet->id.len > 0 && session_conn(socket->session) == NULL) {
        socket->acks++;
        session_hold(socket->session, 1);
    }
    conn->handlers->on_packet(conn->peer, packet, attachments);
}

void socket_leave(struct socket *socket)
{
    carried_end(&socket->carried, CONN_CLOSE_NORMAL);
}

void socketio_accept(struct conn *conn, struct notify_str sid, struct notify_str pid)
{
    struct socket *socket = socket_of(conn);
    const struct socketio_packet packet = {.type = SOCKETIO_CONNECT, .nsp = nsp_of(socket)};
    struct notify_str json[] = {NOTIFY_STR_INIT("{\"sid\":\""), sid,
                                NOTIFY_STR_INIT("\",\"pid\":\""), pid, NOTIFY_STR_INIT("\"}")};

    if (conn->state != CONN_OPEN || socket->accepted)
        return;
    socket->accepted = true;
    membership_of(socket->session)->accepted = true;
    socketio_hold(conn, false);
    if (pid.len == 0)
        json[2].len = 0;
    say(socket->session, &packet, 5, json);
    if (session_conn(socket->session) != NULL && sockets_are_all_accepted(socket->session))
        session_set_alarm(socket->session, SETTLED_MS);
}

bool sockets_are_all_accepted(struct session *session)
{
    size_t accepted = 0;
    struct conn *conn, *next;

    SOCKETS_FOREACH(conn, next, session)
    accepted += socket_of(conn)->accepted && conn->state == CONN_OPEN;
    return accepted == socketio_of(session)->config.namespace_count;
}

bool socketio_is_accepted(const struct conn *conn)
{
    return socket_of(conn)->accepted;
}

bool socketio_may_park(const struct conn *conn)
{
    return session_conn(socket_of(conn)->session) == NULL;
}

bool socketio_missed(const struct conn *conn)
{
    return session_missed(socket_of(conn)->session);
}

bool socketio_is_set_back(const struct conn *conn)
{
    return session_is_set_back(socket_of(conn)->session);
}

struct notify_str socketio_namespace(const struct conn *conn)
{
    return nsp_of(socket_of(conn));
}

void socketio_hold(struct conn *conn, bool hold)
{
    struct socket *socket = socket_of(conn);

    if (socket->held != hold)
        session_hold(socket->session, hold ? 1 : -1);
    socket->held = hold;
}
