/* Any bytes as a request of a client, with Redis answering this and that: every answer is a JSON
 * object, and a request with a request_id is answered with it. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>

#include "clients/client.h"
#include "conn_testing.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "base/log.h"
#include "loop_testing.h"
#include "requests/request.h"
#include "channels/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS 8

struct stage {
    struct redis_link subscriber, commands;
    struct router *router;
    struct key_names names;
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
    const struct router_limits limits = {.recent_events = 16, .recent_bytes = 4096};
    struct conn_request req = {.path = NOTIFY_STR("/ws/fuzz"), .query = NOTIFY_STR("user=u")};

    *stage = (struct stage){.names = {{"inbox:%s", "topic:%s", "session:%s"}}};
    link_testing_init(&stage->subscriber);
    link_testing_init(&stage->commands);
    stage->router = router_new(LOOP_TESTING, &limits);
    assert(stage->router != NULL);
    stage->shared = (struct client_shared){
        .loop = LOOP_TESTING,
        .router = stage->router,
        .commands = &stage->commands,
        .keys = &stage->names,
        .limits = {.outbox_bytes = 4096, .subscriptions = 8, .slow_timeout_ms = 1000},
        .broadcast_logs = logs,
        .on_closed = on_closed,
    };
    int initialised = client_shared_init(&stage->shared);
    assert(initialised == 0);
    router_subscriber_up(stage->router, &stage->subscriber);
    router_reader_up(stage->router, &stage->commands);
    stage->client = client_open(&stage->shared, &stage->conn, &req);
    assert(stage->client != NULL);
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
        reply = &nil;
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
        free(command);
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
    router_reader_down(stage->router);
    router_free(stage->router);
    client_shared_release(&stage->shared);
    loop_testing_run_deferred();
    link_testing_go_down(&stage->subscriber);
    conn_testing_release(&stage->conn);
}

/* Returns how many there were. */
static size_t check_answers(struct stage *stage)
{
    size_t count = 0;
    char *text;

    for (; (text = conn_testing_take(&stage->conn)) != NULL; count++) {
        json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert(json_is_object(object));
        assert(json_is_string(json_object_get(object, "type")));
        json_decref(object);
        free(text);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str text = notify_str_of((const char *)data, size);
    unsigned choice = size == 0 ? 0 : data[size / 2];
    struct stage stage;

    log_setup(LOG_ERROR, LOG_LOGFMT);
    stage_open(&stage);
    for (int i = 0; i < ROUNDS; i++)
        run(&stage, &choice);
    (void)check_answers(&stage);
    request_handle(stage.client, text);
    for (int i = 0; i < ROUNDS; i++)
        run(&stage, &choice);
    assert(check_answers(&stage) > 0);
    request_handle(stage.client, text); /* and again, with what it has left behind */
    stage_close(&stage);
    return 0;
}
