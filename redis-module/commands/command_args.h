/* command_args -- the arguments of each command, as COMMAND DOCS shows them; the reference is made
 * of them, too. Each list has an end without a name. */
#ifndef COMMAND_ARGS_H
#define COMMAND_ARGS_H

#include "server/module_api.h"

extern struct rm_arg command_args_badge[];
extern struct rm_arg command_args_count[];
extern struct rm_arg command_args_cursors[];
extern struct rm_arg command_args_del[];
extern struct rm_arg command_args_event[];
extern struct rm_arg command_args_feed[];
extern struct rm_arg command_args_follow[];
extern struct rm_arg command_args_get[];
extern struct rm_arg command_args_help[];
extern struct rm_arg command_args_key[];
extern struct rm_arg command_args_mark[];
extern struct rm_arg command_args_mute[];
extern struct rm_arg command_args_none[];
extern struct rm_arg command_args_range[];
extern struct rm_arg command_args_read[];
extern struct rm_arg command_args_readall[];
extern struct rm_arg command_args_restorebox[];
extern struct rm_arg command_args_revrange[];
extern struct rm_arg command_args_seen[];
extern struct rm_arg command_args_send[];
extern struct rm_arg command_args_sendmany[];
extern struct rm_arg command_args_session_apply[];
extern struct rm_arg command_args_session_close[];
extern struct rm_arg command_args_session_count[];
extern struct rm_arg command_args_session_dropnode[];
extern struct rm_arg command_args_session_kick[];
extern struct rm_arg command_args_session_list[];
extern struct rm_arg command_args_session_open[];
extern struct rm_arg command_args_session_touch[];
extern struct rm_arg command_args_session_renew[];
extern struct rm_arg command_args_signal[];
extern struct rm_arg command_args_since[];
extern struct rm_arg command_args_trim[];
extern struct rm_arg command_args_unfollow[];
extern struct rm_arg command_args_unread[];
extern struct rm_arg command_args_view[];

#endif
