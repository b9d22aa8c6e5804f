/* log_args -- the logs that a command names beside its key: LOGS numkeys log [log …] and LOG log.
 *
 * They are keys like any other, but options may stand before them, so no key specification finds
 * them exactly: a category may be called LOGS. The server therefore asks the commands that take
 * them ("getkeys-api"), and these answer with what their own parser has found. */
#ifndef LOG_ARGS_H
#define LOG_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/args.h"

#define LOG_ARGS_MAX 256 /* logs that one command may name */

struct log_args {
    struct rm_string **names; /* borrowed; the arguments themselves */
    size_t count;
};

/* Takes what follows LOGS. A log may be named once only. */
bool log_args_take(struct args *args, struct log_args *ret_logs);

/* Takes what follows LOG; *ret_log: the argument itself, borrowed. */
bool log_args_take_one(struct args *args, struct rm_string **ret_log);
/* Whether LOG names another box than the key. False: an error has been replied. */
bool log_args_check_or_reply(struct rm_ctx *ctx, const struct rm_string *key,
                             const struct rm_string *log);

/* The answers to the server's question, for a command that reads its key and logs (NULL: its
 * arguments are wrong, and it will open nothing); that reads its key, or updates it, and may read a
 * log (NULL: none); that updates it and may read a log or several; that updates it and whose first
 * word LOG, from argv[from] on, can only be the keyword, unless it is TOKEN's or ENTITY's (with
 * BYNAME there is no log). Each returns RM_OK. */
int log_args_tell_many(struct rm_ctx *ctx, struct rm_string **argv, const struct log_args *logs);
int log_args_tell_read(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                       const struct rm_string *log);
int log_args_tell_one(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                      const struct rm_string *log);
int log_args_tell_all(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                      const struct rm_string *log, const struct log_args *logs);
int log_args_tell_keyword(struct rm_ctx *ctx, struct rm_string **argv, int argc, int from);

#endif
