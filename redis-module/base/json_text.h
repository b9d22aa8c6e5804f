/* json_text -- JSON as text: escaping and unescaping strings, and checking and minifying whole
 * values (RFC 8259) without building a tree.
 *
 * This file is the module's JSON validator; nothing else needs to look at the JSON of a command or
 * a payload again. It accepts any one value at the top, numbers of any length (they are passed on
 * as written), and escaped NULs; it refuses lone surrogate escapes, invalid UTF-8, values nested
 * deeper than JSON_TEXT_DEPTH_MAX, and everything that RFC 8259 does not allow. The unit tests
 * compare its verdicts with jansson's. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>

#include "notify_str.h"
#include "base/text_buf.h"

#define JSON_TEXT_DEPTH_MAX 256

/* Appends text escaped for the inside of a JSON string, without the quotes. False, and out left as
 * it was, when text is not valid UTF-8. */
bool json_text_escape(struct text_buf *out, struct notify_str text);

/* The same for text of unknown quality: what is not UTF-8 becomes U+FFFD, one for each byte. */
void json_text_escape_lossy(struct text_buf *out, struct notify_str text);

/* Whether text is the inside of a JSON string: what json_text_escape makes, and more (any escape).
 */
bool json_text_is_escaped(struct notify_str text);

/* Appends the characters that the valid inside of a JSON string stands for. */
void json_text_unescape(struct text_buf *out, struct notify_str escaped);

/* Whether the valid inside of a JSON string stands for exactly text. */
bool json_text_equals(struct notify_str escaped, struct notify_str text);

/* Checks that json is exactly one JSON value and appends it without blanks outside strings. False,
 * and out left as it was, when it is not. (Lack of memory: true, and out->failed.) */
bool json_text_minify(struct text_buf *out, struct notify_str json);

/* Whether json is exactly one valid JSON value without blanks outside strings. */
bool json_text_is_minified(struct notify_str json);

#endif
