/* What is told once follows are live. */
#include <criterion/criterion.h>

#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/ask.h"
#include "clients/sender.h"

/* In place of sender.c. */
static int calls;

void sender_call_begin(struct sender *sender, size_t bytes)
{
    (void)sender;
    (void)bytes;
    calls++;
}

void sender_call_end(struct sender *sender, size_t bytes)
{
    (void)sender;
    (void)bytes;
    calls--;
}

/* In place of channel.c: a follow's key stands where its channel would. */
struct notify_str follow_key(const struct follow *follow)
{
    return notify_str_z((const char *)follow->channel);
}

static uint32_t box_epoch;

uint32_t follow_box_epoch(const struct follow *follow)
{
    (void)follow;
    return box_epoch;
}

static struct follow follow_of(const char *key)
{
    return (struct follow){.channel = (struct channel *)(void *)key};
}

static json_t *results; /* of the last ask that was done */
static int times_done;

static void done(struct client *client, struct ask *ask)
{
    (void)client;
    times_done++;
    json_decref(results);
    results = json_incref(ask->results);
}

static void check_result(const char *key, bool recovered, int count)
{
    const json_t *result = json_object_get(results, key);

    cr_assert_not_null(result, "%s", key);
    cr_assert_eq(json_is_true(json_object_get(result, "recovered")), recovered);
    cr_assert_eq(json_integer_value(json_object_get(result, "count")), count);
}

static const struct ask_kind patient_kind = {.done = done, .results = true};
static const struct ask_kind impatient_kind = {.done = done, .results = true, .impatient = true};

static struct ask *open_kind(struct asks *asks, const struct ask_kind *kind, size_t max)
{
    struct ask *ask = ask_new(kind, max, NULL, 0, NULL);

    times_done = 0;
    ask_open(asks, ask, NULL, NULL);
    return ask;
}

static struct ask *open_ask(struct asks *asks, size_t max)
{
    return open_kind(asks, &patient_kind, max);
}

Test(ask, is_done_when_all_are_live_and_it_is_closed)
{
    struct asks asks = {NULL};
    struct ask *ask = open_ask(&asks, 2);
    struct follow a = follow_of("inbox:a"), b = follow_of("topic:b");

    ask_await(ask, &a);
    ask_await(ask, &b);
    a.count = 5;
    asks_resolve(&asks, &a);
    b.gap = true;
    asks_resolve(&asks, &b);
    cr_assert_eq(times_done, 0, "more may be awaited still");
    ask_close(&asks, ask);
    cr_assert_eq(times_done, 1);
    cr_assert_null(asks.first);
    cr_assert_eq(calls, 0);
    check_result("inbox:a", true, 5);
    check_result("topic:b", false, 0);
    json_decref(results);
}

Test(ask, whether_one_tells_how_it_went_is_known_when_it_is_resolved)
{
    static const struct ask_kind telling_kind = {.done = done, .results = true, .tells = true};
    struct asks asks = {NULL};
    struct ask *other = open_ask(&asks, 1), *telling = open_kind(&asks, &telling_kind, 2);
    struct follow a = follow_of("a"), b = follow_of("b");

    ask_await(telling, &a);
    ask_await(telling, &b);
    ask_await(other, &b);
    ask_close(&asks, telling);
    ask_close(&asks, other);
    cr_assert(asks_resolve(&asks, &a));
    cr_assert_not(asks_resolve(&asks, &a), "it has been already");
    cr_assert(asks_resolve(&asks, &b));
    cr_assert_eq(times_done, 2);
    json_decref(results);
}

Test(ask, a_follow_counts_once)
{
    struct asks asks = {NULL};
    struct ask *ask = open_ask(&asks, 2);
    struct follow a = follow_of("a"), b = follow_of("b"), stranger = follow_of("s");

    ask_await(ask, &a);
    ask_await(ask, &b);
    ask_close(&asks, ask);
    asks_resolve(&asks, &stranger);
    asks_resolve(&asks, &a);
    asks_resolve(&asks, &a);
    cr_assert_eq(times_done, 0);
    asks_resolve(&asks, &b);
    cr_assert_eq(times_done, 1);
    json_decref(results);
}

Test(ask, an_impatient_one_does_not_wait_for_whom_is_behind)
{
    struct asks asks = {NULL};
    struct ask *patient = open_ask(&asks, 1), *impatient = open_kind(&asks, &impatient_kind, 1);
    struct follow a = follow_of("a");

    ask_await(patient, &a);
    ask_await(impatient, &a);
    ask_close(&asks, patient);
    ask_close(&asks, impatient);
    asks_fell_behind(&asks, &a);
    cr_assert_eq(times_done, 1);
    cr_assert_eq(asks.first, patient);
    asks_resolve(&asks, &a);
    cr_assert_eq(times_done, 2);
    json_decref(results);
}

static struct asks *reentered;
static struct follow *resolved_within;

/* What done() does may lead back: an answer drains the queue, and that makes another follow live.
 */
static void done_and_again(struct client *client, struct ask *ask)
{
    struct follow *follow = resolved_within;

    done(client, ask);
    resolved_within = NULL;
    if (follow != NULL)
        asks_resolve(reentered, follow);
}

static const struct ask_kind again_kind = {.done = done_and_again, .results = true};

Test(ask, those_that_are_done_while_another_is_told_are_told_too)
{
    struct asks asks = {NULL};
    struct follow a = follow_of("a"), b = follow_of("b");
    struct ask *first, *second;

    reentered = &asks;
    resolved_within = &b;
    second = open_kind(&asks, &again_kind, 1);
    first = open_kind(&asks, &again_kind, 1);
    ask_await(first, &a);
    ask_await(second, &b);
    ask_close(&asks, first);
    ask_close(&asks, second);
    asks_resolve(&asks, &a);
    cr_assert_eq(times_done, 2);
    cr_assert_null(asks.first);
    cr_assert_eq(calls, 0);
    json_decref(results);
}

Test(ask, what_is_refused_is_told_by_an_ask_about_that_follow_alone)
{
    struct asks asks = {NULL};
    json_t *subject = json_string("x");
    struct ask *about = ask_new(&patient_kind, 1, NULL, 0, subject);
    struct ask *greeting = open_ask(&asks, 1);
    struct follow a = follow_of("a"), b = follow_of("b");

    ask_open(&asks, about, NULL, NULL);
    ask_await(about, &a);
    ask_await(greeting, &b);
    cr_assert(asks_refuse(&asks, &a));
    cr_assert_not(asks_refuse(&asks, &b));
    cr_assert(about->refused && greeting->refused);
    asks_free(&asks);
    cr_assert_eq(times_done, 0);
    cr_assert_eq(calls, 0);
    json_decref(subject);
}

static int times_released;

static void release(void *ctx)
{
    cr_assert_eq(ctx, &times_released);
    times_released++;
}

static const struct ask_kind releasing_kind = {.done = done, .release = release};

Test(ask, whoever_is_told_is_let_go_once_done_or_not)
{
    struct asks asks = {NULL};
    struct ask *told = ask_new(&releasing_kind, 0, &times_released, 7, NULL);
    struct ask *cancelled = ask_new(&releasing_kind, 0, &times_released, 7, NULL);

    ask_open(&asks, told, NULL, NULL);
    ask_open(&asks, cancelled, NULL, NULL);
    ask_close(&asks, told);
    cr_assert_eq(times_released, 1);
    ask_cancel(&asks, cancelled);
    cr_assert_eq(times_released, 2);
    cr_assert_eq(calls, 0);
}
