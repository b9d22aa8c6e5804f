/* What a client was, read back: nothing but what this version writes is believed to be that. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "clients/client_state.h"

#define ID "abcdefghijklmnopqrst"
#define HEAD                                                                                       \
    "{\"v\":1,\"id\":\"" ID                                                                        \
    "\",\"user\":\"ann\",\"pid\":\"\",\"auth\":null,\"greeted\":true,\"marks\":false,"

static struct client_state state;
static struct client_shared shared = {.max_subscriptions = 2};

static void begin(void)
{
    shared.senders.loop = loop_new();
}

static void end(void)
{
    loop_free(shared.senders.loop);
}

TestSuite(client_state, .init = begin, .fini = end);

static bool reads(const char *text)
{
    return client_state_read(&state, notify_str_z(text), strlen(ID), &shared);
}

Test(client_state, is_read_as_it_was_written)
{
    cr_assert(reads("{\"v\":1,\"id\":\"" ID
                    "\",\"user\":\"ann\",\"pid\":\"p\",\"auth\":{\"token\":\"t\"},"
                    "\"greeted\":true,\"marks\":true,\"keys\":[[\"inbox:ann\",\"17-4@@3\",null],"
                    "[\"prices:x\",null,null]],\"chosen\":{\"joined\":[\"a\"],\"left\":[]}}"));
    cr_assert(notify_str_eq(state.id, NOTIFY_STR(ID)));
    cr_assert(notify_str_eq(state.user, NOTIFY_STR("ann")));
    cr_assert(notify_str_eq(state.pid, NOTIFY_STR("p")));
    cr_assert_str_eq(json_string_value(json_object_get(state.auth, "token")), "t");
    cr_assert(state.greeted && state.marks);
    cr_assert_eq(json_array_size(state.keys), 2);
    client_state_release(&state);
}

Test(client_state, of_anything_else_nothing_is_believed)
{
    static const char *const others[] = {
        "",
        "x",
        "[]",
        "{}",
        "null",
        /* another version, and none */
        "{\"v\":2,\"id\":\"" ID "\",\"auth\":null,\"keys\":[],\"chosen\":null}",
        "{\"id\":\"" ID "\",\"auth\":null,\"keys\":[],\"chosen\":null}",
        /* ids that are not ours */
        "{\"v\":1,\"id\":\"short\",\"auth\":null,\"keys\":[],\"chosen\":null}",
        "{\"v\":1,\"id\":\"abcdefghijklmnopqrs\\u0000\",\"auth\":null,\"keys\":[],\"chosen\":null}",
        "{\"v\":1,\"id\":\"abcdefghijklmnopqrs\\\"\",\"auth\":null,\"keys\":[],\"chosen\":null}",
        "{\"v\":1,\"id\":7,\"auth\":null,\"keys\":[],\"chosen\":null}",
        /* what was said as it joined is an object */
        "{\"v\":1,\"id\":\"" ID "\",\"auth\":\"t\",\"keys\":[],\"chosen\":null}",
        "{\"v\":1,\"id\":\"" ID "\",\"keys\":[],\"chosen\":null}",
        /* keys */
        HEAD "\"chosen\":null}",
        HEAD "\"keys\":{},\"chosen\":null}",
        HEAD "\"keys\":[\"inbox:ann\"],\"chosen\":null}",
        HEAD "\"keys\":[[\"inbox:ann\",\"17-4\"]],\"chosen\":null}",
        HEAD "\"keys\":[[\"\",null,null]],\"chosen\":null}",
        HEAD "\"keys\":[[7,null,null]],\"chosen\":null}",
        HEAD "\"keys\":[[\"a\",\"x\",null]],\"chosen\":null}",
        HEAD "\"keys\":[[\"a\",17,null]],\"chosen\":null}",
        HEAD "\"keys\":[[\"a\",null,\"x\"]],\"chosen\":null}",
        HEAD "\"keys\":[[\"a\",null,null],[\"b\",null,null],[\"c\",null,null]],\"chosen\":null}",
        /* what it had chosen */
        HEAD "\"keys\":[]}",
        HEAD "\"keys\":[],\"chosen\":[]}",
        HEAD "\"keys\":[],\"chosen\":{\"joined\":[]}}",
        /* said twice */
        "{\"v\":1,\"v\":1,\"id\":\"" ID "\",\"auth\":null,\"keys\":[],\"chosen\":null}",
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(reads(others[i]), "%s", others[i]);
}

Test(client_state, a_pid_is_no_longer_than_one_of_ours)
{
    cr_assert_not(
        reads("{\"v\":1,\"id\":\"" ID "\",\"user\":\"ann\",\"pid\":\"123456789012345678901\","
              "\"auth\":null,\"greeted\":true,\"marks\":false,\"keys\":[],\"chosen\":null}"));
}

static void check_rate(const char *rate, int64_t at_ms, uint64_t messages_ms, uint64_t warnings_ms)
{
    char text[512];

    (void)snprintf(text, sizeof(text), HEAD "\"keys\":[],\"chosen\":null,\"rate\":%s,\"at\":%lld}",
                   rate, (long long)at_ms);
    cr_assert(reads(text), "%s", text);
    /* some time passes meanwhile */
    cr_assert(state.rate.messages_ms <= messages_ms &&
                  state.rate.messages_ms + 50000 >= messages_ms,
              "%s", text);
    cr_assert(state.rate.warnings_ms <= warnings_ms &&
                  state.rate.warnings_ms + 50000 >= warnings_ms,
              "%s", text);
    client_state_release(&state);
}

Test(client_state, what_was_sent_before_counts_as_far_as_it_is_not_long_ago)
{
    int64_t now = (int64_t)loop_wall_ms(shared.senders.loop);

    check_rate("[500000,7000]", now - 60000, 440000, 0);
    check_rate("[500000,900000]", now - 60000, 440000, 840000);
    check_rate("[500000,0]", now + 600000, 500000, 0); /* by a clock that goes ahead */
    check_rate("[500000,0]", 17, 0, 0);
    check_rate("[-5,\"x\"]", -7, 0, 0);
    check_rate("[500000,0]", INT64_MIN, 500000, 0);
    check_rate("{}", now, 0, 0);
    check_rate("null", now, 0, 0);
}
