/* request_schema -- tables of members (request_members.h) as JSON Schemas, for the catalogue. */
#ifndef REQUEST_SCHEMA_H
#define REQUEST_SCHEMA_H

#include <stdbool.h>

#include <jansson.h>

struct member;
struct request_type;

/* All new; NULL: out of memory. */

/* Of a message of this type, with its type and a request_id. */
json_t *request_schema_of_message(const struct request_type *type);
/* Of one member. */
json_t *request_schema_of_member(const struct member *member);
/* Of an object with those of the members that which() chooses; NULL: all of them. */
json_t *request_schema_of_members(const struct member *members,
                                  bool (*which)(const struct member *member, const void *ctx),
                                  const void *ctx);

/* Can only a connection that stays ask for it? */
bool request_type_stays(const struct request_type *type);

#endif
