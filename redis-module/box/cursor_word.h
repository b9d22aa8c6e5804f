/* cursor_word -- a cursor as one word of text, for whoever cannot bring a box and its log together,
 * as they lie in different slots of a cluster: the box gives the word, the log's side reads it and
 * sees what the box would.
 *
 * In it is a box that knows nothing but this log and the categories that the giver has muted: a
 * payload (box_payload.c) with a sum over it, in hexadecimal digits. It says what somebody has read
 * and holds no secret; who can name a log may read it whatever his word says. */
#ifndef CURSOR_WORD_H
#define CURSOR_WORD_H

#include "base/text_buf.h"
#include "box/box.h"
#include "box/cursor.h"

#define CURSOR_WORD_MAX (1u << 20) /* bytes */

/* The box in which cursors of this one (NULL: none) travel: with its muted categories. NULL: no
 * memory. To be freed by box_free. */
struct box *cursor_word_carrier(const struct box *box);
/* About how many bytes a word has. */
size_t cursor_word_size(const struct box *carrier, const struct cursor *cursor);
/* Appends the word of one of its cursors. 0; -ENOMEM. The carrier is as before. */
int cursor_word_add(struct text_buf *out, struct box **carrier, const struct cursor *cursor);

/* A box with exactly one cursor, no entries, and what is muted. Every byte is taken for hostile.
 * NULL: no such word, or no memory; *ret_why says so, static. To be freed by box_free. */
struct box *cursor_word_read(struct notify_str word, const char **ret_why);

/* For tests, who want words of what no box gives: the word of any box, and of any blocks with their
 * lengths. */
int cursor_word_of_box(struct text_buf *out, const struct box *box);
void cursor_word_of_payload(struct text_buf *out, struct notify_str blocks);

#endif
