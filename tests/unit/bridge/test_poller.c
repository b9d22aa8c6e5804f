/* poller: whoever has a wish that its socket meets is called, nobody else, and never one that has
 * been freed, whatever those who are called before it do. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "net/poller.h"
#include "random_testing.h"

#define PEERS 600 /* more than are called in one turn */

/* One end of a pair of sockets. */
struct peer {
    struct polled polled; /* first */
    int other;
    unsigned inputs, outputs;
};

static struct loop *loop;
static struct poller *poller;
static struct peer *peers[PEERS];
static size_t called;

static void (*on_call)(struct peer *peer, enum poller_wish wish);

static void on_ready(struct polled *polled, enum poller_wish wish)
{
    struct peer *peer = (struct peer *)polled;

    called++;
    cr_assert(peer->polled.wishes & wish, "it does not wish for that");
    peer->inputs += wish == POLLER_INPUT;
    peer->outputs += wish == POLLER_OUTPUT;
    if (on_call != NULL)
        on_call(peer, wish);
}

static struct peer *peer_new(void)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    int ends[2];

    cr_assert_not_null(peer);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    peer->polled.fd = ends[0];
    peer->other = ends[1];
    return peer;
}

static void peer_free(struct peer *peer)
{
    poller_close(poller, &peer->polled);
    if (peer->other >= 0)
        (void)close(peer->other);
    free(peer);
}

static void begin(size_t count)
{
    loop = loop_new();
    poller = poller_new(loop, on_ready);
    cr_assert_not_null(poller);
    on_call = NULL;
    called = 0;
    for (size_t i = 0; i < count; i++)
        peers[i] = peer_new();
}

static void end(size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (peers[i] != NULL)
            peer_free(peers[i]);
    poller_free(poller);
    loop_free(loop);
}

static void on_stop(void *ctx)
{
    loop_stop(ctx);
}

static void turn(void)
{
    loop_defer(loop, on_stop, loop); /* so that it does not wait */
    cr_assert_eq(loop_run(loop), 0);
}

static void wish(struct peer *peer, unsigned wishes)
{
    cr_assert_eq(poller_wish(poller, &peer->polled, wishes), 0);
    cr_assert_eq(peer->polled.wishes, wishes);
}

static void say(const struct peer *peer)
{
    cr_assert_eq(write(peer->other, "x", 1), 1);
}

Test(poller, who_wishes_for_something_is_called_when_there_is_that)
{
    begin(3);
    wish(peers[0], POLLER_INPUT);
    wish(peers[1], POLLER_OUTPUT);
    wish(peers[2], POLLER_INPUT | POLLER_OUTPUT);
    turn();
    cr_assert(peers[0]->inputs == 0 && peers[1]->outputs == 1 && peers[2]->outputs == 1);
    for (int i = 0; i < 3; i++)
        say(peers[i]);
    turn();
    cr_assert(peers[0]->inputs == 1 && peers[1]->inputs == 0 && peers[2]->inputs == 1);
    wish(peers[2], POLLER_INPUT);
    wish(peers[1], 0);
    turn();
    cr_assert(peers[0]->inputs == 2 && peers[1]->outputs == 2);
    cr_assert(peers[2]->inputs == 2 && peers[2]->outputs == 2);
    end(3);
}

Test(poller, a_broken_socket_is_all_that_is_wished_for_and_none_wakes_who_wishes_for_nothing)
{
    begin(3);
    wish(peers[0], POLLER_INPUT);
    wish(peers[1], POLLER_OUTPUT);
    wish(peers[2], POLLER_INPUT);
    wish(peers[2], 0);
    for (int i = 0; i < 3; i++) {
        (void)close(peers[i]->other);
        peers[i]->other = -1;
    }
    turn();
    cr_assert(peers[0]->inputs == 1 && peers[1]->outputs == 1 && called == 2);
    end(3);
}

Test(poller, who_rests_from_input_is_not_called_and_is_told_to_the_kernel_when_there_is_some)
{
    begin(2);
    wish(peers[0], POLLER_INPUT);
    wish(peers[1], POLLER_INPUT);
    for (int i = 0; i < 3; i++) {
        wish(peers[0], 0);
        wish(peers[1], 0);
        cr_assert(peers[0]->polled.told == POLLER_INPUT && peers[1]->polled.told == POLLER_INPUT);
        wish(peers[1], POLLER_INPUT);
    }
    say(peers[0]);
    say(peers[1]);
    turn();
    cr_assert(peers[0]->inputs == 0 && peers[1]->inputs == 1);
    cr_assert(peers[0]->polled.told == 0, "it wakes the loop again and again");
    wish(peers[0], POLLER_INPUT);
    turn();
    cr_assert_eq(peers[0]->inputs, 1);
    end(2);
}

Test(poller, of_very_many_some_are_called_in_a_turn_and_all_before_any_is_called_again)
{
    size_t turns = 0;

    begin(PEERS);
    for (size_t i = 0; i < PEERS; i++) {
        wish(peers[i], POLLER_INPUT);
        say(peers[i]);
    }
    while (called < PEERS) {
        size_t before = called;
        turn();
        cr_assert_leq(called - before, POLLER_AT_ONCE);
        turns++;
    }
    cr_assert_eq(turns, (PEERS + POLLER_AT_ONCE - 1) / POLLER_AT_ONCE);
    for (size_t i = 0; i < PEERS; i++)
        cr_assert(peers[i]->inputs == 1 || peers[i]->inputs == 2, "%zu: %u", i, peers[i]->inputs);
    end(PEERS);
}

/* Frees some, changes the wishes of some, and puts others in the place of some. */
static void do_anything(struct peer *peer, enum poller_wish wish)
{
    (void)peer;
    (void)wish;
    for (unsigned n = below(4); n > 0; n--) {
        size_t i = below(PEERS);

        if (peers[i] != NULL && chance(40)) {
            peer_free(peers[i]);
            peers[i] = NULL;
        } else if (peers[i] == NULL) {
            peers[i] = peer_new();
            say(peers[i]);
        }
        if (peers[i] != NULL)
            cr_assert_eq(poller_wish(poller, &peers[i]->polled, (unsigned)below(4)), 0);
    }
}

Test(poller, any_may_be_freed_or_changed_while_others_are_called, .timeout = 60)
{
    random_begin(1);
    begin(PEERS);
    for (size_t i = 0; i < PEERS; i++) {
        wish(peers[i], POLLER_INPUT | POLLER_OUTPUT);
        say(peers[i]);
    }
    on_call = do_anything;
    for (int i = 0; i < 200; i++)
        turn();
    cr_assert_gt(called, 1000);
    end(PEERS);
}

Test(poller, one_that_is_closed_is_not_looked_at_again_though_a_child_has_its_descriptor_still)
{
    int of_child, other;

    begin(2);
    wish(peers[0], POLLER_INPUT);
    wish(peers[1], POLLER_INPUT);
    of_child = dup(peers[0]->polled.fd);
    other = peers[0]->other;
    peers[0]->other = -1;
    peer_free(peers[0]);
    peers[0] = NULL;
    cr_assert_eq(write(other, "x", 1), 1);
    say(peers[1]);
    turn();
    cr_assert_eq(called, 1);
    cr_assert_eq(peers[1]->inputs, 1);
    (void)close(of_child);
    (void)close(other);
    end(2);
}
