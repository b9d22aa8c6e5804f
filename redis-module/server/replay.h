/* replay -- commands that come from where nothing may be refused: the primary of this replica, the
 * AOF that is being loaded, a slot that another node hands over. They are effects of what some
 * server has done and acknowledged already.
 *
 * Limits, clocks and permissions are for clients. What is replayed is carried out; where that
 * cannot be (no memory, words of a newer module, a key that holds something else than it does
 * there), the process ends, as the server's own does: a replica that is started again asks its
 * primary for everything, while one that went on would differ from it for ever. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>

#include "server/module_api.h"

/* Around every command (commands.c). argv is borrowed. */
void replay_begin(struct rm_ctx *ctx, struct rm_string **argv, int argc);
void replay_end(void);

/* Whether the command that runs now is replayed. False outside of commands. */
bool replay_now(void);

/* Whether it comes from an AOF. There an effect may stand twice: servers have begun files with what
 * their snapshot holds already. */
bool replay_now_from_file(void);

/* Whether it may hold parts to be skipped (versions.h): it is replayed, or the server only asks
 * where its keys are. */
bool replay_may_skip(void);

/* Whether what clients may put into a value is no matter now (limits.h): in a command that is
 * replayed, and where no command of ours runs, but a value is loaded. */
bool replay_lifts_limits(void);

/* Whether memory must not fail now: in a command that is replayed, while a snapshot is loaded, and
 * for what else a primary makes its replica do (RESTORE, COPY). */
bool replay_needs_memory(void);

/* Of a key, open for writing, that holds something else than the command is for: when the command
 * is replayed, and the time of what it holds is over, that is gone where the command was carried
 * out. (DEBUG RELOAD on a primary leaves out what has expired, and tells neither its AOF nor its
 * replicas.) True: it is gone here as well. */
bool replay_clears(struct rm_key *key);

/* rm_GetContextFlags, which is asked once in a command. */
int replay_flags(struct rm_ctx *ctx);

/* The replayed command cannot be carried out: logs it with the error and ends the process. */
_Noreturn void replay_give_up(const char *error);

#endif
