/* box_epochs -- see "epochs" in box.h. */
#include <errno.h>

#include "box/box.h"
#include "box/box_store.h"

#define END_SEQ_MAX ((UINT64_C(1) << 56) - 1)

static struct past_epoch pack(uint32_t epoch, struct notify_id end)
{
    return (struct past_epoch){
        .end_ms = end.ms & ((UINT64_C(1) << 48) - 1),
        .epoch_high = (epoch >> 8) & 0xffff,
        .end_seq = end.seq < END_SEQ_MAX ? end.seq : END_SEQ_MAX,
        .epoch_low = epoch & 0xff,
    };
}

static struct box_past_epoch unpack(struct past_epoch past)
{
    return (struct box_past_epoch){(uint32_t)(past.epoch_high << 8 | past.epoch_low),
                                   {past.end_ms, past.end_seq}};
}

uint32_t box_epoch(const struct box *box)
{
    return (uint32_t)box->epoch;
}

size_t box_past_epochs(const struct box *box, struct box_past_epoch past[BOX_PAST_EPOCHS_MAX])
{
    uint32_t count = store_past_count(box);

    for (uint32_t i = 0; i < count; i++)
        past[i] = unpack(store_past(box, i));
    return count;
}

/* Adds one; the oldest goes when there are too many. */
static int add_past(struct box **box, const struct past_epoch *past)
{
    uint32_t count = store_past_count(*box);

    if (count < BOX_PAST_EPOCHS_MAX)
        return store_set_past(box, count, past);
    for (uint32_t i = 1; i < count; i++) {
        struct past_epoch next = store_past(*box, i);
        (void)store_set_past(box, i - 1, &next); /* it has the field: nothing moves */
    }
    return store_set_past(box, count - 1, past);
}

/* That an epoch has ended and none has begun yet is told by its standing among the past ones. */
bool box_epoch_has_ended(const struct box *box)
{
    uint32_t count = store_past_count(box);

    return count > 0 && unpack(store_past(box, count - 1)).epoch == box_epoch(box);
}

int box_end_epoch(struct box **box)
{
    struct past_epoch past = pack(box_epoch(*box), store_last_id(*box));

    return box_epoch(*box) == 0 || box_epoch_has_ended(*box) ? 0 : add_past(box, &past);
}

bool box_has_epoch(const struct box *box, uint32_t epoch)
{
    bool has = epoch == box_epoch(box);

    for (uint32_t i = store_past_count(box); !has && i-- > 0;)
        has = unpack(store_past(box, i)).epoch == epoch;
    return has;
}

int box_begin_epoch(struct box **box, uint32_t epoch, struct notify_id end)
{
    struct past_epoch past = pack(box_epoch(*box), end);

    if (epoch == box_epoch(*box))
        return 0;
    if (box_epoch_has_ended(*box)) /* it has the field: nothing moves */
        (void)store_set_past(box, store_past_count(*box) - 1, &past);
    /* Of a box that has had no id there is no position. */
    else if (!notify_id_is_zero(end) && add_past(box, &past) != 0)
        return -ENOMEM;
    (*box)->epoch = epoch & BOX_EPOCH_MAX;
    return 0;
}

bool box_knows_position(const struct box *box, uint32_t epoch, struct notify_id id,
                        struct notify_id *ret_from)
{
    *ret_from = id;
    if (notify_id_is_zero(id) || epoch == box_epoch(box))
        return true;
    for (uint32_t i = store_past_count(box); i-- > 0;) {
        struct box_past_epoch past = unpack(store_past(box, i));
        if (past.epoch != epoch)
            continue;
        if (notify_id_cmp(id, past.end) <= 0)
            return true;
        *ret_from = past.end;
        return false;
    }
    return false;
}

void box_forget_epochs(struct box *box)
{
    struct past_epoch none = pack(0, (struct notify_id){0, 0});

    for (uint32_t i = 0; i < store_past_count(box); i++)
        (void)store_set_past(&box, i, &none); /* it has the field: nothing moves */
    box->epoch = 0;
}

static bool are_sound(const struct box *box, uint32_t epoch, const struct box_past_epoch *past,
                      size_t count)
{
    if (epoch > BOX_EPOCH_MAX || count > BOX_PAST_EPOCHS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (past[i].epoch > BOX_EPOCH_MAX || past[i].end.seq > END_SEQ_MAX ||
            notify_id_cmp(past[i].end, store_last_id(box)) > 0)
            return false;
        if (i > 0 && notify_id_cmp(past[i].end, past[i - 1].end) < 0)
            return false;
    }
    return true;
}

int box_restore_epochs(struct box **box, uint32_t epoch, const struct box_past_epoch *past,
                       size_t count)
{
    if (!are_sound(*box, epoch, past, count))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct past_epoch packed = pack(past[i].epoch, past[i].end);
        if (store_set_past(box, (uint32_t)i, &packed) != 0)
            return -ENOMEM;
    }
    (*box)->epoch = epoch & BOX_EPOCH_MAX;
    return 0;
}
