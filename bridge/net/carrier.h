/* carrier -- what the connections of a process share below the layers above. Private to net/.
 *
 * Also the one place of the limits that have no option. */
#ifndef CARRIER_H
#define CARRIER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/http_request.h"
#include "net/transport_config.h"
#include "wire/ws_reader.h"

#define CARRIER_HEAD_SECS 5       /* to send a whole head, counted from accept or the first byte */
#define CARRIER_BODY_SECS 15      /* to send a whole body */
#define CARRIER_KEEPALIVE_SECS 15 /* between two requests */
#define CARRIER_RESPONSE_SECS 15  /* in which something of an answer must be taken */
/* After the last word to a peer: until it has closed its side too. Then the socket is closed. */
#define CARRIER_LINGER_SECS 2
/* The answer to who asks for a WebSocket waits at most so long for what goes out with it; and so
 * many that have waited go out in one turn of the loop. */
#define CARRIER_ANSWER_MS 200
#define CARRIER_ANSWERS_AT_ONCE 64
#define CARRIER_CLOSE_MS 5000 /* for the peer's answer to our Close frame */
/* Read from a WebSocket at once; also the most that is kept of a peer whose input is paused. */
#define CARRIER_READ_BYTES 16384
/* That whoever reads a stream of events sends after the request: nothing of it means anything. */
#define CARRIER_SSE_INPUT_BYTES 16384
#define CARRIER_SSE_RETRY_MS 3000  /* when to come back, unless something else is said */
#define CARRIER_SSE_DEAD_MS 120000 /* nothing that was sent has been acknowledged for so long */
#define CARRIER_GATHER_BYTES 65536 /* answers to one read that leave in one write */
/* Connections of an address, or those of all, that are no WebSocket: so many more than there may be
 * of those are let in, to be told so. */
#define CARRIER_BESIDES 32
/* Connections of operators, beside all others: whoever watches needs no more. */
#define CARRIER_OPERATORS_MAX 32
#define CARRIER_ENDED_AT_ONCE                                                                      \
    64 /* connections of a kind that are taken down in one turn of the loop */

struct addresses;
struct heartbeat;
struct http_conn;
struct loop;
struct loop_timer;
struct poller;
struct tls_carrier;

struct transport {
    struct loop *loop;                /* borrowed */
    struct heartbeat *beats;          /* owned; of conns */
    struct heartbeat *deadlines;      /* owned; of HTTP */
    struct loop_timer *ended_timer;   /* owned; for those in ended, */
    struct loop_timer *answers_timer; /* and for those in answers */
    struct poller *poller;            /* owned; of plain sockets */
    struct tls_carrier *tls;          /* owned; NULL: no certificate */
    struct addresses *addresses;      /* owned */
    struct evp_md_ctx_st *accept; /* owned; the hash that opens a WebSocket, for one at a time */
    TAILQ_HEAD(conn_queue, conn) all, ended;
    TAILQ_HEAD(http_conn_queue, http_conn) http, http_ended;
    TAILQ_HEAD(first_bytes_queue, first_bytes) first;
    TAILQ_HEAD(ws_answer_queue, ws_answer) answers;
    struct transport_config config; /* pointers in it borrowed */
    uint64_t opened;                /* WebSockets and streams of events so far */
    size_t count;                   /* open ones, */
    size_t streams;                 /* and those of events among them */
    size_t asked;                   /* exchanges that have been handed up and not answered */
    size_t sockets;                 /* all connections, whatever they are yet, */
    size_t operators;               /* and those of operators among them */
    /* Of the WebSocket whose input is being handled: */
    struct ws_reader reader;      /* what it is kept in between is ws_conn.c's */
    unsigned spent;               /* of its turn */
    const struct stream *gathers; /* its stream: what is written to no other is gathered; or NULL */
    size_t gathered;              /* bytes in gather */
    uint8_t gather[CARRIER_GATHER_BYTES]; /* what goes out at the end */
    struct http_head head;                /* of the request that is being looked at, */
    struct http_request_texts texts;      /* and its texts, */
    char path[HTTP_TARGET_MAX];           /* which lie here */
    uint8_t input[CARRIER_READ_BYTES + CARRIER_READ_BYTES]; /* what was kept, what is new */
};

/* A connection has come whose address is known: what it is counted by, or NULL: it is over a limit
 * (or there is no memory), and to be closed. */
struct address *transport_let_in(struct transport *transport, const struct peer_address *peer);
/* One is about to be put into ended or http_ended: some of those are taken down in the next turn of
 * the loop. */
void transport_end_soon(struct transport *transport);

#endif
