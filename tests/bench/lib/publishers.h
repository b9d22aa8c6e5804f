/* publishers -- connections to Redis that send commands which were built beforehand, and never
 * wait: as many at a time as one wants, each answered by the id of an entry.
 *
 * What is sent to one target goes over one connection, so that its ids come in their order. Any
 * error reply, and a connection that is lost, ends the program. */
#ifndef PUBLISHERS_H
#define PUBLISHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct publishers;

/* An answer: the id that target's next command was given. */
typedef void (*publishers_fn)(void *ctx, uint32_t target, struct notify_str id);

struct publishers *publishers_new(int port, uint32_t count, publishers_fn fn, void *ctx);
void publishers_free(struct publishers *publishers);

/* Readable when there is something for publishers_work() to do. */
int publishers_fd(const struct publishers *publishers);
/* Takes answers and goes on writing. */
void publishers_work(void *publishers);

/* Queues one command. False: as much as is reasonable waits for that connection already. */
bool publishers_send(struct publishers *publishers, uint32_t target, const char *command,
                     size_t len);
/* Writes what was queued, as far as the sockets take it. */
void publishers_flush(struct publishers *publishers);
/* Commands that have not been answered. */
uint64_t publishers_waiting(const struct publishers *publishers);

#endif
