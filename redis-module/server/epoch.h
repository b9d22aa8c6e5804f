/* epoch -- the number under which this server writes boxes (box.h, "epochs").
 *
 * A process that begins to be a primary takes a new one: by chance, but none that it has met in its
 * data of late, and so not that of the primary which it follows. Sixteen bits of it say which
 * process that was, the others count the boxes that have left their keys meanwhile: one that is
 * made under the name of a former one must not be taken for that.
 *
 * A box is told with the first write under a new epoch, and what is replicated says so; replicas
 * themselves decide nothing. */
#ifndef EPOCH_H
#define EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "server/module_api.h"

/* At load. False: the server does not let us know of its role. */
bool epoch_init(struct rm_ctx *ctx);

/* Of a box that is made now. */
uint32_t epoch_now(void);
/* Whether this process has given it since it began to be a primary. */
bool epoch_is_present(uint32_t epoch);

/* It stands in data that was loaded or replicated. */
void epoch_note_seen(uint32_t epoch);
/* A box has left its key. */
void epoch_note_gone(void);

#endif
