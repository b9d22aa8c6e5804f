/* poll_memory: boxes of polls, and who is told what of them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "loop_testing.h"
#include "socketio/poll_memory.h"

#define SID NOTIFY_STR("session")
#define INTERVAL_MS 300
#define TIMEOUT_MS 200
#define INPUT_MAX 100

/* What a call was answered with. */
struct told {
    unsigned times, wakes;
    enum poll_result result;
    struct poll_taken taken;
    char state[64], input[256], answer[64];
};

static struct poll_memory *memory;
static struct poll_store store;

static void keep(char *out, size_t room, struct notify_str text)
{
    cr_assert_lt(text.len, room);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static void tell(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct told *told = ctx;

    told->times++;
    told->result = result;
    told->taken = *taken;
    keep(told->state, sizeof(told->state), taken->state);
    keep(told->input, sizeof(told->input), taken->input);
    keep(told->answer, sizeof(told->answer), taken->answer);
}

static void wake(void *ctx)
{
    ((struct told *)ctx)->wakes++;
}

static void setup(void)
{
    const struct poll_memory_config config = {INTERVAL_MS, TIMEOUT_MS, INPUT_MAX, 2};
    struct told told = {.times = 0};

    memory = poll_memory_new(LOOP_TESTING, &config);
    store = poll_memory_store(memory);
    store.ops->open(store.store, SID, tell, &told);
    cr_assert_eq(told.times, 0, "never within the call");
    loop_testing_run_deferred();
    cr_assert(told.times == 1 && told.result == POLL_DONE);
}

static void teardown(void)
{
    poll_memory_free(memory);
}

TestSuite(poll_memory, .init = setup, .fini = teardown);

static void take(struct told *told, const char *t, enum poll_taker taker)
{
    const struct poll_taking taking = {
        .sid = SID, .t = notify_str_z(t), .taker = taker, .on_wake = wake, .ctx = told};

    store.ops->take(store.store, &taking, tell);
    loop_testing_run_deferred();
}

static enum poll_result push(const char *payload, unsigned flags)
{
    struct told told = {.times = 0};

    store.ops->push(store.store, SID, notify_str_z(payload), flags, tell, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.times, 1);
    return told.result;
}

static void post_close(struct told *told, const char *payload)
{
    const struct poll_taking taking = {.sid = SID, .on_wake = wake, .ctx = told};

    store.ops->close(store.store, &taking, notify_str_z(payload), tell);
    loop_testing_run_deferred();
}

static void look(struct told *told)
{
    store.ops->look(store.store, told->taken.hold, tell, told);
    loop_testing_run_deferred();
}

static enum poll_result give_back(struct told *told, const char *state, const char *answer,
                                  bool pinged)
{
    const struct poll_giving giving = {.state = notify_str_z(state),
                                       .answer = notify_str_z(answer),
                                       .pinged = pinged,
                                       .answers = true};

    store.ops->give_back(store.store, told->taken.hold, &giving, tell, told);
    loop_testing_run_deferred();
    return told->result;
}

Test(poll_memory, a_box_goes_from_one_get_to_the_next_with_what_was_posted)
{
    struct told first = {.times = 0}, second = {.times = 0};

    cr_assert_eq(push("4a", 0), POLL_DONE);
    cr_assert_eq(push("4b\x1e"
                      "4c",
                      0),
                 POLL_DONE);
    take(&first, "t1", POLL_FOR_GET);
    cr_assert_eq(first.result, POLL_DONE);
    cr_assert_str_eq(first.state, "");
    cr_assert_str_eq(first.input, "4a\x1e"
                                  "4b\x1e"
                                  "4c");
    cr_assert_eq(give_back(&first, "state", "answer", false), POLL_DONE);
    cr_assert_eq(push("4d", 0), POLL_DONE);
    take(&second, "t2", POLL_FOR_GET);
    cr_assert_str_eq(second.state, "state");
    cr_assert_str_eq(second.input, "4d");
    cr_assert_eq(give_back(&second, "", "", false), POLL_DONE);
}

Test(poll_memory, a_holder_is_woken_by_a_post_and_sees_it_once)
{
    struct told holder = {.times = 0}, next = {.times = 0};

    take(&holder, "", POLL_FOR_GET);
    cr_assert_eq(push("4a", 0), POLL_DONE);
    cr_assert_eq(holder.wakes, 1);
    look(&holder);
    cr_assert_str_eq(holder.input, "4a");
    cr_assert_eq(push("4b", 0), POLL_DONE);
    look(&holder);
    cr_assert_str_eq(holder.input, "4b");
    cr_assert_eq(push("4c", 0), POLL_DONE); /* it does not look at this one any more */
    cr_assert_eq(give_back(&holder, "s", "a", false), POLL_DONE);
    take(&next, "", POLL_FOR_GET);
    cr_assert_str_eq(next.input, "4c");
    cr_assert_eq(give_back(&next, "s", "a", false), POLL_DONE);
}

Test(poll_memory, what_was_never_looked_at_stays_though_the_box_was_empty_when_it_was_taken)
{
    struct told holder = {.times = 0}, next = {.times = 0};

    take(&holder, "", POLL_FOR_GET);
    cr_assert_eq(push("4a", 0), POLL_DONE);
    cr_assert_eq(give_back(&holder, "s", "a", false), POLL_DONE);
    take(&next, "", POLL_FOR_GET);
    cr_assert_str_eq(next.input, "4a");
    cr_assert_eq(give_back(&next, "s", "a", false), POLL_DONE);
}

Test(poll_memory, the_same_get_once_more_has_the_same_answer)
{
    struct told first = {.times = 0}, again = {.times = 0}, next = {.times = 0};

    take(&first, "t1", POLL_FOR_GET);
    (void)give_back(&first, "s", "answer", false);
    take(&again, "t1", POLL_FOR_GET);
    cr_assert(again.result == POLL_DONE && again.taken.again && again.taken.hold == NULL);
    cr_assert_str_eq(again.answer, "answer");
    take(&next, "t2", POLL_FOR_GET);
    cr_assert(next.result == POLL_DONE && !next.taken.again);
    (void)give_back(&next, "s", "answer", false);
}

Test(poll_memory, a_second_get_ends_the_session_for_both)
{
    struct told first = {.times = 0}, second = {.times = 0}, third = {.times = 0};

    take(&first, "", POLL_FOR_GET);
    take(&second, "", POLL_FOR_GET);
    cr_assert_eq(second.result, POLL_OVERLAP);
    cr_assert_eq(first.wakes, 1);
    look(&first);
    cr_assert_eq(first.result, POLL_OVERLAP);
    take(&third, "", POLL_FOR_GET);
    cr_assert_eq(third.result, POLL_UNKNOWN);
}

Test(poll_memory, a_holder_that_gives_back_what_it_has_lost_is_told_why)
{
    struct told first = {.times = 0};

    struct told second = {.times = 0};

    take(&first, "", POLL_FOR_GET);
    take(&second, "", POLL_FOR_GET);
    cr_assert_eq(first.wakes, 1);
    cr_assert_eq(give_back(&first, "s", "a", false), POLL_OVERLAP);
    cr_assert_eq(push("4a", 0), POLL_UNKNOWN);
}

Test(poll_memory, a_close_is_read_by_the_holder_and_without_one_its_sender_is_it)
{
    struct told holder = {.times = 0}, closer = {.times = 0}, late = {.times = 0};

    take(&holder, "", POLL_FOR_GET);
    post_close(&closer, "41\x1e"
                        "1");
    cr_assert(closer.result == POLL_DONE && closer.taken.hold == NULL);
    cr_assert_eq(holder.wakes, 1);
    look(&holder);
    cr_assert_str_eq(holder.input, "41\x1e"
                                   "1");
    cr_assert_eq(give_back(&holder, "state", "", false), POLL_DONE);
    cr_assert_eq(push("42", 0), POLL_DONE);
    post_close(&closer, "1");
    cr_assert(closer.result == POLL_DONE && closer.taken.hold != NULL);
    cr_assert_str_eq(closer.state, "state");
    cr_assert_str_eq(closer.input, "42\x1e"
                                   "1");
    store.ops->drop(store.store, SID, closer.taken.hold);
    take(&late, "", POLL_FOR_GET);
    cr_assert_eq(late.result, POLL_UNKNOWN);
}

Test(poll_memory, a_ping_is_due_after_the_interval_and_again_only_after_its_pong)
{
    struct told told = {.times = 0};

    take(&told, "", POLL_FOR_GET);
    cr_assert_eq(told.taken.ping_in_ms, INTERVAL_MS);
    cr_assert_eq(told.taken.dead_in_ms, INTERVAL_MS + TIMEOUT_MS);
    (void)give_back(&told, "s", "2", true);
    loop_testing_advance(100);
    take(&told, "", POLL_FOR_GET);
    cr_assert_eq(told.taken.ping_in_ms, POLL_NEVER);
    cr_assert_eq(told.taken.dead_in_ms, INTERVAL_MS + TIMEOUT_MS - 100);
    cr_assert_eq(push("3", POLL_PONG), POLL_DONE);
    look(&told);
    cr_assert_eq(told.taken.ping_in_ms, INTERVAL_MS);
    (void)give_back(&told, "s", "", false);
}

Test(poll_memory, a_box_is_gone_at_its_deadline_and_its_holder_is_told)
{
    struct told holder = {.times = 0}, late = {.times = 0};

    take(&holder, "", POLL_FOR_GET);
    loop_testing_advance(INTERVAL_MS + TIMEOUT_MS);
    take(&late, "", POLL_FOR_GET);
    cr_assert_eq(late.result, POLL_UNKNOWN);
    loop_testing_advance(100);
    cr_assert_eq(holder.wakes, 1);
    look(&holder);
    cr_assert_eq(holder.result, POLL_UNKNOWN);
}

Test(poll_memory, an_upgrade_is_asked_for_once_and_answers_gets_until_it_is_done)
{
    struct told holder = {.times = 0}, told = {.times = 0};

    take(&holder, "", POLL_FOR_GET);
    store.ops->probe(store.store, SID, tell, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_DONE);
    cr_assert_eq(holder.wakes, 1);
    look(&holder);
    cr_assert(holder.taken.probed);
    (void)give_back(&holder, "state", "6", false);
    store.ops->probe(store.store, SID, tell, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_PROBED);
    take(&told, "", POLL_FOR_GET);
    cr_assert_eq(told.result, POLL_PROBED);
    cr_assert_eq(push("4late", 0), POLL_DONE);
    take(&told, "", POLL_FOR_UPGRADE);
    cr_assert_eq(told.result, POLL_DONE);
    cr_assert_str_eq(told.state, "state");
    cr_assert_str_eq(told.input, "4late");
    take(&told, "", POLL_FOR_GET);
    cr_assert_eq(told.result, POLL_UPGRADED);
    cr_assert_eq(push("4a", 0), POLL_UPGRADED);
    store.ops->check(store.store, SID, tell, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_UPGRADED);
}

Test(poll_memory, an_upgrade_that_was_given_up_leaves_the_box_as_it_was)
{
    struct told told = {.times = 0};

    store.ops->probe(store.store, SID, tell, &told);
    store.ops->unprobe(store.store, SID);
    take(&told, "", POLL_FOR_GET);
    cr_assert(told.result == POLL_DONE && !told.taken.probed);
    (void)give_back(&told, "", "", false);
}

Test(poll_memory, more_input_than_a_box_holds_ends_the_session)
{
    char large[INPUT_MAX + 2];

    memset(large, 'x', INPUT_MAX + 1);
    large[INPUT_MAX + 1] = '\0';
    cr_assert_eq(push("4a", 0), POLL_DONE);
    cr_assert_eq(push(large, 0), POLL_FULL);
    cr_assert_eq(push("4a", 0), POLL_UNKNOWN);
}

Test(poll_memory, there_are_only_so_many_boxes)
{
    struct told told = {.times = 0};

    store.ops->open(store.store, NOTIFY_STR("second"), tell, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_DONE);
    store.ops->open(store.store, NOTIFY_STR("third"), tell, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_AWAY);
}

Test(poll_memory, a_holder_that_drops_its_box_ends_the_session)
{
    struct told told = {.times = 0};

    take(&told, "", POLL_FOR_GET);
    store.ops->drop(store.store, SID, told.taken.hold);
    take(&told, "", POLL_FOR_GET);
    cr_assert_eq(told.result, POLL_UNKNOWN);
}

Test(poll_memory, what_is_under_way_is_forgotten_with_the_whole)
{
    struct told told = {.times = 0};

    take(&told, "", POLL_FOR_GET);
    told.times = 0;
    store.ops->look(store.store, told.taken.hold, tell, &told);
    poll_memory_free(memory);
    memory = NULL;
    loop_testing_run_deferred();
    cr_assert_eq(told.times, 0);
}
