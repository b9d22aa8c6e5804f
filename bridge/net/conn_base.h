/* conn_base -- what connections of every kind have in common. Private to net/, and to carried.h.
 *
 * The way out is one for all of them (conn_base.c); what differs between a WebSocket (ws_conn.c), a
 * stream of events (sse_conn.c) and what is carried by another connection (carried.c) stands in a
 * small table, which no write looks at. */
#ifndef CONN_BASE_H
#define CONN_BASE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/heartbeat.h"
#include "net/conn.h"

struct stream;
struct stream_handlers;
struct transport;

enum conn_state {
    CONN_OPEN,
    CONN_CLOSING,   /* our last word has been said; the peer may have one, too */
    CONN_LINGERING, /* only the end of the peer's side is waited for */
    CONN_ENDED,
};

/* What a write is put into on its way out. */
enum conn_framing {
    CONN_BARE,
    CONN_CHUNKED,   /* one chunk (RFC 9112, 7.1) */
    CONN_NOT_BEGUN, /* something goes before it: kind->begin(), which says how to go on */
    CONN_RELAYED    /* it is written by kind->relay() */
};

enum conn_kind_index { CONN_WEBSOCKET, CONN_EVENTS, CONN_CARRIED };

struct conn_kind {
    /* Of one that is open. retry_ms: when to come back; 0: nothing is said of it. */
    void (*close)(struct conn *conn, int code, const char *reason, uint32_t retry_ms);
    void (*beat)(struct conn *conn);       /* its deadline has come */
    void (*want_input)(struct conn *conn); /* paused has changed */
    void (*begin)(struct conn *conn);      /* NULL where CONN_NOT_BEGUN does not occur */
    enum conn_write (*relay)(struct conn *conn, const void *bytes, size_t len); /* CONN_RELAYED */
    void (*spoilt)(struct conn *conn);  /* a write has found the stream of another to be broken, */
    void (*stuck)(struct conn *conn);   /* or has left a remainder in it; NULL: it is its own */
    void (*release)(struct conn *conn); /* frees what is the kind's own, and conn itself */
};

/* One per connection: keep it small, and what conn_write() looks at together. Begins what a kind
 * has of its own. */
struct conn {
    struct stream *stream; /* owned (but of what is carried); NULL once it has ended */
    struct transport *transport;
    const struct peer_handlers *handlers; /* borrowed; of the peer */
    void *peer;                           /* NULL: nobody is told */
    struct address *address;              /* owned reference; borrowed by what is carried */
    int fd;                               /* of the stream, for sending past it; -1: TLS */
    uint16_t code;                        /* what on_closed will tell */
    uint8_t state;                        /* enum conn_state */
    uint8_t framing;                      /* enum conn_framing */
    uint8_t kind;                         /* enum conn_kind_index */
    bool busy;                            /* the stream keeps a remainder */
    bool paused;                          /* by conn_pause_input() */
    bool reading;                         /* its input is being handled */
    bool ended_queued;                    /* in transport->ended */
    uint8_t unanswered; /* of a WebSocket, as are the next three, which fit in here: pings since the
                         * peer was last heard */
    bool choked : 1;    /* input rests until the socket has drained: a pong is waiting in it */
    bool resuming : 1;  /* a deferred on_resume() is on its way; nothing is read until then */
    bool deflates : 1;  /* messages may be compressed, ours and the peer's */
    union {
        struct heartbeat_node beat;   /* its next deadline */
        TAILQ_ENTRY(conn) ended_link; /* while ended_queued */
    };
    TAILQ_ENTRY(conn) all_link; /* of the transport's, or of all that one connection carries */
};

/* The first member of what is carried (carried.h). */
struct carried {
    struct conn conn;                /* first */
    const struct conn_kind *carrier; /* borrowed for life; no begin(), no beat() */
};

extern const struct conn_kind conn_kind_websocket, conn_kind_events;

/* Takes stream and address over into conn, which is zeroed but for its kind and framing, and counts
 * it. */
void conn_begin(struct conn *conn, struct transport *transport, struct stream *stream,
                const struct stream_handlers *handlers, struct address *address);
/* on_closed follows in one of the next turns of the loop. */
void conn_end(struct conn *conn);
/* The deadline of the union above. */
void conn_set_beat(struct conn *conn, uint64_t after_ms);
void conn_due(struct heartbeat_node *node);

/* Past all framing, in any state but CONN_ENDED, also behind a remainder. */
enum conn_write conn_write_raw(struct conn *conn, const void *bytes, size_t len);
/* The same; but what goes to a connection because of its own input leaves in one write, at the end
 * of that: conn_flush(). */
enum conn_write conn_put(struct conn *conn, const void *bytes, size_t len);
enum conn_write conn_flush(struct conn *conn);
/* The same of an answer to what a WebSocket has said: as long as it waits, no more is read. */
enum conn_write conn_put_answer(struct conn *conn, const void *bytes, size_t len);
/* In the framing of the connection. */
enum conn_write conn_write_framed(struct conn *conn, const void *bytes, size_t len);
/* What goes before all else goes out now, if it has not yet. */
void conn_say_first(struct conn *conn);
/* The stream holds nothing more. */
void conn_drained(struct conn *conn);

/* The last of a connection: on_closed, and it is freed. */
void conn_take_down(struct conn *conn);
/* Takes down some of those that have ended. */
void conn_end_some(struct transport *transport);
/* Takes down all at once, without a closing handshake. */
void conn_free_all(struct transport *transport);

#endif
