/* What is told once follows are live. */
#include <criterion/criterion.h>

#include "clients/ask.h"
#include "channels/follow.h"
#include "channels/router.h"

/* In place of the router: a follow's key stands where its channel would. */
struct notify_str follow_key(const struct follow *follow)
{
    return notify_str_z((const char *)follow->channel);
}

static struct follow follow_of(const char *key)
{
    return (struct follow){.channel = (struct channel *)key};
}

static void done(struct client *client, struct ask *ask)
{
    (void)client;
    (void)ask;
}

static void check_result(const struct ask *ask, const char *key, bool recovered, int count)
{
    const json_t *result = json_object_get(ask->results, key);

    cr_assert_not_null(result, "%s", key);
    cr_assert_eq(json_is_true(json_object_get(result, "recovered")), recovered);
    cr_assert_eq(json_integer_value(json_object_get(result, "count")), count);
}

Test(ask, is_done_when_all_are_live_and_it_is_closed)
{
    struct ask *ask = ask_new(2, done, NULL, NULL, true);
    struct follow a = follow_of("inbox:a"), b = follow_of("topic:b");

    ask_await(ask, &a);
    ask_await(ask, &b);
    cr_assert_eq(ask->pending, 3, "two, and that it is not closed");
    a.count = 5;
    ask_resolve(ask, &a);
    b.gap = true;
    ask_resolve(ask, &b);
    cr_assert_eq(ask->pending, 1);
    check_result(ask, "inbox:a", true, 5);
    check_result(ask, "topic:b", false, 0);
    ask_free(ask);
}

Test(ask, a_follow_counts_once)
{
    struct ask *ask = ask_new(2, done, NULL, NULL, true);
    struct follow a = follow_of("a"), stranger = follow_of("s");

    ask_await(ask, &a);
    ask_resolve(ask, &stranger);
    cr_assert_eq(ask->pending, 2);
    ask_resolve(ask, &a);
    ask_resolve(ask, &a);
    cr_assert_eq(ask->pending, 1);
    cr_assert_eq(json_object_size(ask->results), 1);
    ask_free(ask);
}

Test(ask, keeps_what_it_was_given)
{
    json_t *id = json_integer(7), *subject = json_object();
    struct ask *ask = ask_new(0, done, id, subject, true);

    cr_assert_eq(ask->request_id, id);
    cr_assert_eq(ask->subject, subject);
    json_decref(id);
    json_decref(subject);
    cr_assert_eq(json_integer_value(ask->request_id), 7);
    ask_free(ask);
    ask_free(NULL);
}

Test(ask, a_key_that_is_no_utf_8_does_no_harm)
{
    struct ask *ask = ask_new(1, done, NULL, NULL, true);
    struct follow a = follow_of("\xff");

    ask_await(ask, &a);
    ask_resolve(ask, &a);
    cr_assert_eq(ask->pending, 1);
    cr_assert_eq(json_object_size(ask->results), 0);
    ask_free(ask);
}

Test(ask, results_are_kept_only_for_who_wants_them)
{
    struct ask *ask = ask_new(1, done, NULL, NULL, false);
    struct follow a = follow_of("a");

    ask_await(ask, &a);
    ask_resolve(ask, &a);
    cr_assert_eq(ask->pending, 1);
    cr_assert_null(ask->results);
    ask_free(ask);
}
