/* Who gets which reply. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "redis/pending.h"
#include "redis/resp.h"

static struct pending pending;
static char heard[512]; /* what the waiting have been told, in order */

static void on_reply(void *ctx, const struct resp *reply)
{
    size_t len = strlen(heard);

    (void)snprintf(heard + len, sizeof(heard) - len, "%s=%s%.*s ", (const char *)ctx,
                   reply != NULL && reply->kind == RESP_ERROR ? "!" : "",
                   reply == NULL ? 4 : (int)reply->str.len,
                   reply == NULL ? "none" : reply->str.ptr);
}

static void setup(void)
{
    pending = (struct pending){0};
    heard[0] = '\0';
}

static void teardown(void)
{
    pending_fail(&pending);
    pending_release(&pending);
}

TestSuite(pending, .init = setup, .fini = teardown);

static bool answer(enum resp_kind kind, const char *text)
{
    struct resp reply = {.kind = kind, .str = notify_str_z(text)};

    return pending_answer(&pending, &reply);
}

static void wait_for(const char *who)
{
    cr_assert_eq(pending_push(&pending, on_reply, (void *)who), 0);
}

static void wait_fenced(const char *who, const char *expected)
{
    char fence[PENDING_FENCE_MAX];

    cr_assert_eq(pending_push_fenced(&pending, on_reply, (void *)who, fence), 0);
    cr_assert_str_eq(fence, expected);
}

Test(pending, replies_come_in_the_order_of_the_commands)
{
    wait_for("a");
    wait_for("b");
    cr_assert(answer(RESP_STRING, "1"));
    wait_for("c");
    cr_assert(answer(RESP_ERROR, "2"));
    cr_assert(answer(RESP_STRING, "3"));
    cr_assert_str_eq(heard, "a=1 b=!2 c=3 ");
    cr_assert_not(answer(RESP_STRING, "4"), "nobody waits for it");
}

Test(pending, a_refused_command_gets_its_error_and_the_others_their_replies)
{
    wait_for("a");
    wait_fenced("b", "1");
    wait_fenced("c", "2");
    wait_for("d");
    cr_assert(answer(RESP_STRING, "A"));
    cr_assert(answer(RESP_ERROR, "NOPERM"));
    cr_assert_str_eq(heard, "a=A ", "told when all has come");
    cr_assert(answer(RESP_STRING, "1"));
    cr_assert(answer(RESP_STRING, "2"));
    cr_assert(answer(RESP_STRING, "D"));
    cr_assert_str_eq(heard, "a=A b=!NOPERM c=2 d=D ");
}

Test(pending, a_server_that_refuses_the_fence_too_is_not_misunderstood)
{
    wait_fenced("a", "1");
    wait_fenced("b", "2");
    cr_assert(answer(RESP_ERROR, "BUSY 1"));
    cr_assert(answer(RESP_ERROR, "BUSY 2"));
    cr_assert(answer(RESP_STRING, "2"));
    cr_assert_str_eq(heard, "a=!BUSY 1 b=2 ");
}

Test(pending, what_fits_nobody_shows_that_the_link_is_out_of_step)
{
    wait_fenced("a", "1");
    wait_for("b");
    cr_assert_not(answer(RESP_STRING, "OK"));
    cr_assert_not(answer(RESP_STRING, "2"));
    cr_assert_not(answer(RESP_INTEGER, ""));
    cr_assert_not(answer(RESP_NIL, ""));
    cr_assert(answer(RESP_ERROR, "x"));
    cr_assert_not(answer(RESP_STRING, "OK"));
    cr_assert_str_eq(heard, "");
}

Test(pending, the_end_is_told_to_everyone)
{
    wait_for("a");
    wait_fenced("b", "1");
    wait_for("c");
    cr_assert(answer(RESP_STRING, "1"));
    cr_assert(answer(RESP_ERROR, "NOPERM"));
    pending_fail(&pending);
    cr_assert_str_eq(heard, "a=1 b=none c=none ");
}

Test(pending, very_many_may_wait_but_not_without_end)
{
    for (int i = 0; i < PENDING_MAX; i++)
        wait_for("");
    cr_assert_eq(pending_push(&pending, on_reply, NULL), -EBUSY);
    for (int i = 0; i < PENDING_MAX; i++) {
        heard[0] = '\0';
        cr_assert(answer(RESP_NIL, ""));
    }
    cr_assert_eq(pending.len, 0);
    wait_for("a");
}
