/* events -- server events for several of us: the server knows one listener per module and event. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>

#include "server/module_api.h"

/* At load. fn is called for each event of that id, in the order of listening. False: the server
 * does not tell of it. */
bool events_listen(struct rm_ctx *ctx, uint64_t event, rm_event_fn fn);

#endif
