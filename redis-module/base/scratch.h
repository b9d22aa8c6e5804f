/* scratch -- the buffers in which commands build text: kept from command to command, so that
 * the usual one allocates nothing. Commands run one at a time, on one thread, and none calls
 * another, so each has one user at a time. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "base/text_buf.h"

/* They come empty. */
struct text_buf *scratch_body(void);    /* the body of an entry in the making; unescaped values */
struct text_buf *scratch_message(void); /* a rendered message */

/* The text of an id, faster than printf; valid until the next call. */
struct notify_str scratch_id(struct notify_id id);

/* Gives back what an unusually large command left behind; to be called when one has ended. */
void scratch_shrink(void);

#endif
