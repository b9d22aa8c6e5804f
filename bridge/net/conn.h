/* conn -- the boundary between what a connection carries (the layers above) and how it is carried.
 *
 * Upward, a peer's story is told: asked for and opened through struct conn_handlers, messages,
 * drained and closed through the struct peer_handlers of whoever took it. Downward, the layers
 * above hold a struct conn and may write complete frames to it, pause its input, and close it.
 * Nobody above sees a descriptor.
 *
 * Life of a conn: it is owned by its transport, is valid from on_open until on_closed returns, and
 * on_closed is called exactly once for every conn that has a peer, never from within conn_write()
 * or conn_close(). */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "net/addresses.h"
#include "net/http.h"
#include "wire/close_code.h"

struct conn;
struct socketio_packet;

/* What was found out while an upgrade was asked for travels to on_open. */
struct conn_accept {
    void *arrival; /* for on_open, or else on_unopened */
    const char
        *protocol;    /* the sub-protocol that was chosen of those offered; static text or NULL */
    bool may_deflate; /* messages may be compressed, if the transport and the peer do so */
};

/* How a transport tells of upgrades. */
struct conn_handlers {
    /* May this upgrade go on? 0: yes, and on_open follows at once. Otherwise the HTTP status to
     * refuse it with (403, 404, 503…). */
    int (*on_upgrade)(void *ctx, const struct http_request *req, struct conn_accept *ret);
    /* The connection is open and may be written to. arrival: what on_upgrade set, handed over.
     * Whoever is told sets a peer by conn_set_peer(), or closes it. */
    void (*on_open)(void *ctx, struct conn *conn, const struct http_request *req, void *arrival);
    /* There was no memory for a connection that on_upgrade let in: arrival is to be released. */
    void (*on_unopened)(void *ctx, void *arrival);
};

/* How a connection tells its peer. */
struct peer_handlers {
    /* One complete text message of at most max_message_bytes, valid UTF-8. */
    void (*on_message)(void *peer, struct notify_str text);
    /* A conn that reported CONN_BUSY has handed everything to the kernel. */
    void (*on_drained)(void *peer);
    /* The peer is gone, whoever ended it: the last call for it. code: the WebSocket close code that
     * was received or sent, 1006 for none (RFC 6455, 7.1.5). */
    void (*on_closed)(void *peer, int code);
    /* A stream of events has been open for another interval: something is to be written to it, so
     * that proxies do not take it for dead. NULL: a comment is written. Of a WebSocket that
     * beats_itself: what conn_set_alarm() was set for has come. */
    void (*on_beat)(void *peer);

    /* Of a WebSocket alone. */

    /* One complete binary message. NULL: binary is refused (1003). */
    void (*on_binary)(void *peer, struct notify_str bytes);
    /* It has become busy by what was not written by its peer (a pong, say). NULL: he asks. */
    void (*on_busy)(void *peer);
    /* Close has been said, by whomever: what is written now does not go out. on_closed follows. */
    void (*on_closing)(void *peer, int code);
    size_t max_message_bytes; /* 0: what the transport is configured for */
    bool beats_itself;        /* no pings, no time-out of silence: its peer sees to that */

    /* Of a socket of Socket.IO alone (socketio/socketio.h). */

    /* An event or an acknowledgement, with or without attachments, of which all are there. */
    void (*on_packet)(void *peer, const struct socketio_packet *packet,
                      const struct notify_str *attachments);
    /* The poll that carries it is about to be answered: what it is to go on with at the next one,
     * as text in UTF-8, malloc'ed; NULL: out of memory. on_closed follows with CONN_CLOSE_PARKED.
     * It may still be written to. */
    char *(*on_park)(void *peer);
};

/* From now on peer is told; who was before is not any more. handlers is borrowed for life. */
void conn_set_peer(struct conn *conn, const struct peer_handlers *handlers, void *peer);

enum conn_write {
    CONN_SENT, /* the kernel has it all, or gets it when the input of this moment is worked off */
    CONN_BUSY, /* taken, but a remainder waits for the socket: write no more until on_drained */
    CONN_DEAD, /* the connection is ending; on_closed will follow */
};

/* Writes one or more complete frames, already in the form of the connection's protocol, be they
 * frames of a WebSocket or blocks of a stream of events (wire/sse_block.h). The bytes
 * are neither changed nor kept: the same buffer may go to any number of connections. Must not be
 * called while busy. May be called from anywhere on the loop's thread. */
enum conn_write conn_write(struct conn *conn, const void *frames, size_t len);
bool conn_is_busy(const struct conn *conn);
/* Has it been agreed on that messages may be compressed (wire/deflate.h)? */
bool conn_deflates(const struct conn *conn);
/* Bytes that wait in this process for the socket. */
size_t conn_unsent(const struct conn *conn);
/* Fetches into the cache what conn_write() will look at. conn may be NULL. */
void conn_prefetch(const struct conn *conn);

/* Within on_open alone, of a WebSocket: something will be written to it soon. The answer that opens
 * it goes out with that, or after a fifth of a second; else, as soon as on_open returns. */
void conn_hold_answer(struct conn *conn);

/* Stops and restarts on_message. What the peer sends meanwhile waits in the kernel. */
void conn_pause_input(struct conn *conn, bool paused);

/* Of one whose peer's handlers say beats_itself: has on_beat called once, after so many ms, instead
 * of what it was set for before. */
void conn_set_alarm(struct conn *conn, uint64_t after_ms);

/* The peer has met a limit: it is counted, and told in the log, once a minute for each address. */
void conn_limit_met(struct conn *conn, enum counter limit);
/* The address that limits count it by; returns out. */
const char *conn_format_address(const struct conn *conn, char out[ADDRESS_TEXT_MAX]);

/* Begins the closing handshake (RFC 6455, 7.1.2) with code, as the peer is to hear it, and a reason
 * of at most 123 bytes; what was written before goes out first. Safe to call again. on_message is
 * not called any more.
 *
 * A stream of events is ended by an event that says the same (docs/sse.md), but for 1000. One that
 * nothing has been written to is refused by a status, unless the reason is one that passes: a
 * browser comes back only after status 200. */
void conn_close(struct conn *conn, int code, const char *reason);
/* The same; the peer is told to come back after so many milliseconds (0: nothing is said of it). */
void conn_close_until(struct conn *conn, int code, const char *reason, uint32_t retry_ms);

#endif
