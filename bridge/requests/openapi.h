/* openapi -- the HTTP interface as an OpenAPI 3.1 document: printed from the table of routes, the
 * members of their calls, and what bridge/catalogue/calls.json says of each. */
#ifndef OPENAPI_H
#define OPENAPI_H

#include <jansson.h>

#include "requests/http_route.h"

struct catalogue;

/* Of the routes that route_at tells of in that state. A new object; NULL: out of memory. */
json_t *openapi_document(const struct catalogue *catalogue, http_route_fn route_at,
                         const struct http_state *state);

#endif
