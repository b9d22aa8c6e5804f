/* What is replayed: known as such, never short of memory, never refused. The server is played by
 * fakes. */
#include "server/replay.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/reply.h"
#include "server/server_memory.h"

struct rm_ctx {
    int flags;
};

static int server_flags; /* without a command */
static int flags_asked;
static bool asks_for_keys;
static char logged[1024];
static const char *replied;

static int get_flags(struct rm_ctx *ctx)
{
    flags_asked++;
    return ctx == NULL ? server_flags : ctx->flags;
}

static int is_keys_request(struct rm_ctx *ctx)
{
    (void)ctx;
    return asks_for_keys;
}

static const char *text_of(const struct rm_string *string, size_t *len)
{
    const char *text = (const char *)string;

    *len = strlen(text);
    return text;
}

/* Without format clang takes the text for any text. */
static void keep_log(struct rm_ctx *ctx, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void keep_log(struct rm_ctx *ctx, const char *level, const char *format, ...)
{
    va_list list;

    (void)ctx, (void)level;
    va_start(list, format);
    vsnprintf(logged, sizeof logged, format, list);
    va_end(list);
    fputs(logged, stderr);
}

static int keep_error(struct rm_ctx *ctx, const char *error)
{
    (void)ctx;
    replied = error;
    return RM_OK;
}

static void *no_memory(size_t bytes)
{
    (void)bytes;
    return NULL;
}

static void *no_realloc(void *ptr, size_t bytes)
{
    (void)ptr, (void)bytes;
    return NULL;
}

/* The server's own, which would have ended the process: a place of its own tells that it was asked.
 */
static char insisted[16];

static void *insist(size_t bytes)
{
    (void)bytes;
    return insisted;
}

static void *insist_again(void *ptr, size_t bytes)
{
    (void)ptr, (void)bytes;
    return insisted;
}

static struct rm_string *words[3] = {(void *)"NOTIFY.SEND", (void *)"inbox:1", (void *)"t\n"};

static void setup(void)
{
    rm_GetContextFlags = get_flags;
    rm_IsKeysPositionRequest = is_keys_request;
    rm_StringPtrLen = text_of;
    rm_Log = keep_log;
    rm_ReplyWithError = keep_error;
    rm_TryAlloc = no_memory;
    rm_TryRealloc = no_realloc;
    rm_Alloc = insist;
    rm_Realloc = insist_again;
}

TestSuite(replay, .init = setup);

Test(replay, commands_of_the_primary_and_of_an_aof_are_told_from_those_of_clients)
{
    static const struct {
        int flags;
        bool is_replayed, from_file;
    } rows[] = {
        {0, false, false},
        {RM_FLAG_REPLICA, false, false},
        {RM_FLAG_REPLICATED, true, false},
        {RM_FLAG_REPLICA | RM_FLAG_REPLICATED, true, false},
        {RM_FLAG_LOADING, true, true},
        {RM_FLAG_LOADING | RM_FLAG_ASYNC_LOADING, false, false}, /* a reader of the old data */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rm_ctx ctx = {rows[i].flags};
        replay_begin(&ctx, words, 3);
        cr_assert_eq(replay_now(), rows[i].is_replayed, "row %zu", i);
        cr_assert_eq(replay_now_from_file(), rows[i].from_file, "row %zu", i);
        cr_assert_eq(replay_may_skip(), rows[i].is_replayed, "row %zu", i);
        replay_end();
        cr_assert_not(replay_now());
    }
}

Test(replay, a_command_asks_the_server_once_and_only_if_it_must_know)
{
    struct rm_ctx ctx = {RM_FLAG_REPLICATED};

    replay_begin(&ctx, words, 3);
    cr_assert_eq(flags_asked, 0);
    cr_assert(replay_now() && replay_now());
    cr_assert_eq(flags_asked, 1);
}

Test(replay, whoever_asks_where_the_keys_are_is_told_in_spite_of_new_parts)
{
    struct rm_ctx ctx = {0};

    asks_for_keys = true;
    replay_begin(&ctx, words, 3);
    cr_assert(replay_may_skip());
}

Test(replay, memory_fails_for_clients_and_never_for_what_is_replayed)
{
    static const struct {
        int flags;
        bool in_command, fails;
    } rows[] = {
        {0, true, true},
        {RM_FLAG_REPLICA, true, true},
        {RM_FLAG_REPLICATED, true, false},
        {RM_FLAG_LOADING, true, false},
        {0, false, true}, /* a client's RESTORE or COPY */
        {RM_FLAG_REPLICA, false, false},
        {RM_FLAG_LOADING, false, false},
        {RM_FLAG_LOADING | RM_FLAG_ASYNC_LOADING, false, false},
    };
    char old[1];

    server_memory_use();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rm_ctx ctx = {rows[i].flags};
        void *wanted = rows[i].fails ? NULL : insisted;
        server_flags = rows[i].flags;
        if (rows[i].in_command)
            replay_begin(&ctx, words, 3);
        cr_assert_eq(mem_try_alloc(1), wanted, "row %zu", i);
        cr_assert_eq(mem_try_realloc(old, 1, 2), wanted, "row %zu", i);
        replay_end();
    }
}

Test(replay, clients_get_an_error_as_a_reply)
{
    struct rm_ctx ctx = {RM_FLAG_REPLICA};

    replay_begin(&ctx, words, 3);
    reply_error(&ctx, "ERR no");
    cr_assert_str_eq(replied, "ERR no");
}

Test(replay, what_cannot_be_replayed_ends_the_process, .exit_code = 1)
{
    struct rm_ctx ctx = {RM_FLAG_REPLICATED};

    replay_begin(&ctx, words, 3);
    reply_error(&ctx, "ERR no");
    cr_assert_fail("it went on");
}
