/* engineio -- Engine.IO 4: sessions over a WebSocket, over polling, or from one to the other.
 *
 * A session over a WebSocket lives as long as that. One over polling exists only while a GET is
 * held; between two of them it is a box (poll_store.h), which any process can go on with: so a
 * request may come to anybody.
 *
 * Above it somebody (Socket.IO, or an echo) is told of messages, and says some. */
#ifndef ENGINEIO_H
#define ENGINEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/http.h"
#include "notify_str.h"
#include "socketio/poll_store.h"

struct engineio;
struct loop;
struct parcel;
struct session;

#define ENGINEIO_SID_LEN 20
#define ENGINEIO_SID_ROOM 65 /* bytes of one that a client says */

/* Who is above a session: told of it, and carried in it. */
struct engineio_handlers {
    /* As those of struct socketio_handlers (socketio.h). */
    int (*on_handshake)(void *ctx, const struct http_request *req, void **ret_seed);
    void (*on_forget)(void *ctx, void *seed);
    size_t upper_bytes; /* of what session_upper() gives, zeroed at first */
    /* A session begins; or it goes on, with the state that on_park gave. False: it cannot, and is
     * closed. */
    bool (*on_open)(struct session *session, struct notify_str state);
    /* One message each, of at most max_payload bytes. */
    void (*on_text)(struct session *session, struct notify_str text);
    void (*on_binary)(struct session *session, struct notify_str bytes);
    void (*on_busy)(struct session *session); /* written to by somebody else; NULL: never minds */
    void (*on_drained)(struct session *session);
    /* The deadline of session_set_alarm(). */
    void (*on_alarm)(struct session *session);
    /* The poll is about to be answered: ret_state, which is empty, takes what it goes on with.
     * Whatever is said within goes out at the next poll, at the latest. False: it cannot go on. */
    bool (*on_park)(struct session *session, struct parcel *ret_state);
    /* The process ends, and nobody goes on with it: it is to be closed. NULL: without a word. */
    void (*on_end)(struct session *session);
    /* It was answered, and is kept: what did not go out may come again (as on_drained), and what is
     * said goes out at the next poll. */
    void (*on_kept)(struct session *session);
    /* Would what on_handshake left of one request do for another? */
    bool (*on_compare)(const void *seed, const void *other);
    /* Close has been said over its WebSocket, by whomever: nothing goes out any more. */
    void (*on_closing)(struct session *session, int code);
    /* It has ended. code: as on_closed of struct peer_handlers, or CONN_CLOSE_PARKED. */
    void (*on_closed)(struct session *session, int code);
};

struct engineio_config {
    struct loop *loop;
    struct poll_store store;   /* ops NULL: there is no polling */
    uint64_t ping_interval_ms; /* at least 1 */
    uint64_t ping_timeout_ms;
    uint64_t upgrade_timeout_ms;
    size_t max_payload;  /* bytes of a message, or of the body of a POST */
    const char *headers; /* lines that all answers have besides, each ended by CR LF; or NULL */
    struct engineio_handlers handlers;
    void *ctx; /* of on_handshake and on_forget */
};

/* config is copied. NULL: out of memory. */
struct engineio *engineio_new(const struct engineio_config *config);
void engineio_free(struct engineio *engine);

/* What a transport is to be told of a request whose path is this engine's (as http_handlers and
 * conn_handlers): */
int engineio_plan(struct engineio *engine, const struct http_request *req,
                  struct http_plan *ret_plan);
void engineio_request(struct engineio *engine, struct exchange *exchange);
int engineio_upgrade(struct engineio *engine, const struct http_request *req,
                     struct conn_accept *ret);
void engineio_open(struct engineio *engine, struct conn *conn, const struct http_request *req,
                   void *arrival);
void engineio_unopened(struct engineio *engine, void *arrival);

/* For who is above a session. */

void session_limit_met(struct session *session, enum counter limit);

void *session_upper(struct session *session);
void *session_ctx(const struct session *session);  /* of the config */
void *session_seed(const struct session *session); /* what on_handshake left; or NULL */
/* What is not stored may have passed it by before it went on here. */
bool session_missed(const struct session *session);
/* Redis has lost how far it had come: its client has had more than it goes on from, perhaps. */
bool session_is_set_back(const struct session *session);
/* It is not needed any more. */
void session_forget_seed(struct session *session);
/* What carries it: a WebSocket's conn; NULL: polls. */
struct conn *session_conn(const struct session *session);
/* What limits count one by that goes over polling; or NULL. */
struct address *session_address(const struct session *session);

/* Says a message of the packets that the text is joined of; a binary one. In any state: what the
 * socket does not take waits in this process, and nothing more is read before it has gone. */
void session_say(struct session *session, size_t count, const struct notify_str *parts);
void session_say_binary(struct session *session, struct notify_str bytes);
/* Says the packets of unmasked WebSocket text frames as they are. */
enum conn_write session_relay(struct session *session, const void *frames, size_t len);
/* Nothing is read until false; what was pushed by POSTs waits. */
void session_pause(struct session *session, bool paused);
/* A poll is not answered as long as something holds; so much more, or less, does. */
void session_hold(struct session *session, int change);
/* Has on_alarm called once; UINT64_MAX: not any more. */
void session_set_alarm(struct session *session, uint64_t after_ms);
/* Ends it, for a client that comes back: a Close frame with code (and when to come back; 0: nothing
 * of it), or an answer to its poll after which it is unknown. on_closed follows later. */
void session_close(struct session *session, int code, const char *reason, uint32_t retry_ms);

/* No session is kept between two polls any more: the transport is about to be freed. */
void engineio_let_go(struct engineio *engine);

/* The process is about to end: held GETs are answered, and their sessions are given back for others
 * to go on with; or, where there is nobody else, they end, as on_end does that. fn is called once
 * that is known, and from then on whenever no poll is left that is still to be answered: never from
 * within, and not after engineio_free(). */
void engineio_drain(struct engineio *engine, void (*fn)(void *ctx), void *ctx);
/* Others go on with the sessions over polling. */
bool engineio_drains(const struct engineio *engine);
bool engineio_has_polls(const struct engineio *engine);
size_t engineio_poll_count(const struct engineio *engine);

#endif
