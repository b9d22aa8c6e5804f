/* The queue of one client. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire/frame.h"
#include "clients/outbox.h"

static struct outbox outbox;
static int sources[3];

static void teardown(void)
{
    outbox_release(&outbox);
    cr_assert_null(outbox.items);
}

TestSuite(outbox, .fini = teardown);

static struct frame *frame_of(size_t payload)
{
    static const char zeros[600];
    struct notify_str part = notify_str_of(zeros, payload);

    return frame_new_ws(1, &part);
}

/* number: the frame's payload is so long, which tells it from the others. */
static void push(size_t number, void *source)
{
    struct outbox_item item = {.frame = frame_of(number), .source = source, .id = {number, 0}};

    cr_assert_eq(outbox_push_item(&outbox, &item), 0);
    frame_unref(item.frame);
}

static size_t number_of(const struct frame *frame)
{
    return frame->len - (frame->len < 128 ? 2 : 4);
}

/* 1000: it is empty. */
static size_t pop(void)
{
    struct frame *frame = outbox_pop(&outbox);
    size_t number = frame == NULL ? 1000 : number_of(frame);

    frame_unref(frame);
    return number;
}

Test(outbox, what_goes_in_first_comes_out_first)
{
    for (size_t i = 0; i < 100; i++)
        push(i, NULL);
    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(number_of(outbox.items[outbox.head].frame), i);
        cr_assert_eq(outbox_first_bytes(&outbox), i + (i < 126 ? 2 : 4));
        cr_assert_eq(pop(), i);
    }
    cr_assert_eq(pop(), 1000);
}

Test(outbox, an_empty_one_owns_no_memory)
{
    cr_assert(outbox_is_empty(&outbox));
    push(1, NULL);
    cr_assert_not(outbox_is_empty(&outbox));
    cr_assert_eq(pop(), 1);
    cr_assert(outbox_is_empty(&outbox));
    cr_assert_null(outbox.items);
    cr_assert_eq(outbox.cap, 0);
}

Test(outbox, an_answer_can_be_put_before_everything_else)
{
    struct frame *first = frame_of(99);

    for (size_t i = 0; i < 8; i++) /* full: it has to grow, too */
        push(i, NULL);
    cr_assert_eq(outbox_push_first(&outbox, first), 0);
    frame_unref(first);
    cr_assert_eq(outbox.bytes, 101 + 0 + 28 + 8 * 2 + 9 * OUTBOX_ITEM_BYTES);
    cr_assert_eq(pop(), 99);
    cr_assert_eq(pop(), 0);
}

Test(outbox, an_answer_can_be_put_first_into_an_empty_one)
{
    struct frame *first = frame_of(7);

    cr_assert_eq(outbox_push_first(&outbox, first), 0);
    frame_unref(first);
    cr_assert_eq(pop(), 7);
}

Test(outbox, fits_up_to_the_limit_and_always_when_empty)
{
    size_t two = 120 + 2 * OUTBOX_ITEM_BYTES;

    cr_assert(outbox_fits(&outbox, 1000000, 1000, 10));
    push(98, NULL); /* 100 bytes */
    cr_assert(outbox_fits(&outbox, 20, 0, two));
    cr_assert_not(outbox_fits(&outbox, 21, 0, two));
    cr_assert(outbox_fits(&outbox, 15, 5, two));
    cr_assert_not(outbox_fits(&outbox, 15, 6, two));
}

static bool is_first_source(void *ctx, const struct outbox_item *item)
{
    (*(int *)ctx)++;
    return item->source == &sources[0];
}

static void add_bytes(void *ctx, const struct outbox_item *item)
{
    size_t *seen = ctx;

    *seen = *seen * 10 + number_of(item->frame);
}

Test(outbox, each_is_looked_at_once_oldest_first_and_stays)
{
    size_t seen = 0;

    push(1, &sources[0]);
    push(2, NULL);
    push(3, &sources[1]);
    outbox_each(&outbox, add_bytes, &seen);
    cr_assert_eq(seen, 123);
    cr_assert_eq(outbox.len, 3);
    cr_assert_eq(pop(), 1);
    outbox_each(&outbox, add_bytes, &seen);
    cr_assert_eq(seen, 12323);
}

Test(outbox, dropping_spares_answers_and_what_does_not_match)
{
    int asked = 0;

    push(1, &sources[0]);
    push(2, NULL);
    push(3, &sources[1]);
    push(4, &sources[0]);
    push(5, NULL);
    outbox_drop(&outbox, is_first_source, &asked);
    cr_assert_eq(asked, 3, "answers are not even asked about");
    cr_assert_eq(outbox.bytes, 2 + 3 + 5 + 3 * (2 + OUTBOX_ITEM_BYTES));
    cr_assert_eq(pop(), 2);
    cr_assert_eq(pop(), 3);
    cr_assert_eq(pop(), 5);
    cr_assert_eq(pop(), 1000);
}

/* Random operations beside a plain array. */

struct model_item {
    size_t number;
    void *source;
};

struct model {
    struct model_item items[4096];
    size_t len, bytes;
    unsigned turn;
};

static void model_push(struct model *m, size_t at, size_t number, void *source)
{
    memmove(m->items + at + 1, m->items + at, (m->len - at) * sizeof(m->items[0]));
    m->items[at] = (struct model_item){number, source};
    m->len++;
    m->bytes += number + (number < 126 ? 2 : 4) + OUTBOX_ITEM_BYTES;
}

static void model_remove(struct model *m, size_t at)
{
    size_t number = m->items[at].number;

    m->bytes -= number + (number < 126 ? 2 : 4) + OUTBOX_ITEM_BYTES;
    m->len--;
    memmove(m->items + at, m->items + at + 1, (m->len - at) * sizeof(m->items[0]));
}

static bool is_source(void *ctx, const struct outbox_item *item)
{
    return item->source == ctx;
}

static void model_drop(struct model *m, void *source)
{
    outbox_drop(&outbox, is_source, source);
    for (size_t i = m->len; i-- > 0;)
        if (m->items[i].source == source)
            model_remove(m, i);
}

static void model_step(struct model *m)
{
    size_t number = (size_t)rand() % 500;
    void *source = rand() % 3 == 0 ? NULL : &sources[rand() % 3];
    int dice = rand() % 100;
    struct frame *frame;

    if (dice < 48) {
        push(number, source);
        model_push(m, m->len, number, source);
    } else if (dice < 52) {
        frame = frame_of(number);
        cr_assert_eq(outbox_push_first(&outbox, frame), 0);
        frame_unref(frame);
        model_push(m, 0, number, NULL);
    } else if (dice < 98 || source == NULL) {
        size_t expected = m->len == 0 ? 1000 : m->items[0].number;
        cr_assert_eq(pop(), expected);
        if (expected != 1000)
            model_remove(m, 0);
    } else {
        model_drop(m, source);
    }
    cr_assert_eq(outbox.len, m->len);
    cr_assert_eq(outbox.bytes, m->bytes);
    cr_assert_eq(outbox.items == NULL, m->len == 0);
}

Test(outbox, agrees_with_a_plain_array)
{
    static struct model model;

    srand(20261120);
    for (int i = 0; i < 100000; i++)
        model_step(&model);
    while (model.len > 0) {
        cr_assert_eq(pop(), model.items[0].number);
        model_remove(&model, 0);
    }
}
