/* poll_box, poll_call, poll_hold: boxes of polled sessions, seen from the bridge. The test plays
 * Redis at the end of two links; what the scripts do is tests/integration/test_poll_scripts.py. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/poll_box.h"
#include "clients/poll_call.h"
#include "clients/poll_scripts.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "redis/turns.h"

#define STATE_MAX 1000

#define SID "abcdefghijklmnopqrst"
#define ITEMS_MAX 8

static struct redis_link subscriber, commands;
static struct turns *turns;
static struct poll_boxes *boxes;
static struct poll_store store;
static char channel[64];
static int settled; /* how often that was told */

/* What was told last, and how often. */
static struct told {
    int calls, wakes;
    enum poll_result result;
    struct poll_hold *hold;
    char state[64], input[64], answer[64];
    bool again, probed;
    int64_t ping_in_ms, dead_in_ms;
    bool known;
} told;

static void keep(char out[64], struct notify_str text)
{
    (void)snprintf(out, 64, "%.*s", (int)text.len, text.ptr == NULL ? "" : text.ptr);
}

static void on_told(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    int calls = told.calls + 1, wakes = told.wakes;

    cr_assert(ctx == &told);
    cr_assert((taken != NULL) == (result == POLL_DONE));
    told = (struct told){.calls = calls, .wakes = wakes, .result = result};
    if (taken == NULL)
        return;
    told.hold = taken->hold;
    told.again = taken->again;
    told.probed = taken->probed;
    told.ping_in_ms = taken->ping_in_ms;
    told.dead_in_ms = taken->dead_in_ms;
    told.known = taken->known;
    keep(told.state, taken->state);
    keep(told.input, taken->input);
    keep(told.answer, taken->answer);
}

#define OF_ALL "eio:bridges"

static void on_settled(void *ctx)
{
    cr_assert(ctx == &told);
    settled++;
}

static void on_wake(void *ctx)
{
    cr_assert(ctx == &told);
    told.wakes++;
}

/* Redis, at the end of the link that hears. */

static void push_words(const char *kind, const char *name, const char *text)
{
    struct resp words[3] = {{.kind = RESP_STRING, .str = notify_str_z(kind)},
                            {.kind = RESP_STRING, .str = notify_str_z(name)},
                            {.kind = text == NULL ? RESP_INTEGER : RESP_STRING,
                             .integer = 1,
                             .str = notify_str_z(text)}};
    struct resp *items[3] = {&words[0], &words[1], &words[2]};
    const struct resp push = {.kind = RESP_PUSH, .len = 3, .items = items};

    poll_boxes_subscriber_handlers.on_push(boxes, &push);
    loop_testing_run_deferred();
}

static void hear(void)
{
    struct link_testing_command *command;

    poll_boxes_subscriber_handlers.on_up(boxes, &subscriber);
    loop_testing_run_deferred();
    while ((command = link_testing_take(&subscriber)) != NULL) {
        cr_assert_eq(command->argc, 2);
        if (!notify_str_eq(command->argv[1], NOTIFY_STR(OF_ALL)))
            keep(channel, command->argv[1]);
        push_words("subscribe", command->argv[1].ptr, NULL);
        link_testing_fence(command);
    }
    loop_testing_run_deferred();
}

static void setup(void)
{
    struct poll_boxes_config config = {.loop = LOOP_TESTING,
                                       .ping_interval_ms = 25000,
                                       .ping_timeout_ms = 20000,
                                       .upgrade_timeout_ms = 10000,
                                       .input_max = 50,
                                       .state_max = STATE_MAX,
                                       .on_settled = on_settled,
                                       .ctx = &told};

    settled = 0;
    memset(&told, 0, sizeof(told));
    log_setup(LOG_ERROR, LOG_LOGFMT);
    link_testing_init(&subscriber);
    link_testing_init(&commands);
    turns = turns_new(&commands.keys);
    config.commands = turns;
    boxes = poll_boxes_new(&config);
    store = poll_boxes_store(boxes);
    hear();
}

static void teardown(void)
{
    link_testing_go_down(&commands);
    link_testing_go_down(&subscriber);
    turns_free(turns);
    poll_boxes_free(boxes);
    loop_testing_run_deferred();
}

TestSuite(poll_box, .init = setup, .fini = teardown);

/* Redis, at the end of the other: a reply in words, NULL behind the last. "#7" is a number. */

static struct link_testing_command *take_command(enum poll_script script)
{
    struct link_testing_command *command;

    loop_testing_run_deferred();
    command = link_testing_take(&commands);
    cr_assert(command != NULL, "nothing was sent");
    cr_assert(notify_str_eq(command->argv[0], NOTIFY_STR("EVALSHA")));
    cr_assert(notify_str_eq(command->argv[1], poll_scripts[script].sha1), "%.40s",
              command->argv[1].ptr);
    cr_assert(notify_str_eq(command->argv[3], NOTIFY_STR("eio:{" SID "}")));
    return command;
}

static void answer_words(struct link_testing_command *command, const char *const words[])
{
    struct resp parts[ITEMS_MAX], *items[ITEMS_MAX];
    struct resp reply = {.kind = RESP_ARRAY, .items = items};

    for (; words[reply.len] != NULL; reply.len++) {
        const char *word = words[reply.len];
        items[reply.len] = &parts[reply.len];
        parts[reply.len] = word[0] == '#'
                               ? (struct resp){.kind = RESP_INTEGER, .integer = atoll(word + 1)}
                               : (struct resp){.kind = RESP_STRING, .str = notify_str_z(word)};
    }
    link_testing_answer(command, &reply);
    loop_testing_run_deferred();
}

#define REPLY(script, ...)                                                                         \
    answer_words(take_command(script), (const char *const[]){__VA_ARGS__, NULL})

static void reply_error(enum poll_script script, const char *text)
{
    const struct resp error = {.kind = RESP_ERROR, .str = notify_str_z(text)};

    link_testing_answer(take_command(script), &error);
    loop_testing_run_deferred();
}

static void take_as(enum poll_taker taker, const char *t)
{
    const struct poll_taking taking = {.sid = NOTIFY_STR(SID),
                                       .t = notify_str_z(t),
                                       .taker = taker,
                                       .on_wake = on_wake,
                                       .ctx = &told};

    store.ops->take(store.store, &taking, on_told);
}

static struct poll_hold *take(void)
{
    take_as(POLL_FOR_GET, "t1");
    REPLY(POLL_TAKE, "DONE", "", "#25000", "#45000", "#0", "1", "state", "0");
    cr_assert(told.result == POLL_DONE && told.hold != NULL);
    return told.hold;
}

static void give(struct poll_hold *hold)
{
    const struct poll_giving giving = {
        .state = NOTIFY_STR("next"), .answer = NOTIFY_STR("2"), .answers = true};

    store.ops->give_back(store.store, hold, &giving, on_told, &told);
}

static void give_well(struct poll_hold *hold)
{
    give(hold);
    REPLY(POLL_GIVE, "DONE", "", "#-1", "#0", "#0", "#2");
    cr_assert_eq(told.result, POLL_DONE);
}

static void wake_by(const struct link_testing_command *of, const char *why)
{
    const char *number = strchr(of->argv[4].ptr, ':') + 1;
    char text[64];

    (void)snprintf(text, sizeof(text), "%s %s", number, why);
    push_words("message", channel, text);
}

/* The first hold of a process has this number. */
static void wake_first(const char *why)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "1 %s", why);
    push_words("message", channel, text);
}

Test(poll_box, the_table_of_scripts_is_in_the_order_of_their_names)
{
    for (int i = 1; i < POLL_SCRIPTS; i++)
        cr_assert_lt(strcmp(poll_scripts[i - 1].name, poll_scripts[i].name), 0);
    cr_assert_str_eq(poll_scripts[POLL_CHECK].name, "check");
    cr_assert_str_eq(poll_scripts[POLL_DROP].name, "drop");
    cr_assert_str_eq(poll_scripts[POLL_UPGRADE].name, "upgrade");
}

Test(poll_box, a_new_box_has_the_times_that_its_client_is_told)
{
    struct link_testing_command *command;

    store.ops->open(store.store, NOTIFY_STR(SID), on_told, &told);
    command = take_command(POLL_OPEN);
    cr_assert(notify_str_eq(command->argv[4], NOTIFY_STR("25000")));
    cr_assert(notify_str_eq(command->argv[5], NOTIFY_STR("20000")));
    answer_words(command, (const char *const[]){"DONE", NULL});
    cr_assert(told.calls == 1 && told.result == POLL_DONE);
}

Test(poll_box, what_a_box_says_is_told_whoever_takes_it)
{
    struct link_testing_command *command;

    take_as(POLL_FOR_GET, "t1");
    cr_assert_eq(told.calls, 0, "never within the call");
    command = take_command(POLL_TAKE);
    cr_assert_eq(strncmp(command->argv[4].ptr, channel + 4, 16), 0, "who takes is heard there");
    cr_assert(notify_str_eq(command->argv[5], NOTIFY_STR("t1")));
    answer_words(command,
                 (const char *const[]){"DONE", "4a", "#-1", "#5", "#0", "7", "state", "1", NULL});
    cr_assert_str_eq(told.state, "state");
    cr_assert_str_eq(told.input, "4a");
    cr_assert(told.ping_in_ms == POLL_NEVER && told.dead_in_ms == 5 && !told.known);
    give_well(told.hold);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, only_what_a_holder_was_told_is_consumed)
{
    struct poll_hold *hold = take();
    struct link_testing_command *look, *command;

    store.ops->look(store.store, hold, on_told, &told);
    REPLY(POLL_LOOK, "DONE", "4a", "#1", "#2", "#1", "#0", "", "3");
    cr_assert(told.probed && strcmp(told.input, "4a") == 0);
    store.ops->look(store.store, hold, on_told, &told);
    look = take_command(POLL_LOOK);
    give(hold);
    answer_words(look, (const char *const[]){"DONE", "4b", "#1", "#2", "#0", "#0", "", "4", NULL});
    cr_assert_eq(told.calls, 2, "who has given back is not told of a look any more");
    command = take_command(POLL_GIVE);
    cr_assert(notify_str_eq(command->argv[5], NOTIFY_STR("next")));
    cr_assert(notify_str_eq(command->argv[6], NOTIFY_STR("1")));
    cr_assert(notify_str_eq(command->argv[7], NOTIFY_STR("2")));
    cr_assert(notify_str_eq(command->argv[9], NOTIFY_STR("3")));
    answer_words(command, (const char *const[]){"DONE", "", "#-1", "#0", "#0", "#2", NULL});
    cr_assert(told.calls == 3 && told.result == POLL_DONE);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

static void look_saying(struct poll_hold *hold, const char *given, const char *own)
{
    struct link_testing_command *command;

    store.ops->look(store.store, hold, on_told, &told);
    command = take_command(POLL_LOOK);
    cr_assert(notify_str_eq(command->argv[5], notify_str_z(given)));
    cr_assert(notify_str_eq(command->argv[6], notify_str_z(own)));
    answer_words(command, (const char *const[]){"DONE", "", "#1", "#2", "#0", "#0", "", "0", NULL});
}

Test(poll_box, who_goes_on_says_what_he_knows_of_the_box_and_whether_he_has_a_get)
{
    static const struct poll_giving giving = {.answers = true, .keeps = true};
    struct poll_hold *hold = take();
    struct link_testing_command *command;

    look_saying(hold, "1", "t1");
    store.ops->give_back(store.store, hold, &giving, on_told, &told);
    command = take_command(POLL_GIVE);
    cr_assert(notify_str_eq(command->argv[11], NOTIFY_STR("1")));
    cr_assert(notify_str_eq(command->argv[12], NOTIFY_STR("t1")));
    answer_words(command, (const char *const[]){"DONE", "", "#-1", "#0", "#0", "#2", NULL});
    look_saying(hold, "2", "");
    store.ops->drop(store.store, NOTIFY_STR(SID), hold);
    REPLY(POLL_DROP, "DONE");
}

Test(poll_box, a_get_that_comes_again_is_answered_as_before_and_holds_nothing)
{
    take_as(POLL_FOR_GET, "t1");
    REPLY(POLL_TAKE, "AGAIN", "42[1]");
    cr_assert(told.result == POLL_DONE && told.again && told.hold == NULL);
    cr_assert_str_eq(told.answer, "42[1]");
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

static const struct {
    const char *word;
    enum poll_result result;
} refusals[] = {
    {"UNKNOWN", POLL_UNKNOWN}, {"UPGRADED", POLL_UPGRADED}, {"OVERLAP", POLL_OVERLAP},
    {"PROBED", POLL_PROBED},   {"nonsense", POLL_UNKNOWN},  {"", POLL_UNKNOWN},
};

Test(poll_box, what_a_box_refuses_is_told_and_nothing_is_held)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        take_as(POLL_FOR_GET, "");
        REPLY(POLL_TAKE, refusals[i].word);
        cr_assert_eq(told.result, refusals[i].result, "%s", refusals[i].word);
        cr_assert_eq(poll_boxes_held(boxes), 0);
    }
}

static const struct {
    const char *text;
    enum poll_result result;
} errors[] = {
    {"ERR user_script:30: attempt to perform arithmetic on a nil value", POLL_UNKNOWN},
    {"WRONGTYPE Operation against a key", POLL_UNKNOWN},
    {"NOPERM this user has no permissions", POLL_AWAY},
    {"LOADING Redis is loading", POLL_AWAY},
    {"BUSY Redis is busy", POLL_AWAY},
    {"OOM command not allowed", POLL_AWAY},
    {"READONLY You can't write against a read only replica", POLL_AWAY},
    {"MISCONF Redis is configured", POLL_AWAY},
};

Test(poll_box, a_box_that_is_none_is_not_known_and_any_other_error_passes)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        take_as(POLL_FOR_GET, "");
        reply_error(POLL_TAKE, errors[i].text);
        cr_assert_eq(told.result, errors[i].result, "%s", errors[i].text);
    }
    cr_assert_eq(counter_values[COUNTER_POLLS_FAILED], sizeof(errors) / sizeof(errors[0]));
}

static void reply_and_expect_unknown(const struct resp *reply)
{
    take_as(POLL_FOR_GET, "");
    link_testing_answer(take_command(POLL_TAKE), reply);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_UNKNOWN);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, replies_of_another_shape_are_no_box)
{
    static char much[STATE_MAX + 1];
    struct resp done = {.kind = RESP_STRING, .str = NOTIFY_STR("DONE")};
    struct resp zero = {.kind = RESP_INTEGER};
    struct resp big = {.kind = RESP_STRING, .str = {much, 51}};
    struct resp nothing = {.kind = RESP_STRING};
    struct resp huge = {.kind = RESP_STRING, .str = {much, sizeof(much)}};
    struct resp *with_input[] = {&done, &big, &zero, &zero, &zero, &zero, &nothing, &zero};
    struct resp *with_state[] = {&done, &nothing, &zero, &zero, &zero, &zero, &huge, &zero};

    reply_and_expect_unknown(&(struct resp){.kind = RESP_NIL});
    reply_and_expect_unknown(&(struct resp){.kind = RESP_INTEGER, .integer = 1});
    reply_and_expect_unknown(&(struct resp){.kind = RESP_ARRAY});
    reply_and_expect_unknown(&(struct resp){.kind = RESP_ARRAY, .len = 8, .items = with_input});
    reply_and_expect_unknown(&(struct resp){.kind = RESP_ARRAY, .len = 8, .items = with_state});
}

Test(poll_box, an_id_that_is_none_of_ours_is_not_asked_for)
{
    const char *sids[] = {"", "short", SID "x", "abcdefghijklmnopqrs}", "abcdefghijklmnopqrs\n"};

    for (size_t i = 0; i < sizeof(sids) / sizeof(sids[0]); i++) {
        store.ops->push(store.store, notify_str_z(sids[i]), NOTIFY_STR("4a"), 0, on_told, &told);
        cr_assert_eq(told.calls, (int)i, "never within the call");
        loop_testing_run_deferred();
        cr_assert_eq(told.result, POLL_UNKNOWN);
    }
    cr_assert_null(link_testing_take(&commands));
}

Test(poll_box, a_server_that_does_not_know_a_script_is_sent_it_once)
{
    const struct resp error = {.kind = RESP_ERROR, .str = NOTIFY_STR("NOSCRIPT No matching")};
    struct link_testing_command *command;

    store.ops->push(store.store, NOTIFY_STR(SID), NOTIFY_STR("4a"), POLL_PONG, on_told, &told);
    link_testing_answer(take_command(POLL_PUSH), &error);
    command = link_testing_take(&commands);
    cr_assert(notify_str_eq(command->argv[0], NOTIFY_STR("EVAL")));
    cr_assert(notify_str_eq(command->argv[1], poll_scripts[POLL_PUSH].text));
    cr_assert(notify_str_eq(command->argv[4], NOTIFY_STR("4a")));
    cr_assert(notify_str_eq(command->argv[5], NOTIFY_STR("1")));
    cr_assert(notify_str_eq(command->argv[6], NOTIFY_STR("50")));
    link_testing_answer(command, &error);
    cr_assert(told.calls == 1 && told.result == POLL_AWAY);
}

Test(poll_box, more_input_than_a_box_takes_is_counted)
{
    store.ops->push(store.store, NOTIFY_STR(SID), NOTIFY_STR("4a"), 0, on_told, &told);
    REPLY(POLL_PUSH, "FULL");
    cr_assert_eq(told.result, POLL_FULL);
    cr_assert_eq(counter_values[COUNTER_POLL_INPUT], 1);
}

static void close_box(void)
{
    const struct poll_taking taking = {.sid = NOTIFY_STR(SID), .on_wake = on_wake, .ctx = &told};

    store.ops->close(store.store, &taking, NOTIFY_STR("1"), on_told);
}

static void reply_held_and_wait(const char *payload)
{
    struct link_testing_command *command = take_command(POLL_CLOSE);

    cr_assert(notify_str_eq(command->argv[4], notify_str_z(payload)));
    answer_words(command, (const char *const[]){"HELD", NULL});
    cr_assert_eq(told.calls, 0);
    loop_testing_advance(20);
}

Test(poll_box, who_closes_waits_for_the_holder_to_read_it)
{
    close_box();
    reply_held_and_wait("1");
    reply_held_and_wait("");
    REPLY(POLL_CLOSE, "UNKNOWN");
    cr_assert(told.calls == 1 && told.result == POLL_DONE && told.hold == NULL);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, who_closes_what_was_given_back_unread_holds_it)
{
    close_box();
    reply_held_and_wait("1");
    REPLY(POLL_CLOSE, "DONE", "1", "#25000", "#45000", "#0", "1", "state", "1");
    cr_assert(told.calls == 1 && told.result == POLL_DONE && told.hold != NULL);
    store.ops->forget(store.store, told.hold);
}

Test(poll_box, who_closes_does_not_wait_for_ever)
{
    close_box();
    for (int i = 1; i < 100; i++)
        reply_held_and_wait(i == 1 ? "1" : "");
    REPLY(POLL_CLOSE, "HELD");
    cr_assert(told.calls == 1 && told.result == POLL_DONE && told.hold == NULL);
}

static void end_and_be_told(void)
{
    link_testing_go_down(&commands);
    poll_boxes_free(boxes);
    boxes = NULL;
    cr_assert(told.calls == 1 && told.result == POLL_AWAY);
}

Test(poll_box, who_waits_to_close_at_the_end_is_told)
{
    close_box();
    reply_held_and_wait("1");
    REPLY(POLL_CLOSE, "HELD");
    end_and_be_told();
}

Test(poll_box, who_closes_holds_the_box)
{
    close_box();
    REPLY(POLL_CLOSE, "DONE",
          "4a\x1e"
          "1",
          "#25000", "#45000", "#0", "1", "state", "2");
    cr_assert(told.result == POLL_DONE && told.hold != NULL);
    cr_assert_eq(poll_boxes_held(boxes), 1);
    store.ops->drop(store.store, NOTIFY_STR(SID), told.hold);
    REPLY(POLL_DROP, "DONE");
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, who_closes_what_is_not_there_or_full_holds_nothing)
{
    close_box();
    REPLY(POLL_CLOSE, "UNKNOWN");
    cr_assert(told.result == POLL_UNKNOWN && told.hold == NULL);
    close_box();
    REPLY(POLL_CLOSE, "FULL");
    cr_assert(told.result == POLL_FULL && told.hold == NULL);
    cr_assert_eq(counter_values[COUNTER_POLL_INPUT], 1);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, a_state_that_is_too_long_ends_the_session_and_is_counted)
{
    static char much[STATE_MAX + 1];
    const struct poll_giving giving = {.state = {much, sizeof(much)}};

    store.ops->give_back(store.store, take(), &giving, on_told, &told);
    REPLY(POLL_DROP, "DONE");
    cr_assert_eq(told.result, POLL_FULL);
    cr_assert_eq(counter_values[COUNTER_POLL_STATE], 1);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, a_holder_is_woken_once_for_all_that_is_said_until_it_looks)
{
    struct poll_hold *hold = take();

    for (int i = 0; i < 3; i++)
        wake_first("input");
    cr_assert_eq(told.wakes, 3, "it had its turn after each");
    store.ops->look(store.store, hold, on_told, &told);
    wake_first("input");
    wake_first("input");
    cr_assert_eq(told.wakes, 3, "not while it looks");
    REPLY(POLL_LOOK, "DONE", "", "#1", "#2", "#0", "#0", "", "0");
    cr_assert_eq(told.wakes, 4);
    give_well(hold);
}

Test(poll_box, who_is_woken_before_he_knows_that_he_holds_is_told_then)
{
    struct link_testing_command *command;

    take_as(POLL_FOR_GET, "");
    command = take_command(POLL_TAKE);
    wake_by(command, "input");
    cr_assert_eq(told.wakes, 0);
    answer_words(command, (const char *const[]){"DONE", "", "#1", "#2", "#0", "1", "", "0", NULL});
    cr_assert_eq(told.wakes, 1);
    give_well(told.hold);
}

static const struct {
    const char *why;
    enum poll_result result;
} ends[] = {
    {"overlap", POLL_OVERLAP}, {"closed", POLL_CLOSED}, {"full", POLL_LOST}, {"input", POLL_LOST}};

Test(poll_box, why_a_box_is_lost_is_believed_once_it_is_lost)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct poll_hold *hold = take();
        char text[64];

        (void)snprintf(text, sizeof(text), "%zu %s", i + 1, ends[i].why);
        push_words("message", channel, text);
        store.ops->look(store.store, hold, on_told, &told);
        REPLY(POLL_LOOK, "LOST");
        cr_assert_eq(told.result, ends[i].result, "%s", ends[i].why);
        cr_assert_eq(poll_boxes_held(boxes), 0);
    }
}

Test(poll_box, what_anybody_says_on_the_channel_ends_nothing)
{
    const char *messages[] = {"",         "1",         " closed",
                              "x closed", "-1 closed", "99999999999999999999999 closed",
                              "2 closed", "0 closed",  "1  ",
                              "1 overlap"};
    struct poll_hold *hold = take();

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        push_words("message", channel, messages[i]);
    cr_assert_eq(told.wakes, 2, "the last two were for it");
    store.ops->look(store.store, hold, on_told, &told);
    REPLY(POLL_LOOK, "DONE", "", "#1", "#2", "#0", "#0", "", "0");
    cr_assert_eq(told.result, POLL_DONE);
    give_well(hold);
}

Test(poll_box, who_could_not_look_is_woken_again_until_he_can)
{
    struct poll_hold *hold = take();

    for (int i = 0; i < 3; i++) {
        store.ops->look(store.store, hold, on_told, &told);
        reply_error(POLL_LOOK, "OOM no");
        cr_assert(told.result == POLL_AWAY && told.wakes == i);
        loop_testing_advance(1000);
        loop_testing_run_deferred();
        cr_assert_eq(told.wakes, i + 1);
    }
    store.ops->look(store.store, hold, on_told, &told);
    REPLY(POLL_LOOK, "DONE", "", "#1", "#2", "#0", "#0", "", "0");
    loop_testing_advance(1000);
    loop_testing_run_deferred();
    cr_assert_eq(told.wakes, 3);
    give_well(hold);
}

Test(poll_box, who_is_asked_for_and_is_here_no_more_is_said_to_be_so)
{
    const char *all[] = {"1 wanted", "0 wanted " SID, "x wanted " SID, "1 wanted no-sid"};
    struct link_testing_command *command;
    struct poll_hold *hold = take();

    push_words("message", channel, "1 wanted " SID);
    cr_assert_null(link_testing_take(&commands), "it is here");
    give(hold);
    push_words("message", channel, "1 wanted " SID);
    cr_assert_eq(told.wakes, 1);
    REPLY(POLL_GIVE, "DONE", "", "#-1", "#0", "#0", "#2");
    push_words("message", channel, "1 wanted " SID);
    command = take_command(POLL_DISOWN);
    cr_assert_str_eq(strchr(command->argv[4].ptr, ':'), ":1");
    answer_words(command, (const char *const[]){"DONE", NULL});
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        push_words("message", channel, all[i]);
    cr_assert_null(link_testing_take(&commands));
    cr_assert_eq(told.calls, 2);
}

Test(poll_box, without_a_link_nothing_is_known_and_a_look_keeps_what_it_held)
{
    struct poll_hold *hold = take();

    link_testing_go_down(&commands);
    store.ops->look(store.store, hold, on_told, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_AWAY);
    store.ops->push(store.store, NOTIFY_STR(SID), NOTIFY_STR("4a"), 0, on_told, &told);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_AWAY);
    cr_assert_eq(poll_boxes_held(boxes), 1);
    give(hold);
    loop_testing_run_deferred();
    cr_assert(told.calls == 4 && told.result == POLL_AWAY);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, a_bridge_that_cannot_be_told_anything_holds_nothing)
{
    poll_boxes_subscriber_handlers.on_down(boxes);
    take_as(POLL_FOR_GET, "");
    cr_assert_eq(told.calls, 0);
    loop_testing_run_deferred();
    cr_assert_eq(told.result, POLL_AWAY);
    cr_assert_null(link_testing_take(&commands));
}

Test(poll_box, whether_it_may_hear_is_settled_by_redis_and_told_once_each_time)
{
    cr_assert(poll_boxes_settled(boxes) && settled == 1);
    poll_boxes_subscriber_handlers.on_down(boxes);
    cr_assert(!poll_boxes_settled(boxes));
    hear();
    cr_assert(poll_boxes_settled(boxes) && settled == 2);
}

Test(poll_box, who_may_not_hear_is_settled_too)
{
    const struct resp error = {.kind = RESP_ERROR, .str = NOTIFY_STR("NOPERM no")};
    struct link_testing_command *command;

    poll_boxes_subscriber_handlers.on_down(boxes);
    poll_boxes_subscriber_handlers.on_up(boxes, &subscriber);
    loop_testing_run_deferred();
    while ((command = link_testing_take(&subscriber)) != NULL) { /* together, and then alone */
        cr_assert(!poll_boxes_settled(boxes) || command->argc == 2);
        link_testing_answer(command, &error);
        loop_testing_run_deferred();
    }
    cr_assert(poll_boxes_settled(boxes) && settled == 2);
}

Test(poll_box, when_it_can_be_told_again_all_holders_look)
{
    struct poll_hold *first = take(), *second = take();

    poll_boxes_subscriber_handlers.on_down(boxes);
    hear();
    cr_assert_eq(told.wakes, 2);
    give_well(first);
    give_well(second);
}

Test(poll_box, an_upgrade_waits_for_whoever_holds)
{
    take_as(POLL_FOR_UPGRADE, "");
    REPLY(POLL_UPGRADE, "HELD");
    cr_assert_eq(told.calls, 0);
    loop_testing_advance(50);
    REPLY(POLL_UPGRADE, "DONE", "4a", "#1", "#2", "#0", "#0", "state", "1");
    cr_assert(told.calls == 1 && told.result == POLL_DONE && told.hold == NULL);
    cr_assert_str_eq(told.input, "4a");
    cr_assert_str_eq(told.state, "state");
}

Test(poll_box, an_upgrade_does_not_wait_for_ever)
{
    int tries = 0;

    take_as(POLL_FOR_UPGRADE, "");
    while (told.calls == 0 && tries++ < 1000) {
        REPLY(POLL_UPGRADE, "HELD");
        loop_testing_advance(50);
    }
    cr_assert_eq(told.result, POLL_AWAY);
    cr_assert_eq(tries, 100);
}

Test(poll_box, who_waits_for_an_upgrade_at_the_end_is_told)
{
    take_as(POLL_FOR_UPGRADE, "");
    REPLY(POLL_UPGRADE, "HELD");
    end_and_be_told();
}

Test(poll_box, at_the_end_nobody_who_waits_is_told_any_more)
{
    store.ops->look(store.store, take(), on_told, &told);
    store.ops->push(store.store, NOTIFY_STR(SID), NOTIFY_STR("4a"), 0, on_told, &told);
    take_as(POLL_FOR_GET, "");
    take_as(POLL_FOR_UPGRADE, "");
    poll_boxes_stop(boxes);
    store.ops->forget(store.store, told.hold);
    link_testing_go_down(&commands);
    loop_testing_run_deferred();
    cr_assert_eq(told.calls, 1, "of the first take");
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

Test(poll_box, who_forgets_or_drops_is_not_called_any_more)
{
    struct poll_hold *hold = take();

    store.ops->look(store.store, hold, on_told, &told);
    store.ops->forget(store.store, hold);
    REPLY(POLL_LOOK, "DONE", "4a", "#1", "#2", "#0", "#0", "", "1");
    hold = take();
    push_words("message", channel, "2 input");
    store.ops->drop(store.store, NOTIFY_STR(SID), hold);
    push_words("message", channel, "2 input");
    REPLY(POLL_DROP, "DONE");
    cr_assert(told.calls == 2 && told.wakes == 1);
    cr_assert_eq(poll_boxes_held(boxes), 0);
}

static void ask_for_others(int64_t listeners)
{
    const struct resp reply = {.kind = RESP_INTEGER, .integer = listeners};
    struct link_testing_command *command;

    store.ops->others(store.store, on_told, &told);
    loop_testing_run_deferred();
    command = link_testing_take(&commands);
    cr_assert(command != NULL && command->argc == 3);
    cr_assert(notify_str_eq(command->argv[0], NOTIFY_STR("PUBLISH")));
    cr_assert(notify_str_eq(command->argv[1], NOTIFY_STR(OF_ALL)));
    link_testing_answer(command, &reply);
    loop_testing_run_deferred();
}

Test(poll_box, others_are_there_if_more_listen_than_we_and_we_do_not_any_more)
{
    struct link_testing_command *command;

    ask_for_others(1);
    cr_assert(told.calls == 1 && told.result == POLL_UNKNOWN);
    command = link_testing_take(&subscriber);
    cr_assert(command != NULL && notify_str_eq(command->argv[0], NOTIFY_STR("UNSUBSCRIBE")));
    cr_assert(notify_str_eq(command->argv[1], NOTIFY_STR(OF_ALL)));
    push_words("unsubscribe", OF_ALL, NULL);
    link_testing_fence(command);
    ask_for_others(1);
    cr_assert(told.calls == 2 && told.result == POLL_DONE);
}

Test(poll_box, without_redis_it_is_not_known_who_else_is_there)
{
    link_testing_go_down(&commands);
    store.ops->others(store.store, on_told, &told);
    loop_testing_run_deferred();
    cr_assert(told.calls == 1 && told.result == POLL_AWAY);
}

Test(poll_box, probes_say_by_which_bridge_and_for_how_long)
{
    struct link_testing_command *command;

    store.ops->check(store.store, NOTIFY_STR(SID), on_told, &told);
    REPLY(POLL_CHECK, "UPGRADED");
    cr_assert_eq(told.result, POLL_UPGRADED);
    store.ops->probe(store.store, NOTIFY_STR(SID), on_told, &told);
    command = take_command(POLL_PROBE);
    cr_assert_eq(strncmp(command->argv[4].ptr, channel + 4, 16), 0);
    cr_assert(notify_str_eq(command->argv[5], NOTIFY_STR("10000")));
    answer_words(command, (const char *const[]){"PROBED", NULL});
    cr_assert_eq(told.result, POLL_PROBED);
    store.ops->unprobe(store.store, NOTIFY_STR(SID));
    REPLY(POLL_UNPROBE, "DONE");
    store.ops->drop(store.store, NOTIFY_STR(SID), NULL);
    REPLY(POLL_DROP, "DONE");
    cr_assert_eq(told.calls, 2);
}
