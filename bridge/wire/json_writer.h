/* json_writer -- a JSON text while it is written, member by member, without a tree.
 *
 * What is said to each of thousands who arrive is written so; a tree that is made, printed and
 * freed again costs ten times as much. */
#ifndef JSON_WRITER_H
#define JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "notify_str.h"

struct text;

/* All zero: nothing yet. */
struct json_writer {
    char *bytes; /* owned */
    size_t len, cap;
    bool failed; /* out of memory: it stays so */
};

/* As it is: braces, names, numbers. */
void json_writer_add(struct json_writer *writer, struct notify_str raw);
/* As a string in quotes, with the escapes that jansson writes. text: UTF-8. */
void json_writer_add_string(struct json_writer *writer, struct notify_str text);
/* Any value, without blanks. */
void json_writer_add_json(struct json_writer *writer, const json_t *value);
/* What was written becomes *ret's; the writer has nothing any more. False: out of memory, and *ret
 * is empty. */
bool json_writer_end(struct json_writer *writer, struct text *ret);

#endif
