/* http -- what the layers above see of HTTP: requests, exchanges, answers.
 *
 * A request is offered twice: its head, so that whoever knows the routes says what is to become of
 * it and how long its body may be; and, unless it becomes a WebSocket, as an exchange once it is
 * whole. An exchange is answered once, at once or later. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addresses.h"
#include "net/listen_address.h"
#include "net/peer_address.h"
#include "notify_str.h"
#include "wire/http_head.h"

struct conn;
struct exchange;

struct http_request {
    struct notify_str method;
    /* Percent-decoded, dot segments resolved: "/ws/alice". What is no escape, a NUL and a slash
     * that came as an escape stand in it as 0xff, a byte that is in no name and no path of ours. */
    struct notify_str path;
    struct notify_str query;  /* raw, without '?': "user=alice&topics=a%2Cb" */
    struct notify_str origin; /* Origin, or empty */
    struct notify_str host;   /* Host, or that of an absolute target; may be empty */
    struct notify_str addr;   /* of the client as text: "127.0.0.1", "unix" */
    struct notify_str body;   /* empty while only the head is there */
    struct peer_address peer; /* the same as addr */
    bool tls;
    enum listen_door door;        /* where it came */
    struct address *address;      /* borrowed: what limits count it by; or NULL */
    const struct http_head *head; /* all other fields */
};

/* Finds a query parameter and percent-decodes it ('+' is a blank) into out[cap], NUL-terminated.
 * Returns its length; -1 when absent, malformed, holding a NUL byte, or too long for out. The first
 * of several wins. */
int http_request_arg(const struct http_request *req, const char *name, char *out, size_t cap);
/* Is there such a parameter at all? */
bool http_request_has(const struct http_request *req, const char *name);

/* Walks all of them, empty ones left out. *rest begins as the query. 1: name and value, decoded
 * into out, which has room for HTTP_QUERY_ROOM of the query's bytes; 0: no more; -1: one is
 * malformed, or holds a NUL byte. */
#define HTTP_QUERY_ROOM(bytes) ((bytes) + 2)
int http_query_next(struct notify_str *rest, char *out, struct notify_str *ret_name,
                    struct notify_str *ret_value);

enum http_carrier {
    HTTP_PLAIN,
    HTTP_WEBSOCKET,
    HTTP_EVENTS, /* as HTTP_PLAIN; but only for pages that may connect */
};

#define HTTP_ALLOW_MAX 64

/* What is to become of a request. */
struct http_plan {
    enum http_carrier carrier;
    size_t body_max;            /* HTTP_PLAIN: bytes; more is 413 */
    char allow[HTTP_ALLOW_MAX]; /* with 405: "GET, HEAD" */
    const char *why;  /* with any status: what the error says (static text); NULL: what it always
                       * says */
    const char *body; /* with any status: what is said instead of the error's JSON (static text), */
    const char *body_type; /* and what that is */
    const char *headers;   /* with any status: further lines, each ended by CR LF; or NULL */
    bool readable;         /* by the pages of the request's Origin: they are told so, */
    bool credentials;      /* and that they may send their cookies */
    bool held; /* the answer may be long in coming: a peer that ends its side has gone */
    void *ctx; /* for on_request() */
};

/* How whoever reads an answer sees where its body ends. */
enum http_extent {
    HTTP_SIZED,     /* by its length */
    HTTP_IN_CHUNKS, /* RFC 9112, 7.1 */
    HTTP_TO_END,    /* by the end of the connection */
};

/* Text that is sent as it is must be static, or live until exchange_answer() returns. */
struct http_response {
    int status;
    const char *content_type;  /* NULL: "application/json" */
    const char *cache_control; /* NULL: "no-store" */
    const char *headers;       /* further lines, each ended by CR LF; or NULL */
    enum http_extent extent;
    const void *body;
    size_t len;
};

const struct http_request *exchange_request(const struct exchange *exchange);
const struct http_plan *exchange_plan(const struct exchange *exchange);
/* Answers, once; the exchange must not be used any more. */
void exchange_answer(struct exchange *exchange, const struct http_response *response);
/* The JSON body of an error: {"error":{"code","message","details":null}}, by its status. */
void exchange_refuse(struct exchange *exchange, int status, const char *headers);
/* Answers with a stream of events (text/event-stream): a connection as in conn.h, whose peer is to
 * be set at once. Its head goes out with the first that is written. Of the exchange only its
 * request may be looked at any more, until exchange_forget(). NULL: it has been refused already, as
 * the address has too many connections, or there is no memory. */
struct conn *exchange_open_events(struct exchange *exchange);
void exchange_forget(struct exchange *exchange);
/* Answers with a WebSocket, or what is wrong with asking for one: on_upgrade() and on_open() of
 * struct conn_handlers follow within. */
void exchange_upgrade(struct exchange *exchange);
/* The answer to HEAD where GET would bring a stream. */
void exchange_answer_events_head(struct exchange *exchange);
/* Calls fn(ctx) when the peer has gone before it was answered; the exchange must not be used any
 * more then. fn NULL: nobody is told any more. */
void exchange_on_gone(struct exchange *exchange, void (*fn)(void *ctx), void *ctx);

/* What the layers above do with requests. */
struct http_handlers {
    /* The head of a request. Fills *ret_plan; 0, or the status to refuse it with. */
    int (*on_head)(void *ctx, const struct http_request *req, struct http_plan *ret_plan);
    void (*on_request)(void *ctx, struct exchange *exchange);
    /* Whatever was handed up has been answered, or its peer has gone. NULL: nobody wants to know.
     */
    void (*on_idle)(void *ctx);
};

#endif
