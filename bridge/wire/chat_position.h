/* chat_position -- how far the reader of an answer that comes piece by piece has come, as the id of
 * a block: "<entry>.<seq>.<request>.<key of the log in base64url (RFC 4648, 5)>". Opaque to
 * clients, who give it back to go on from there. Pure. */
#ifndef CHAT_POSITION_H
#define CHAT_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base64url.h"
#include "notify_id.h"
#include "notify_str.h"
#include "notify_wire.h"

#define CHAT_REQUEST_LEN 36 /* of a request's id, a UUID */
#define CHAT_POSITION_MAX                                                                          \
    (NOTIFY_ID_TEXT_MAX + 22 + 1 + CHAT_REQUEST_LEN + 1 + BASE64URL_ENCODED_LEN(NOTIFY_KEY_MAX))

struct chat_position {
    struct notify_id id;
    uint64_t seq; /* of the last event that it had; 0: of none */
    struct notify_str request;
    struct notify_str key;
};

/* Writes it, without a NUL; returns the length, 0: its request is none, or its key too long. */
size_t chat_position_format(char out[CHAT_POSITION_MAX], const struct chat_position *position);
/* False for anything else. request points into text, key into *key. */
bool chat_position_parse(struct notify_str text, struct chat_position *ret,
                         char key[NOTIFY_KEY_MAX]);

#endif
