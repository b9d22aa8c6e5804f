/* request_id -- the id that somebody gives a request and its answer repeats: as it was written,
 * since what it stands for is the client's business. */
#ifndef REQUEST_ID_H
#define REQUEST_ID_H

#include <stdbool.h>

#include "notify_str.h"

struct inbound;
struct request;

#define REQUEST_ID_MAX 256 /* bytes as JSON text: kept while a request is under way */

/* As its JSON text; empty: it has none that can be repeated. */
struct notify_str request_id_of(const struct inbound *inbound);
/* False: raw is none, nor is it absent, and r has been answered. */
bool request_id_check(struct request *r, struct notify_str raw);

#endif
