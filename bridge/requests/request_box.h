/* request_box -- which box a request is about: the inbox of who asks, or a log that it names, by
 * its key (the member log) or by a UUID of one of its entries (wire/entry_uuid.h). */
#ifndef REQUEST_BOX_H
#define REQUEST_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "identity/key_names.h"
#include "notify_str.h"

struct request;

/* The key of the own inbox. */
struct notify_str request_inbox_of(const struct request *r, struct key_buffer *buffer);
/* Has who asks one? If not, it has been answered. */
bool request_has_inbox(struct request *r);

/* Before a handler: where UUIDs (id, ids) say which log they are of, the member log says so, too.
 * False, and answered: it says another one, or there is none. */
bool request_find_log(struct request *r);
/* Which box is meant by the member log: *ret_log is empty for the inbox. False, and answered: it
 * has no inbox, or may not follow that log. */
bool request_takes_log(struct request *r, struct notify_str *ret_log);
/* The box of the UUID that member holds: *ret_log as above, valid until logs_of() is called. False:
 * answered. */
bool request_box_of_tag(struct request *r, const char *member, uint16_t tag,
                        struct notify_str *ret_log);

#endif
