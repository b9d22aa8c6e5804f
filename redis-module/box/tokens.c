/* tokens -- see tokens.h. The records lie in one run of bytes, which is moved to the front when
 * half of it is dead; the table's tags follow. */
#include "box/tokens.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/varint.h"

#define HEAD_LEN (TIME48_LEN + 1u) /* of a record: time, length */
#define CAP_FIRST 64u
#define BYTES_BOUND (UINT32_MAX / 2 + 1) /* a power of two, so that cap can reach it */

_Static_assert(TOKEN_BOUND <= UINT8_MAX, "a length is one byte");
_Static_assert((uint64_t)LIMIT_TOKENS *(HEAD_LEN + TOKEN_BOUND) < UINT32_MAX / 4,
               "offsets have 32 bits");

static struct notify_str text_at(const struct tokens *tokens, uint32_t offset)
{
    const uint8_t *record = tokens->bytes + offset;

    return notify_str_of((const char *)record + HEAD_LEN, record[TIME48_LEN]);
}

static uint64_t time_at(const struct tokens *tokens, uint32_t offset)
{
    return time48_get(tokens->bytes + offset);
}

struct wanted {
    const struct tokens *tokens;
    struct notify_str text;
};

static bool has_text(const void *ctx, const struct id_slot *slot)
{
    const struct wanted *wanted = ctx;

    return notify_str_eq(text_at(wanted->tokens, slot->tag - 1), wanted->text);
}

static struct id_slot *find_slot(const struct tokens *tokens, struct notify_str text)
{
    struct wanted wanted = {tokens, text};

    return id_table_find(&tokens->table, id_table_hash(text), has_text, &wanted);
}

bool tokens_has(const struct tokens *tokens, struct notify_str text)
{
    return find_slot(tokens, text) != NULL;
}

bool tokens_find(const struct tokens *tokens, struct notify_str text, uint64_t after_ms,
                 struct notify_id *ret_id)
{
    const struct id_slot *slot = find_slot(tokens, text);

    if (slot == NULL || time_at(tokens, slot->tag - 1) <= after_ms)
        return false;
    *ret_id = slot->id;
    return true;
}

/* Moves the records to the front. */
static void compact(struct tokens *tokens)
{
    memmove(tokens->bytes, tokens->bytes + tokens->head, tokens->used - tokens->head);
    for (uint32_t i = 0; i < tokens->table.cap; i++)
        if (tokens->table.slots[i].tag != 0)
            tokens->table.slots[i].tag -= tokens->head;
    tokens->used -= tokens->head;
    tokens->head = 0;
}

int tokens_reserve(struct tokens *tokens, size_t text_len)
{
    size_t need = HEAD_LEN + text_len;
    uint32_t cap = tokens->cap == 0 ? CAP_FIRST : tokens->cap;
    uint8_t *bytes;

    if (id_table_reserve(&tokens->table) != 0)
        return -ENOMEM;
    if (tokens->used + need > tokens->cap && tokens->head > tokens->used / 2)
        compact(tokens);
    if (tokens->used + need <= tokens->cap)
        return 0;
    if (need > BYTES_BOUND - tokens->used)
        return -ENOMEM;
    while (cap < tokens->used + need)
        cap *= 2;
    bytes = mem_try_realloc(tokens->bytes, tokens->used, cap);
    if (bytes == NULL)
        return -ENOMEM;
    tokens->bytes = bytes;
    tokens->cap = cap;
    return 0;
}

void tokens_add(struct tokens *tokens, const struct token *token, uint64_t until_ms)
{
    uint8_t *record = tokens->bytes + tokens->used;
    struct id_slot slot = {token->id, id_table_hash(token->text), tokens->used + 1};

    if (token->at_ms > tokens->newest_ms)
        tokens->newest_ms = token->at_ms;
    if (until_ms > tokens->until_ms)
        tokens->until_ms = until_ms;
    time48_put(record, tokens->newest_ms);
    record[TIME48_LEN] = (uint8_t)token->text.len;
    memcpy(record + HEAD_LEN, token->text.ptr, token->text.len);
    tokens->used += HEAD_LEN + (uint32_t)token->text.len;
    id_table_add(&tokens->table, &slot);
}

static void forget_oldest(struct tokens *tokens)
{
    struct notify_str text = text_at(tokens, tokens->head);

    id_table_remove(&tokens->table, find_slot(tokens, text));
    tokens->head += HEAD_LEN + (uint32_t)text.len;
}

void tokens_forget(struct tokens *tokens, uint64_t upto_ms, size_t keep)
{
    while (tokens->table.count > 0 &&
           (tokens->table.count > keep || time_at(tokens, tokens->head) <= upto_ms))
        forget_oldest(tokens);
    if (tokens->table.count > 0)
        return;
    tokens->head = 0;
    tokens->used = 0;
    tokens->newest_ms = 0;
    tokens->until_ms = 0;
}

bool tokens_next(const struct tokens *tokens, size_t *position, struct token *ret_token)
{
    uint32_t offset = *position == 0 ? tokens->head : (uint32_t)*position;

    if (offset >= tokens->used)
        return false;
    ret_token->text = text_at(tokens, offset);
    ret_token->at_ms = time_at(tokens, offset);
    ret_token->id = find_slot(tokens, ret_token->text)->id;
    *position = offset + HEAD_LEN + ret_token->text.len;
    return true;
}

void tokens_release(struct tokens *tokens)
{
    id_table_release(&tokens->table);
    mem_free(tokens->bytes);
    *tokens = (struct tokens){.bytes = NULL};
}

int tokens_copy(struct tokens *to, const struct tokens *from)
{
    struct tokens copy = *from;

    *to = (struct tokens){.bytes = NULL};
    if (from->table.count == 0)
        return 0;
    copy.bytes = mem_try_alloc(from->used);
    if (copy.bytes == NULL)
        return -ENOMEM;
    if (id_table_copy(&copy.table, &from->table) != 0) {
        mem_free(copy.bytes);
        return -ENOMEM;
    }
    memcpy(copy.bytes, from->bytes, from->used);
    copy.cap = from->used;
    *to = copy;
    return 0;
}
