#include "clients/recovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/number.h"
#include "clients/client.h"
#include "clients/client_state.h"
#include "clients/opening.h"
#include "net/conn.h"
#include "redis/resp.h"
#include "redis/turns.h"

#define KEY_MAX (CLIENT_PID_LEN + 8)
#define STATE_BYTES 131072 /* that a state may have: more is not read within a turn */

/* A question under way. */
struct question {
    struct client *client; /* its memory is kept by sender_call_begin() */
    recovery_fn fn;        /* NULL: it has been told that it takes too long */
    struct loop_timer *timer;
};

#define QUESTION_BYTES (sizeof(struct question) + STATE_BYTES)

static struct notify_str key_of_pid(char out[KEY_MAX], struct notify_str pid)
{
    return notify_str_of(out, (size_t)snprintf(out, KEY_MAX, "sio:{%.*s}", (int)pid.len, pid.ptr));
}

static void end_question(struct question *question)
{
    struct client *client = question->client;

    loop_timer_free(question->timer);
    free(question);
    client_call_end(client, QUESTION_BYTES);
}

static void tell(struct question *question, struct client_state *state)
{
    recovery_fn fn = question->fn;

    question->fn = NULL;
    loop_timer_cancel(question->timer);
    if (fn != NULL && !client_is_closed(question->client))
        fn(question->client, state);
    else
        client_state_release(state);
}

static void on_late(void *ctx)
{
    struct client_state nothing = {.json = NULL};

    tell(ctx, &nothing);
}

/* Where everybody is who he says, somebody who gives no name is called as he was. */
static bool has_no_name(const struct client *client)
{
    return client->identity->everything && client->opening->user[0] == '\0';
}

/* Is it no larger than it may be? */
static bool fits(struct notify_str text)
{
    if (text.len <= STATE_BYTES)
        return true;
    counter_add(COUNTER_RECOVERY_STATE, 1);
    return false;
}

/* Somebody else's is none. */
static void read_state(struct client_state *ret, const struct client *client,
                       struct notify_str text)
{
    if (!fits(text) || !client_state_read(ret, text, client_id(client).len, client->shared))
        return;
    if (!ret->greeted || !(notify_str_eq(ret->user, client_user(client)) || has_no_name(client)))
        client_state_release(ret);
}

static void on_state(void *ctx, const struct resp *reply)
{
    struct question *question = ctx;
    struct client_state state = {.json = NULL};

    if (reply != NULL && reply->kind == RESP_STRING && !client_is_closed(question->client))
        read_state(&state, question->client, resp_str(reply));
    tell(question, &state);
    end_question(question);
}

static bool on_turn(void *ctx)
{
    struct question *question = ctx;

    sender_call_goes_on(&question->client->sender);
    return question->fn != NULL;
}

/* False: it cannot be asked. */
static bool ask(struct question *question, struct notify_str pid)
{
    char key[KEY_MAX];
    const struct notify_str words[] = {NOTIFY_STR("GETDEL"), key_of_pid(key, pid)};
    const struct turn turn = {.argc = 2,
                              .argv = words,
                              .reply_bytes = STATE_BYTES,
                              .fn = on_state,
                              .on_turn = on_turn,
                              .ctx = question};
    int sent = turns_command(question->client->shared->commands, &turn);

    if (sent == 1)
        sender_call_waits(&question->client->sender);
    return sent >= 0;
}

void recovery_ask(struct client *client, struct notify_str pid, recovery_fn fn)
{
    struct question *question = calloc(1, sizeof(*question));
    struct client_state nothing = {.json = NULL};

    if (question != NULL)
        question->timer = loop_timer_new(client->shared->senders.loop, on_late, question);
    if (question == NULL || question->timer == NULL) {
        free(question);
        fn(client, &nothing);
        return;
    }
    question->client = client;
    question->fn = fn;
    sender_call_begin(&client->sender, QUESTION_BYTES);
    loop_timer_set(question->timer, RECOVERY_WAIT_MS);
    if (ask(question, pid))
        return;
    tell(question, &nothing);
    end_question(question);
}

/* Nobody waits for the reply: without the state its client begins anew. */
static void ignore_reply(void *ctx, const struct resp *reply)
{
    (void)ctx;
    (void)reply;
}

static void keep(struct client *client, struct notify_str pid, struct notify_str state)
{
    char key[KEY_MAX], ms[NUMBER_TEXT_MAX + 1];
    const struct notify_str words[] = {NOTIFY_STR("SET"), key_of_pid(key, pid), state,
                                       NOTIFY_STR("PX"),
                                       number_text(ms, (int64_t)client->shared->recovery_ms)};
    const struct turn turn = {
        .argc = 5, .argv = words, .reply_bytes = 64, .fn = ignore_reply, .ctx = NULL};

    if (turns_command(client->shared->commands, &turn) < 0)
        log_debug("not_recoverable", "client", log_int((int64_t)client->number));
}

/* Did its connection break, or was it sent away for a while? Who left, or must stay away, does not
 * come back. */
static bool may_come_back(int code)
{
    return code != CONN_CLOSE_PARKED && code != CONN_CLOSE_NORMAL &&
           (code < CONN_CLOSE_ABUSE || code == CONN_CLOSE_IDLE || code == CONN_CLOSE_TOO_SLOW);
}

void recovery_leave(struct client *client, int code)
{
    struct notify_str pid = client_origin_pid(client);
    char *state;

    if (pid.len == 0 || !may_come_back(code) || client->sender.state != SENDER_READY)
        return;
    state = client_state_text(client);
    if (state != NULL && fits(notify_str_z(state)))
        keep(client, pid, notify_str_z(state));
    free(state);
}
