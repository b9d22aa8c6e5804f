/* box_type -- the data type "notifybox": how the server saves, loads, copies, measures and frees a
 * box. Payloads from outside are taken for hostile (box_load); a wrong one is refused. */
#ifndef BOX_TYPE_H
#define BOX_TYPE_H

#include <stdbool.h>

#include "server/args.h"
#include "box/box.h"
#include "server/module_api.h"

/* Registers the type; at load only. */
bool box_type_init(struct rm_ctx *ctx);
struct rm_type *box_type_get(void);

/* The command that an AOF rewrite consists of:
 *
 *   NOTIFY.RESTOREBOX key block [block …]
 *
 * The blocks are a payload of box_save: a box with a part of the entries of the real one. They are
 * appended to the box at key, which is made if it is missing; last id, rev, trim mark and mutes of
 * the payload are taken over. */
#define BOX_TYPE_RESTORE "NOTIFY.RESTOREBOX"

/* Does that: blocks are args from the cursor on. 0, -EINVAL (args->error is set), -ENOMEM. *box may
 * be NULL: it is made then. When it fails, the box may hold a part of the payload. */
int box_type_restore(struct box **box, struct args *args);

#endif
