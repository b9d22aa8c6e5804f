/* chat_stream -- POST /api/v1/chat/stream: a message to an agent whose answer comes piece by piece
 * (docs/agents.md).
 *
 *     FOLLOWING --the log is live--> ASKING --it is in the stream--> TELLING --a last word--> OVER
 *         \-- Last-Event-ID: nothing is asked anew ------------------/
 *
 * The reader is a client that follows the log of its session and is sent the events that answer its
 * inquiry, in their order, whatever becomes of its outbox. Exactly one last word goes out: an end
 * or an error of the agent's, or an error of ours. */
#include "requests/chat_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/counters.h"
#include "base/loop.h"
#include "base/random_uuid.h"
#include "channels/follow.h"
#include "clients/ask.h"
#include "clients/client.h"
#include "clients/inquiries.h"
#include "identity/identity.h"
#include "identity/key_names.h"
#include "net/conn.h"
#include "net/http.h"
#include "redis/resp.h"
#include "requests/agent.h"
#include "requests/answer.h"
#include "requests/partings.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "wire/chat_position.h"
#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/position.h"
#include "wire/sse_block.h"
#include "wire/text.h"

struct chat {
    struct inquiry inquiry;       /* first: its handlers are given it */
    struct client_shared *shared; /* borrowed */
    struct client *client;        /* the reader; NULL once it has gone */
    unsigned refs;                /* the reader's, and those of calls under way */
    bool resumed;
    bool left;            /* the reader has gone before the end */
    bool failed;          /* the last word is ours, and is out, or waits */
    struct notify_id pos; /* of the log, when nothing had been asked yet */
    struct parting parting;
    char *message; /* owned, until it is asked; or NULL */
    size_t message_len;
};

static void chat_unref(struct chat *chat)
{
    if (--chat->refs > 0)
        return;
    free(chat->message);
    free(chat);
}

/* The end. */

/* What waits for the reader goes out before. */
static void close_if_told(struct chat *chat)
{
    if (chat->client == NULL || (!chat->failed && !chat->inquiry.ended) ||
        chat->client->sender.outbox.len > 0)
        return;
    if (chat->inquiry.all != NULL)
        inquiry_close(&chat->inquiry);
    sender_close(&chat->client->sender, CONN_CLOSE_NORMAL, "");
}

static void on_told(void *ctx)
{
    struct chat *chat = ctx;

    close_if_told(chat);
    chat_unref(chat);
}

/* Channels are in the middle of something. */
static void end_soon(struct chat *chat)
{
    chat->refs++;
    loop_defer(chat->shared->senders.loop, on_told, chat);
}

static void begin(struct chat *chat);

/* The last word, in place of the agent's; behind what has come of that already. Takes error over.
 */
static void fail_with(struct chat *chat, json_t *error)
{
    struct text text;

    if (chat->inquiry.all != NULL)
        inquiry_close(&chat->inquiry);
    if (chat->failed || chat->client == NULL) {
        json_decref(error);
        return;
    }
    chat->failed = true;
    if (chat->client->sender.outbox.len > 0)
        begin(chat);
    if (text_of_json(&text, error))
        sender_begin(&chat->client->sender, &text);
    text_release(&text);
    end_soon(chat);
}

static void fail(struct chat *chat, const char *code, const char *message)
{
    fail_with(chat, json_pack("{s:s, s:s, s:s, s:n}", "type", "error", "code", code, "message",
                              message, "details"));
}

/* What becomes of the inquiry. */

static void heard(struct inquiry *inquiry, const struct event *event)
{
    struct chat *chat = (struct chat *)inquiry;

    if (inquiry->ended) /* what comes behind the last word is nobody's */
        return;
    if (event->data.len <= chat->shared->agent->answer_bytes) {
        inquiry_extend(inquiry);
        return;
    }
    client_limit_met(chat->client, COUNTER_AGENT_ANSWERS);
    fail(chat, "PROCESSING_ERROR", "the agent's answer is too long");
}

static void ended(struct inquiry *inquiry)
{
    struct chat *chat = (struct chat *)inquiry;

    end_soon(chat);
}

static void fail_timed_out(struct chat *chat)
{
    client_limit_met(chat->client, COUNTER_AGENT_TIMEOUT);
    fail_with(chat,
              json_pack("{s:s, s:s, s:s, s:{s:I}}", "type", "error", "code", "PROCESSING_ERROR",
                        "message", "the agent did not answer in time", "details", "timeout_ms",
                        (json_int_t)chat->shared->inquiries->timeout_ms));
}

/* Not before it is known what is to be taken out of the stream. */
static void part(struct chat *chat)
{
    chat->left = true;
    if (chat->parting.entry[0] != '\0' || chat->resumed)
        partings_add(chat->shared->partings, &chat->parting);
}

static void over(struct inquiry *inquiry, enum inquiry_end end)
{
    struct chat *chat = (struct chat *)inquiry;

    if (inquiry->ended && end == INQUIRY_TIMED_OUT)
        sender_close(&chat->client->sender, CONN_CLOSE_TOO_SLOW, "too slow for too long");
    else if (!inquiry->ended && end == INQUIRY_LEFT)
        part(chat);
    if (inquiry->ended || end == INQUIRY_LEFT)
        return;
    if (end == INQUIRY_TIMED_OUT)
        fail_timed_out(chat);
    else
        fail(chat, "PROCESSING_ERROR", "part of the answer is not kept any more");
    agent_cancel(chat->shared, chat->parting.entry, chat->parting.id);
}

static const struct inquiry_kind chat_inquiry = {.heard = heard, .ended = ended, .over = over};

/* The reader's connection. */

static void on_drained(void *peer)
{
    struct chat *chat = peer;

    client_on_drained(chat->client);
    close_if_told(chat);
}

static void on_closed(void *peer, int code)
{
    struct chat *chat = peer;
    struct client *client = chat->client;

    client_on_closed(client, code);
    chat->client = NULL;
    chat_unref(chat);
}

static const struct peer_handlers chat_handlers = {.on_drained = on_drained,
                                                   .on_closed = on_closed};

/* Asking. */

static struct notify_str log_of(const struct chat *chat, struct key_buffer *buffer)
{
    return key_of(chat->shared->keys, KEY_SESSION, client_session(chat->client), buffer);
}

/* {"type":"start",…}, and where the reader is who has had it; once, and before all else. */
static void begin(struct chat *chat)
{
    struct key_buffer buffer;
    const struct chat_position position = {
        .id = chat->pos, .request = notify_str_z(chat->parting.id), .key = log_of(chat, &buffer)};
    struct notify_str session = client_session(chat->client);
    char id[CHAT_POSITION_MAX];
    struct text text;

    if (chat->client->sender.state != SENDER_OPENING)
        return;
    if (text_of_json(&text, json_pack("{s:s, s:s%}", "type", "start", "session_id", session.ptr,
                                      session.len))) {
        text_add(&text, NOTIFY_STR("\n\nid: "));
        text_add(&text, notify_str_of(id, chat_position_format(id, &position)));
        sender_begin(&chat->client->sender, &text);
    }
    text_release(&text);
}

static void fail_asking(struct chat *chat, const struct resp *reply)
{
    if (reply == NULL)
        fail(chat, "UNAVAILABLE", "Redis is away; whether this was done is not known");
    else if (resp_is_passing_error(reply))
        fail(chat, "UNAVAILABLE", "Redis cannot do this just now; nothing was done");
    else
        fail(chat, "PROCESSING_ERROR", "nobody can be asked: see the log of the bridge");
}

/* Over the other link, which may be ahead. */
static bool has_been_answered(const struct chat *chat)
{
    return chat->client->sender.outbox.len > 0;
}

static void on_added(void *ctx, const struct resp *reply)
{
    struct chat *chat = ctx;
    bool asked = agent_was_asked(reply, chat->parting.entry);

    if (asked && chat->left)
        partings_add(chat->shared->partings, &chat->parting);
    else if (chat->client != NULL && (asked || has_been_answered(chat)))
        begin(chat);
    else if (chat->client != NULL)
        fail_asking(chat, reply);
    close_if_told(chat);
    chat_unref(chat);
}

static bool on_turn(void *ctx)
{
    const struct chat *chat = ctx;

    return chat->client != NULL && !chat->failed;
}

static void ask(struct chat *chat)
{
    struct key_buffer buffer;
    const struct agent_request request = {.id = notify_str_z(chat->parting.id),
                                          .session = client_session(chat->client),
                                          .user = client_user(chat->client),
                                          .answer = NOTIFY_STR("stream"),
                                          .reply_to = log_of(chat, &buffer),
                                          .message =
                                              notify_str_of(chat->message, chat->message_len)};

    if (agent_ask(chat->shared, &request, on_added, on_turn, chat) < 0)
        fail(chat, "UNAVAILABLE", "Redis is away; nothing was done");
    else
        chat->refs++;
    free(chat->message);
    chat->message = NULL;
}

/* The log is live: what is answered from now on is heard. */
static void on_live(struct client *client, struct ask *asked)
{
    struct chat *chat = asked->ctx;

    if (asked->refused)
        fail(chat, "FORBIDDEN", CLIENT_FORBIDDEN_TEXT);
    else if (chat->resumed && client->follows->gap)
        inquiries_lost(&client->inquiries);
    if (asked->refused || chat->resumed || chat->failed)
        return;
    chat->pos = client->follows->pos;
    ask(chat);
}

static const struct ask_kind chat_ask = {.done = on_live};

/* from: what the reader has had; NULL: nothing has been asked yet. */
static int follow(struct chat *chat, const struct position *from)
{
    struct client *client = chat->client;
    struct ask *asked = ask_new(&chat_ask, 1, chat, 0, json_true()); /* it says if it is refused */
    struct key_buffer buffer;
    int error;

    if (asked == NULL)
        return -ENOMEM;
    ask_open(&client->asks, asked, client, &client->sender);
    error = client_follow(client, log_of(chat, &buffer), from, asked);
    if (error == 0)
        ask_close(&client->asks, asked);
    else
        ask_cancel(&client->asks, asked);
    return error;
}

/* Nothing is told anew; but the answer's head goes out: now, or with the next beat if the socket
 * has not even taken what was before it. */
static void begin_resumed(struct chat *chat)
{
    struct sender *sender = &chat->client->sender;

    partings_resume(chat->shared, &chat->parting);
    sender_begin(sender, NULL);
    sender_beat(sender);
}

static void fail_open(struct chat *chat, const struct agent_refusal *refusal)
{
    if (refusal->limit != COUNTERS)
        client_limit_met(chat->client, refusal->limit);
    fail(chat, answer_code_name(refusal->code), refusal->text);
}

static void start(struct chat *chat, const struct position *from)
{
    struct notify_str asker = agent_asker(chat->client, chat->parting.asker);
    int error = inquiry_open(&chat->inquiry, &chat_inquiry, chat->shared->inquiries,
                             &chat->client->inquiries, asker);

    if (error != 0) {
        fail_open(chat, agent_refusal_of(error));
        return;
    }
    chat->parting.asker_len = asker.len;
    memcpy(chat->parting.id, chat->inquiry.id, sizeof(chat->parting.id));
    if (chat->resumed)
        begin_resumed(chat);
    error = follow(chat, from);
    if (error != 0)
        fail(chat, error == -EBUSY ? "UNAVAILABLE" : "PROCESSING_ERROR",
             "the session cannot be followed just now");
}

/* What is asked for. */
struct chat_request {
    struct notify_str session;
    char made[RANDOM_UUID_LEN + 1]; /* a session for whoever names none */
    char key[NOTIFY_KEY_MAX];       /* what position points to */
    struct chat_position position;
    bool resumes;
};

/* NULL: out of memory. conn gets a peer. */
static struct chat *chat_new(struct request *r, const struct chat_request *request,
                             struct conn *conn)
{
    struct notify_str message = request_text(r, "message");
    struct chat *chat = calloc(1, sizeof(*chat));

    if (chat == NULL)
        return NULL;
    chat->refs = 1;
    chat->shared = r->shared;
    chat->resumed = request->resumes;
    chat->message = malloc(message.len);
    chat->client = chat->message == NULL ? NULL : client_new(r->shared, conn, request->session);
    if (chat->client == NULL) {
        chat_unref(chat);
        return NULL;
    }
    memcpy(chat->message, message.ptr, message.len);
    chat->message_len = message.len;
    client_speak(chat->client, DIALECT_CHAT);
    chat->client->identity = identity_ref(r->identity);
    chat->client->in_session = chat->client->streams = true;
    chat->inquiry.streams = true;
    chat->inquiry.seq = request->position.seq;
    if (request->resumes)
        memcpy(chat->inquiry.id, request->position.request.ptr, INQUIRY_ID_TEXT);
    conn_set_peer(conn, &chat_handlers, chat);
    return chat;
}

static void open_stream(struct request *r, const struct chat_request *request)
{
    const struct position from = {.id = request->position.id};
    struct exchange *exchange = http_call_take_exchange(r);
    struct conn *conn = exchange_open_events(exchange);
    struct chat *chat = conn == NULL ? NULL : chat_new(r, request, conn);

    if (chat != NULL)
        start(chat, request->resumes ? &from : NULL);
    else if (conn != NULL)
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
    exchange_forget(exchange);
}

#define MARK "Last-Event-ID"

/* False: it has been answered. */
static bool read_mark(struct request *r, struct chat_request *request)
{
    struct notify_str text = http_field(http_call_request(r)->head, MARK, NULL), name;

    request->resumes = text.len > 0;
    if (!request->resumes)
        return true;
    if (!chat_position_parse(text, &request->position, request->key) ||
        !key_is(r->shared->keys, KEY_SESSION, request->position.key, &name) ||
        !key_name_is_valid(name)) {
        answer_error(r, ANSWER_INVALID_FIELD, MARK, MARK " is none of a stream like this");
        return false;
    }
    if (request->session.len > 0 && !notify_str_eq(request->session, name)) {
        answer_error(r, ANSWER_INVALID_FIELD, "session_id", MARK " is of another session");
        return false;
    }
    request->session = name;
    return true;
}

static bool may_ask(struct request *r, const struct chat_request *request)
{
    if (r->shared->agent->stream[0] == '\0')
        answer_error(r, ANSWER_NOT_FOUND, NULL, "there is no agent here (see --agent-stream)");
    else if (!identity_may(r->identity, RIGHT_AGENT, request->session))
        answer_lacks_right(r, "session_id", RIGHT_AGENT, request->session);
    else if (!identity_may(r->identity, RIGHT_SESSIONS, request->session))
        answer_lacks_right(r, "session_id", RIGHT_SESSIONS, request->session);
    else
        return true;
    return false;
}

static void handle_chat(struct request *r)
{
    struct chat_request request = {.session = request_text(r, "session_id")};

    if (!read_mark(r, &request))
        return;
    if (request.session.len == 0) {
        random_uuid(request.made);
        request.session = notify_str_z(request.made);
    }
    if (may_ask(r, &request))
        open_stream(r, &request);
}

const struct http_call chat_stream_call = {
    .type = {.name = "the message",
             .handle = handle_chat,
             MEMBERS(MUST("message", MEMBER_WORD), MAY("session_id", MEMBER_NAME))},
    .pattern = "/api/v1/chat/stream",
    .body_max = HTTP_BODY_USUAL,
    .streams = true,
    .guests = true,
};
