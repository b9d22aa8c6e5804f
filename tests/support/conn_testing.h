/* conn_testing -- connections for unit tests that take the place of the transport when a test is
 * linked: what is written is kept, and a connection is busy when the test wants it so. Header only.
 */
#ifndef CONN_TESTING_H
#define CONN_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "net/conn.h"
#include "socketio/socketio.h"

struct conn {
    char *out; /* owned: what was written and not taken yet */
    size_t len, cap;
    bool busy, next_is_busy; /* next_is_busy: after the next write */
    size_t unsent;           /* while busy */
    bool paused, deflates;
    int close_code; /* 0: not closed */
    const struct peer_handlers *handlers;
    void *peer;
    void (*on_write)(struct conn *conn);
};

enum conn_write conn_write(struct conn *conn, const void *frames, size_t len)
{
    if (conn->close_code != 0)
        return CONN_DEAD;
    if (conn->busy)
        abort(); /* against the contract of transport.h */
    if (conn->len + len > conn->cap) {
        conn->cap = 2 * (conn->len + len);
        conn->out = realloc(conn->out, conn->cap);
        if (conn->out == NULL)
            abort();
    }
    memcpy(conn->out + conn->len, frames, len);
    conn->len += len;
    conn->busy = conn->next_is_busy;
    if (conn->on_write != NULL)
        conn->on_write(conn);
    return conn->busy ? CONN_BUSY : CONN_SENT;
}

void conn_set_peer(struct conn *conn, const struct peer_handlers *handlers, void *peer)
{
    conn->handlers = handlers;
    conn->peer = peer;
}

bool conn_deflates(const struct conn *conn)
{
    return conn->deflates;
}

bool conn_is_busy(const struct conn *conn)
{
    return conn->busy;
}

size_t conn_unsent(const struct conn *conn)
{
    return conn->busy ? conn->unsent : 0;
}

void conn_prefetch(const struct conn *conn)
{
    (void)conn; /* for speed alone */
}

void conn_hold_answer(struct conn *conn)
{
    (void)conn; /* there is none */
}

void conn_pause_input(struct conn *conn, bool paused)
{
    conn->paused = paused;
}

void conn_limit_met(struct conn *conn, enum counter limit)
{
    (void)conn;
    counter_add(limit, 1);
}

const char *conn_format_address(const struct conn *conn, char out[ADDRESS_TEXT_MAX])
{
    (void)conn;
    return memcpy(out, "127.0.0.1", 10);
}

void conn_close_until(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    (void)reason;
    (void)retry_ms;
    if (conn->close_code == 0)
        conn->close_code = code;
}

void conn_close(struct conn *conn, int code, const char *reason)
{
    conn_close_until(conn, code, reason, 0);
}

/* Of Socket.IO, whose connections these are not. */
void socketio_accept(struct conn *conn, struct notify_str sid, struct notify_str pid)
{
    (void)conn;
    (void)sid;
    (void)pid;
}

void socketio_hold(struct conn *conn, bool hold)
{
    (void)conn;
    (void)hold;
}

/* Takes the oldest whole message off what was written, NUL-terminated; the caller frees it. NULL:
 * there is none. */
static inline char *conn_testing_take(struct conn *conn)
{
    const unsigned char *out = (const unsigned char *)conn->out;
    size_t header = 2, len;
    char *text;

    if (conn->len == 0)
        return NULL;
    len = out[1];
    if (len == 126) {
        len = (size_t)out[2] << 8 | out[3];
        header = 4;
    } else if (len == 127) {
        len = 0;
        for (header = 2; header < 10; header++)
            len = len << 8 | out[header];
    }
    if (out[0] != 0x81 || header + len > conn->len)
        abort(); /* only whole text frames are written */
    text = malloc(len + 1);
    if (text == NULL)
        abort();
    memcpy(text, out + header, len);
    text[len] = '\0';
    conn->len -= header + len;
    memmove(conn->out, conn->out + header + len, conn->len);
    return text;
}

static inline void conn_testing_release(struct conn *conn)
{
    free(conn->out);
    *conn = (struct conn){0};
}

#endif
