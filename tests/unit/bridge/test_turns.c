/* Commands of many over one link: what is under way, what stands in the line, and in which order.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/counters.h"
#include "link_testing.h"
#include "redis/turns.h"

#define OWNERS 400

struct owner {
    int replies, nulls, turns;
    bool unwanted;
};

static struct redis_link redis;
static struct turns *turns;
static struct owner owners[OWNERS];

static void setup(void)
{
    memset(owners, 0, sizeof(owners));
    link_testing_init(&redis);
    turns = turns_new(&redis.keys);
}

static void teardown(void)
{
    link_testing_go_down(&redis);
    turns_free(turns);
    turns_free(NULL);
}

TestSuite(turns, .init = setup, .fini = teardown);

static void on_reply(void *ctx, const struct resp *reply)
{
    struct owner *owner = ctx;

    owner->replies++;
    owner->nulls += reply == NULL;
}

static bool on_turn(void *ctx)
{
    struct owner *owner = ctx;

    owner->turns++;
    return !owner->unwanted;
}

static int ask(int number, size_t reply_bytes)
{
    char text[16];
    struct notify_str argv[] = {NOTIFY_STR("GET"), {text, 0}};
    const struct turn turn = {.argc = 2,
                              .argv = argv,
                              .reply_bytes = reply_bytes,
                              .fn = on_reply,
                              .on_turn = on_turn,
                              .ctx = &owners[number]};

    argv[1].len = (size_t)snprintf(text, sizeof(text), "%d", number);
    return turns_command(turns, &turn); /* text is gone afterwards */
}

/* Answers the oldest command, which must be that one's. */
static void answer(int number)
{
    static const struct resp ok = {.kind = RESP_INTEGER};
    struct link_testing_command *command = link_testing_take(&redis);

    cr_assert_not_null(command, "%d", number);
    cr_assert_eq(atoi(command->argv[1].ptr), number);
    link_testing_answer(command, &ok);
}

Test(turns, so_many_are_under_way_and_the_rest_comes_in_its_order)
{
    for (int i = 0; i < OWNERS; i++)
        cr_assert_eq(ask(i, 1), i < TURNS_COMMANDS ? 0 : 1);
    cr_assert_eq(turns_in_line(turns), OWNERS - TURNS_COMMANDS);
    cr_assert_eq(counter_values[COUNTER_COMMANDS_WAITED], OWNERS - TURNS_COMMANDS);
    for (int i = 0; i < OWNERS; i++) {
        cr_assert_eq(owners[i].turns, i >= TURNS_COMMANDS);
        answer(i);
        cr_assert_eq(owners[i].replies, 1);
    }
    cr_assert_eq(turns_in_line(turns), 0);
    cr_assert_null(link_testing_take(&redis));
}

Test(turns, large_replies_are_not_under_way_together)
{
    cr_assert_eq(ask(0, TURNS_REPLY_BYTES / 2), 0);
    cr_assert_eq(ask(1, TURNS_REPLY_BYTES / 2), 0);
    cr_assert_eq(ask(2, 1), 1);
    cr_assert_eq(ask(3, TURNS_REPLY_BYTES * 2), 1);
    cr_assert_eq(ask(4, 1), 1, "not past the one before it");
    answer(0);
    cr_assert_eq(owners[2].turns, 1);
    cr_assert_eq(owners[3].turns, 0);
    answer(1);
    cr_assert_eq(owners[3].turns, 0);
    answer(2);
    cr_assert_eq(owners[3].turns, 1, "alone it may");
    cr_assert_eq(owners[4].turns, 0);
    answer(3);
    answer(4);
}

Test(turns, what_is_not_wanted_any_more_is_not_sent)
{
    cr_assert_eq(ask(0, TURNS_REPLY_BYTES), 0);
    cr_assert_eq(ask(1, 1), 1);
    cr_assert_eq(ask(2, 1), 1);
    owners[1].unwanted = true;
    answer(0);
    cr_assert_eq(owners[1].nulls, 1);
    answer(2);
}

Test(turns, when_the_link_goes_down_everybody_is_told_and_nothing_is_left)
{
    for (int i = 0; i < OWNERS; i++)
        cr_assert_geq(ask(i, 1), 0);
    link_testing_go_down(&redis);
    for (int i = 0; i < OWNERS; i++) {
        cr_assert_eq(owners[i].replies, 1);
        cr_assert_eq(owners[i].nulls, 1);
    }
    cr_assert_eq(ask(0, 1), -ENOTCONN);
    cr_assert_eq(owners[0].replies, 1, "it is not told what it knows");
}

Test(turns, a_link_that_refuses_is_told_to_the_one_who_asks_and_in_the_line)
{
    cr_assert_eq(ask(0, TURNS_REPLY_BYTES), 0);
    cr_assert_eq(ask(1, 1), 1);
    redis.refuses = true;
    answer(0);
    cr_assert_eq(owners[1].nulls, 1);
    cr_assert_eq(ask(2, 1), -EBUSY);
}

Test(turns, the_line_has_an_end)
{
    cr_assert_eq(ask(0, TURNS_REPLY_BYTES), 0);
    for (int i = 0; i < TURNS_LINE_MAX; i++)
        cr_assert_eq(ask(1, 1), 1);
    cr_assert_eq(ask(2, 1), -EBUSY);
    cr_assert_eq(counter_values[COUNTER_COMMANDS_REFUSED], 1);
}
