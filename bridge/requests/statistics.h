/* statistics -- how many are connected to this bridge, as whom and in which way, what they follow,
 * and how it is with Redis.
 *
 * Sessions and users are counted when somebody asks, among a bounded number of connections. */
#ifndef STATISTICS_H
#define STATISTICS_H

#include <stdbool.h>

#include <jansson.h>

struct client_shared;

/* {"type":"statistics", …} (docs/protocol.md); list: with the sessions. The caller owns it. NULL:
 * out of memory. */
json_t *statistics_of(const struct client_shared *shared, bool list);
/* The same as the data of an event: text that the caller frees. NULL: out of memory. */
char *statistics_text(const struct client_shared *shared);

#endif
