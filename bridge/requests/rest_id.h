/* rest_id -- ids of entries as paths and answers have them (docs/rest.md, "Ids"): a UUID
 * (wire/entry_uuid.h) says itself which box the entry is of; where there can be none, an id of the
 * inbox stays as it is, and one of a log is "<id>:<key>". Paths take any of the three. */
#ifndef REST_ID_H
#define REST_ID_H

#include "notify_id.h"
#include "notify_str.h"
#include "notify_wire.h"

struct logs;

#define REST_ID_TEXT_MAX (NOTIFY_ID_TEXT_MAX + 1 + NOTIFY_KEY_MAX)

struct rest_id {
    struct notify_id id;
    struct notify_str log; /* empty: the own inbox */
};

/* logs: those of the user. id->log, if there is one, is one of them. Returns its length. */
size_t rest_id_format(char out[REST_ID_TEXT_MAX + 1], const struct logs *logs,
                      const struct rest_id *id);

enum rest_id_answer {
    REST_ID_GOOD,
    REST_ID_BAD,     /* the text is none of the three */
    REST_ID_UNKNOWN, /* it is no id of an entry of this user's */
};
/* ret->log is one of logs. */
enum rest_id_answer rest_id_parse(struct notify_str text, const struct logs *logs,
                                  struct rest_id *ret);

#endif
