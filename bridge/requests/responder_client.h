/* responder_client -- what the responders have in common whose requests come over a connection that
 * stays: a request counts in the limit of its client. (struct responder, responder.h.) */
#ifndef RESPONDER_CLIENT_H
#define RESPONDER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct request;

bool responder_client_is_gone(const struct request *r);
void responder_client_begin(struct request *r, size_t bytes);
void responder_client_end(struct request *r, size_t bytes);
void responder_client_waits(struct request *r);
void responder_client_goes_on(struct request *r);

#define RESPONDER_OF_CLIENT                                                                        \
    .is_gone = responder_client_is_gone, .begin = responder_client_begin,                          \
    .end = responder_client_end, .waits = responder_client_waits,                                  \
    .goes_on = responder_client_goes_on

#endif
