/* request_run -- what may be asked for, and what is done then (docs/protocol.md, "Requests").
 *
 * One table: the type of a request, its members, its handler. A handler checks everything before it
 * does anything; what is wrong is answered with an error and changes nothing. */
#ifndef REQUEST_RUN_H
#define REQUEST_RUN_H

#include <stddef.h>

#include "notify_str.h"

struct inbound;
struct request;
struct request_type;

/* Has r do what inbound, which is well-formed, asks for: it is answered now, or will be. */
void request_run(struct request *r, const struct inbound *inbound);
/* The same where it is known what is asked for (http_call.h). */
void request_run_as(struct request *r, const struct request_type *type,
                    const struct inbound *inbound);

/* The rows of the table, for the catalogue (catalogue.h). NULL: there is none of this name. */
const struct request_type *request_type_find(struct notify_str name);
/* NULL: there are no more. */
const struct request_type *request_type_at(size_t i);

#endif
