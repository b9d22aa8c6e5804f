/* loop: timers, deferred calls, signals, clocks. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "base/loop.h"

struct world {
    struct loop *loop;
    struct loop_timer *timer;
    char log[64]; /* what happened, a letter each */
    int len;
    int pipe[2];
    struct event *readable;
};

static void note(struct world *world, char letter)
{
    cr_assert_lt(world->len, (int)sizeof(world->log) - 1);
    world->log[world->len++] = letter;
    world->log[world->len] = '\0';
}

static void on_stop(void *ctx)
{
    struct world *world = ctx;

    note(world, 's');
    loop_stop(world->loop);
}

static void on_deferred(void *ctx)
{
    note(ctx, 'd');
}

static void on_nothing(void *ctx)
{
    (void)ctx;
}

static void on_deferred_stop(void *ctx)
{
    struct world *world = ctx;

    note(world, 'D');
    loop_defer(world->loop, on_stop, world);
}

Test(loop, runs_a_timer_no_earlier_than_set_and_again_when_set_again)
{
    struct world world = {.loop = loop_new()};
    struct loop_timer *timer = loop_timer_new(world.loop, on_stop, &world);
    uint64_t start = loop_now_ms(world.loop);

    for (int i = 0; i < 2; i++) {
        loop_timer_set(timer, 10000);
        loop_timer_set(timer, 20); /* moves it */
        cr_assert_eq(loop_run(world.loop), 0);
    }
    cr_assert_str_eq(world.log, "ss");
    cr_assert_geq(loop_now_ms(world.loop) - start, 38); /* libevent counts in its own clock */
    loop_timer_free(timer);
    loop_free(world.loop);
}

Test(loop, forgets_a_timer_that_was_cancelled)
{
    struct world world = {.loop = loop_new()};
    struct loop_timer *cancelled = loop_timer_new(world.loop, on_deferred, &world);
    struct loop_timer *timer = loop_timer_new(world.loop, on_stop, &world);

    loop_timer_set(cancelled, 5);
    loop_timer_set(timer, 20);
    loop_timer_cancel(cancelled);
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_str_eq(world.log, "s");
    loop_timer_free(cancelled);
    loop_timer_free(timer);
    loop_timer_free(NULL);
    loop_free(world.loop);
}

static void on_free_itself(void *ctx)
{
    struct world *world = ctx;

    loop_timer_free(world->timer);
    world->timer = NULL;
    loop_defer(world->loop, on_stop, world);
}

Test(loop, lets_a_timer_free_itself)
{
    struct world world = {.loop = loop_new()};

    world.timer = loop_timer_new(world.loop, on_free_itself, &world);
    loop_timer_set(world.timer, 0);
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_null(world.timer);
    loop_free(world.loop);
}

Test(loop, runs_deferred_calls_in_order_and_those_they_defer_after_them)
{
    struct world world = {.loop = loop_new()};

    loop_defer(world.loop, on_deferred_stop, &world);
    loop_defer(world.loop, on_deferred, &world);
    cr_assert_str_eq(world.log, "");
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_str_eq(world.log, "Dds");
    loop_free(world.loop);
}

Test(loop, takes_any_number_of_deferred_calls)
{
    struct world world = {.loop = loop_new()};
    static const int many = 10000;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < many; i++)
            loop_defer(world.loop, i < many - 40 ? on_nothing : on_deferred, &world);
        world.len = 0;
        loop_defer(world.loop, on_stop, &world);
        cr_assert_eq(loop_run(world.loop), 0);
        cr_assert_eq(world.len, 41);
    }
    loop_free(world.loop);
}

Test(loop, calls_what_still_waits_when_it_is_freed)
{
    struct world world = {.loop = loop_new()};

    loop_defer(world.loop, on_deferred_stop, &world);
    loop_free(world.loop);
    cr_assert_str_eq(world.log, "Ds");
}

/* A descriptor that is always readable, as some are under constant traffic. */
static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct world *world = ctx;

    (void)fd;
    (void)what;
    if (world->len < 3)
        note(world, 'r');
    if (world->len == 1)
        loop_defer(world->loop, on_deferred_stop, world);
}

Test(loop, runs_deferred_calls_even_when_descriptors_are_always_ready)
{
    struct world world = {.loop = loop_new()};

    cr_assert_eq(pipe(world.pipe), 0);
    cr_assert_eq(write(world.pipe[1], "x", 1), 1);
    world.readable =
        event_new(loop_base(world.loop), world.pipe[0], EV_READ | EV_PERSIST, on_readable, &world);
    event_add(world.readable, NULL);
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_str_eq(world.log, "rDrs");
    event_free(world.readable);
    close(world.pipe[0]);
    close(world.pipe[1]);
    loop_free(world.loop);
}

static void on_one(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    note(ctx, '1');
}

static void on_other(evutil_socket_t fd, short what, void *ctx)
{
    struct world *world = ctx;

    (void)fd;
    (void)what;
    note(world, '2');
    if (world->len >= 8)
        loop_stop(world->loop);
}

Test(loop, serves_each_descriptor_that_is_always_ready_in_each_turn)
{
    struct world world = {.loop = loop_new()};
    struct event *one, *other;

    cr_assert_eq(pipe(world.pipe), 0);
    cr_assert_eq(write(world.pipe[1], "x", 1), 1);
    one = event_new(loop_base(world.loop), world.pipe[0], EV_READ | EV_PERSIST, on_one, &world);
    other =
        event_new(loop_base(world.loop), world.pipe[1], EV_WRITE | EV_PERSIST, on_other, &world);
    cr_assert_eq(event_priority_set(one, 0), 0, "the first; there must be no other");
    event_add(one, NULL);
    event_add(other, NULL);
    cr_assert_eq(loop_run(world.loop), 0);
    for (int i = 0; i + 1 < world.len; i += 2)
        cr_assert_neq(world.log[i], world.log[i + 1], "%s", world.log);
    event_free(one);
    event_free(other);
    close(world.pipe[0]);
    close(world.pipe[1]);
    loop_free(world.loop);
}

Test(loop, calls_for_each_signal)
{
    struct world world = {.loop = loop_new()};

    cr_assert_eq(loop_on_signal(world.loop, SIGUSR1, on_deferred, &world), 0);
    cr_assert_eq(loop_on_signal(world.loop, SIGUSR2, on_stop, &world), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_str_eq(world.log, "ds");
    loop_free(world.loop);
}

Test(loop, can_be_run_again_after_a_stop)
{
    struct world world = {.loop = loop_new()};

    for (int i = 0; i < 3; i++) {
        loop_defer(world.loop, on_stop, &world);
        cr_assert_eq(loop_run(world.loop), 0);
    }
    cr_assert_str_eq(world.log, "sss");
    cr_assert_geq(loop_wall_ms(world.loop), UINT64_C(1600000000000));
    loop_free(world.loop);
    loop_free(NULL);
}

/* Takes back what waits behind it in this turn, and what waits for the next one. */
static void on_deferred_undefer(void *ctx)
{
    struct world *world = ctx;

    note(world, 'u');
    loop_defer(world->loop, on_stop, world);
    loop_defer(world->loop, on_deferred, world);
    loop_undefer(world->loop, on_deferred, world);
}

Test(loop, what_is_taken_back_is_not_called_whether_its_turn_has_begun_or_not)
{
    struct world world = {.loop = loop_new()}, other = {.loop = world.loop};

    loop_defer(world.loop, on_deferred, &world);
    loop_undefer(world.loop, on_deferred, &world);
    loop_defer(world.loop, on_deferred, &other);
    loop_defer(world.loop, on_deferred_undefer, &world);
    loop_defer(world.loop, on_deferred, &world);
    loop_defer(world.loop, on_deferred, &other);
    cr_assert_eq(loop_run(world.loop), 0);
    cr_assert_str_eq(world.log, "us");
    cr_assert_str_eq(other.log, "dd");
    loop_free(world.loop);
}
