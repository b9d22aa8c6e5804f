/* What waits for agents in vain: each is over once, in its order, few in one turn of the loop. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>

#include "clients/inquiries.h"
#include "loop_testing.h"

#define COUNT 1000
#define TIMEOUT_MS 60000

struct waiting {
    struct inquiry inquiry; /* first */
    size_t number;
};

static struct inquiries all = {.loop = LOOP_TESTING,
                               .timeout_ms = TIMEOUT_MS,
                               .max = COUNT,
                               .max_per_client = COUNT,
                               .askers = {.max = COUNT}};
static struct inquiry_list of_client;
static struct waiting waiting[COUNT];
static size_t over_now, over_all;

static void heard(struct inquiry *inquiry, const struct event *event)
{
    (void)inquiry;
    (void)event;
}

static void over(struct inquiry *inquiry, enum inquiry_end why)
{
    cr_assert_eq(why, INQUIRY_TIMED_OUT);
    cr_assert_eq(((struct waiting *)inquiry)->number, over_all);
    over_now++;
    over_all++;
}

static const struct inquiry_kind kind = {.heard = heard, .over = over};

static void open_all(void)
{
    cr_assert_eq(inquiries_init(&all), 0);
    for (size_t i = 0; i < COUNT; i++) {
        waiting[i].number = i;
        cr_assert_eq(inquiry_open(&waiting[i].inquiry, &kind, &all, &of_client, NOTIFY_STR("a")),
                     0);
    }
}

/* One turn of the loop; false: nothing is due. */
static bool turn(void)
{
    struct loop_timer *timer = loop_testing_first_due();

    if (timer == NULL || timer->due_ms > loop_testing_now_ms)
        return false;
    timer->due_ms = 0;
    over_now = 0;
    timer->fn(timer->ctx);
    return true;
}

Test(inquiries, many_that_time_out_together_are_over_a_few_in_each_turn_and_in_their_order)
{
    size_t turns = 0;

    open_all();
    loop_testing_advance(TIMEOUT_MS - 1);
    cr_assert_eq(over_all, 0);
    loop_testing_now_ms++;
    for (; turn(); turns++)
        cr_assert_leq(over_now, INQUIRIES_AT_ONCE);
    cr_assert_eq(over_all, COUNT);
    cr_assert_geq(turns, COUNT / INQUIRIES_AT_ONCE);
    cr_assert_eq(all.count, 0);
    inquiries_release(&all);
}

Test(inquiries, what_is_asked_while_others_are_still_to_be_told_has_its_own_time)
{
    static struct waiting late = {.number = COUNT};

    open_all();
    inquiry_close(&waiting[COUNT - 1].inquiry);
    loop_testing_now_ms += TIMEOUT_MS + 5; /* the timer is late */
    cr_assert(turn());
    late.number = COUNT - 1;
    cr_assert_eq(inquiry_open(&late.inquiry, &kind, &all, &of_client, NOTIFY_STR("a")), 0);
    while (turn())
        continue;
    cr_assert_eq(over_all, COUNT - 1);
    loop_testing_advance(TIMEOUT_MS - 1);
    cr_assert_eq(over_all, COUNT - 1);
    loop_testing_advance(1);
    cr_assert_eq(over_all, COUNT);
    inquiries_release(&all);
}
