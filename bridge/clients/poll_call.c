#include "clients/poll_call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "socketio/engineio.h"

#define WORDS_BEFORE 4 /* EVALSHA, the script, how many keys, the key */
#define KEY_BEGIN "eio:{"
#define KEY_LEN (sizeof(KEY_BEGIN) - 1 + ENGINEIO_SID_LEN + 1)
/* Most replies have no more; one with much input does, and then others wait for it. */
#define REPLY_BYTES 32768

struct poll_call {
    struct poll_caller *caller;
    STAILQ_ENTRY(poll_call) link; /* of those that could not be sent */
    poll_call_fn fn;
    void *ctx;
    enum poll_script script;
    enum poll_result failure; /* what is told if it cannot be sent */
    bool whole;               /* the text was sent, not the name */
    size_t argc;
    struct notify_str argv[WORDS_BEFORE + POLL_CALL_ARGS];
    char key[KEY_LEN];
    char bytes[]; /* of the arguments */
};

static void tell(struct poll_call *call, const struct poll_reply *reply)
{
    poll_call_fn fn = call->fn;
    void *ctx = call->ctx;

    free(call);
    fn(ctx, reply);
}

static void tell_result(struct poll_call *call, enum poll_result result)
{
    tell(call, &(struct poll_reply){.result = result});
}

/* What cannot be sent is told so from the loop. */

static void tell_unsent(void *ctx)
{
    struct poll_caller *caller = ctx;
    struct poll_call *call;

    caller->telling = false;
    while ((call = STAILQ_FIRST(&caller->unsent)) != NULL) {
        STAILQ_REMOVE_HEAD(&caller->unsent, link);
        tell_result(call, call->failure);
    }
}

static void fail(struct poll_call *call, enum poll_result failure)
{
    struct poll_caller *caller = call->caller;

    call->failure = failure;
    STAILQ_INSERT_TAIL(&caller->unsent, call, link);
    if (!caller->telling)
        loop_defer(caller->loop, tell_unsent, caller);
    caller->telling = true;
}

/* What was replied. */

static const struct word {
    struct notify_str text;
    struct poll_reply reply;
} words[] = {
    {NOTIFY_STR_INIT("DONE"), {.result = POLL_DONE}},
    {NOTIFY_STR_INIT("AGAIN"), {.result = POLL_DONE, .again = true}},
    {NOTIFY_STR_INIT("SERVED"), {.result = POLL_SERVED}},
    {NOTIFY_STR_INIT("UNHEARD"), {.result = POLL_UNHEARD}},
    {NOTIFY_STR_INIT("UNKNOWN"), {.result = POLL_UNKNOWN}},
    {NOTIFY_STR_INIT("UPGRADED"), {.result = POLL_UPGRADED}},
    {NOTIFY_STR_INIT("OVERLAP"), {.result = POLL_OVERLAP}},
    {NOTIFY_STR_INIT("PROBED"), {.result = POLL_PROBED}},
    {NOTIFY_STR_INIT("HELD"), {.result = POLL_AWAY, .held = true}},
    {NOTIFY_STR_INIT("LOST"), {.result = POLL_LOST}},
    {NOTIFY_STR_INIT("ELSEWHERE"), {.result = POLL_ELSEWHERE}},
    {NOTIFY_STR_INIT("FULL"), {.result = POLL_FULL}},
};

static const struct resp *item(const struct resp *reply, size_t i)
{
    return i < reply->len ? reply->items[i] : NULL;
}

/* Numbers come as such or as Redis keeps them, as text. */
static int64_t number_of(const struct resp *reply)
{
    struct notify_str text = resp_str(reply);
    uint64_t value = 0;

    if (text.len == 0)
        return resp_integer(reply, 0);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > INT64_MAX / 10 - 1)
            return 0;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return (int64_t)value;
}

static struct poll_reply read_word(struct notify_str text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (notify_str_eq(words[i].text, text))
            return words[i].reply;
    return (struct poll_reply){.result = POLL_UNKNOWN};
}

static struct poll_reply read_items(const struct poll_caller *caller, const struct resp *reply)
{
    struct poll_reply ret = read_word(resp_str(item(reply, 0)));
    int64_t ping_in_ms = number_of(item(reply, 2));

    if (ret.again)
        ret.state = resp_str(item(reply, 1));
    if (ret.result != POLL_DONE || ret.again)
        return ret;
    ret.input = resp_str(item(reply, 1));
    ret.ping_in_ms = ping_in_ms < 0 ? POLL_NEVER : ping_in_ms;
    ret.dead_in_ms = number_of(item(reply, 3));
    ret.probed = number_of(item(reply, 4)) != 0;
    ret.given = (uint64_t)number_of(item(reply, 5));
    ret.state = resp_str(item(reply, 6));
    ret.last = (uint64_t)number_of(item(reply, 7));
    ret.known = number_of(item(reply, 8)) != 0;
    ret.missed = number_of(item(reply, 9)) != 0;
    ret.waits = number_of(item(reply, 10)) != 0;
    ret.release = number_of(item(reply, 11)) != 0;
    ret.set_back = number_of(item(reply, 12)) != 0;
    if (ret.input.len <= caller->input_max && ret.state.len <= caller->state_max)
        return ret;
    return (struct poll_reply){.result = POLL_UNKNOWN};
}

/* What is wrong with the box alone makes it none that is known; anything else passes. */
static enum poll_result read_error(struct poll_caller *caller, const struct resp *reply)
{
    const char *text = log_bytes(reply->str.ptr, reply->str.len);
    bool ours = resp_is_error(reply, "ERR") || resp_is_error(reply, "WRONGTYPE");
    unsigned skipped;

    counter_add(COUNTER_POLLS_FAILED, 1);
    if (log_once(&caller->said, loop_now_ms(caller->loop), text, &skipped))
        log_warn("poll_failed", "text", text, "times", log_int(skipped + 1), "see", "docs/acl.md");
    return ours && !resp_is_passing_error(reply) ? POLL_UNKNOWN : POLL_AWAY;
}

static bool send_out(struct poll_call *call);

static void on_reply(void *ctx, const struct resp *reply)
{
    struct poll_call *call = ctx;
    struct poll_reply said;

    if (reply == NULL) {
        tell_result(call, POLL_AWAY);
    } else if (resp_is_error(reply, "NOSCRIPT") && !call->whole) {
        call->whole = true;
        if (!send_out(call))
            tell_result(call, POLL_AWAY);
    } else if (reply->kind != RESP_ARRAY) {
        tell_result(call,
                    reply->kind == RESP_ERROR ? read_error(call->caller, reply) : POLL_UNKNOWN);
    } else {
        said = read_items(call->caller, reply);
        tell(call, &said);
    }
}

static bool send_out(struct poll_call *call)
{
    const struct poll_script_text *script = &poll_scripts[call->script];
    const struct turn turn = {.argc = call->argc,
                              .argv = call->argv,
                              .reply_bytes = REPLY_BYTES,
                              .fn = on_reply,
                              .ctx = call};

    call->argv[0] = call->whole ? NOTIFY_STR("EVAL") : NOTIFY_STR("EVALSHA");
    call->argv[1] = call->whole ? script->text : script->sha1;
    return turns_command(call->caller->turns, &turn) >= 0;
}

/* Ids are ours: of one length, of characters that mean themselves wherever they stand. */
static bool is_sid(struct notify_str sid)
{
    for (size_t i = 0; i < sid.len; i++) {
        char c = sid.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return sid.len == ENGINEIO_SID_LEN;
}

static void name_key(struct poll_call *call, struct notify_str sid)
{
    memcpy(call->key, KEY_BEGIN, sizeof(KEY_BEGIN) - 1);
    memcpy(call->key + sizeof(KEY_BEGIN) - 1, sid.ptr, sid.len);
    call->key[KEY_LEN - 1] = '}';
    call->argv[2] = NOTIFY_STR("1");
    call->argv[3] = notify_str_of(call->key, KEY_LEN);
}

static struct poll_call *make(struct poll_caller *caller, poll_call_fn fn, void *ctx, size_t argc,
                              const struct notify_str *argv)
{
    struct poll_call *call;
    size_t bytes = 0;
    char *to;

    assert(argc <= POLL_CALL_ARGS);
    for (size_t i = 0; i < argc; i++)
        bytes += argv[i].len;
    call = malloc(sizeof(*call) + bytes);
    if (call == NULL)
        abort(); /* as the loop does: whoever waits could not be told */
    call->caller = caller;
    call->fn = fn;
    call->ctx = ctx;
    call->whole = false;
    call->argc = WORDS_BEFORE + argc;
    to = call->bytes;
    for (size_t i = 0; i < argc; i++) {
        call->argv[WORDS_BEFORE + i] = notify_str_of(to, argv[i].len);
        if (argv[i].len > 0)
            memcpy(to, argv[i].ptr, argv[i].len);
        to += argv[i].len;
    }
    return call;
}

void poll_call(struct poll_caller *caller, enum poll_script script, struct notify_str sid,
               poll_call_fn fn, void *ctx, size_t argc, const struct notify_str *argv)
{
    struct poll_call *call = make(caller, fn, ctx, argc, argv);

    call->script = script;
    if (!is_sid(sid)) {
        fail(call, POLL_UNKNOWN);
        return;
    }
    name_key(call, sid);
    if (!send_out(call))
        fail(call, POLL_AWAY);
}

void poll_call_nobody(struct poll_caller *caller, poll_call_fn fn, void *ctx)
{
    fail(make(caller, fn, ctx, 0, NULL), POLL_AWAY);
}

void poll_caller_init(struct poll_caller *caller, struct loop *loop, struct turns *turns,
                      size_t input_max, size_t state_max)
{
    *caller = (struct poll_caller){
        .loop = loop, .turns = turns, .input_max = input_max, .state_max = state_max};
    STAILQ_INIT(&caller->unsent);
}

void poll_caller_release(struct poll_caller *caller)
{
    if (caller->telling)
        loop_undefer(caller->loop, tell_unsent, caller);
    tell_unsent(caller);
}
