/* http_route -- one row of the table in http_routes.c, as whoever explains it sees it. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/http.h"
#include "notify_str.h"

struct http_call;
struct http_state;

struct http_route {
    const char *method;
    struct notify_str path; /* or a pattern (http_pattern.h) */
    const char *below;      /* what is below it, too, as a pattern: "/{client_id}"; NULL: nothing */
    enum http_carrier carrier;
    const struct http_call *call; /* NULL: it is none of the API */
};

/* The i-th that is served in that state. False: there are no more. */
typedef bool (*http_route_fn)(const struct http_state *state, size_t i, struct http_route *ret);

#endif
