/* sessions, session_line, presence: whatever is lost, late or refused on the way to Redis, in the
 * end Redis has a place for each client that is there, for no other, and never more than may be.
 *
 * The test plays Redis at the end of two links, and decides when which reply comes. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/client.h"
#include "clients/sessions.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "net/conn.h"
#include "random_testing.h"
#include "redis/subscription.h"

#define USERS 3
#define SESSIONS 3
#define CLIENTS 40
#define LEASE_MS 30000
#define PER_SESSION 3
#define PER_USER 2
#define HELD_MAX 256 /* places in the model's set */
#define SCENARIOS 400
#define STEPS 300

/* In place of client.c and sender.c. */
struct peer {
    struct client client;
    int user, session;
    bool here, settled, refused, kicked;
    unsigned told; /* messages about presence */
};

static struct peer peers[CLIENTS];
static struct redis_link subscriber, commands;
static struct sessions *sessions;
static uint64_t seed;
static bool is_never_full; /* what a peer is sent has room */
static unsigned names_asked;

#define CHECK(condition, what)                                                                     \
    cr_assert(condition, "scenario %" PRIu64 ": %s (%s)", seed, what, #condition)

static struct peer *peer_of(const struct client *client)
{
    return (struct peer *)(uintptr_t)client;
}

static struct notify_str numbered(char letter, int n)
{
    static char names[2][10][3];
    char *name = names[letter == 's'][n];

    (void)snprintf(name, 3, "%c%d", letter, n);
    return notify_str_z(name);
}

struct notify_str client_session(const struct client *client)
{
    names_asked++;
    return numbered('s', peer_of(client)->session);
}

struct notify_str client_user(const struct client *client)
{
    return numbered('u', peer_of(client)->user);
}

bool client_is_closed(const struct client *client)
{
    return !peer_of(client)->here;
}

bool sender_is_full(const struct sender *sender)
{
    (void)sender;
    return !is_never_full && chance(20);
}

void sender_send(struct sender *sender, const struct text *answer)
{
    (void)answer;
    peer_of((const struct client *)(const void *)sender)->told++;
}

const char *conn_format_address(const struct conn *conn, char out[ADDRESS_TEXT_MAX])
{
    (void)conn;
    return memcpy(out, "127.0.0.1", 10);
}

/* What is told of clients. */

static void on_settled(struct client *client)
{
    peer_of(client)->settled = true;
}

static void on_refused(struct client *client, enum session_set_kind kind, struct notify_str key,
                       bool too_many_sessions)
{
    (void)key;
    (void)too_many_sessions;
    CHECK(kind == SESSIONS_OF_USER, "only those have limits here");
    CHECK(peer_of(client)->here, "only who is there is told");
    peer_of(client)->refused = true;
}

static void on_kicked(struct client *client)
{
    CHECK(peer_of(client)->here, "only who is there is told");
    peer_of(client)->kicked = true;
}

static const struct session_handlers handlers = {on_settled, on_refused, on_kicked};

/* Redis: all sets in one table. */

static struct held {
    char key[32], session[8], connection[48];
} held[HELD_MAX];
static size_t held_len;
static unsigned wrong_percent;     /* commands that Redis refuses for whatever reason */
static const char *kicked_session; /* is not opened AGAIN */
static bool is_older;              /* does not know what that is */

static size_t count_held(const char *key, const char *session)
{
    size_t count = 0;

    for (size_t i = 0; i < held_len; i++)
        count += strcmp(held[i].key, key) == 0 &&
                 (session == NULL || strcmp(held[i].session, session) == 0);
    return count;
}

static struct held *find_held(const char *key, const char *connection)
{
    for (size_t i = 0; i < held_len; i++)
        if (strcmp(held[i].key, key) == 0 && strcmp(held[i].connection, connection) == 0)
            return &held[i];
    return NULL;
}

static void drop_held(struct held *one)
{
    *one = held[--held_len];
}

static size_t count_sessions(const char *key)
{
    size_t count = 0;

    for (int s = 0; s < SESSIONS; s++)
        count += count_held(key, numbered('s', s).ptr) > 0;
    return count;
}

static const char *word(const struct link_testing_command *command, size_t i)
{
    return command->argv[i].ptr; /* each with a NUL behind it */
}

/* -1: refused by a limit. */
static int64_t open_in_redis(const struct link_testing_command *command)
{
    const char *key = word(command, 2), *session = word(command, 3), *connection = word(command, 4);
    bool limited = strncmp(key, "sessions:", 9) == 0;

    if (find_held(key, connection) != NULL)
        return 0;
    if (limited && count_held(key, session) >= PER_SESSION)
        return -1;
    if (limited && count_held(key, session) == 0 && count_sessions(key) >= PER_USER)
        return -1;
    CHECK(held_len < HELD_MAX, "no more than all clients and those that are being closed");
    (void)snprintf(held[held_len].key, sizeof(held[0].key), "%s", key);
    (void)snprintf(held[held_len].session, sizeof(held[0].session), "%s", session);
    (void)snprintf(held[held_len].connection, sizeof(held[0].connection), "%s", connection);
    held_len++;
    return 1;
}

static int64_t name_in_redis(const struct link_testing_command *command, size_t from, bool close)
{
    int64_t count = 0;

    for (size_t i = from; i < command->argc; i++) {
        struct held *one = find_held(word(command, 2), word(command, i));
        count += one != NULL;
        if (one != NULL && close)
            drop_held(one);
    }
    return count;
}

static int64_t drop_node(const struct link_testing_command *command)
{
    int64_t count = 0;

    for (size_t i = held_len; i-- > 0;)
        if (strcmp(held[i].key, word(command, 2)) == 0 &&
            strncmp(held[i].connection, word(command, 3), strlen(word(command, 3))) == 0) {
            drop_held(&held[i]);
            count++;
        }
    return count;
}

/* The places of those that are not there. */
static struct resp renew_in_redis(const struct link_testing_command *command)
{
    static struct resp lost[64], *items[64];
    struct resp reply = {.kind = RESP_ARRAY, .items = items};

    CHECK(command->argc >= 6 && command->argc <= 4 + 2 * 64, "as many as RENEW takes");
    for (size_t i = 4; i + 1 < command->argc; i += 2)
        if (find_held(word(command, i), word(command, i + 1)) == NULL) {
            lost[reply.len] = (struct resp){.kind = RESP_INTEGER, .integer = (int64_t)(i - 4) / 2};
            items[reply.len] = &lost[reply.len];
            reply.len++;
        }
    return reply;
}

/* What Redis does with a command, at once; its answer may come later. */
static struct resp carry_out(const struct link_testing_command *command)
{
    static const struct resp limit = {.kind = RESP_ERROR,
                                      .str = {"LIMIT too many connections: so", 30}};
    static const struct resp wrong = {.kind = RESP_ERROR, .str = {"WRONGTYPE it is", 15}};
    static const struct resp syntax = {.kind = RESP_ERROR,
                                       .str = {"ERR syntax error near 'AGAIN'", 29}};
    static const struct resp unknown = {.kind = RESP_ERROR,
                                        .str = {"ERR unknown subcommand 'RENEW'", 30}};
    static const struct resp kicked = {.kind = RESP_ERROR, .str = {"KICKED it was", 13}};
    struct resp reply = {.kind = RESP_INTEGER};
    const char *what = word(command, 1);

    if (chance(wrong_percent))
        return wrong;
    if (strcmp(word(command, command->argc - 1), "AGAIN") == 0 && is_older)
        return syntax;
    if (strcmp(word(command, command->argc - 1), "AGAIN") == 0 && kicked_session != NULL &&
        strcmp(word(command, 3), kicked_session) == 0)
        return kicked;
    if (strcmp(what, "RENEW") == 0)
        return is_older ? unknown : renew_in_redis(command);
    if (strcmp(what, "OPEN") == 0)
        reply.integer = open_in_redis(command);
    else if (strcmp(what, "TOUCH") == 0)
        reply.integer = name_in_redis(command, 5, false);
    else if (strcmp(what, "CLOSE") == 0)
        reply.integer = name_in_redis(command, 3, true);
    else if (strcmp(what, "DROPNODE") == 0)
        reply.integer = drop_node(command);
    else
        reply.integer = (int64_t)count_held(word(command, 2), NULL);
    return reply.integer < 0 ? limit : reply;
}

/* The links. */

static void push(const char *kind, struct notify_str channel, const char *payload)
{
    struct resp items[3] = {{.kind = RESP_STRING, .str = notify_str_z(kind)},
                            {.kind = RESP_STRING, .str = channel},
                            {.kind = RESP_STRING, .str = notify_str_z(payload)}};
    struct resp *at[3] = {&items[0], &items[1], &items[2]};
    struct resp message = {.kind = RESP_PUSH, .len = 3, .items = at};

    sessions_subscriber_handlers.on_push(sessions, &message);
}

static bool answer_subscriber(void)
{
    struct link_testing_command *command = link_testing_take(&subscriber);
    bool joins;

    if (command == NULL)
        return false;
    joins = notify_str_eq(command->argv[0], NOTIFY_STR("SUBSCRIBE"));
    for (size_t i = 1; i < command->argc; i++)
        push(joins ? "subscribe" : "unsubscribe", command->argv[i], "1");
    link_testing_fence(command);
    return true;
}

static bool answer_command(void)
{
    struct link_testing_command *command = link_testing_take(&commands);
    struct resp reply;

    if (command == NULL)
        return false;
    reply = carry_out(command);
    link_testing_answer(command, &reply);
    return true;
}

static void lose_commands(void)
{
    struct link_testing_command *command;

    /* Some of what was sent is carried out, and nobody hears of it. */
    commands.up = false;
    while ((command = link_testing_take(&commands)) != NULL) {
        if (chance(50))
            (void)carry_out(command);
        link_testing_answer(command, NULL);
    }
    sessions_commands_handlers.on_down(sessions, &commands.keys, &link_testing_everything);
}

static void find_commands(void)
{
    commands.up = true;
    sessions_commands_handlers.on_up(sessions, &commands.keys, &link_testing_everything);
}

/* Clients. */

static void arrive_as(struct peer *peer, int user, int session)
{
    char key[32];
    static uint64_t number;

    *peer = (struct peer){.user = user, .session = session, .here = true};
    peer->client.number = ++number;
    (void)snprintf(key, sizeof(key), "sessions:u%d", peer->user);
    cr_assert_eq(sessions_enter(sessions, &peer->client, SESSIONS_OF_USER, notify_str_z(key)), 0);
    sessions_name_holder(&peer->client);
}

static void arrive(struct peer *peer)
{
    arrive_as(peer, (int)below(USERS), (int)below(SESSIONS));
    if (!chance(30))
        return;
    cr_assert_eq(sessions_enter(sessions, &peer->client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")),
                 0);
    cr_assert_eq(sessions_watch(sessions, &peer->client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")),
                 0);
}

static void go(struct peer *peer)
{
    sessions_forget(&peer->client);
    peer->here = false;
    cr_assert_eq(sessions_count_of(&peer->client), 0);
}

static void act(void)
{
    struct peer *peer = &peers[below(CLIENTS)];

    switch (below(14)) {
    case 0:
    case 1:
    case 2:
        if (!peer->here)
            arrive(peer);
        break;
    case 3:
    case 4:
        if (peer->here)
            go(peer);
        break;
    case 5:
        if (peer->here)
            sessions_leave(&peer->client, NOTIFY_STR("presence:t"));
        break;
    case 6:
        if (commands.up && chance(30))
            lose_commands();
        else if (!commands.up)
            find_commands();
        break;
    case 7:
        if (held_len > 0 && chance(30))
            drop_held(&held[below(held_len)]); /* its lease has passed, or the set was lost */
        break;
    case 8:
        loop_testing_advance(below(LEASE_MS));
        break;
    case 9:
    case 10:
        (void)answer_subscriber();
        break;
    default:
        (void)answer_command();
    }
    loop_testing_run_deferred();
}

static void settle_all(void)
{
    if (!commands.up)
        find_commands();
    for (int round = 0; round < 4; round++) {
        loop_testing_advance(LEASE_MS / 2);
        do
            loop_testing_run_deferred();
        while (answer_subscriber() || answer_command());
    }
}

/* Whoever is there and was not refused has a place; nobody else has one that could be taken back.
 */
static void check_end(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        char key[32], connection[48];

        if (!peers[i].here)
            continue;
        CHECK(peers[i].settled || peers[i].refused, "everybody's place is decided");
        (void)snprintf(connection, sizeof(connection), "%s:%" PRIu64, sessions_node(sessions),
                       peers[i].client.number);
        (void)snprintf(key, sizeof(key), "sessions:u%d", peers[i].user);
        if (peers[i].refused)
            continue;
        CHECK(find_held(key, connection) != NULL, "who was let in has a place");
        (void)snprintf(key, sizeof(key), "ws:session:s%d", peers[i].session);
        CHECK(find_held(key, connection) != NULL, "and whose its session is can be asked");
    }
    for (int u = 0; u < USERS; u++)
        for (int s = 0; s < SESSIONS; s++) {
            char key[32];
            (void)snprintf(key, sizeof(key), "sessions:u%d", u);
            CHECK(count_held(key, numbered('s', s).ptr) <= PER_SESSION, "the limit holds");
            CHECK(count_sessions(key) <= PER_USER, "the limit holds");
        }
}

static bool drained;

static void on_drained(void *ctx)
{
    (void)ctx;
    cr_assert_not(drained, "told once");
    drained = true;
}

static uint64_t kick_after_ms; /* 0 but for one test */

static void begin(uint64_t scenario)
{
    static const struct key_names keys = {.patterns = {[KEY_SESSION_USERS] = "ws:session:%s"}};
    const struct sessions_config config = {.loop = LOOP_TESTING,
                                           .commands = &commands.keys,
                                           .keys = &keys,
                                           .handlers = &handlers,
                                           .lease_ms = LEASE_MS,
                                           .kick_after_ms = kick_after_ms,
                                           .connections_per_session = PER_SESSION,
                                           .sessions_per_user = PER_USER};

    seed = scenario;
    random_begin(seed);
    log_setup(LOG_ERROR, LOG_LOGFMT);
    memset(peers, 0, sizeof(peers));
    held_len = 0;
    wrong_percent = 3;
    kicked_session = NULL;
    is_never_full = false;
    is_older = scenario % 4 == 0;
    drained = false;
    link_testing_init(&subscriber);
    link_testing_init(&commands);
    sessions = sessions_new(&config);
    cr_assert_not_null(sessions);
    sessions_subscriber_handlers.on_up(sessions, &subscriber);
    find_commands();
}

static void end(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (peers[i].here)
            go(&peers[i]);
    commands.up = false;
    lose_commands();
    sessions_subscriber_handlers.on_down(sessions);
    link_testing_go_down(&subscriber);
    sessions_free(sessions);
    loop_testing_run_deferred();
}

Test(session_line, in_the_end_redis_knows_who_is_there, .timeout = 120)
{
    for (uint64_t scenario = 1; scenario <= SCENARIOS; scenario++) {
        begin(scenario);
        for (int step = 0; step < STEPS; step++)
            act();
        settle_all();
        check_end();
        for (int i = 0; i < CLIENTS; i++)
            if (peers[i].here)
                go(&peers[i]);
        settle_all();
        cr_assert_eq(sessions_set_count(sessions), 0, "scenario %" PRIu64, seed);
        end();
    }
}

Test(session_line, a_process_that_ends_takes_all_its_places_along, .timeout = 120)
{
    for (uint64_t scenario = 1; scenario <= SCENARIOS; scenario++) {
        begin(scenario);
        for (int step = 0; step < STEPS; step++)
            act();
        if (!commands.up)
            find_commands();
        sessions_drain(sessions, on_drained, NULL);
        do
            loop_testing_run_deferred();
        while (answer_command() || answer_subscriber());
        cr_assert(drained, "scenario %" PRIu64, seed);
        end();
    }
}

Test(session_line, without_a_link_there_is_nothing_to_wait_for_at_the_end)
{
    begin(1);
    arrive(&peers[0]);
    lose_commands();
    sessions_drain(sessions, on_drained, NULL);
    cr_assert(drained);
    end();
}

/* Answers all that is sent; how many commands that were. */
static unsigned answer_all(void)
{
    unsigned count = 0;

    loop_testing_run_deferred();
    for (; answer_command(); count++)
        loop_testing_run_deferred();
    return count;
}

Test(session_line, sets_that_are_due_together_are_renewed_by_one_command)
{
    begin(1);
    wrong_percent = 0;
    for (int i = 0; i < 9; i++)
        arrive_as(&peers[i], i, i);
    settle_all();
    lose_commands(); /* when it is back all are renewed, at once */
    find_commands();
    cr_assert_eq(answer_all(), 1);
    lose_commands();
    for (size_t i = held_len; i-- > 0;)
        if (i % 3 == 0)
            drop_held(&held[i]);
    find_commands();
    cr_assert_gt(answer_all(), 1, "what is gone is opened again");
    for (int i = 0; i < 9; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "sessions:u%d", i);
        cr_assert_eq(count_held(key, NULL), 1);
        (void)snprintf(key, sizeof(key), "ws:session:s%d", i);
        cr_assert_eq(count_held(key, NULL), 1);
    }
    end();
}

Test(session_line, who_watches_is_told_of_so_many_and_then_how_it_stands)
{
    begin(1);
    wrong_percent = 0;
    peers[0].here = true;
    cr_assert_eq(
        sessions_watch(sessions, &peers[0].client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")), 0);
    settle_all();
    is_never_full = true;
    peers[0].told = 0;
    for (unsigned i = 0; i < 1000; i++)
        push("message", NOTIFY_STR("presence:t"),
             "{\"type\":\"presence\",\"key\":\"presence:t\",\"rev\":7,\"event\":\"join\","
             "\"session_id\":\"u\",\"sessions\":1,\"connections\":1}");
    cr_assert_eq(peers[0].told, 200);
    cr_assert_eq(counter_values[COUNTER_PRESENCE_MESSAGES], 800);
    loop_testing_advance(LEASE_MS / 3 + 1000);
    do
        loop_testing_run_deferred();
    while (answer_subscriber() || answer_command());
    cr_assert_eq(peers[0].told, 201, "and once how it stands");
    push("message", NOTIFY_STR("presence:t"),
         "{\"type\":\"presence\",\"key\":\"presence:t\",\"rev\":8,\"event\":\"leave\","
         "\"session_id\":\"u\",\"sessions\":0,\"connections\":0}");
    cr_assert_eq(peers[0].told, 202);
    end();
}

static size_t lose_session(const char *key, const char *session)
{
    size_t count = 0;

    for (size_t i = held_len; i-- > 0;)
        if (strcmp(held[i].key, key) == 0 && strcmp(held[i].session, session) == 0) {
            drop_held(&held[i]);
            count++;
        }
    return count;
}

static void push_kick(const char *key, const char *session)
{
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"kick\",\"key\":\"%s\",\"rev\":7,\"session_id\":\"%s\"}", key,
                   session);
    push("message", notify_str_z(key), text);
}

Test(session_line, kicks_that_come_together_are_looked_for_together)
{
    char name[8];

    begin(1);
    wrong_percent = 0;
    for (int i = 0; i < 4; i++)
        arrive_as(&peers[i], 0, i / 2);
    arrive_as(&peers[4], 1, 0);
    arrive_as(&peers[5], 1, 1);
    arrive_as(&peers[6], 2, 2);
    settle_all();
    names_asked = 0;
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof(name), "x%u", i);
        push_kick("sessions:u0", i == 250 ? "s1" : name);
    }
    push_kick("sessions:u1", "s0");
    push_kick("sessions:u0", "s0");
    push_kick("sessions:u2", "s2");
    go(&peers[6]); /* and its set with it, or soon */
    settle_all();
    for (int i = 0; i < 5; i++)
        cr_assert(peers[i].kicked, "peer %d", i);
    cr_assert_not(peers[5].kicked);
    cr_assert_not(peers[6].kicked, "it had gone before");
    cr_assert_lt(names_asked, 60, "and not some for each kick: %u", names_asked);
    push_kick("sessions:u1", "s1");
    end(); /* before its turn */
}

/* What was published before it may come over another link. */
Test(session_line, a_kick_may_wait_for_a_moment_and_whoever_comes_meanwhile_is_not_meant)
{
    kick_after_ms = 50;
    begin(1);
    wrong_percent = 0;
    arrive_as(&peers[0], 0, 0);
    settle_all();
    cr_assert_eq(lose_session("sessions:u0", "s0"), 1);
    push_kick("sessions:u0", "s0");
    loop_testing_run_deferred();
    arrive_as(&peers[1], 0, 0);
    cr_assert_not(peers[0].kicked);
    loop_testing_advance(50);
    cr_assert(peers[0].kicked && !peers[1].kicked);
    settle_all();
    cr_assert_eq(count_held("sessions:u0", "s0"), 1);
    push_kick("sessions:u0", "s0");
    end(); /* before its turn */
}

Test(session_line, a_kick_meets_the_session_that_it_names_which_is_not_opened_again)
{
    begin(1);
    wrong_percent = 0;
    arrive_as(&peers[0], 0, 0);
    arrive_as(&peers[1], 0, 0);
    arrive_as(&peers[2], 0, 1);
    settle_all();
    cr_assert_eq(count_held("sessions:u0", NULL), 3);
    cr_assert_eq(lose_session("sessions:u0", "s0"), 2);
    push_kick("sessions:u0", "s0");
    loop_testing_run_deferred();
    cr_assert(peers[0].kicked && peers[1].kicked && !peers[2].kicked);
    settle_all();
    cr_assert_eq(count_held("sessions:u0", "s0"), 0);
    cr_assert_eq(count_held("sessions:u0", "s1"), 1);
    end();
}

Test(session_line, whose_a_session_is_can_be_asked_from_its_first_connection_to_its_last)
{
    begin(1);
    wrong_percent = 0;
    arrive_as(&peers[0], 0, 0);
    arrive_as(&peers[1], 0, 0);
    arrive_as(&peers[2], 1, 0); /* another user calls its session so, too */
    settle_all();
    cr_assert_eq(count_held("ws:session:s0", "u0"), 2);
    cr_assert_eq(count_held("ws:session:s0", "u1"), 1);
    go(&peers[0]);
    settle_all();
    cr_assert_eq(count_held("ws:session:s0", "u0"), 1);
    go(&peers[1]);
    go(&peers[2]);
    settle_all();
    cr_assert_eq(held_len, 0);
    end();
}

Test(session_line, whose_a_session_is_stands_there_again_at_the_next_touch_if_it_was_lost)
{
    begin(1);
    wrong_percent = 0;
    arrive_as(&peers[0], 0, 0);
    settle_all();
    cr_assert_eq(lose_session("ws:session:s0", "u0"), 1);
    settle_all();
    cr_assert_eq(count_held("ws:session:s0", "u0"), 1);
    end();
}

Test(session_line, a_session_that_redis_refuses_is_nobodys)
{
    unsigned refused = 0;

    begin(1);
    wrong_percent = 0;
    for (int i = 0; i <= PER_SESSION; i++)
        arrive_as(&peers[i], 0, 0);
    settle_all();
    for (int i = 0; i <= PER_SESSION; i++)
        refused += peers[i].refused;
    cr_assert_eq(refused, 1);
    cr_assert_eq(count_held("ws:session:s0", NULL), PER_SESSION);
    end();
}

/* Its places stay; it is there no more. */
static struct notify_str park(struct peer *peer, char out[SESSIONS_CONNECTION_MAX])
{
    struct notify_str name = sessions_connection(sessions, &peer->client, out);

    sessions_park(&peer->client);
    peer->here = false;
    return name;
}

static void come_back(struct peer *peer, struct notify_str name)
{
    *peer = (struct peer){.here = true};
    peer->client.number = 1000000;
    cr_assert_eq(sessions_return(&peer->client, name), 0);
    cr_assert_eq(
        sessions_enter(sessions, &peer->client, SESSIONS_OF_USER, NOTIFY_STR("sessions:u0")), 0);
    sessions_name_holder(&peer->client);
}

Test(session_line, who_is_parked_keeps_his_place_and_comes_back_to_it)
{
    char buffer[SESSIONS_CONNECTION_MAX], again[SESSIONS_CONNECTION_MAX];
    struct notify_str name;

    begin(1);
    arrive_as(&peers[0], 0, 0);
    settle_all();
    for (int i = 0; i < 3; i++) {
        name = park(&peers[0], buffer);
        settle_all();
        cr_assert_eq(held_len, 2, "his session's, and whose it is");
        cr_assert_eq(sessions_set_count(sessions), 0);
        come_back(&peers[0], name);
        cr_assert(notify_str_eq(sessions_connection(sessions, &peers[0].client, again), name));
        settle_all();
        cr_assert_eq(held_len, 2);
        cr_assert(peers[0].settled);
    }
    go(&peers[0]);
    settle_all();
    cr_assert_eq(held_len, 0);
    end();
}

Test(session_line, who_is_parked_before_redis_has_answered_keeps_what_it_opens)
{
    char buffer[SESSIONS_CONNECTION_MAX];
    struct notify_str name;

    begin(1);
    arrive_as(&peers[0], 0, 0);
    loop_testing_run_deferred();
    (void)answer_subscriber();
    loop_testing_run_deferred();
    name = park(&peers[0], buffer);
    settle_all();
    cr_assert_eq(held_len, 1);
    come_back(&peers[0], name);
    settle_all();
    go(&peers[0]);
    settle_all();
    cr_assert_eq(held_len, 0);
    end();
}

Test(session_line, who_was_kicked_while_he_was_parked_hears_of_it_when_he_comes_back)
{
    char buffer[SESSIONS_CONNECTION_MAX];
    struct notify_str name;

    begin(1);
    arrive_as(&peers[0], 0, 0);
    settle_all();
    name = park(&peers[0], buffer);
    settle_all();
    held_len = 0;
    kicked_session = "s0";
    come_back(&peers[0], name);
    settle_all();
    cr_assert(peers[0].kicked && held_len == 0);
    kicked_session = NULL;
    end();
}

Test(session_line, what_is_no_name_of_a_place_is_not_come_back_to)
{
    const char *names[] = {"",
                           ":",
                           "0123456789abcdef",
                           "0123456789abcdef:",
                           "0123456789abcdef:x",
                           "0123456789abcdef:-1",
                           "0123456789abcdef:99999999999999999999",
                           "0123456789abcdef:9999999999999999999",
                           "0123456789ABCDEF:1",
                           "0123456789abcde:1",
                           "0123456789abcdef0:1"};
    struct client client = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_eq(sessions_return(&client, notify_str_z(names[i])), -EINVAL, "%s", names[i]);
    cr_assert_null(client.before);
}

Test(session_line, a_kick_that_was_not_heard_is_learned_of_when_it_is_opened_again)
{
    begin(1);
    wrong_percent = 0;
    arrive_as(&peers[0], 0, 0);
    arrive_as(&peers[1], 0, 1);
    settle_all();
    lose_commands();
    cr_assert_eq(lose_session("sessions:u0", "s0") + lose_session("sessions:u0", "s1"), 2);
    kicked_session = "s0"; /* the other one has only been lost */
    settle_all();
    cr_assert(peers[0].kicked && !peers[1].kicked);
    cr_assert_eq(count_held("sessions:u0", "s0"), 0);
    cr_assert_eq(count_held("sessions:u0", "s1"), 1);
    end();
}

Test(session_line, an_older_server_that_knows_no_again_opens_what_was_lost_all_the_same)
{
    begin(1);
    wrong_percent = 0;
    is_older = true;
    arrive_as(&peers[0], 0, 0);
    settle_all();
    cr_assert_eq(lose_session("sessions:u0", "s0"), 1);
    settle_all();
    cr_assert_eq(count_held("sessions:u0", "s0"), 1);
    cr_assert_eq(counter_values[COUNTER_SESSIONS_FAILED], 0);
    end();
}

#define AT_ONCE 256 /* in one SUBSCRIBE: so many of those may be under way */

/* Watches topics, and leaves each at once. */
static void look_into_topics(struct peer *peer, unsigned topics)
{
    char key[32];

    for (unsigned i = 0; i < topics; i += AT_ONCE) {
        for (unsigned n = i; n < topics && n < i + AT_ONCE; n++) {
            (void)snprintf(key, sizeof(key), "presence:t%u", n);
            cr_assert_eq(sessions_watch(sessions, &peer->client, USERS_OF_TOPIC, notify_str_z(key)),
                         0);
        }
        loop_testing_run_deferred();
        for (unsigned n = i; n < topics && n < i + AT_ONCE; n++) {
            (void)snprintf(key, sizeof(key), "presence:t%u", n);
            sessions_unwatch(&peer->client, notify_str_z(key));
        }
    }
}

Test(session_line, sets_that_nobody_has_to_do_with_are_not_kept_until_redis_is_back)
{
    begin(1);
    lose_commands();
    sessions_subscriber_handlers.on_down(sessions);
    arrive_as(&peers[0], 0, 0);
    look_into_topics(&peers[0], 1000);
    cr_assert_eq(sessions_set_count(sessions), 1, "its user");
    for (int i = 1; i < CLIENTS; i++) {
        arrive_as(&peers[i], 1 + i % 2, 1 + i % 2);
        go(&peers[i]);
    }
    cr_assert_eq(sessions_set_count(sessions), 1);
    end();
}

Test(session_line, who_could_not_be_listened_to_for_lack_of_room_is_told_with_the_next_touch)
{
    begin(1);
    wrong_percent = 0;
    peers[0].here = true;
    look_into_topics(&peers[0], SUBSCRIPTIONS_LEAVING_MAX);
    cr_assert_eq(
        sessions_watch(sessions, &peers[0].client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")), 0);
    cr_assert_eq(counter_values[COUNTER_SUBSCRIPTIONS_LEAVING], 1);
    do
        loop_testing_run_deferred();
    while (answer_subscriber() || answer_command());
    cr_assert_eq(peers[0].told, 0);
    settle_all();
    cr_assert_gt(peers[0].told, 0);
    end();
}

Test(session_line, who_watches_is_told_how_it_stands_once_redis_can_say_it)
{
    begin(1);
    peers[0].here = true;
    wrong_percent = 100;
    cr_assert_eq(
        sessions_watch(sessions, &peers[0].client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")), 0);
    do
        loop_testing_run_deferred();
    while (answer_subscriber() || answer_command());
    cr_assert_eq(peers[0].told, 0, "a refusal says nothing");
    wrong_percent = 0;
    settle_all();
    cr_assert_gt(peers[0].told, 0);
    end();
}

Test(session_line, who_watches_is_told_though_the_question_could_not_be_sent_at_first)
{
    begin(1);
    wrong_percent = 0;
    peers[0].here = true;
    commands.refuses = true;
    cr_assert_eq(
        sessions_watch(sessions, &peers[0].client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")), 0);
    do
        loop_testing_run_deferred();
    while (answer_subscriber());
    commands.refuses = false;
    cr_assert_eq(peers[0].told, 0);
    settle_all();
    cr_assert_gt(peers[0].told, 0);
    end();
}

Test(session_line, one_refused_count_is_no_count)
{
    struct link_testing_command *first, *second;
    struct resp busy = {.kind = RESP_ERROR, .str = {"BUSY a script", 13}};
    struct resp five = {.kind = RESP_INTEGER, .integer = 5};

    begin(1);
    peers[0].here = true;
    wrong_percent = 0;
    cr_assert_eq(
        sessions_watch(sessions, &peers[0].client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")), 0);
    do
        loop_testing_run_deferred();
    while (answer_subscriber());
    first = link_testing_take(&commands);
    second = link_testing_take(&commands);
    cr_assert(first != NULL && second != NULL);
    link_testing_answer(first, &busy);
    link_testing_answer(second, &five);
    cr_assert_eq(peers[0].told, 0, "five connections of no session");
    settle_all();
    cr_assert_gt(peers[0].told, 0);
    end();
}

/* So many peers are present in a topic; nothing is answered yet. */
static void enter_topic(int from, int count)
{
    for (int i = from; i < from + count; i++) {
        peers[i] = (struct peer){.here = true};
        peers[i].client.number = 1000 + (uint64_t)i;
        cr_assert_eq(
            sessions_enter(sessions, &peers[i].client, USERS_OF_TOPIC, NOTIFY_STR("presence:t")),
            0);
    }
}

Test(session_line, very_many_places_are_renewed_by_few_commands)
{
    unsigned touches = 0, named = 0;
    struct link_testing_command *command;

    begin(1);
    wrong_percent = 0;
    enter_topic(0, CLIENTS);
    do
        loop_testing_run_deferred();
    while (answer_command() || answer_subscriber());
    loop_testing_advance(LEASE_MS / 3 + 1000);
    loop_testing_run_deferred();
    while ((command = link_testing_take(&commands)) != NULL) {
        struct resp reply = {.kind = RESP_INTEGER, .integer = (int64_t)command->argc - 5};
        cr_assert_str_eq(word(command, 1), "TOUCH");
        touches++;
        named += (unsigned)command->argc - 5;
        link_testing_answer(command, &reply);
        loop_testing_run_deferred();
    }
    cr_assert_eq(touches, 1);
    cr_assert_eq(named, CLIENTS);
    end();
}

Test(session_line, leases_are_renewed_while_very_many_wait_to_be_opened)
{
    unsigned opened_before = 0, opened = 0, touched = 0;
    struct link_testing_command *command;

    begin(1);
    wrong_percent = 0;
    enter_topic(0, 8);
    do
        loop_testing_run_deferred();
    while (answer_command() || answer_subscriber());
    enter_topic(8, CLIENTS - 8);
    loop_testing_advance(LEASE_MS / 3 + 1000); /* Redis takes so long */
    while ((command = link_testing_take(&commands)) != NULL) {
        struct resp reply = carry_out(command);
        opened += strcmp(word(command, 1), "OPEN") == 0;
        touched += strcmp(word(command, 1), "TOUCH") == 0;
        if (touched == 0)
            opened_before = opened;
        link_testing_answer(command, &reply);
        loop_testing_run_deferred();
    }
    cr_assert_eq(opened, CLIENTS - 8);
    cr_assert_eq(touched, 1);
    cr_assert_leq(opened_before, 16, "of %u", opened);
    cr_assert_eq(count_held("presence:t", NULL), CLIENTS);
    end();
}
