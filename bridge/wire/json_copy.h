/* json_copy -- a JSON object that is copied member by member, as they were written, but for those
 * that its owner leaves out. A json_member_fn (json_scan.h) of his calls json_copy_add(). */
#ifndef JSON_COPY_H
#define JSON_COPY_H

#include <stddef.h>

#include "notify_str.h"

#define JSON_COPY_MORE 2 /* bytes that it may have more than the object */

struct json_copy {
    char *text; /* borrowed: room for the object and JSON_COPY_MORE */
    size_t len; /* 0: nothing is in it yet */
};

/* name: what stands between its quotes. */
void json_copy_add(struct json_copy *copy, struct notify_str name, struct notify_str value);
/* That was all. Returns it. */
struct notify_str json_copy_end(struct json_copy *copy);

#endif
