/* supervisor -- several processes as one bridge (--workers): holds what they listen on, starts
 * them (crew.h), hands signals on, speaks with the service manager and with the bridge that takes
 * over (takeover.h), and ends when the last of them has.
 *
 * It is forked from and so does nothing else: no library has been started in it, and nothing that a
 * worker has is there before the fork (loop, links, keys of TLS). */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

struct config;
struct handed;
struct worker;

/* In a child: serves until it is told to end. The exit status; not 0 means that it has not begun.
 */
typedef int (*supervisor_fn)(struct config *config, const struct worker *worker);

/* handed: borrowed, or NULL. Returns the exit status: in the supervisor, and in each child. */
int supervisor_run(struct config *config, unsigned workers, struct handed *handed,
                   supervisor_fn serve);

#endif
