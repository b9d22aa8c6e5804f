/* responder_http -- requests as HTTP exchanges, and answers as answers to these: the status says
 * what became of it, the body is what a client of the WebSocket gets without "type":"error". */
#ifndef RESPONDER_HTTP_H
#define RESPONDER_HTTP_H

struct client_shared;
struct exchange;
struct http_call;

/* Finds out who asks, and has the call's handler answer: now, or later. */
void responder_http_begin(struct client_shared *shared, struct exchange *exchange,
                          const struct http_call *call);

#endif
