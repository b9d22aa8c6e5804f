/* rest_item -- one notification as the HTTP interface shows it (docs/rest.md, "An item"), made of
 * the message that Redis replies: cut open, so that data and action are said as they were written.
 */
#ifndef REST_ITEM_H
#define REST_ITEM_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

struct request;

/* Calls add for each piece of the item, in order, until it says false. log: the key of the log that
 * the entry is of, one of the user's; empty: it is of the inbox. False: add said so, or message is
 * no notification's. */
bool rest_item_write(const struct request *r, struct notify_str log, struct notify_str message,
                     bool (*add)(void *ctx, struct notify_str piece), void *ctx);

#endif
