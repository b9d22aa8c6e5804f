#include "requests/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/client.h"
#include "clients/inquiries.h"
#include "identity/identity.h"
#include "net/conn.h"
#include "notify_wire.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/call.h"

#define NUMBER_TEXT 21
#define CANCELLED ":cancelled" /* behind the name of the stream: a channel */

static const struct agent_refusal refusals[] = {
    {-E2BIG, COUNTER_AGENT_REQUESTS_OF_CLIENT, ANSWER_TOO_MANY_REQUESTS,
     "this connection waits for as many answers of the agent as it may"},
    {-EDQUOT, COUNTER_AGENT_REQUESTS_OF_USER, ANSWER_TOO_MANY_REQUESTS,
     "this user waits for as many answers of agents as one may"},
    {-EUSERS, COUNTER_AGENT_REQUESTS, ANSWER_UNAVAILABLE, "too many wait for an agent just now"},
    {-ENOMEM, COUNTERS, ANSWER_PROCESSING_ERROR, "out of memory"},
};

const struct agent_refusal *agent_refusal_of(int error)
{
    size_t i = 0;

    while (refusals[i].error != error && refusals[i].limit != COUNTERS)
        i++;
    return &refusals[i];
}

/* No user's name begins so (identity/key_names.h). */
#define ADDRESS_MARK '\n'

struct notify_str agent_asker(const struct client *client, char out[ASKER_NAME_MAX])
{
    char address[ADDRESS_TEXT_MAX];
    struct notify_str name = identity_user(client->identity);

    _Static_assert(ADDRESS_TEXT_MAX < ASKER_NAME_MAX, "it is to fit behind the mark");
    if (!client->identity->anonymous) {
        memcpy(out, name.ptr, name.len);
        return notify_str_of(out, name.len);
    }
    name = notify_str_z(conn_format_address(client->sender.conn, address));
    out[0] = ADDRESS_MARK;
    memcpy(out + 1, name.ptr, name.len);
    return notify_str_of(out, name.len + 1);
}

static void add_number(struct words *words, const char *name, char buffer[NUMBER_TEXT + 1],
                       uint64_t number)
{
    int len = snprintf(buffer, NUMBER_TEXT + 1, "%" PRIu64, number);

    words_add(words, notify_str_z(name));
    words_add(words, notify_str_of(buffer, (size_t)len));
}

static void add_fields(struct words *words, const struct agent_request *request,
                       char deadline[NUMBER_TEXT + 1], uint64_t deadline_ms)
{
    words_add_option(words, NOTIFY_STR("request_id"), request->id);
    words_add_option(words, NOTIFY_STR("session_id"), request->session);
    words_add_option(words, NOTIFY_STR("user_id"), request->user);
    words_add_option(words, NOTIFY_STR("answer"), request->answer);
    words_add_option(words, NOTIFY_STR("reply_to"), request->reply_to);
    add_number(words, "deadline", deadline, deadline_ms);
    words_add_option(words, NOTIFY_STR("message"), request->message); /* whatever is in it: last */
}

int agent_ask(const struct client_shared *shared, const struct agent_request *request,
              redis_reply_fn fn, bool (*on_turn)(void *ctx), void *ctx)
{
    const struct agent *agent = shared->agent;
    char max[NUMBER_TEXT + 1], deadline[NUMBER_TEXT + 1];
    struct words words = {.len = 2, .at = {NOTIFY_STR("XADD"), notify_str_z(agent->stream)}};
    struct turn turn = {
        .argv = words.at, .reply_bytes = AGENT_ENTRY_MAX, .fn = fn, .on_turn = on_turn, .ctx = ctx};

    words_add(&words, NOTIFY_STR("MAXLEN"));
    add_number(&words, "~", max, agent->stream_max);
    words_add(&words, NOTIFY_STR("*"));
    add_fields(&words, request, deadline,
               loop_wall_ms(shared->senders.loop) + shared->inquiries->timeout_ms);
    turn.argc = words.len;
    return turns_command(shared->commands, &turn);
}

bool agent_was_asked(const struct resp *reply, char ret_entry[AGENT_ENTRY_MAX + 1])
{
    struct notify_str entry = resp_str(reply);

    if (entry.len == 0 || entry.len > AGENT_ENTRY_MAX || reply->kind != RESP_STRING)
        return false;
    memcpy(ret_entry, entry.ptr, entry.len);
    ret_entry[entry.len] = '\0';
    counter_add(COUNTER_AGENT_ASKED, 1);
    return true;
}

/* Nobody waits for the replies either. */
static void ignore_reply(void *ctx, const struct resp *reply)
{
    (void)ctx;
    (void)reply;
}

static void tell(const struct client_shared *shared, const char *command, const char *key,
                 const char *word)
{
    const struct notify_str words[] = {notify_str_z(command), notify_str_z(key),
                                       notify_str_z(word)};
    const struct turn turn = {
        .argc = 3, .argv = words, .reply_bytes = NUMBER_TEXT, .fn = ignore_reply};

    if (turns_command(shared->commands, &turn) < 0)
        log_debug("agent_not_told", "command", command);
}

void agent_cancel(const struct client_shared *shared, const char *entry, const char *id)
{
    char channel[NOTIFY_KEY_MAX + sizeof(CANCELLED)];

    if (entry[0] != '\0')
        tell(shared, "XDEL", shared->agent->stream, entry);
    (void)snprintf(channel, sizeof(channel), "%s" CANCELLED, shared->agent->stream);
    tell(shared, "PUBLISH", channel, id);
}
