/* json_text -- what a raw JSON string stands for. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>

#include <jansson.h>

#include "notify_str.h"

/* The bytes of a raw string, well-formed as json_scan.h has found it; *ret_json owns them when it
 * had escapes, which is rare, else it is NULL and nothing is copied. False: it is no string, or no
 * text (half a surrogate pair). */
bool json_text_read(struct notify_str raw, struct notify_str *ret, json_t **ret_json);
/* The bytes of a string, or of NULL. */
struct notify_str json_text_of(const json_t *string);

#endif
