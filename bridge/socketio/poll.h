/* poll -- a held GET, and the session that exists as long as that. Private to socketio/. */
#ifndef POLL_H
#define POLL_H

#include "socketio/session.h"

struct exchange;
struct heartbeat_node;
struct http_request;

/* A GET with a sid: takes the session's box, goes on with it, and answers. */
void poll_get(struct engineio *engine, struct exchange *exchange);
/* A POST after which its client is gone; payload, which says so: whoever holds the box reads it, or
 * the session is gone on with for as long as it takes to end it. fn is told what became of the
 * POST, never from within; NULL: nobody minds. */
void poll_close(struct engineio *engine, const struct http_request *req, struct notify_str payload,
                poll_fn fn, void *ctx);
/* A deadline of engine->deadlines has come. */
void poll_due(struct heartbeat_node *node);
int polls_keep_init(struct engineio *engine);
/* None is kept any more, as the transport is about to be freed: each goes on from what its box has.
 */
void polls_let_go(struct engineio *engine);
/* All that are held are answered, and given back; or ended; or forgotten. */
void polls_drain(struct engineio *engine);
void polls_end(struct engineio *engine);
void polls_forget(struct engineio *engine);

#endif
