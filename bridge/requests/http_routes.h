/* http_routes -- what is answered on plain HTTP: one table of paths. */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include <stdbool.h>

struct conn_request;
struct http_response;

struct http_state {
    bool dev;   /* the test page is served */
    bool ready; /* the Redis links are up and the module answers */
};

/* False: there is nothing at this path. */
bool http_route(const struct http_state *state, const struct conn_request *req,
                struct http_response *ret);

#endif
