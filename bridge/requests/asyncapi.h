/* asyncapi -- what travels over connections as an AsyncAPI 3.0 document, printed from the
 * catalogue: a channel for each dialect, with its messages; an operation for each request, with its
 * answers, and one for all that the bridge says by itself. */
#ifndef ASYNCAPI_H
#define ASYNCAPI_H

#include <jansson.h>

struct catalogue;

/* A new object; NULL: out of memory. */
json_t *asyncapi_document(const struct catalogue *catalogue);

#endif
