/* Any bytes as a query, a path and a body of each call of the HTTP interface, with Redis answering
 * this and that: each is answered exactly once, by JSON or by nothing. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "clients/admission.h"
#include "clients/client.h"
#include "clients/following.h"
#include "conn_testing.h"
#include "exchange_testing.h"
#include "identity/authority.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "redis/turns.h"
#include "requests/responder_http.h"
#include "requests/rest_calls.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const struct http_call *call;
    const char *before, *behind; /* of the named part of the path */
} calls[] = {
    {&rest_list, "/api/v1/notifications", NULL},
    {&rest_count, "/api/v1/notifications/unread/count", NULL},
    {&rest_read_all, "/api/v1/notifications/read-all", NULL},
    {&rest_show, "/api/v1/notifications/", ""},
    {&rest_delete, "/api/v1/notifications/", ""},
    {&rest_read, "/api/v1/notifications/", "/read"},
    {&rest_sessions, "/api/v1/sessions/", ""},
    {&rest_kick, "/api/v1/sessions/", "/kick"},
    {&rest_requests, "/api/v1/requests", NULL},
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

struct stage {
    struct redis_link commands;
    struct turns *turns;
    struct key_names names;
    struct authority *authority;
    struct admissions admissions;
    struct followings *followings;
    struct client_shared shared;
};

static void on_answered(struct client *client)
{
    (void)client;
}

static void stage_open(struct stage *stage)
{
    static const char *const logs[] = {"topic:all", NULL};
    char error[AUTHORITY_ERROR_MAX];
    int initialised;

    *stage = (struct stage){.names = {{"inbox:%s", "topic:%s", "session:%s", "sessions:%s"}}};
    link_testing_init(&stage->commands);
    stage->turns = turns_new(&stage->commands.keys);
    stage->followings = followings_new(LOOP_TESTING, &stage->commands.keys, on_answered);
    stage->authority = authority_new(LOOP_TESTING, &(struct authority_config){.open = true}, error);
    assert(stage->turns != NULL && stage->authority != NULL && stage->followings != NULL);
    stage->admissions = (struct admissions){.loop = LOOP_TESTING, .authority = stage->authority};
    initialised = admissions_init(&stage->admissions);
    assert(initialised == 0);
    stage->shared = (struct client_shared){.senders = {.loop = LOOP_TESTING},
                                           .commands = stage->turns,
                                           .keyspace = &stage->commands.keys,
                                           .keys = &stage->names,
                                           .admissions = &stage->admissions,
                                           .followings = stage->followings,
                                           .broadcast_logs = logs};
}

static void stage_close(struct stage *stage)
{
    link_testing_go_down(&stage->commands);
    turns_free(stage->turns);
    followings_free(stage->followings);
    admissions_release(&stage->admissions);
    authority_free(stage->authority);
}

#define MESSAGE                                                                                    \
    "{\"type\":\"notification\",\"key\":\"topic:all\",\"id\":\"5-1\",\"category\":\"c\",\"data\":" \
    "{\"id\":\"5-1\",\"title\":\"t\",\"entity\":{\"type\":\"a\",\"id\":1e9},\"is_read\":true}}"

/* One of several replies, some of them far from what the command answers. */
static const struct resp *reply_of(unsigned choice)
{
    static struct resp nil = {.kind = RESP_NIL};
    static struct resp number = {.kind = RESP_INTEGER, .integer = 3};
    static struct resp text = {.kind = RESP_STRING, .str = NOTIFY_STR_INIT("{\"id\":\"5-1\"}")};
    static struct resp message = {.kind = RESP_STRING, .str = NOTIFY_STR_INIT(MESSAGE)};
    static struct resp error = {.kind = RESP_ERROR, .str = NOTIFY_STR_INIT("ERR \xc3\xa9 \"q\"")};
    static struct resp names[] = {{.kind = RESP_STRING, .str = NOTIFY_STR_INIT("entries")},
                                  {.kind = RESP_STRING, .str = NOTIFY_STR_INIT("next")},
                                  {.kind = RESP_STRING, .str = NOTIFY_STR_INIT("total")},
                                  {.kind = RESP_STRING, .str = NOTIFY_STR_INIT("logs")}};
    static struct resp *items[] = {&message, &message, &text};
    static struct resp one = {.kind = RESP_ARRAY, .len = 1, .items = items};
    static struct resp two = {.kind = RESP_ARRAY, .len = 2, .items = items};
    static struct resp odd = {.kind = RESP_ARRAY, .len = 3, .items = items};
    static struct resp *feed_items[] = {&names[0], &two, &names[1], &text, &names[2], &number};
    static struct resp feed = {.kind = RESP_MAP, .len = 6, .items = feed_items};
    static struct resp *badge_items[] = {&text, &number, &names[3], &feed};
    static struct resp badge = {.kind = RESP_MAP, .len = 4, .items = badge_items};
    static const struct resp *const replies[] = {&nil, &number, &text, &message, &error, &one,
                                                 &two, &odd,    &feed, &badge,   NULL};

    return replies[choice % (sizeof(replies) / sizeof(replies[0]))];
}

static void check(const struct exchange *exchange)
{
    assert(exchange->answers == 1);
    assert(exchange->response.status >= 200 && exchange->response.status <= 503);
    assert(exchange->response.len == 0 || exchange->response.len >= sizeof(exchange->body) ||
           json_scan_value(notify_str_z(exchange->body)));
}

/* Any bytes are a path's: those that are none of one were replaced (http_request.c). */
static void ask(struct stage *stage, size_t n, struct notify_str part, struct notify_str query,
                struct notify_str body, unsigned choice)
{
    static struct exchange exchange;
    static struct http_head head = {.field_count = 1};
    struct link_testing_command *command;
    char path[512], whole[1024];

    (void)snprintf(path, sizeof(path), "%s%.*s%s", calls[n].before,
                   calls[n].behind == NULL ? 0 : (int)(part.len < 300 ? part.len : 300), part.ptr,
                   calls[n].behind == NULL ? "" : calls[n].behind);
    (void)snprintf(whole, sizeof(whole), "user=u&%.*s", (int)(query.len < 900 ? query.len : 900),
                   query.len == 0 ? "" : query.ptr);
    head.fields[0] =
        (struct http_field){NOTIFY_STR("Content-Type"), NOTIFY_STR("application/json")};
    exchange = (struct exchange){.req = {.method = NOTIFY_STR("GET"),
                                         .path = notify_str_z(path),
                                         .query = notify_str_z(whole),
                                         .body = body,
                                         .head = &head}};
    responder_http_begin(&stage->shared, &exchange, calls[n].call);
    while ((command = link_testing_take(&stage->commands)) != NULL)
        link_testing_answer(command, reply_of(choice++));
    check(&exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *cut = size == 0 ? NULL : memchr(text, '\n', size);
    size_t len = cut == NULL ? size : (size_t)(cut - text);
    struct notify_str head = notify_str_of(size == 0 ? "" : text, len);
    struct notify_str body =
        notify_str_of(cut == NULL ? "{}" : cut + 1, cut == NULL ? 2 : size - len - 1);
    struct stage stage;

    log_setup(LOG_ERROR, LOG_LOGFMT);
    stage_open(&stage);
    for (size_t n = 0; n < CALLS; n++)
        for (unsigned choice = 0; choice < 11; choice += 1 + size % 3)
            ask(&stage, n, head, head, body, choice);
    stage_close(&stage);
    return 0;
}
