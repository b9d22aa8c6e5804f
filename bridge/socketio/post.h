/* post -- requests of a poll that are answered without a session: its handshake, and what a client
 * says. Private to socketio/. */
#ifndef POST_H
#define POST_H

struct engineio;
struct exchange;
struct http_request;

void post_handshake(struct engineio *engine, struct exchange *exchange);
void post_take(struct engineio *engine, struct exchange *exchange);
/* One whose body is refused without being read (413): clients take that for the end. */
void post_too_large(struct engineio *engine, const struct http_request *req);
/* Those that the store has not answered are forgotten. */
void posts_forget(struct engineio *engine);

#endif
