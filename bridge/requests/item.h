/* item -- one entry as Redis replies it with JSON, for who asks: cut open, not parsed and printed
 * again. */
#ifndef ITEM_H
#define ITEM_H

#include <stdbool.h>

#include <jansson.h>

#include "notify_id.h"
#include "notify_str.h"

struct request;
struct resp;

struct item {
    struct notify_id id;
    struct notify_str key, category; /* raw JSON; empty: there is none */
    struct notify_str log;           /* the key, if that is not the inbox of who asks; else empty */
    struct notify_str message;       /* the whole of it */
    struct notify_str text; /* of a notification its data, which holds all there is to it; of an
                             * event, whose data is whatever its sender liked, the whole message */
};

/* Points into message. False: it is no message of the module. inbox: of who asks. */
bool item_read(const struct resp *message, struct notify_str inbox, struct item *ret);
/* The name of its box; *ret_json owns it, or is NULL. False: it has none. */
bool item_key(const struct item *item, struct notify_str *ret, json_t **ret_json);
/* May who asks see it? All of his inbox, and of logs what his categories permit. */
bool item_is_shown(const struct request *r, const struct item *item);

#endif
