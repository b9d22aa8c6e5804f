/* box_expiry -- what the expiry of entries means for the box as a whole: the earliest and the
 * latest, and when its key may go. Taking expired entries out is box.c's. */
#include <errno.h>

#include "box/box.h"
#include "box/box_extra.h"
#include "box/box_store.h"
#include "box/tokens.h"

uint64_t box_min_expire_ms(const struct box *box)
{
    return box->min_expire_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The next instant of a span; 0: nothing of it expires after now_ms. */
static uint64_t next_of_span(const struct box *box, uint32_t span, uint64_t now_ms)
{
    struct walk walk;
    struct entry e;
    uint64_t next = 0;

    if (store_span_is_counted_at(box, span, now_ms))
        return store_span_min_expire(box, span);
    walk_init_span(&walk, box, span);
    while (walk_next(&walk, &e) && walk.place.span == span)
        if (e.expire_ms > now_ms)
            next = earlier(next, e.expire_ms);
    return next;
}

uint64_t box_next_expiry_ms(const struct box *box, uint64_t now_ms)
{
    uint64_t next = 0;

    if (store_is_counted_at(box, now_ms))
        return box->min_expire_ms;
    for (uint32_t i = 0; i < store_span_count(box); i++)
        next = earlier(next, next_of_span(box, i, now_ms));
    return next;
}

bool box_may_expire(const struct box *box)
{
    return box->min_expire_ms != 0 || store_expired(box) > 0;
}

bool box_has_expired(const struct box *box, uint64_t now_ms)
{
    return store_expired(box) > 0 || (box->min_expire_ms != 0 && box->min_expire_ms <= now_ms);
}

uint64_t box_max_expire_ms(const struct box *box)
{
    uint64_t max = 0;
    struct walk walk;
    struct entry e;

    if (!box_may_expire(box))
        return 0;
    walk_init(&walk, box);
    while (walk_next(&walk, &e))
        if (e.expire_ms > max)
            max = e.expire_ms;
    return max;
}

bool box_all_expire(const struct box *box)
{
    return box->live > 0 && box_may_expire(box) && !store_has_staying(box);
}

bool box_keeps_settings(const struct box *box)
{
    const struct box_category *table = store_categories(box);

    for (uint32_t i = 0; i < box->category_slots; i++)
        if (table[i].muted)
            return true;
    return box_extra(box) != NULL && box_extra(box)->cursors != NULL;
}

uint64_t box_key_end_ms(const struct box *box)
{
    return store_key_end(box);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When the last of the tokens may be forgotten; 0: there are none. */
static uint64_t tokens_end(const struct box *box)
{
    return box_tokens(box) == NULL ? 0 : box_tokens(box)->until_ms;
}

/* Once there is an end, appending keeps it behind every expiry or takes it away. To get one takes a
 * look at all entries, up to the first that stays. */
static uint64_t wanted_end(const struct box *box)
{
    uint64_t end = store_key_end(box);

    if ((end == 0 && !box_may_expire(box)) || box_keeps_settings(box))
        return 0;
    if (end == 0) {
        if (!box_all_expire(box))
            return 0;
        end = box_max_expire_ms(box);
    }
    return later(later(end, box->last_ms), tokens_end(box));
}

int box_settle_key_end(struct box **box)
{
    return store_set_key_end(box, wanted_end(*box));
}

int box_restore_key_end(struct box **box, uint64_t end_ms)
{
    if (end_ms > NOTIFY_ID_MAX_MS || !box_key_end_is_sound(*box, end_ms))
        return -EINVAL;
    return store_set_key_end(box, end_ms);
}

bool box_key_end_is_sound(const struct box *box, uint64_t end_ms)
{
    if (end_ms == 0)
        return true;
    return (box->live == 0 || box_all_expire(box)) && end_ms >= box_max_expire_ms(box) &&
           end_ms >= box->last_ms && end_ms >= tokens_end(box) && !box_keeps_settings(box);
}
