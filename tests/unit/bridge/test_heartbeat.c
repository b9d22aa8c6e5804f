/* heartbeat: deadlines of many on one timer. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/heartbeat.h"
#include "base/loop.h"

#define TICK_MS 1 /* a turn of the wheel then takes about a second */
#define AT_ONCE 16
#define LATE_MAX_MS 900 /* the machine may be busy; less than a turn */

struct thing {
    struct heartbeat_node node;
    struct world *world;
    uint64_t wanted_ms; /* when it should be called */
    int calls, repeat;
};

struct world {
    struct loop *loop;
    struct heartbeat *heartbeat;
    int left;
    struct thing *victim; /* cancelled by whoever is called first */
};

static void on_due(struct heartbeat_node *node)
{
    struct thing *thing = (void *)((char *)node - offsetof(struct thing, node));
    struct world *world = thing->world;
    uint64_t now = loop_now_ms(world->loop);

    thing->calls++;
    cr_assert_geq(now, thing->wanted_ms);
    cr_assert_lt(now, thing->wanted_ms + LATE_MAX_MS);
    if (world->victim != NULL)
        heartbeat_cancel(world->heartbeat, &world->victim->node);
    if (thing->repeat-- > 0) {
        thing->wanted_ms = now;
        heartbeat_set(world->heartbeat, node, 0);
    } else if (--world->left == 0) {
        loop_stop(world->loop);
    }
}

static void set(struct thing *thing, struct world *world, uint64_t after_ms)
{
    thing->world = world;
    thing->wanted_ms = loop_now_ms(world->loop) + after_ms;
    heartbeat_set(world->heartbeat, &thing->node, after_ms);
}

static struct world make_world(void)
{
    struct world world = {.loop = loop_new()};

    world.heartbeat = heartbeat_new(world.loop, TICK_MS, AT_ONCE, on_due);
    return world;
}

static void free_world(struct world *world)
{
    heartbeat_free(world->heartbeat);
    loop_free(world->loop);
}

Test(heartbeat, calls_each_once_and_never_early_also_beyond_one_turn_of_the_wheel)
{
    struct world world = make_world();
    static struct thing things[500];

    for (int i = 0; i < 500; i++)
        set(&things[i], &world, i == 0 ? 2500 : (uint64_t)(rand() % 300));
    world.left = 500;
    cr_assert_eq(loop_run(world.loop), 0);
    for (int i = 0; i < 500; i++)
        cr_assert_eq(things[i].calls, 1);
    free_world(&world);
}

Test(heartbeat, moves_a_deadline_that_is_set_again)
{
    struct world world = make_world();
    struct thing sooner = {.calls = 0};
    struct thing later = {.calls = 0};

    set(&sooner, &world, 10000);
    set(&sooner, &world, 10);
    set(&later, &world, 1);
    set(&later, &world, 60);
    world.left = 2;
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_eq(sooner.calls + later.calls, 2);
    free_world(&world);
}

Test(heartbeat, forgets_what_is_cancelled_also_by_another_of_the_same_moment)
{
    struct world world = make_world();
    struct thing first = {.calls = 0};
    struct thing victim = {.calls = 0};
    struct thing last = {.calls = 0};

    set(&first, &world, 20);
    set(&victim, &world, 20);
    set(&last, &world, 40);
    world.victim = &victim;
    world.left = 2;
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_eq(victim.calls, 0);
    heartbeat_cancel(world.heartbeat, &victim.node); /* again: no harm */
    free_world(&world);
}

Test(heartbeat, may_be_set_again_from_its_own_call_and_never_starves_the_loop)
{
    struct world world = make_world();
    struct thing again = {.repeat = 10};

    set(&again, &world, 0);
    world.left = 1;
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_eq(again.calls, 11);
    free_world(&world);
}

static void on_late(void *ctx)
{
    struct thing *thing = ctx;

    set(thing, thing->world, 10);
}

static long count_sleeps(void)
{
    struct rusage usage;

    cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_nvcsw;
}

Test(heartbeat, sleeps_until_something_is_due_and_not_from_tick_to_tick)
{
    struct world world = make_world();
    struct thing cancelled = {.calls = 0};
    struct thing sooner = {.calls = 0};
    struct thing later = {.calls = 0};
    long before = count_sleeps();

    set(&later, &world, 400);
    set(&cancelled, &world, 100);
    set(&sooner, &world, 200);
    heartbeat_cancel(world.heartbeat, &cancelled.node);
    world.left = 2;
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_eq(sooner.calls + later.calls, 2);
    cr_assert_lt(count_sleeps() - before, 20); /* of 400 ticks */
    free_world(&world);
}

Test(heartbeat, is_on_time_for_what_is_set_while_it_sleeps)
{
    struct world world = make_world();
    struct thing far = {.calls = 0};
    struct thing late = {.world = &world};
    struct loop_timer *timer = loop_timer_new(world.loop, on_late, &late);

    set(&far, &world, UINT64_C(60) * 60 * 1000);
    loop_timer_set(timer, 50);
    world.left = 1;
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_eq(late.calls, 1);
    cr_assert_eq(far.calls, 0);
    loop_timer_free(timer);
    free_world(&world);
}

struct turns {
    struct world *world;
    const struct thing *things;
    int count, seen, most; /* of things, called until the last turn, in one turn */
};

static void on_turn(void *ctx)
{
    struct turns *turns = ctx;
    int calls = 0;

    for (int i = 0; i < turns->count; i++)
        calls += turns->things[i].calls;
    if (calls - turns->seen > turns->most)
        turns->most = calls - turns->seen;
    turns->seen = calls;
    if (calls < turns->count)
        loop_defer(turns->world->loop, on_turn, turns);
}

Test(heartbeat, lets_others_have_their_turn_between_many_of_one_moment)
{
    enum { COUNT = 5 * AT_ONCE + 3 };
    static struct thing things[COUNT];
    struct world world = make_world();
    struct turns turns = {.world = &world, .things = things, .count = COUNT};

    for (int i = 0; i < COUNT; i++)
        set(&things[i], &world, 20);
    loop_defer(world.loop, on_turn, &turns);
    world.left = COUNT;
    cr_assert_eq(loop_run(world.loop), 0);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(things[i].calls, 1);
    cr_assert_eq(turns.most, AT_ONCE);
    free_world(&world);
}

Test(heartbeat, starts_again_after_it_stood_still)
{
    struct world world = make_world();
    struct thing once = {.calls = 0};
    struct thing late = {.world = &world};
    struct loop_timer *timer = loop_timer_new(world.loop, on_late, &late);

    set(&once, &world, 1);
    loop_timer_set(timer, 100); /* the wheel is empty by then */
    world.left = 2;
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_eq(once.calls + late.calls, 2);
    loop_timer_free(timer);
    free_world(&world);
    heartbeat_free(NULL);
}

Test(heartbeat, spreads_what_began_at_once_evenly_over_the_interval)
{
    enum { COUNT = 1000, PARTS = 10, INTERVAL_MS = 30000 };
    int in_part[PARTS] = {0};

    for (uint64_t i = 1; i <= COUNT; i++) {
        uint64_t first = heartbeat_spread(i, INTERVAL_MS);
        cr_assert(first >= 1 && first <= INTERVAL_MS);
        in_part[(first - 1) * PARTS / INTERVAL_MS]++;
    }
    for (int i = 0; i < PARTS; i++)
        cr_assert(in_part[i] >= COUNT / PARTS - 3 && in_part[i] <= COUNT / PARTS + 3, "%d: %d", i,
                  in_part[i]);
}
