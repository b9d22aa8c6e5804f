/* redis_reader -- builds struct resp trees while hiredis parses, within bounds: what a broken or
 * hostile server sends takes no more memory than these allow. Used by redis_link alone. */
#ifndef REDIS_READER_H
#define REDIS_READER_H

#include <stddef.h>

struct redisReader;
struct resp;

/* Bounds on one reply. The bytes are a little more than the 32 MB at which a server cuts a
 * subscriber off by default (client-output-buffer-limit): a larger message does not get here. */
#define REDIS_REPLY_BYTES_MAX (33u << 20)
#define REDIS_REPLY_NODES_MAX 65536 /* strings, numbers, arrays … of the whole tree */
#define REDIS_REPLY_DEPTH_MAX 8     /* arrays in arrays */

/* What the reply that is being read has taken so far. Zeroed before the first one. */
struct redis_reply_size {
    size_t bytes, nodes;
};

/* Has reader build struct resp, counted in *size, which must stay. */
void redis_reader_setup(struct redisReader *reader, struct redis_reply_size *size);
/* The next whole reply of what was fed: 1 and *ret, to be freed; 0 when there is none yet; -E2BIG
 * when one passes the bounds; -EPROTO for bytes that are none. */
int redis_reader_next(struct redisReader *reader, struct resp **ret);
/* All of it, by its root. NULL is fine. */
void redis_reader_free_reply(struct resp *reply);

#endif
