/* Any bytes as a request of a client, with Redis answering this and that: every answer is a JSON
 * object, and a request with a request_id is answered with it, whatever else is wrong in it. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/admission.h"
#include "clients/arrival.h"
#include "clients/arrival_request.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/following.h"
#include "conn_testing.h"
#include "identity/authority.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "base/log.h"
#include "loop_testing.h"
#include "requests/responder_ws.h"
#include "channels/router.h"
#include "redis/turns.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS 16

struct stage {
    struct redis_link subscriber, commands;
    struct turns *turns;
    struct router *router;
    struct followings *followings;
    struct key_names names;
    struct authority *authority;
    struct admissions admissions;
    struct category_filters filters;
    struct client_shared shared;
    struct conn conn;
    struct client *client;
};

static void on_closed(void *ctx)
{
    (void)ctx;
}

static void stage_open(struct stage *stage)
{
    static const char *const logs[] = {"topic:all", NULL};
    const struct router_limits limits = {.recent_events = 16,
                                         .recent_bytes = 4096,
                                         .ahead_bytes = 65536,
                                         .linger = {.channels = 64, .per_client = 4}};
    struct http_request req = {.path = NOTIFY_STR("/ws/fuzz"), .query = NOTIFY_STR("user=u")};

    char error[AUTHORITY_ERROR_MAX];

    *stage = (struct stage){.names = {{"inbox:%s", "topic:%s", "session:%s"}}};
    link_testing_init(&stage->subscriber);
    link_testing_init(&stage->commands);
    stage->turns = turns_new(&stage->commands.keys);
    stage->router = router_new(LOOP_TESTING, NULL, &limits, &(struct router_plain){NULL, NULL},
                               &client_follow_handlers);
    stage->followings =
        followings_new(LOOP_TESTING, &stage->commands.keys, arrival_on_logs_followed);
    stage->authority = authority_new(LOOP_TESTING, &(struct authority_config){.open = true}, error);
    assert(stage->turns != NULL && stage->router != NULL && stage->followings != NULL &&
           stage->authority != NULL);
    stage->shared = (struct client_shared){
        .senders = {.loop = LOOP_TESTING, .outbox_bytes = 4096, .slow_timeout_ms = 1000},
        .admissions = &stage->admissions,
        .filters = &stage->filters,
        .on_leaving = arrival_undo,
        .on_box_ended = following_renew,
        .followings = stage->followings,
        .router = stage->router,
        .commands = stage->turns,
        .keyspace = &stage->commands.keys,
        .keys = &stage->names,
        .max_subscriptions = 8,
        .broadcast_logs = logs,
        .on_closed = on_closed,
    };
    stage->admissions = (struct admissions){.loop = LOOP_TESTING, .authority = stage->authority};
    int initialised = client_shared_init(&stage->shared);
    assert(initialised == 0);
    initialised = admissions_init(&stage->admissions);
    assert(initialised == 0);
    router_subscriber_up(stage->router, &stage->subscriber);
    router_reader_up(stage->router, &stage->commands.keys, &link_testing_everything);
    arrival_open(&stage->shared, &stage->conn, &req);
    stage->client = stage->conn.peer;
    assert(stage->client != NULL);
}

/* Where each box ends: the one answer that NOTIFY.SINCE is asked for until it comes. */
static void answer_since(struct link_testing_command *command)
{
    static struct resp key = {.kind = RESP_STRING, .str = {"key", 3}};
    static struct resp last = {.kind = RESP_STRING, .str = {"last", 4}};
    static struct resp id = {.kind = RESP_STRING, .str = {"5-1", 3}};
    struct resp names[64], maps[64], *items[64], *pairs[64][4];
    struct resp reply = {.kind = RESP_ARRAY, .items = items};

    for (size_t i = 1; i + 2 < command->argc; i += 2) {
        size_t n = reply.len++;
        names[n] = (struct resp){.kind = RESP_STRING, .str = command->argv[i]};
        pairs[n][0] = &key;
        pairs[n][1] = &names[n];
        pairs[n][2] = &last;
        pairs[n][3] = &id;
        maps[n] = (struct resp){.kind = RESP_MAP, .len = 4, .items = pairs[n]};
        items[n] = &maps[n];
    }
    link_testing_answer(command, &reply);
}

/* One of several replies, some of them far from what the command answers. */
static void answer(struct link_testing_command *command, unsigned choice)
{
    static struct resp nil = {.kind = RESP_NIL};
    static struct resp number = {.kind = RESP_INTEGER, .integer = 3};
    static struct resp text = {.kind = RESP_STRING, .str = {"{\"id\":\"5-1\",\"data\":{}}", 22}};
    static struct resp whole = {.kind = RESP_STRING,
                                .str = {"{\"id\":\"5-1\",\"data\":{\"id\":\"5-1\"}}", 32}};
    static struct resp error = {.kind = RESP_ERROR, .str = {"ERR \xc3\xa9 \"quoted\"", 15}};
    static struct resp refused = {.kind = RESP_ERROR, .str = {"NOPERM no", 9}};
    static struct resp *items[] = {&text, &whole, &whole, &text};
    static struct resp list = {.kind = RESP_ARRAY, .len = 4, .items = items};
    static struct resp *pairs[] = {&text, &number, &whole, &list};
    static struct resp map = {.kind = RESP_MAP, .len = 4, .items = pairs};
    static const struct resp *const replies[] = {&nil,     &number, &text, &error,
                                                 &refused, &list,   &map,  NULL};

    const struct resp *reply = replies[choice % (sizeof(replies) / sizeof(replies[0]))];

    /* Without a reply a link goes down, and that question waits for the next one. */
    if (reply == NULL && notify_str_eq(command->argv[0], NOTIFY_STR("NOTIFY.SINCE")))
        answer_since(command);
    else
        link_testing_answer(command, reply);
}

/* Redis confirms what is asked for and answers what is awaited. */
static void run(struct stage *stage, unsigned *choice)
{
    static struct resp kind = {.kind = RESP_STRING, .str = {"subscribe", 9}};
    static struct resp one = {.kind = RESP_INTEGER, .integer = 1};
    struct link_testing_command *command;

    loop_testing_advance(300);
    loop_testing_run_deferred();
    while ((command = link_testing_take(&stage->subscriber)) != NULL) {
        for (size_t i = 1; i < command->argc; i++) {
            struct resp name = {.kind = RESP_STRING, .str = command->argv[i]};
            struct resp *items[] = {&kind, &name, &one};
            struct resp push = {.kind = RESP_PUSH, .len = 3, .items = items};
            router_push(stage->router, &push);
        }
        link_testing_fence(command);
    }
    loop_testing_run_deferred();
    while ((command = link_testing_take(&stage->commands)) != NULL)
        answer(command, (*choice)++);
    router_batch_end(stage->router);
}

static void stage_close(struct stage *stage)
{
    client_on_closed(stage->client, 1000);
    link_testing_go_down(&stage->commands);
    turns_free(stage->turns);
    router_reader_down(stage->router, &stage->commands.keys, &link_testing_everything);
    router_free(stage->router);
    followings_free(stage->followings);
    client_shared_release(&stage->shared);
    admissions_release(&stage->admissions);
    authority_free(stage->authority);
    loop_testing_run_deferred();
    link_testing_go_down(&stage->subscriber);
    conn_testing_release(&stage->conn);
}

#define OUR_ID "\"our\\ud800 id\"" /* as JSON text */

struct answer {
    bool has_type, has_our_id;
};

static void on_answer_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct answer *answer = ctx;

    if (notify_str_eq(name, NOTIFY_STR("type")))
        answer->has_type = json_plain_string(value).len > 0;
    if (notify_str_eq(name, NOTIFY_STR("request_id")))
        answer->has_our_id = notify_str_eq(value, NOTIFY_STR(OUR_ID));
}

/* Returns how many there were; *ret_ours: how many of them repeat OUR_ID. */
static size_t check_answers(struct stage *stage, size_t *ret_ours)
{
    size_t count = 0;
    char *text;

    *ret_ours = 0;
    for (; (text = conn_testing_take(&stage->conn)) != NULL; count++) {
        struct answer answer = {false, false};
        bool well_formed = json_scan_object(notify_str_z(text), on_answer_member, &answer);
        assert(well_formed && answer.has_type);
        *ret_ours += answer.has_our_id;
        free(text);
    }
    return count;
}

/* One request with all that it leads to. */
static size_t ask(struct stage *stage, struct notify_str text, unsigned *choice, size_t *ret_ours)
{
    responder_ws_message(stage->client, text);
    for (int i = 0; i < ROUNDS; i++)
        run(stage, choice);
    return check_answers(stage, ret_ours);
}

/* The same with other bytes around it: a request that has OUR_ID. */
static void ask_with_id(struct stage *stage, const char *before, struct notify_str text,
                        const char *after, unsigned *choice)
{
    size_t len = strlen(before) + text.len + strlen(after), ours;
    char *whole = malloc(len + 1);

    assert(whole != NULL);
    (void)snprintf(whole, len + 1, "%s", before);
    if (text.len > 0)
        memcpy(whole + strlen(before), text.ptr, text.len);
    memcpy(whole + strlen(before) + text.len, after, strlen(after));
    (void)ask(stage, notify_str_of(whole, len), choice, &ours);
    assert(ours == 1);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str text = notify_str_of((const char *)data, size), rest = text;
    unsigned choice = size == 0 ? 0 : data[size / 2];
    struct stage stage;
    size_t count, ours;

    log_setup(LOG_ERROR, LOG_LOGFMT);
    stage_open(&stage);
    for (int i = 0; i < ROUNDS; i++)
        run(&stage, &choice);
    (void)check_answers(&stage, &ours);
    count = ask(&stage, text, &choice, &ours);
    assert(count > 0);
    if (size > 0 && data[0] == '{')
        rest = notify_str_of(text.ptr + 1, text.len - 1);
    ask_with_id(&stage, "{\"request_id\":" OUR_ID ",", rest, "", &choice);
    if (json_scan_value(text)) { /* nothing in it that swallows what comes behind */
        ask_with_id(&stage, "{\"type\":\"ping\",\"x\":", text, ",\"request_id\":" OUR_ID "}",
                    &choice);
        ask_with_id(&stage, "{\"x\":", text, ",,\"request_id\":" OUR_ID "}x", &choice);
    }
    responder_ws_message(stage.client, text); /* and again, with what it has left behind */
    stage_close(&stage);
    return 0;
}
