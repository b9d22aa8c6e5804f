/* takeover -- a new process of the program, which may be a new version by now, is handed the
 * sockets that listen, and takes the place of this one once it is ready.
 *
 * It is started with the same arguments and environment, and with the variables that handed.h
 * names. Until it has said that it is ready nothing has changed: if it ends before that, or takes
 * too long, this process goes on. The service manager is told of both (service.h), and of a process
 * that has taken over it hears nothing from here any more. */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bound_set;
struct config;
struct takeover;

#define TAKEOVER_LOOK_MS 50 /* so often takeover_look() is due */

/* Starts it. NULL: it cannot be started; the reason has been logged. */
struct takeover *takeover_new(const struct config *config, const struct bound_set *bound,
                              uint64_t now_ms);
/* Says why none is begun, now and then: whoever asks may ask without end. */
void takeover_refuse(const char *why, uint64_t now_ms);
/* Ends it as well unless it has said that it is ready. NULL is fine. */
void takeover_free(struct takeover *takeover);

/* The same in a child that has inherited it: for the new process nothing changes. */
void takeover_forget(struct takeover *takeover);

/* READY is said once; FAILED: it is over, and the reason has been logged. */
enum takeover_state { TAKEOVER_BEGUN, TAKEOVER_READY, TAKEOVER_FAILED };
enum takeover_state takeover_look(struct takeover *takeover, uint64_t now_ms);

/* Somebody else has waited for a process that has ended, perhaps this one. */
void takeover_take_end(struct takeover *takeover, pid_t pid);
/* It began with the configuration as it was then. */
void takeover_reload(const struct takeover *takeover);

#endif
