/* engineio_testing -- WebSockets and what is carried by them, for tests of socketio/, in place of
 * those of net/: what is written is kept, and a connection is busy when the test wants it so. One
 * WebSocket at a time. With loop_testing.h and exchange_testing.h. Header only; each test program
 * is one translation unit. */
#ifndef ENGINEIO_TESTING_H
#define ENGINEIO_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "exchange_testing.h"
#include "loop_testing.h"
#include "net/carried.h"
#include "net/conn_base.h"

struct socket_testing {
    struct conn conn; /* first */
    char out[1 << 18];
    size_t len;  /* of what was written; what does not fit in is left out */
    int closed;  /* by which code; 0: it is not */
    bool opened; /* has there been one? */
};

static struct socket_testing ws;
static TAILQ_HEAD(, conn) carried_testing_ended = TAILQ_HEAD_INITIALIZER(carried_testing_ended);

static enum conn_write conn_testing_keep(const void *bytes, size_t len)
{
    if (len <= sizeof(ws.out) - ws.len) {
        memcpy(ws.out + ws.len, bytes, len);
        ws.len += len;
    }
    return ws.conn.busy ? CONN_BUSY : CONN_SENT;
}

static const struct conn_kind *conn_testing_kind(const struct conn *conn)
{
    return conn->kind == CONN_CARRIED ? ((const struct carried *)conn)->carrier : NULL;
}

enum conn_write conn_put_answer(struct conn *conn, const void *bytes, size_t len)
{
    (void)conn;
    return conn_testing_keep(bytes, len);
}

enum conn_write conn_put(struct conn *conn, const void *bytes, size_t len)
{
    (void)conn;
    return conn_testing_keep(bytes, len);
}

enum conn_write conn_write(struct conn *conn, const void *frames, size_t len)
{
    if (conn->state != CONN_OPEN)
        return CONN_DEAD;
    return conn->framing == CONN_RELAYED && conn->kind == CONN_CARRIED
               ? conn_testing_kind(conn)->relay(conn, frames, len)
               : conn_testing_keep(frames, len);
}

void conn_set_peer(struct conn *conn, const struct peer_handlers *handlers, void *peer)
{
    conn->handlers = handlers;
    conn->peer = peer;
}

bool conn_is_busy(const struct conn *conn)
{
    return conn->busy;
}

void conn_pause_input(struct conn *conn, bool paused)
{
    if (conn->paused == paused)
        return;
    conn->paused = paused;
    if (conn->kind == CONN_CARRIED)
        conn_testing_kind(conn)->want_input(conn);
}

void conn_set_alarm(struct conn *conn, uint64_t after_ms)
{
    (void)conn; /* the test says when it is due */
    (void)after_ms;
}

void conn_limit_met(struct conn *conn, enum counter limit)
{
    (void)conn;
    counter_add(limit, 1);
}

void conn_close_until(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    if (conn->state != CONN_OPEN)
        return;
    if (conn->kind == CONN_CARRIED) {
        conn_testing_kind(conn)->close(conn, code, reason, retry_ms);
        return;
    }
    ws.closed = code;
    conn->state = CONN_CLOSING;
}

void conn_close(struct conn *conn, int code, const char *reason)
{
    conn_close_until(conn, code, reason, 0);
}

void conn_end(struct conn *conn)
{
    conn_close_until(conn, CONN_CLOSE_ABNORMAL, "", 0);
}

/* What is carried. */

static inline void carried_testing_begin(struct carried *carried, const struct conn_kind *carrier)
{
    carried->carrier = carrier;
    carried->conn.kind = CONN_CARRIED;
    carried->conn.framing = CONN_RELAYED;
    carried->conn.state = CONN_OPEN;
}

void carried_begin(struct carried *carried, struct conn *by, const struct conn_kind *carrier)
{
    carried_testing_begin(carried, carrier);
    carried->conn.busy = by->busy;
}

void carried_begin_alone(struct carried *carried, struct transport *transport,
                         struct address *address, const struct conn_kind *carrier)
{
    (void)transport;
    (void)address;
    carried_testing_begin(carried, carrier);
}

struct transport *carried_transport(const struct exchange *exchange)
{
    static char nothing; /* only handed on: nobody looks into it */

    (void)exchange;
    return (struct transport *)&nothing;
}

void carried_go_direct(struct carried *carried, const struct conn *by)
{
    (void)by;
    carried->conn.framing = CONN_BARE;
}

void carried_drained(struct carried *carried)
{
    carried->conn.busy = false;
    if (carried->conn.state == CONN_OPEN && carried->conn.peer != NULL)
        carried->conn.handlers->on_drained(carried->conn.peer);
}

void carried_end(struct carried *carried, int code)
{
    if (carried->conn.state == CONN_ENDED)
        return;
    carried->conn.code = (uint16_t)code;
    carried->conn.state = CONN_ENDED;
    carried->conn.ended_queued = true;
    TAILQ_INSERT_TAIL(&carried_testing_ended, &carried->conn, ended_link);
}

void carried_take_down(struct carried *carried, int code)
{
    struct conn *conn = &carried->conn;

    if (conn->ended_queued)
        TAILQ_REMOVE(&carried_testing_ended, conn, ended_link);
    else
        conn->code = (uint16_t)code;
    conn->state = CONN_ENDED;
    if (conn->peer != NULL)
        conn->handlers->on_closed(conn->peer, conn->code);
    carried->carrier->release(conn);
}

/* A turn of the loop. */
static inline void engineio_testing_turn(void)
{
    size_t end = loop_testing_deferred_len;

    while (!TAILQ_EMPTY(&carried_testing_ended))
        carried_take_down((struct carried *)TAILQ_FIRST(&carried_testing_ended), 0);
    for (size_t i = 0; i < end; i++)
        if (loop_testing_deferred[i].fn != NULL)
            loop_testing_deferred[i].fn(loop_testing_deferred[i].ctx);
    loop_testing_deferred_len -= end;
    memmove(loop_testing_deferred, loop_testing_deferred + end,
            loop_testing_deferred_len * sizeof(loop_testing_deferred[0]));
}

/* All that is to be done at this time. */
static inline void engineio_testing_run(void)
{
    while (loop_testing_deferred_len > 0 || !TAILQ_EMPTY(&carried_testing_ended))
        engineio_testing_turn();
}

/* The WebSocket is there, or has gone. */
static inline void engineio_testing_open(void)
{
    memset(&ws.conn, 0, sizeof(ws.conn));
    ws.len = 0;
    ws.closed = 0;
    ws.opened = true;
    ws.conn.state = CONN_OPEN;
}

static inline void engineio_testing_lose(int code)
{
    if (ws.conn.peer != NULL)
        ws.conn.handlers->on_closed(ws.conn.peer, code);
    memset(&ws.conn, 0, sizeof(ws.conn));
    ws.conn.state = CONN_ENDED;
}

#endif
