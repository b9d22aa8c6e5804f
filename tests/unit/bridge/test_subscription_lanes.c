/* Sharded channels beside a model of a cluster: slots move, servers send elsewhere and take back
 * what they have confirmed, links go down, and the map of slots is behind. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "link_testing.h"
#include "loop_testing.h"
#include "random_testing.h"
#include "redis/slot.h"
#include "redis/subscription.h"

#define NAMES 8
#define NODES 3
#define PIPE_MAX 1024
#define SCENARIOS 1500

struct name {
    char text[16];
    unsigned slot;
    struct subscription *sub; /* NULL: not wanted */
    bool held;                /* what we have been told */
    bool at[NODES];           /* subscribed there */
    uint64_t received;
};

struct push {
    const char *kind;
    struct name *name;
    struct link_testing_command *command; /* of the fence that ends it; else NULL */
    char error[64];                       /* how it was refused; or empty */
};

static struct name names[NAMES];
static struct node {
    struct redis_link link;
    struct push pipe[PIPE_MAX];
    size_t len;
} nodes[NODES];
static unsigned owners[SLOTS], map[SLOTS]; /* as it is, and as we know it */
static struct subscription_set *set;
static uint64_t scenario;
static bool is_down; /* the cluster: nobody takes anything */

#define CHECK(condition, what)                                                                     \
    cr_assert(condition, "scenario %" PRIu64 ": %s (%s)", scenario, what, #condition)

static void on_held(void *owner)
{
    struct name *name = owner;

    CHECK(name->sub != NULL && subscription_is_held(name->sub), "who is held is wanted");
    CHECK(!name->held, "it is held once");
    name->held = true;
}

static void on_lost(void *owner)
{
    struct name *name = owner;

    CHECK(name->held, "only what was held is lost");
    name->held = false;
}

static void on_refused(void *owner)
{
    (void)owner;
    CHECK(false, "nothing is forbidden here");
}

static void on_message(void *owner, struct notify_str payload)
{
    (void)payload;
    ((struct name *)owner)->received++;
}

static const struct subscription_handlers handlers = {
    .on_held = on_held, .on_lost = on_lost, .on_refused = on_refused, .on_message = on_message};

/* Routes. */

static unsigned of_slot(void *ctx, unsigned slot)
{
    (void)ctx;
    return map[slot];
}

static void on_slot_refused(void *ctx, unsigned slot, const struct resp *error)
{
    (void)ctx;
    if (!resp_is_error(error, "MOVED"))
        return;
    map[slot] = (unsigned)(error->str.ptr[6] - '0');
    subscription_set_reroute_slot(set, slot);
}

static void on_taken(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
}

static void on_freed(void *ctx, const struct subscription_set *freed)
{
    (void)ctx;
    CHECK(freed == set, "it is told once");
    set = NULL;
}

static const struct subscription_lanes lanes = {
    .of_slot = of_slot, .on_refused = on_slot_refused, .on_taken = on_taken, .on_freed = on_freed};

/* The cluster. */

static struct name *find_name(struct notify_str text)
{
    struct name *name = names;

    while (name < names + NAMES && !notify_str_eq(text, notify_str_z(name->text)))
        name++;
    cr_assert_lt(name, names + NAMES, "a channel that nobody named");
    return name;
}

static struct push *say(struct node *node, const char *kind, struct name *name)
{
    cr_assert_lt(node->len, PIPE_MAX);
    node->pipe[node->len] = (struct push){.kind = kind, .name = name};
    return &node->pipe[node->len++];
}

static void work_off(struct node *node)
{
    struct link_testing_command *command = link_testing_take(&node->link);
    unsigned number = (unsigned)(node - nodes), slot;
    bool subscribes, refuses;
    struct push *end;

    if (command == NULL)
        return;
    subscribes = notify_str_eq(command->argv[0], NOTIFY_STR("SSUBSCRIBE"));
    CHECK(subscribes || notify_str_eq(command->argv[0], NOTIFY_STR("SUNSUBSCRIBE")), "known words");
    slot = slot_of_key(command->argv[1]);
    refuses = is_down || owners[slot] != number;
    for (size_t i = 1; i < command->argc; i++) {
        struct name *name = find_name(command->argv[i]);
        CHECK(name->slot == slot, "one command carries one slot");
        if (refuses)
            continue;
        name->at[number] = subscribes;
        (void)say(node, subscribes ? "ssubscribe" : "sunsubscribe", name);
    }
    end = say(node, NULL, NULL);
    end->command = command;
    if (refuses)
        (void)snprintf(end->error, sizeof(end->error),
                       is_down ? "CLUSTERDOWN The cluster is down" : "MOVED %u", owners[slot]);
}

static void receive(struct node *node)
{
    struct push first = node->pipe[0];
    struct resp kind = {.kind = RESP_STRING}, channel = kind, third = {.kind = RESP_INTEGER};
    struct resp *items[] = {&kind, &channel, &third};
    struct resp push = {.kind = RESP_PUSH, .len = 3, .items = items};
    struct resp error = {.kind = RESP_ERROR};

    if (node->len == 0)
        return;
    memmove(node->pipe, node->pipe + 1, --node->len * sizeof(first));
    if (first.command != NULL) {
        error.str = notify_str_z(first.error);
        if (first.error[0] != '\0')
            link_testing_answer(first.command, &error);
        else
            link_testing_fence(first.command);
        return;
    }
    kind.str = notify_str_z(first.kind);
    channel.str = notify_str_z(first.name->text);
    subscription_set_lane_push(set, (unsigned)(node - nodes), &push);
}

/* The old owner takes back what it has confirmed, behind all that it has said. */
static void move_slot(unsigned slot, unsigned to)
{
    unsigned from = owners[slot];

    if (from == to)
        return;
    owners[slot] = to;
    for (struct name *name = names; name < names + NAMES; name++)
        if (name->slot == slot && name->at[from]) {
            name->at[from] = false;
            (void)say(&nodes[from], "sunsubscribe", name);
        }
}

static void publish(struct name *name)
{
    unsigned at = owners[name->slot];

    if (name->at[at])
        (void)say(&nodes[at], "smessage", name);
}

static void learn_map(void)
{
    memcpy(map, owners, sizeof(map));
    subscription_set_reroute(set);
}

static void link_up(struct node *node)
{
    if (node->link.up)
        return;
    node->link.up = true;
    subscription_set_lane_up(set, (unsigned)(node - nodes), &node->link);
}

static void link_down(struct node *node)
{
    if (!node->link.up)
        return;
    link_testing_go_down(&node->link);
    for (size_t i = 0; i < node->len; i++)
        if (node->pipe[i].command != NULL)
            link_testing_answer(node->pipe[i].command, NULL);
    node->len = 0;
    for (struct name *name = names; name < names + NAMES; name++)
        name->at[node - nodes] = false;
    if (set != NULL)
        subscription_set_lane_down(set, (unsigned)(node - nodes));
}

/* Our side. */

static void want_or_drop(struct name *name)
{
    if (name->sub == NULL) {
        name->sub = subscription_want(set, notify_str_z(name->text), name);
        name->held = subscription_is_held(name->sub);
    } else {
        subscription_drop(set, name->sub);
        name->sub = NULL;
        name->held = false;
    }
}

static void step(void)
{
    struct name *name = &names[below(NAMES)];
    struct node *node = &nodes[below(NODES)];
    uint64_t dice = below(110);

    if (dice < 20)
        want_or_drop(name);
    else if (dice < 35)
        loop_testing_run_deferred();
    else if (dice < 55)
        work_off(node);
    else if (dice < 60)
        publish(name);
    else if (dice < 90)
        receive(node);
    else if (dice < 95)
        move_slot(name->slot, (unsigned)below(NODES));
    else if (dice < 98)
        learn_map();
    else if (dice < 100)
        link_down(node);
    else if (dice < 104)
        link_up(node);
    else if (dice < 106)
        is_down = !is_down;
    else
        loop_testing_advance(100);
}

static void run_to_quiet(void)
{
    for (int i = 0; i < 100; i++) {
        loop_testing_run_deferred();
        for (struct node *node = nodes; node < nodes + NODES; node++) {
            work_off(node);
            while (node->len > 0)
                receive(node);
        }
    }
}

static void settle(void)
{
    is_down = false;
    for (struct node *node = nodes; node < nodes + NODES; node++)
        link_up(node);
    for (int i = 0; i < 3; i++) {
        run_to_quiet();
        loop_testing_advance(5000);
    }
    learn_map();
    run_to_quiet();
}

static void check_settled(void)
{
    for (struct name *name = names; name < names + NAMES; name++) {
        unsigned at = owners[name->slot];
        uint64_t before = name->received;
        /* What is not wanted any more may be left over where it was looked for, until the link or
         * the slot goes: nobody is told what comes on it. */
        CHECK(name->at[at] || name->sub == NULL, "its server has what is wanted");
        CHECK(name->held == (name->sub != NULL), "and we know");
        publish(name);
        run_to_quiet();
        CHECK(name->received == before + (name->sub != NULL), "messages come, once");
    }
    CHECK(subscription_leaving_count(set) == 0, "nothing is left over");
}

static void begin(uint64_t number)
{
    scenario = number;
    random_begin(number);
    is_down = false;
    memset(names, 0, sizeof(names));
    memset(nodes, 0, sizeof(nodes));
    for (unsigned slot = 0; slot < SLOTS; slot++)
        owners[slot] = map[slot] = slot % NODES;
    for (unsigned i = 0; i < NAMES; i++) { /* two share a slot */
        (void)snprintf(names[i].text, sizeof(names[i].text), "{t%u}%u", i / 2, i);
        names[i].slot = slot_of_key(notify_str_z(names[i].text));
    }
    for (struct node *node = nodes; node < nodes + NODES; node++) {
        link_testing_init(&node->link);
        node->link.up = false;
    }
    set = subscription_set_new_sharded(LOOP_TESTING, &handlers, &lanes);
    cr_assert_not_null(set);
}

static void end(void)
{
    subscription_set_free(set);
    cr_assert_null(set, "who gave the lanes is told");
    loop_testing_run_deferred();
    for (struct node *node = nodes; node < nodes + NODES; node++)
        link_down(node);
    cr_assert_null(loop_testing_timers);
}

Test(subscription_lanes, whatever_moves_in_the_end_all_are_heard_where_they_are)
{
    for (uint64_t number = 0; number < SCENARIOS; number++) {
        begin(number);
        for (uint64_t i = 20 + below(300); i > 0; i--)
            step();
        settle();
        check_settled();
        end();
    }
}

Test(subscription_lanes,
     a_slot_that_moves_is_lost_and_held_again_without_anybodys_saying_where_it_is)
{
    begin(0);
    for (struct node *node = nodes; node < nodes + NODES; node++)
        link_up(node);
    want_or_drop(&names[0]);
    run_to_quiet();
    cr_assert(names[0].held);
    move_slot(names[0].slot, (owners[names[0].slot] + 1) % NODES);
    cr_assert(names[0].held, "it has not been said yet");
    run_to_quiet();
    cr_assert(names[0].held);
    cr_assert(names[0].at[owners[names[0].slot]]);
    end();
}

Test(subscription_lanes, a_server_that_is_away_keeps_no_other_from_being_asked)
{
    begin(0);
    for (unsigned i = 0; i < NAMES; i++)
        want_or_drop(&names[i]);
    link_up(&nodes[1]);
    run_to_quiet();
    for (unsigned i = 0; i < NAMES; i++)
        cr_assert_eq(names[i].held, names[i].slot % NODES == 1);
    end();
}

Test(subscription_lanes, channels_of_one_slot_go_out_in_one_command)
{
    begin(0);
    for (struct node *node = nodes; node < nodes + NODES; node++)
        link_up(node);
    want_or_drop(&names[0]);
    want_or_drop(&names[1]);
    loop_testing_run_deferred();
    cr_assert_eq(nodes[owners[names[0].slot]].link.first->argc, 3);
    run_to_quiet();
    end();
}
