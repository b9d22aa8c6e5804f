/* transport_private -- what transport.c, transport_ws.c and transport_http.c share. Private to
 * them.
 *
 * Also the one place of the transports' limits. */
#ifndef TRANSPORT_PRIVATE_H
#define TRANSPORT_PRIVATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libwebsockets.h>

#include "net/transport.h"
#include "wire/ws_reader.h"

/* A request line and headers together; lws ends the connection beyond it. */
#define TRANSPORT_HEADER_BYTES 8192
#define TRANSPORT_HEADER_SECS 5     /* to send them all, counted from the first byte or accept */
#define TRANSPORT_KEEPALIVE_SECS 15 /* between two requests */
#define TRANSPORT_RESPONSE_SECS 15  /* to take an answer, or for lws to wait for a body */
/* After the last word to a peer: until it has closed its side too. Then the socket is closed. */
#define TRANSPORT_LINGER_SECS 2
#define TRANSPORT_CLOSE_MS 5000 /* for the peer's answer to our Close frame */
/* Read from a WebSocket at once; also the most that is kept of a peer whose input is paused. */
#define TRANSPORT_READ_BYTES 16384
#define TRANSPORT_GATHER_BYTES 65536   /* answers to one read that leave in one write */
#define TRANSPORT_UPGRADE_REQUIRED 426 /* RFC 9110, 15.5.22; lws has no name for it */
#define TRANSPORT_ORIGIN_BYTES 1024
#define TRANSPORT_MAX_DESCRIPTORS 1048576 /* lws keeps 16 bytes for each one allowed */

struct first_heads;
struct heartbeat;
struct loop_lws;
struct loop_timer;

/* A conn_request and the room for its texts, filled from the headers that lws has parsed. */
struct request_texts {
    struct conn_request req;
    char query[3 * TRANSPORT_HEADER_BYTES + 1]; /* percent-encoded again, hence up to three times */
    char origin[TRANSPORT_ORIGIN_BYTES];
    char addr[INET6_ADDRSTRLEN];
};

struct transport {
    struct loop *loop;                  /* borrowed */
    struct first_heads *heads;          /* owned; of connections that lws has not got yet */
    struct loop_lws *glue;              /* owned */
    struct lws_context *context;        /* owned */
    struct lws_vhost *vhost;            /* of context */
    struct heartbeat *heartbeat;        /* owned */
    struct loop_timer *ended_timer;     /* owned; for those in ended */
    TAILQ_HEAD(conn_queue, conn) ended; /* to be taken down */
    struct transport_config config;     /* pointers in it borrowed */
    uint64_t opened;                    /* WebSocket connections so far */
    size_t count;                       /* open WebSocket connections */
    struct transport_stats stats;
    struct request_texts texts; /* of the request being handled */
    /* Of the WebSocket whose input is being handled: */
    unsigned spent;                                             /* of its turn */
    size_t gathered;                                            /* bytes in gather */
    uint8_t gather[TRANSPORT_GATHER_BYTES];                     /* what goes out at the end */
    uint8_t input[TRANSPORT_READ_BYTES + TRANSPORT_READ_BYTES]; /* what was kept, what is new */
};

/* Ends the connection in this turn of the loop, without further ado, from wherever it is called. */
void transport_kill(struct transport *transport, struct lws *wsi);

/* Fills transport->texts. 0, or the HTTP status to refuse the request with. */
int transport_read_request(struct transport *transport, struct lws *wsi);

/* Whether name occurs in a header that is a comma-separated list of tokens. */
bool transport_header_has(struct lws *wsi, enum lws_token_indexes header, const char *name);

/* transport_http */

/* What is wrong with a request whatever it is for: 0, or the status to refuse it with. */
int transport_http_check(struct lws *wsi);
/* Answers and closes. Returns what lws' callback returns. */
int transport_http_refuse(struct transport *transport, struct lws *wsi, int status);
/* LWS_CALLBACK_HTTP */
int transport_http_answer(struct transport *transport, struct lws *wsi, bool close);

/* transport_ws */

/* Is it one of those that are for WebSocket? */
bool transport_ws_is_path(const struct transport *transport, struct notify_str path);

/* LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: 0 lets lws go on, -1 has been answered and is to be closed. */
int transport_ws_confirm(struct transport *transport, struct lws *wsi, const char *protocol);
int transport_ws_opened(struct transport *transport, struct lws *wsi);
int transport_ws_writable(struct transport *transport, struct lws *wsi);
void transport_ws_closed(struct transport *transport, struct lws *wsi);

struct heartbeat_node;
void transport_ws_due(struct heartbeat_node *node);
/* Takes down some of those in transport->ended; ctx is the transport. */
void transport_ws_end_some(void *ctx);

#endif
