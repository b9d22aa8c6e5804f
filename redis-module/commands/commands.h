/* commands -- the one table of commands: what the server is told about each, and its handler. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>

#include "server/module_api.h"

/* Registers every command with its documentation, key specifications and ACL categories. */
bool commands_init(struct rm_ctx *ctx);

/* What the table says about a command, for people. */
struct command_text {
    const char *name; /* of a subcommand: NOTIFY.SESSION|OPEN */
    const char *summary;
    const char *complexity;
    const struct rm_arg *args; /* ends with a zeroed element; NULL: none */
};
/* False: there are no more. */
bool commands_at(size_t index, struct command_text *ret_text);

/* The server checks the number of arguments against the table before it calls any of these. */
int cmd_send(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_sendmany(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_signal(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_event(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_get(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_range(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_revrange(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_feed(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_since(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_unread(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_badge(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_len(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_info(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_verify(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_read(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_readall(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_mark(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_seen(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_mute(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_unmute(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_help(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_del(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_trim(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_follow(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_unfollow(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_cursors(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_view(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_count(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_restorebox(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_open(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_touch(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_renew(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_close(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_kick(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_dropnode(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_list(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_count(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_apply(struct rm_ctx *ctx, struct rm_string **argv, int argc);
int cmd_session_help(struct rm_ctx *ctx, struct rm_string **argv, int argc);

#endif
