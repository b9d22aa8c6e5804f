/* reply -- what several commands answer in the same way: common errors, entries, fields of maps.
 *
 * Maps become flat arrays on RESP2 by the server's own doing. Text values go out as they were given
 * to SEND, unescaped. */
#ifndef REPLY_H
#define REPLY_H

#include <stdint.h>

#include "server/args.h"
#include "box/box.h"
#include "server/module_api.h"
#include "notify_id.h"
#include "notify_str.h"
#include "message/render.h"

/* Each returns RM_OK, so that a command can return it. They are for clients: what is replayed is
 * not refused, and there the process ends (replay.h). */
int reply_error(struct rm_ctx *ctx, const char *error);
int reply_args_error(struct rm_ctx *ctx, const struct args *args);
int reply_wrong_type(struct rm_ctx *ctx);
int reply_no_memory(struct rm_ctx *ctx);

void reply_str(struct rm_ctx *ctx, struct notify_str text);
void reply_id(struct rm_ctx *ctx, struct notify_id id);

/* One member of a map. */
void reply_field_str(struct rm_ctx *ctx, const char *name, struct notify_str value);
void reply_field_id(struct rm_ctx *ctx, const char *name, struct notify_id value);
void reply_field_number(struct rm_ctx *ctx, const char *name, uint64_t value);

/* [id, {field: value, …}] with only the fields that have a value. */
void reply_entry(struct rm_ctx *ctx, const struct box_entry *entry);
/* The same with a field key before the others: the box that the entry is of. */
void reply_entry_of(struct rm_ctx *ctx, struct notify_str key, const struct box_entry *entry);

/* The replay message of docs/protocol.md as one string. prev: the id before it that still exists.
 * Returns how many bytes it has. */
size_t reply_entry_json(struct rm_ctx *ctx, const struct render_box *box,
                        const struct box_entry *entry, struct notify_id prev);

#endif
