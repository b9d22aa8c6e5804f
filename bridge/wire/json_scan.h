/* json_scan -- walks JSON text (RFC 8259) without building a tree.
 *
 * For the messages that Redis hands us, once per message and on the hot path, and for the requests
 * of clients, whose members are handed on as they were written: it proves that the text is one
 * well-formed object in valid UTF-8, and shows where its members lie. What a number or an escape
 * stands for is not looked at: 1e400 and half a surrogate pair are well-formed. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

#define JSON_SCAN_MAX_DEPTH                                                                        \
    4096 /* more than the module lets in (2048) plus the message around it */

/* One member: the name without its quotes, the value as it stands in the text (a string with its
 * quotes). Both raw: escapes are not decoded. */
typedef void (*json_member_fn)(void *ctx, struct notify_str name, struct notify_str value);

/* Calls fn for each member of the object that text is, in order. False when text is not exactly one
 * well-formed object; fn may have been called before that was found out. */
bool json_scan_object(struct notify_str text, json_member_fn fn, void *ctx);

/* The same for an array: fn is called for each of its elements, raw. */
typedef void (*json_element_fn)(void *ctx, struct notify_str value);
bool json_scan_array(struct notify_str text, json_element_fn fn, void *ctx);

/* Where a text was found to be no object, and why. */
struct json_fault {
    size_t at;     /* byte */
    bool too_deep; /* well-formed up to there, and nested JSON_SCAN_MAX_DEPTH deep */
};

/* The same for text that is to be told what is wrong with it. */
bool json_scan_message(struct notify_str text, json_member_fn fn, void *ctx,
                       struct json_fault *ret_fault);

/* For text that was refused: calls fn for the outermost members, as far as they can be told apart
 * whatever is wrong in them or behind them. Nothing is known of their values; a value may be empty.
 */
void json_skim_object(struct notify_str text, json_member_fn fn, void *ctx);

/* Is text exactly one well-formed value, without blanks around it? */
bool json_scan_value(struct notify_str text);

/* The bytes between the quotes of a raw string value without escapes; empty for anything else. */
struct notify_str json_plain_string(struct notify_str value);

#endif
