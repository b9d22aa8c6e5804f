/* json_schema -- does a value fit a JSON Schema? Of draft 2020-12 only what the catalogue of events
 * needs (requests/catalogue.h): schemas are our own, values are anybody's.
 *
 * How deep a value is looked into, and how long that takes, is said by the schema, not by the
 * value. */
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include <stdbool.h>

#include <jansson.h>

#define JSON_SCHEMA_FAULTS_MAX 16 /* that are told of one value */
#define JSON_SCHEMA_PATH_MAX 255  /* bytes of a path; a longer one is cut */

/* path: a JSON Pointer (RFC 6901) to the part that does not fit; empty: the whole value. message:
 * what it should be. Both only until it returns. */
typedef void (*json_schema_fn)(void *ctx, const char *path, const char *message);

/* False: value does not fit; fn (may be NULL) is told why. schema has no references any more. */
bool json_schema_check(const json_t *schema, const json_t *value, json_schema_fn fn, void *ctx);
/* The first word of schema that would not be understood; borrowed from it. NULL: all of them are.
 */
const char *json_schema_unknown(const json_t *schema);

/* How a reference begins: the name behind it is one of the definitions. */
#define JSON_SCHEMA_REF "#/components/schemas/"
/* A new schema that has what definitions say in place of each {"$ref": "#/components/schemas/…"}.
 * NULL: there is no such definition, they go in a circle, or out of memory. */
json_t *json_schema_resolve(const json_t *schema, const json_t *definitions);

#endif
