/* tokens -- the idempotency tokens that a box remembers: which id was given for each, and when.
 * Oldest first; they are forgotten in that order, by age and by number.
 *
 * Plain C, no clock: times come with the calls and never go back (an earlier one counts as that of
 * the token before). A zeroed struct remembers nothing. */
#ifndef TOKENS_H
#define TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id_table.h"

#define TOKEN_BOUND 255 /* bytes of a token; LIMIT_TOKEN is for clients */

struct tokens {
    struct id_table table; /* tag: offset of the record, plus 1 */
    uint8_t *bytes;        /* owned; records one behind the other: time, length, text */
    uint32_t head;         /* offset of the oldest */
    uint32_t used;
    uint32_t cap;
    uint64_t newest_ms;
    uint64_t until_ms; /* when the last of them has no effect any more */
};

struct token {
    struct notify_str text; /* borrowed until the next change */
    struct notify_id id;
    uint64_t at_ms;
};

static inline size_t tokens_count(const struct tokens *tokens)
{
    return tokens->table.count;
}

bool tokens_has(const struct tokens *tokens, struct notify_str text);
/* The id given for this token later than after_ms. */
bool tokens_find(const struct tokens *tokens, struct notify_str text, uint64_t after_ms,
                 struct notify_id *ret_id);

/* Makes room for one more of that length (1 to TOKEN_BOUND). 0, -ENOMEM. */
int tokens_reserve(struct tokens *tokens, size_t text_len);
/* After tokens_reserve; the token must not be there. until_ms: see above. */
void tokens_add(struct tokens *tokens, const struct token *token, uint64_t until_ms);
/* Forgets those of upto_ms and before, and then the oldest until at most keep are left. The room
 * that was reserved remains. */
void tokens_forget(struct tokens *tokens, uint64_t upto_ms, size_t keep);

/* Goes through all, oldest first; *position starts at 0. */
bool tokens_next(const struct tokens *tokens, size_t *position, struct token *ret_token);

void tokens_release(struct tokens *tokens);
/* *to is overwritten. 0, or -ENOMEM and it is empty. */
int tokens_copy(struct tokens *to, const struct tokens *from);

#endif
