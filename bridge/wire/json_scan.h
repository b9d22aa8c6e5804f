/* json_scan -- walks JSON text (RFC 8259) without building a tree.
 *
 * For the messages that Redis hands us, once per message and on the hot path: it proves that the
 * text is one well-formed object in valid UTF-8, and shows where its members lie. Requests of
 * clients go through jansson instead. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>

#include "notify_str.h"

#define JSON_SCAN_MAX_DEPTH                                                                        \
    4096 /* more than the module lets in (2048) plus the message around it */

/* One member: the name without its quotes, the value as it stands in the text (a string with its
 * quotes). Both raw: escapes are not decoded. */
typedef void (*json_member_fn)(void *ctx, struct notify_str name, struct notify_str value);

/* Calls fn for each member of the object that text is, in order. False when text is not exactly one
 * well-formed object; fn may have been called before that was found out. */
bool json_scan_object(struct notify_str text, json_member_fn fn, void *ctx);

/* The bytes between the quotes of a raw string value without escapes; empty for anything else. */
struct notify_str json_plain_string(struct notify_str value);

#endif
