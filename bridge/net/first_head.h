/* first_head -- connections that have not yet sent the whole head of their first request.
 *
 * Here they cost two hundred bytes, and a head may come as slowly and in as many pieces as it
 * likes, within its time. It is looked at where it lies: nothing is taken off the socket. */
#ifndef FIRST_HEAD_H
#define FIRST_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct first_heads;
struct loop;

#define FIRST_HEAD_BYTES 8192 /* what is longer is handed on without its end */

/* The head of fd, which is the callee's from now on, is there: head, borrowed, still lies in the
 * socket, too. Empty for what is too long, or does not begin as a request does. */
typedef void (*first_head_fn)(void *ctx, int fd, struct notify_str head);

/* NULL: out of memory. time_ms: how long a connection may take. */
struct first_heads *first_heads_new(struct loop *loop, uint64_t time_ms, first_head_fn fn,
                                    void *ctx);
/* Closes those that are still here. NULL is fine. */
void first_heads_free(struct first_heads *heads);

/* Takes over a connected, non-blocking stream socket; closes it when its time is up. */
void first_heads_add(struct first_heads *heads, int fd);

#endif
