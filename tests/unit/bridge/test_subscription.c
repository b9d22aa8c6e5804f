/* Wanted channels, beside a model of what Redis does with SUBSCRIBE and UNSUBSCRIBE: it may forbid
 * channels (then it refuses the whole command), and refuse everything for a while. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "random_testing.h"
#include "redis/subscription.h"

#define NAMES 5
#define PIPE_MAX 4096
#define SCENARIOS 3000

/* A channel, as all sides see it. */
struct name {
    char text[8];
    struct subscription *sub; /* NULL: not wanted */
    bool held, refused;       /* what we have been told */
    bool forbidden;           /* by Redis */
    uint64_t expected;        /* of the next message, while held */
    bool in_redis;            /* subscribed there */
    uint64_t published;
    uint64_t received;
};

enum push_kind { PUSH_MESSAGE, PUSH_SUBSCRIBE, PUSH_UNSUBSCRIBE, PUSH_FENCE };

struct push {
    enum push_kind kind;
    struct name *name;
    uint64_t number; /* of the message; of a subscription: of the first message that follows */
    /* Of PUSH_FENCE, which is no push: the command that it ends, and how it was refused. */
    struct link_testing_command *command;
    const char *error;
};

static struct name names[NAMES];
static struct push pipe_items[PIPE_MAX];
static size_t pipe_len;
static struct subscription_set *set;
static struct redis_link redis_link;
static const char *busy;    /* Redis refuses everything with this; or NULL */
static bool redis_was_busy; /* then it may go on with what it was not allowed to leave */
static uint64_t scenario;

#define CHECK(condition, what)                                                                     \
    cr_assert(condition, "scenario %" PRIu64 ": %s (%s)", scenario, what, #condition)

static void on_held(void *owner)
{
    struct name *name = owner;

    CHECK(name->sub != NULL && subscription_is_held(name->sub), "who is held is wanted");
    CHECK(!name->held, "it is held once");
    name->held = true;
    name->refused = false;
}

static void on_lost(void *owner)
{
    struct name *name = owner;

    CHECK(name->held, "only what was held is lost");
    name->held = false;
}

static void on_refused(void *owner)
{
    struct name *name = owner;

    CHECK(name->sub != NULL && !name->held, "only what is wanted is refused");
    name->refused = true;
}

static void on_message(void *owner, struct notify_str payload)
{
    struct name *name = owner;
    uint64_t number;

    memcpy(&number, payload.ptr, sizeof(number));
    CHECK(name->sub != NULL, "messages come only to who wants them");
    CHECK(!name->held || number == name->expected, "no message is missing while it is held");
    name->expected = number + 1;
    name->received++;
}

static const struct subscription_handlers handlers = {
    .on_held = on_held, .on_lost = on_lost, .on_refused = on_refused, .on_message = on_message};

/* Redis. */

static struct name *find_name(struct notify_str text)
{
    struct name *name = names;

    while (name < names + NAMES && !notify_str_eq(text, notify_str_z(name->text)))
        name++;
    cr_assert_lt(name, names + NAMES, "a channel that nobody named");
    return name;
}

static void pipe_push(enum push_kind kind, struct name *name)
{
    cr_assert_lt(pipe_len, PIPE_MAX);
    pipe_items[pipe_len++] =
        (struct push){.kind = kind, .name = name, .number = name == NULL ? 0 : name->published};
}

static const char *refusal_of(const struct link_testing_command *command, bool subscribe)
{
    if (busy != NULL)
        return busy;
    for (size_t i = 1; subscribe && i < command->argc; i++)
        if (find_name(command->argv[i])->forbidden)
            return "NOPERM No permissions to access a channel";
    return NULL;
}

/* Redis works off one command. */
static void work_off(void)
{
    struct link_testing_command *command = link_testing_take(&redis_link);
    const char *refusal;
    bool subscribe;

    if (command == NULL)
        return;
    subscribe = notify_str_eq(command->argv[0], NOTIFY_STR("SUBSCRIBE"));
    CHECK(subscribe || notify_str_eq(command->argv[0], NOTIFY_STR("UNSUBSCRIBE")), "known words");
    CHECK(command->argc > 1, "UNSUBSCRIBE without channels would leave all of them");
    refusal = refusal_of(command, subscribe);
    for (size_t i = 1; i < command->argc && refusal == NULL; i++) {
        struct name *name = find_name(command->argv[i]);
        CHECK(name->in_redis != subscribe || redis_was_busy, "nothing is said twice");
        name->in_redis = subscribe;
        pipe_push(subscribe ? PUSH_SUBSCRIBE : PUSH_UNSUBSCRIBE, name);
    }
    pipe_push(PUSH_FENCE, NULL);
    pipe_items[pipe_len - 1].command = command;
    pipe_items[pipe_len - 1].error = refusal;
}

static void publish(struct name *name)
{
    if (name->in_redis)
        pipe_push(PUSH_MESSAGE, name);
    name->published++;
}

static void receive_fence(const struct push *push)
{
    struct resp error = {.kind = RESP_ERROR, .str = notify_str_z(push->error)};

    if (push->error == NULL)
        link_testing_fence(push->command);
    else
        link_testing_answer(push->command, &error);
}

static void receive(void)
{
    static const char *const kinds[] = {"message", "subscribe", "unsubscribe"};
    struct push first = pipe_items[0];
    struct resp kind = {.kind = RESP_STRING}, channel = kind, third = {.kind = RESP_INTEGER};
    struct resp *items[] = {&kind, &channel, &third};
    struct resp push = {.kind = RESP_PUSH, .len = 3, .items = items};

    if (pipe_len == 0)
        return;
    memmove(pipe_items, pipe_items + 1, --pipe_len * sizeof(first));
    if (first.kind == PUSH_FENCE) {
        receive_fence(&first);
        return;
    }
    kind.str = notify_str_z(kinds[first.kind]);
    channel.str = notify_str_z(first.name->text);
    if (first.kind == PUSH_MESSAGE)
        third = (struct resp){.kind = RESP_STRING, .str = {(char *)&first.number, 8}};
    if (first.kind == PUSH_SUBSCRIBE)
        first.name->expected = first.number;
    else if (first.kind == PUSH_MESSAGE && first.name->sub == NULL)
        first.name->expected = first.number + 1; /* passes by unseen */
    subscription_set_push(set, &push);
}

/* The link. */

static void link_up(void)
{
    if (redis_link.up)
        return;
    redis_link.up = true;
    subscription_set_up(set, &redis_link);
}

static void drop_pipe(void)
{
    for (size_t i = 0; i < pipe_len; i++)
        if (pipe_items[i].kind == PUSH_FENCE)
            link_testing_answer(pipe_items[i].command, NULL);
    pipe_len = 0;
}

static void link_down(void)
{
    if (!redis_link.up)
        return;
    link_testing_go_down(&redis_link);
    drop_pipe();
    for (struct name *name = names; name < names + NAMES; name++)
        name->in_redis = false;
    subscription_set_down(set);
    for (struct name *name = names; name < names + NAMES; name++)
        CHECK(!name->held, "without a link nothing is held");
}

/* Our side. */

static void want_or_drop(struct name *name)
{
    if (name->sub == NULL) {
        name->sub = subscription_want(set, notify_str_z(name->text), name);
        CHECK(name->sub != NULL, "there is memory");
        CHECK(notify_str_eq(subscription_channel(name->sub), notify_str_z(name->text)), "its name");
        name->held = subscription_is_held(name->sub);
    } else {
        subscription_drop(set, name->sub);
        name->sub = NULL;
        name->held = name->refused = false;
    }
    CHECK(subscription_find(set, notify_str_z(name->text)) == (name->sub == NULL ? NULL : name),
          "what is wanted is found");
}

/* What does not happen every day. */
static void change_fate(struct name *name)
{
    static const char *const errors[] = {"BUSY Redis is busy running a script", "ERR nonsense",
                                         "LOADING Redis is loading", "NOPERM"};

    if (chance(50)) {
        name->forbidden = !name->forbidden;
    } else {
        busy = busy == NULL ? errors[below(4)] : NULL;
        redis_was_busy = true;
    }
}

static void step(void)
{
    struct name *name = &names[below(NAMES)];
    uint64_t dice = below(106);

    if (dice < 25)
        want_or_drop(name);
    else if (dice < 40)
        loop_testing_run_deferred();
    else if (dice < 55)
        work_off();
    else if (dice < 70)
        publish(name);
    else if (dice < 93)
        receive();
    else if (dice < 94)
        link_down();
    else if (dice < 97)
        link_up();
    else if (dice < 100)
        redis_link.refuses = !redis_link.refuses;
    else if (dice < 102)
        change_fate(name);
    else if (dice < 104)
        loop_testing_advance(below(1000));
    else if (name->sub != NULL)
        subscription_retry(set, name->sub);
}

/* Everything comes to rest; those that were refused may have to be asked for again. */
static void settle(void)
{
    redis_link.refuses = false;
    busy = NULL;
    link_up();
    for (int i = 0; i < 400; i++) {
        loop_testing_advance(50);
        loop_testing_run_deferred();
        work_off();
        receive();
    }
}

static size_t wanted_count(void)
{
    size_t n = 0;

    for (struct name *name = names; name < names + NAMES; name++)
        n += name->sub != NULL;
    return n;
}

static void check_settled(void)
{
    CHECK(subscription_count(set) == wanted_count(), "wanted ones are counted");
    for (struct name *name = names; name < names + NAMES; name++) {
        uint64_t received = name->received;
        bool hears = name->held || (redis_was_busy && name->refused && name->in_redis);
        CHECK((name->held || name->refused) == (name->sub != NULL), "what is wanted is held");
        CHECK(name->in_redis == name->held || redis_was_busy,
              "nothing else is subscribed in Redis");
        publish(name);
        receive();
        CHECK(name->received == received + hears, "and messages arrive");
    }
}

/* What was refused once and is allowed now is held when it is asked for again. */
static void check_retried(void)
{
    for (struct name *name = names; name < names + NAMES; name++)
        if (name->sub != NULL)
            subscription_retry(set, name->sub);
    settle();
    for (struct name *name = names; name < names + NAMES; name++) {
        CHECK(name->held == (name->sub != NULL && !(name->refused && name->forbidden)),
              "and that alone is not held which is forbidden");
        CHECK(!name->refused || name->forbidden, "nothing else is refused");
    }
}

static void begin(uint64_t number)
{
    scenario = number;
    random_begin(number);
    log_setup(LOG_ERROR, LOG_LOGFMT); /* refusals are daily bread here */
    memset(names, 0, sizeof(names));
    for (int i = 0; i < NAMES; i++)
        (void)snprintf(names[i].text, sizeof(names[i].text), "c%d", i);
    pipe_len = 0;
    busy = NULL;
    redis_was_busy = false;
    link_testing_init(&redis_link);
    redis_link.up = false;
    set = subscription_set_new(LOOP_TESTING, &handlers);
    cr_assert_not_null(set);
}

static void end(void)
{
    subscription_set_free(set);
    loop_testing_run_deferred();
    link_testing_go_down(&redis_link);
    drop_pipe();
    cr_assert_null(loop_testing_timers);
}

Test(subscription, wants_and_drops_in_any_order_leave_no_hole)
{
    for (uint64_t number = 0; number < SCENARIOS; number++) {
        begin(number);
        for (uint64_t i = 20 + below(300); i > 0; i--)
            step();
        settle();
        check_settled();
        check_retried();
        end();
    }
}

static void run_to_quiet(void)
{
    for (int i = 0; i < 20; i++) {
        loop_testing_run_deferred();
        work_off();
        receive();
    }
}

Test(subscription, wishes_of_one_turn_share_a_command)
{
    begin(0);
    link_up();
    for (int i = 0; i < NAMES; i++)
        want_or_drop(&names[i]);
    cr_assert_null(redis_link.first, "nothing goes out within the turn");
    loop_testing_run_deferred();
    cr_assert_eq(redis_link.first->argc, 1 + NAMES);
    cr_assert_null(redis_link.first->next);
    end();
}

Test(subscription, a_drop_and_a_want_in_one_turn_cost_nothing)
{
    begin(0);
    link_up();
    want_or_drop(&names[0]);
    run_to_quiet();
    cr_assert(names[0].held);
    want_or_drop(&names[0]);
    want_or_drop(&names[0]);
    cr_assert(names[0].held, "it never stopped to be held");
    loop_testing_run_deferred();
    cr_assert_null(redis_link.first);
    end();
}

Test(subscription, many_channels_go_out_in_batches)
{
    static char text[1000][8];
    size_t channels = 0, commands = 0;

    begin(0);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "m%d", i);
        cr_assert_not_null(subscription_want(set, notify_str_z(text[i]), text[i]));
    }
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(subscription_find(set, notify_str_z(text[i])), text[i]);
    link_up();
    loop_testing_run_deferred();
    while (redis_link.first != NULL) {
        struct link_testing_command *command = link_testing_take(&redis_link);
        cr_assert_leq(command->argc, 257);
        channels += command->argc - 1;
        commands++;
        link_testing_answer(command, NULL);
    }
    cr_assert_eq(channels, 1000);
    cr_assert_eq(commands, 4);
    end();
}

#define LANES_MAX 64
#define SPREAD_MAX 5000

/* A channel of many, each in one of several lanes. */
struct spread {
    char text[8];
    unsigned lane, held, lost, messages;
};

static void on_spread_held(void *owner)
{
    ((struct spread *)owner)->held++;
}

static void on_spread_lost(void *owner)
{
    ((struct spread *)owner)->lost++;
}

static void on_spread_message(void *owner, struct notify_str payload)
{
    cr_assert(notify_str_eq(payload, NOTIFY_STR("hello")));
    ((struct spread *)owner)->messages++;
}

static const struct subscription_handlers spread_handlers = {
    .on_held = on_spread_held, .on_lost = on_spread_lost, .on_message = on_spread_message};

static unsigned lane_count;

static void push_in_lane(struct subscription_set *spread, unsigned lane, const char *kind,
                         struct notify_str channel, const char *payload)
{
    struct resp words[] = {{.kind = RESP_STRING, .str = notify_str_z(kind)},
                           {.kind = RESP_STRING, .str = channel},
                           {.kind = RESP_STRING, .str = notify_str_z(payload)}};
    struct resp *items[] = {&words[0], &words[1], &words[2]};

    subscription_set_lane_push(spread, lane,
                               &(struct resp){.kind = RESP_PUSH, .len = 3, .items = items});
}

/* Answers what was sent in this lane. Returns how many channels were asked for. */
static size_t confirm_lane(struct subscription_set *spread, unsigned lane, struct redis_link *link)
{
    struct link_testing_command *command;
    size_t channels = 0;

    loop_testing_run_deferred();
    while (link->first != NULL) {
        command = link_testing_take(link);
        for (size_t i = 1; i < command->argc; i++, channels++) {
            struct spread *one = subscription_find(spread, command->argv[i]);
            push_in_lane(spread, (lane + 1) % lane_count, "subscribe", command->argv[i], "1");
            cr_assert_not(one->held > one->lost, "what another link says of it is none of its");
            push_in_lane(spread, lane, "subscribe", command->argv[i], "1");
            cr_assert_eq(one->held, one->lost + 1);
            one->lane = lane;
        }
        link_testing_answer(command, NULL);
    }
    return channels;
}

static void spread_over(unsigned lanes, size_t count)
{
    static struct spread all[SPREAD_MAX];
    static struct redis_link links[LANES_MAX];
    struct subscription_set *spread =
        subscription_set_new_spread(LOOP_TESTING, &spread_handlers, lanes);
    unsigned lost = lanes / 2;
    size_t channels = 0;

    lane_count = lanes;
    cr_assert_not_null(spread);
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct spread){.lane = lanes};
        (void)snprintf(all[i].text, sizeof(all[i].text), "s%zu", i);
        cr_assert_not_null(subscription_want(spread, notify_str_z(all[i].text), &all[i]));
    }
    for (unsigned lane = 0; lane < lanes; lane++) {
        link_testing_init(&links[lane]);
        subscription_set_lane_up(spread, lane, &links[lane]);
        size_t here = confirm_lane(spread, lane, &links[lane]);
        cr_assert(here >= count / lanes / 2 || count / lanes < 200, "about as many as in others");
        channels += here;
    }
    cr_assert_eq(channels, count, "each in one");
    subscription_set_lane_down(spread, lost);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(all[i].lost, all[i].lane == lost);
    subscription_set_lane_up(spread, lost, &links[lost]);
    (void)confirm_lane(spread, lost, &links[lost]);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(all[i].held, all[i].lost + 1, "those are asked for anew where they were");
        push_in_lane(spread, all[i].lane, "message", notify_str_z(all[i].text), "hello");
        cr_assert_eq(all[i].messages, 1);
    }
    subscription_set_free(spread);
    loop_testing_run_deferred();
    for (unsigned lane = 0; lane < lanes; lane++)
        link_testing_go_down(&links[lane]);
}

Test(subscription, channels_are_spread_over_links_and_one_that_is_lost_loses_its_own_alone)
{
    static const unsigned lanes[] = {2, 3, 4, 24, LANES_MAX};

    for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++) {
        spread_over(lanes[i], SPREAD_MAX);
        spread_over(lanes[i], SPREAD_MAX / 2);
        spread_over(lanes[i], 700); /* hashes are not told apart by as many buckets */
    }
}

Test(subscription, pushes_of_another_shape_are_ignored)
{
    struct resp text = {.kind = RESP_STRING, .str = {"message", 7}};
    struct resp name = {.kind = RESP_STRING, .str = {"c0", 2}};
    struct resp *items[] = {&text, &name, &name};
    struct resp push = {.kind = RESP_PUSH, .items = items};

    begin(0);
    link_up();
    want_or_drop(&names[0]);
    for (push.len = 0; push.len < 3; push.len++)
        subscription_set_push(set, &push);
    items[0] = &(struct resp){.kind = RESP_INTEGER};
    subscription_set_push(set, &push);
    items[0] = &(struct resp){.kind = RESP_STRING, .str = {"pmessage", 8}};
    subscription_set_push(set, &push);
    items[0] = &(struct resp){.kind = RESP_STRING, .str = {"subscribe", 9}};
    items[1] = &(struct resp){.kind = RESP_STRING, .str = {"unknown", 7}};
    subscription_set_push(set, &push);
    cr_assert_not(names[0].held);
    cr_assert_eq(names[0].received, 0);
    end();
}

Test(subscription, may_be_freed_while_wishes_wait)
{
    begin(0);
    link_up();
    want_or_drop(&names[0]);
    end(); /* the sanitizer watches what is deferred */
}

/* The commands that go out until nothing more does; their channels are counted. */
static size_t count_commands(void)
{
    size_t commands = 0;

    loop_testing_run_deferred();
    while (redis_link.first != NULL) {
        commands++;
        work_off();
        while (pipe_len > 0)
            receive();
        loop_testing_run_deferred();
    }
    return commands;
}

Test(subscription, a_forbidden_channel_is_refused_alone)
{
    begin(0);
    link_up();
    names[2].forbidden = true;
    for (int i = 0; i < NAMES; i++)
        want_or_drop(&names[i]);
    cr_assert_eq(count_commands(), 1 + NAMES);
    for (int i = 0; i < NAMES; i++) {
        cr_assert_eq(names[i].held, i != 2);
        cr_assert_eq(names[i].refused, i == 2);
    }
    loop_testing_advance(60000);
    cr_assert_eq(count_commands(), 0, "it is not asked for again by itself");
    names[2].forbidden = false;
    subscription_retry(set, names[2].sub);
    cr_assert_eq(count_commands(), 1);
    cr_assert(names[2].held);
    end();
}

Test(subscription, a_refused_channel_may_be_dropped_and_wanted_again)
{
    begin(0);
    link_up();
    names[0].forbidden = true;
    want_or_drop(&names[0]);
    (void)count_commands();
    cr_assert(names[0].refused);
    want_or_drop(&names[0]);
    want_or_drop(&names[0]);
    cr_assert_eq(count_commands(), 1);
    cr_assert(names[0].refused);
    end();
}

Test(subscription, a_busy_server_is_asked_again_and_less_and_less_often)
{
    size_t commands = 0;

    begin(0);
    link_up();
    busy = "BUSY Redis is busy";
    for (int i = 0; i < NAMES; i++)
        want_or_drop(&names[i]);
    for (int ms = 0; ms < 60000; ms += 50) {
        commands += count_commands();
        loop_testing_advance(50);
    }
    cr_assert_geq(commands, 10);
    cr_assert_leq(commands, 25, "%zu", commands);
    busy = NULL;
    loop_testing_advance(4000);
    cr_assert_eq(count_commands(), 1, "all in one command, as before");
    for (int i = 0; i < NAMES; i++)
        cr_assert(names[i].held);
    end();
}
