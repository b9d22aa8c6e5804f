/* catalogue -- all that is said in and out of every dialect, and how an error and an end are
 * called: the one source of docs/events.md, of /events, of openapi.json and of asyncapi.json.
 *
 * What the bridge says stands in bridge/catalogue/, which is compiled in; what it is asked for
 * comes from the table in request_run.c, so that a member and its limits are said once. An event
 * has a form for each way in which dialects say it:
 *
 *   {name, id, direction: "in" or "out", dialects, summary, schema, example,
 *    answers (of a request), needs_connection (the same)}
 *
 * Schemas refer to definitions ("#/components/schemas/…"), the part "schemas". */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include <jansson.h>

struct catalogue;

/* NULL: out of memory. */
struct catalogue *catalogue_new(void);
void catalogue_free(struct catalogue *catalogue);

/* What bridge/catalogue/<name>.json says; borrowed. NULL: there is no such part. */
const json_t *catalogue_part(const struct catalogue *catalogue, const char *name);
/* All forms, in the order in which they are shown; borrowed. */
const json_t *catalogue_forms(const struct catalogue *catalogue);
/* The text that a row has under a name; borrowed. NULL: it has none. */
const char *catalogue_text(const json_t *row, const char *name);

#endif
