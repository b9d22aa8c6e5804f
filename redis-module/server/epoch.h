/* epoch -- the number under which this server writes boxes (box.h, "epochs").
 *
 * A process that begins to be a primary takes a new one: by chance, but none that it has met in its
 * data of late, and so not that of the primary which it follows, nor one that it meets before it
 * has given it to a box. Sixteen bits of it, the term, say which process that was. The others are
 * counted on whenever a box has left its key that has the present number: one that is made under
 * the name of a former one must not be taken for that, and neither must one that is put back as it
 * was once (RESTORE), or stands in another database. Where they are used up the process takes
 * another term; what it writes under one of its own goes on as it is.
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

/* Of what is written now, */
uint32_t epoch_now(void);
/* and for a box that is. */
uint32_t epoch_give(void);
/* Whether this process has given it since it began to be a primary. */
bool epoch_is_present(uint32_t epoch);

/* What is written next is in this database. What stands in another one under the same key may be
 * exchanged for it (SWAPDB), and must not have its epoch. */
void epoch_enter_database(int database);

/* It stands in data that was loaded or replicated. */
void epoch_note_seen(uint32_t epoch);
/* Boxes have left their keys, whatever they were written under; */
void epoch_note_gone(void);
/* or one that was under that. */
void epoch_note_left(uint32_t epoch);

#endif
