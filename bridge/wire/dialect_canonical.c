/* The canonical words: what was published, and what the handlers say. */
#include "wire/inbound.h"
#include "wire/vocabulary.h"

json_t *greeting_of_connection(const struct greeting *greeting)
{
    return json_pack(
        "{s:s, s:s, s:s%, s:s%, s:O*, s:O*, s:O*, s:s}", "type", "connection", "status",
        "connected", "client_id", greeting->client_id.ptr, greeting->client_id.len, "user_id",
        greeting->user_id.ptr, greeting->user_id.len, "roles", greeting->roles, "categories",
        greeting->categories, "positions", greeting->positions, "timestamp", greeting->timestamp);
}

const struct vocabulary vocabulary_canonical = {.greeting = greeting_of_connection,
                                                .read = inbound_read};
