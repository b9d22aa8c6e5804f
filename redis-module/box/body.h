/* body -- the part of an entry that never changes: its texts and JSON values, already rendered.
 *
 * A body is a run of fields: one byte of tag, the length as a varint, the bytes. Tags rise
 * strictly; absent fields take no room. Texts are stored escaped as they stand inside a JSON string
 * (without the quotes), ACTION and DATA as minified JSON: rendering a message copies them. The box
 * stores a body without looking into it, except for filters. */
#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_text.h"
#include "notify_str.h"
#include "notify_wire.h"
#include "base/text_buf.h"

enum body_field {
    BODY_COLLAPSE = 1, /* the collapse token: at the very front, where a search looks first */
    BODY_EVENT,        /* the event name; absent: NOTIFY_EVENT_DEFAULT */
    BODY_TITLE,
    BODY_CONTENT,
    BODY_TYPE, /* notification_type */
    BODY_ACTION,
    BODY_ENTITY_TYPE,
    BODY_ENTITY_ID,
    BODY_DATA,
    BODY_EXCLUDE, /* the session that does not get the message */
    BODY_FIELD_COUNT
};

/* The fields of one body by enum body_field; .ptr == NULL means absent. As input of body_build
 * these are the plain texts and raw JSON of the command; as output of body_parse the stored form.
 */
struct body {
    struct notify_str field[BODY_FIELD_COUNT];
};

enum body_fault {
    BODY_OK = 0,
    BODY_EMPTY,    /* COLLAPSE, TITLE, EVENT: must not be empty */
    BODY_TOO_LONG, /* COLLAPSE, EVENT, TITLE (in characters), TYPE, EXCLUDE, ENTITY_*: see
                      body_field_max */
    BODY_NOT_UTF8, /* any text */
    BODY_NOT_NAME, /* EVENT: [A-Za-z0-9_.:-] only */
    BODY_NOT_JSON, /* ACTION, DATA */
    BODY_NO_MEMORY,
};

/* What body_build found wrong, and with which field. */
struct body_error {
    enum body_fault fault;
    enum body_field field;
};

/* The limit of a field in the unit that its fault is about: characters for TITLE, bytes for the
 * others; 0: no limit of its own. */
size_t body_field_max(enum body_field field);

/* Checks the plain fields and replaces the contents of out with the body. Present but empty
 * CONTENT, TYPE, ENTITY_* and EXCLUDE count as absent. An EVENT of NOTIFY_EVENT_DEFAULT is left
 * out. Whether a field is required (TITLE for a notification) is for the command to say. False:
 * *ret_error tells why, out is empty. */
bool body_build(struct text_buf *out, const struct body *plain, struct body_error *ret_error);

/* Splits a stored body. False when it is not well formed: then *ret_body has what was well formed
 * before the fault. Never reads outside. Pointers go into the bytes of stored. With a body that
 * body_build made or body_is_sound accepted it always succeeds.
 */
bool body_parse(struct notify_str stored, struct body *ret_body);

/* The stored bytes of one field; {NULL, 0} when absent. */
struct notify_str body_find(struct notify_str stored, enum body_field field);

/* The plain value of a stored field: the text itself, or for ACTION and DATA the JSON. scratch is
 * used (cleared and filled) only when the text needs unescaping; the result lives as long as both.
 */
struct notify_str body_plain(struct text_buf *scratch, enum body_field field,
                             struct notify_str stored_field);

/* Whether bytes from outside are a body that rendering can trust: structure, escapes, JSON, limits.
 */
bool body_is_sound(struct notify_str stored);

#endif
