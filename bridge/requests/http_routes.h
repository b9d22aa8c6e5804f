/* http_routes -- the front door: one table of methods and paths, and what is to become of each. */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include <stdbool.h>

#include "net/listen_address.h"
#include "notify_str.h"

struct catalogue_pages;
struct client_shared;
struct engineio;
struct exchange;
struct http_call;
struct http_plan;
struct http_request;

struct http_state {
    struct client_shared *clients; /* borrowed */
    struct engineio *engine;       /* of Socket.IO, borrowed; NULL: there is none */
    struct catalogue_pages *pages; /* the same */
    bool dev;                      /* the test page is served */
    bool demo;                     /* the page that kills the bridge is, too */
    bool docs;                     /* and what explains the interfaces; so it is with dev, too */
    bool ready;                    /* the Redis links are up and the module answers */
    const char *full;      /* why nobody can come in just now (static text); NULL: they can */
    enum listen_door door; /* where it came */
    bool admin;            /* the page for who runs the bridge is served here */
    bool metrics_apart;    /* numbers are shown to these alone */
    bool crowded;          /* there are as many connections as there may be */
};

/* Is it of the pages for who runs the bridge, or tries it: then it is for these pages alone,
 * whichever others may connect. */
bool http_route_is_own(struct notify_str path);
/* Is this Socket.IO's? */
bool http_route_is_socketio(struct notify_str path);
/* What is to become of a request: 0 and *ret_plan, or the status to refuse it with: 404 for a path
 * that is not there, 405 with the methods that are, 501 for a method that is known nowhere. */
int http_route_plan(const struct http_state *state, const struct http_request *req,
                    struct http_plan *ret_plan);
/* The call of the API that was planned for it; NULL: it is none. */
const struct http_call *http_route_call(const struct exchange *exchange);
/* Answers a whole request; the plan was made by http_route_plan(). */
void http_route_answer(const struct http_state *state, struct exchange *exchange);

#endif
