/* message -- what a receiver looks at in a message of docs/protocol.md, without a JSON parser. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

/* Finds the first member of that name with a string value: name as it stands in the text, with its
 * quotes and colon and the opening quote of the value (NOTIFY_STR("\"id\":\"")). The value is
 * borrowed and still escaped. */
bool message_member(struct notify_str text, struct notify_str name, struct notify_str *ret_value);

/* The id of an entry of the box with this key; false for any other message. */
bool message_entry_id(struct notify_str text, struct notify_str key, struct notify_str *ret_id);

/* Is it an answer of this type: {"type":"connection",...}? */
bool message_has_type(struct notify_str text, struct notify_str type);

#endif
