/* Readers who have left: about each it is decided once, in its order, few in one turn of the loop.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clients/client.h"
#include "loop_testing.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/agent.h"
#include "requests/partings.h"

#define COUNT 1000
#define GRACE_MS 5000

static size_t asked_now, asked_all;

/* Redis, which knows of nobody who came back, and whoever tells agents. */

#define PLACE "agent:requests:resumed:"

int turns_command(struct turns *turns, const struct turn *turn)
{
    static const struct resp nobody = {.kind = RESP_NIL};

    (void)turns;
    cr_assert(notify_str_eq(turn->argv[0], NOTIFY_STR("GET")));
    cr_assert_eq(strncmp(turn->argv[1].ptr, PLACE, strlen(PLACE)), 0);
    asked_now++;
    turn->fn(turn->ctx, &nobody);
    return 0;
}

void agent_cancel(const struct client_shared *shared, const char *entry, const char *id)
{
    char expected[INQUIRY_ID_TEXT + 1];

    (void)shared;
    (void)entry;
    (void)snprintf(expected, sizeof(expected), "%036zu", asked_all++);
    cr_assert_str_eq(id, expected);
}

static struct inquiries inquiries = {.max = COUNT, .askers = {.max = COUNT}};
static struct agent agent = {.stream = "agent:requests", .grace_ms = GRACE_MS};
static struct client_shared shared = {
    .inquiries = &inquiries, .agent = &agent, .senders = {.loop = LOOP_TESTING}};
static struct partings partings = {.shared = &shared};

static void add(size_t number)
{
    struct parting parting = {.asker = "a", .asker_len = 1};

    (void)snprintf(parting.id, sizeof(parting.id), "%036zu", number);
    partings_add(&partings, &parting);
}

/* One turn of the loop; false: nothing is due. */
static bool turn(void)
{
    struct loop_timer *timer = loop_testing_first_due();

    if (timer == NULL || timer->due_ms > loop_testing_now_ms)
        return false;
    timer->due_ms = 0;
    asked_now = 0;
    timer->fn(timer->ctx);
    return true;
}

Test(partings, many_who_leave_together_are_decided_about_a_few_in_each_turn_and_in_their_order)
{
    cr_assert_eq(partings_init(&partings), 0);
    for (size_t i = 0; i < COUNT; i++)
        add(i);
    loop_testing_advance(GRACE_MS - 1);
    cr_assert_eq(asked_all, 0);
    loop_testing_now_ms += 7; /* the timer is late */
    while (turn())
        cr_assert_leq(asked_now, PARTINGS_AT_ONCE);
    cr_assert_eq(asked_all, COUNT);
    cr_assert_eq(partings.count, 0);
    partings_release(&partings);
}

Test(partings, of_more_than_there_may_be_the_one_that_left_first_is_decided_about_at_once)
{
    cr_assert_eq(partings_init(&partings), 0);
    partings.askers.max = 2 * COUNT;
    for (size_t i = 0; i < COUNT + 3; i++)
        add(i);
    cr_assert_eq(asked_all, 3);
    cr_assert_eq(partings.count, COUNT);
    partings_release(&partings);
}
