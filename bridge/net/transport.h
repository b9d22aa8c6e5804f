/* transport -- the boundary between what a connection carries (the layers above) and how it is
 * carried (transport_ws, transport_http and libwebsockets below).
 *
 * Upward, a transport tells a peer's story through struct transport_handlers: asked, opened,
 * messages, drained, closed. Downward, the layers above hold a struct conn and may write complete
 * frames to it, pause its input, and close it. Nobody above sees a descriptor or a wsi.
 *
 * Life of a conn: it is owned by its transport, is valid from on_open until on_closed returns, and
 * on_closed is called exactly once for every conn for which on_open returned a peer, never from
 * within conn_write() or conn_close(). */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct conn;

/* What a peer asked for. All borrowed for the length of the call. */
struct conn_request {
    struct notify_str path;   /* percent-decoded, without the query: "/ws/alice" */
    struct notify_str query;  /* raw, without '?': "user=alice&topics=a%2Cb" */
    struct notify_str origin; /* Origin header, or empty */
    struct notify_str addr;   /* peer address as text: "127.0.0.1", "unix" */
};

/* Finds a query parameter and percent-decodes it ('+' is a blank) into out[cap], NUL-terminated.
 * Returns its length; -1 when absent, malformed, holding a NUL byte, or too long for out. The first
 * of several wins. */
int conn_request_arg(const struct conn_request *req, const char *name, char *out, size_t cap);
/* Is there such a parameter at all? */
bool conn_request_has(const struct conn_request *req, const char *name);

struct transport_handlers {
    /* May this upgrade go on? 0: yes. Otherwise the HTTP status to refuse it with (403, 404, 503…).
     */
    int (*on_upgrade)(void *ctx, const struct conn_request *req);
    /* The connection is open and may be written to. Returns the peer that the other callbacks get,
     * or NULL: it has closed the connection itself, or else it is closed with 1011. */
    void *(*on_open)(void *ctx, struct conn *conn, const struct conn_request *req);
    /* One complete text message of at most max_message_bytes, valid UTF-8. */
    void (*on_message)(void *peer, const char *text, size_t len);
    /* A conn that reported CONN_BUSY has handed everything to the kernel. */
    void (*on_drained)(void *peer);
    /* The peer is gone, whoever ended it: the last call for it. code: the WebSocket close code that
     * was received or sent, 1006 for none (RFC 6455, 7.1.5). */
    void (*on_closed)(void *peer, int code);
};

enum conn_write {
    CONN_SENT, /* the kernel has it all, or gets it when the input of this moment is worked off */
    CONN_BUSY, /* taken, but a remainder waits for the socket: write no more until on_drained */
    CONN_DEAD, /* the connection is ending; on_closed will follow */
};

/* Writes one or more complete frames, already in the form of the connection's protocol. The bytes
 * are neither changed nor kept: the same buffer may go to any number of connections. Must not be
 * called while busy. May be called from anywhere on the loop's thread. */
enum conn_write conn_write(struct conn *conn, const void *frames, size_t len);
bool conn_is_busy(const struct conn *conn);
/* Fetches into the cache what conn_write() will look at. conn may be NULL. */
void conn_prefetch(const struct conn *conn);

/* Stops and restarts on_message. What the peer sends meanwhile waits in the kernel. */
void conn_pause_input(struct conn *conn, bool paused);

/* Begins the closing handshake (RFC 6455, 7.1.2) with code and a reason of at most 123 bytes; what
 * was written before goes out first. Safe to call again. on_message is not called any more. */
void conn_close(struct conn *conn, int code, const char *reason);

/* The application's own close codes and what they mean: docs/protocol.md, "Close codes". */
enum conn_close_code {
    CONN_CLOSE_NORMAL = 1000,
    CONN_CLOSE_GOING_AWAY = 1001,
    CONN_CLOSE_UNSUPPORTED = 1003,
    CONN_CLOSE_ABNORMAL = 1006,
    CONN_CLOSE_TOO_BIG = 1009,
    CONN_CLOSE_INTERNAL = 1011,
    CONN_CLOSE_RESTART = 1012,
    CONN_CLOSE_ABUSE = 4400,
    CONN_CLOSE_IDLE = 4408,
    CONN_CLOSE_TOO_SLOW = 4413,
};

/* Ordinary HTTP: the answer to a GET or HEAD, complete and in memory. */
struct http_response {
    int status;
    const char *content_type;  /* static text */
    const char *cache_control; /* static text or NULL for "no-store" */
    const char *location;      /* static text or NULL */
    const void *body;          /* static, or borrowed until the response has been copied out */
    size_t len;
};

/* Fills *ret for a request to path. Returns false when there is nothing there (404). */
typedef bool (*http_handler_fn)(void *ctx, const struct conn_request *req,
                                struct http_response *ret);

struct transport_config {
    size_t max_message_bytes;       /* bigger: closed with 1009 */
    uint64_t max_control_frames;    /* in ten seconds, at least 1; more: closed with 4400 */
    uint64_t heartbeat_ms;          /* WebSocket ping after this long; dead after two silent ones */
    uint64_t idle_timeout_ms;       /* without any frame from the peer, pongs included: 4408 */
    const char *const *ws_prefixes; /* NULL-terminated: upgrades elsewhere are 404 */
    struct transport_handlers ws;
    http_handler_fn http;
    void *ctx; /* of on_upgrade, on_open and http */
};

struct transport_stats {
    uint64_t control_floods; /* closed for more control frames than max_control_frames */
};

struct loop;
struct transport;

/* The libwebsockets context with its glue on loop. config is copied (pointers in it are borrowed
 * for life). NULL: could not be made; the reason has been logged. */
struct transport *transport_new(struct loop *loop, const struct transport_config *config);
/* Hands over a connected, non-blocking stream socket of a client; it is closed on failure. */
void transport_adopt(struct transport *transport, int fd);
size_t transport_count(const struct transport *transport); /* open WebSocket connections */
struct transport_stats transport_stats(const struct transport *transport);
/* Closes every connection at once, without handshake, calling on_closed for each, and frees all. */
void transport_free(struct transport *transport);

#endif
