/* box_expiry -- what the expiry of entries means for the box as a whole: the earliest and the
 * latest, and when its key may go. Taking expired entries out is box.c's. */
#include <errno.h>

#include "box/box.h"
#include "box/box_store.h"

uint64_t box_min_expire_ms(const struct box *box)
{
    return box->min_expire_ms;
}

enum {
    NEXT_SPANS = 16,  /* that are looked through for what expires next, */
    NEXT_SOON = 1000, /* ms: when somebody should look again if these are not all */
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The next instant of a span of which some have expired; 0: nothing else of it expires. */
static uint64_t next_of_span(const struct box *box, uint32_t span, uint64_t now_ms)
{
    struct walk walk;
    struct entry e;
    uint64_t next = 0;

    walk_init_span(&walk, box, span);
    while (walk_next(&walk, &e) && walk.place.span == span)
        if (e.expire_ms > now_ms)
            next = earlier(next, e.expire_ms);
    return next;
}

uint64_t box_next_expiry_ms(const struct box *box, uint64_t now_ms)
{
    uint64_t next = box->min_expire_ms > now_ms ? box->min_expire_ms : 0;
    uint32_t looked = 0;

    if (box->min_expire_ms == 0 || next != 0)
        return next;
    for (uint32_t i = 0; i < store_span_count(box); i++) {
        uint64_t min_ms = store_span_min_expire(box, i);
        if (min_ms > now_ms)
            next = earlier(next, min_ms);
        else if (min_ms != 0 && looked++ < NEXT_SPANS)
            next = earlier(next, next_of_span(box, i, now_ms));
    }
    return looked <= NEXT_SPANS ? next : earlier(next, now_ms + NEXT_SOON);
}

uint64_t box_max_expire_ms(const struct box *box)
{
    uint64_t max = 0;
    struct walk walk;
    struct entry e;

    if (box->min_expire_ms == 0)
        return 0;
    walk_init(&walk, box);
    while (walk_next(&walk, &e))
        if (e.expire_ms > max)
            max = e.expire_ms;
    return max;
}

bool box_all_expire(const struct box *box)
{
    return box->live > 0 && box->min_expire_ms != 0 && !store_has_staying(box);
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

    if ((end == 0 && box->min_expire_ms == 0) || box_keeps_settings(box))
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
