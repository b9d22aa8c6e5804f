/* request_fields -- one request of a client while it is handled, and checked access to its members.
 *
 * The functions that end in _or_fail have answered the client with an error when they return false.
 */
#ifndef REQUEST_FIELDS_H
#define REQUEST_FIELDS_H

#include <stdbool.h>

#include <jansson.h>

#include "requests/answer.h"
#include "requests/call.h"
#include "identity/key_names.h"
#include "notify_id.h"
#include "notify_str.h"

struct client;

struct request {
    struct client *client;
    const json_t *body;
    json_t *id; /* request_id or NULL; borrowed from body */
    const char *type;
};

/* The bytes of a JSON string. */
struct notify_str request_text_of(const json_t *string);
/* The key of the client's own inbox. */
struct notify_str request_inbox_of(const struct request *r, struct key_buffer *buffer);

void request_fail(const struct request *r, enum answer_code code, const char *message);
/* Says that member must be `expected`: MISSING_FIELD when it is not there, else INVALID_FIELD. */
void request_fail_field(const struct request *r, const char *member, const char *expected);

/* A string of 1 to KEY_NAME_MAX bytes: the name of a user, a topic, a session. */
bool request_name_or_fail(const struct request *r, const char *member, struct notify_str *ret);
/* Members that need not be there (or are null): *ret is empty then. */
bool request_optional_id_or_fail(const struct request *r, const char *member,
                                 struct notify_str *ret, struct notify_id *ret_id);
bool request_optional_text_or_fail(const struct request *r, const char *member,
                                   struct notify_str *ret);
/* "id" or "ids": 1 to 100 ids, appended to words. */
bool request_ids_or_fail(const struct request *r, struct words *words);

#endif
