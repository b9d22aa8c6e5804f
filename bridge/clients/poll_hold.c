#include "clients/poll_hold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/random_hex.h"

static struct notify_str number_bytes(const uint64_t *number)
{
    return notify_str_of((const char *)number, sizeof(*number));
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, number_bytes(&((const struct poll_hold *)node)->number));
}

struct poll_hold *poll_hold_find(const struct poll_holds *holds, uint64_t number)
{
    struct hash_node *n =
        hash_table_chain(&holds->table, hash_bytes(&holds->table.key, number_bytes(&number)));

    while (n != NULL && ((struct poll_hold *)n)->number != number)
        n = n->next;
    return (struct poll_hold *)n;
}

struct poll_hold *poll_hold_new(struct poll_holds *holds, const struct poll_taking *taking)
{
    struct poll_hold *hold = calloc(1, sizeof(*hold));

    if (hold == NULL)
        abort(); /* as the loop does: whoever waits could not be told */
    hold->all = holds;
    hold->number = ++holds->numbers;
    hold->on_wake = taking->on_wake;
    hold->wake_ctx = taking->ctx;
    hold->why = POLL_LOST;
    if (taking->sid.len == sizeof(hold->sid))
        memcpy(hold->sid, taking->sid.ptr, taking->sid.len);
    hash_table_add(&holds->table, &hold->node);
    return hold;
}

void poll_hold_end(struct poll_hold *hold)
{
    struct poll_holds *holds = hold->all;

    hold->over = true;
    if (hold->queued)
        STAILQ_REMOVE(&holds->woken, hold, poll_hold, woken_link);
    hold->queued = false;
    if (hold->under_way > 0)
        return;
    hash_table_remove(&holds->table, &hold->node);
    free(hold);
}

struct notify_str poll_hold_sid(const struct poll_hold *hold)
{
    return notify_str_of(hold->sid, sizeof(hold->sid));
}

struct notify_str poll_hold_t(const struct poll_hold *hold)
{
    return notify_str_of(hold->t, hold->t_len);
}

void poll_hold_set_t(struct poll_hold *hold, struct notify_str t)
{
    hold->t_len = t.len <= sizeof(hold->t) ? (uint8_t)t.len : 0;
    if (hold->t_len > 0)
        memcpy(hold->t, t.ptr, t.len);
}

struct notify_str poll_holds_token(const struct poll_holds *holds, uint64_t number,
                                   char out[POLL_TOKEN_MAX])
{
    size_t len = strlen(holds->node);

    memcpy(out, holds->node, len);
    out[len++] = ':';
    len += number_text(out + len, (int64_t)number).len;
    return notify_str_of(out, len);
}

struct notify_str poll_hold_token(const struct poll_hold *hold, char out[POLL_TOKEN_MAX])
{
    return poll_holds_token(hold->all, hold->number, out);
}

/* Waking. */

static void wake_woken(void *ctx)
{
    struct poll_holds *holds = ctx;
    struct poll_hold *hold;

    holds->waking = false;
    while ((hold = STAILQ_FIRST(&holds->woken)) != NULL) {
        STAILQ_REMOVE_HEAD(&holds->woken, woken_link);
        hold->queued = hold->woken = false;
        hold->on_wake(hold->wake_ctx);
    }
}

/* One look is enough for all that it is told until then. */
void poll_hold_wake(struct poll_hold *hold)
{
    struct poll_holds *holds = hold->all;

    hold->woken = true;
    if (!hold->taken || hold->looking || hold->giving || hold->over || hold->queued)
        return;
    STAILQ_INSERT_TAIL(&holds->woken, hold, woken_link);
    hold->queued = true;
    if (!holds->waking)
        loop_defer(holds->loop, wake_woken, holds);
    holds->waking = true;
}

/* It was told something before it could look. */
void poll_hold_wake_if_told(struct poll_holds *holds, uint64_t number)
{
    struct poll_hold *hold = poll_hold_find(holds, number);

    if (hold != NULL && hold->woken)
        poll_hold_wake(hold);
}

bool poll_wake_read(struct poll_wake *ret, struct notify_str message)
{
    const char *space;
    size_t i = 0;

    *ret = (struct poll_wake){.number = 0};
    while (i < message.len && message.ptr[i] >= '0' && message.ptr[i] <= '9' &&
           ret->number < INT64_MAX / 10 - 1)
        ret->number = ret->number * 10 + (uint64_t)(message.ptr[i++] - '0');
    if (ret->number == 0 || i == message.len || message.ptr[i] != ' ')
        return false;
    ret->why = notify_str_of(message.ptr + i + 1, message.len - i - 1);
    space = memchr(ret->why.ptr, ' ', ret->why.len);
    if (space != NULL) {
        ret->sid = notify_str_of(space + 1, (size_t)(message.ptr + message.len - space - 1));
        ret->why.len = (size_t)(space - ret->why.ptr);
    }
    return true;
}

bool poll_holds_wake(struct poll_holds *holds, const struct poll_wake *wake)
{
    struct poll_hold *hold = poll_hold_find(holds, wake->number);

    if (hold == NULL)
        return false;
    if (notify_str_eq(wake->why, NOTIFY_STR("overlap")))
        hold->why = POLL_OVERLAP;
    else if (notify_str_eq(wake->why, NOTIFY_STR("closed")))
        hold->why = POLL_CLOSED;
    poll_hold_wake(hold);
    return true;
}

void poll_holds_wake_all(struct poll_holds *holds)
{
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &holds->table)
    {
        poll_hold_wake((struct poll_hold *)node);
    }
}

void poll_holds_wake_blind(struct poll_holds *holds)
{
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &holds->table)
    {
        struct poll_hold *hold = (struct poll_hold *)node;
        if (hold->blind)
            poll_hold_wake(hold);
        hold->blind = false;
    }
}

/* Life. */

int poll_holds_init(struct poll_holds *holds, struct loop *loop)
{
    *holds = (struct poll_holds){.loop = loop};
    STAILQ_INIT(&holds->woken);
    random_hex(holds->node, POLL_NODE_BYTES);
    return hash_table_init(&holds->table, hash_of);
}

void poll_holds_release(struct poll_holds *holds)
{
    if (holds->waking)
        loop_undefer(holds->loop, wake_woken, holds);
    assert(holds->table.count == 0);
    hash_table_release(&holds->table);
}
