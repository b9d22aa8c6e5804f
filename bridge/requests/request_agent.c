/* request_agent -- message: what somebody says to the agent of its session.
 *
 * The request goes into a Redis stream; the answer comes as an event of the session's log, to this
 * bridge as to all others, and only the connection that asked knows the id which it carries. */
#include "requests/request_handlers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/iso_time.h"
#include "base/loop.h"
#include "clients/client.h"
#include "clients/inquiries.h"
#include "identity/identity.h"
#include "identity/key_names.h"
#include "requests/agent.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "requests/responder.h"
#include "wire/agent_answer.h"
#include "wire/agent_event.h"
#include "wire/event.h"
#include "wire/text.h"

/* A request that waits for an agent: for its inquiry's end, and for Redis to say that it has taken
 * it. */
struct asking {
    struct inquiry inquiry;          /* first: its handlers are given it */
    struct request *request;         /* owned reference */
    bool open;                       /* it has not been answered, and somebody waits for it */
    bool asked;                      /* Redis has not said yet whether it has taken it */
    bool cancelled;                  /* nobody does any more */
    size_t bytes;                    /* set aside for it */
    char entry[AGENT_ENTRY_MAX + 1]; /* of the stream; empty: not known, or not taken */
};

static void release(struct asking *asking)
{
    struct request *r = asking->request;

    if (asking->open || asking->asked)
        return;
    r->responder->end(r, asking->bytes);
    request_unref(r);
    free(asking);
}

static void cancel(struct asking *asking)
{
    asking->cancelled = true;
    if (asking->entry[0] != '\0') /* else on_added() will know what to take out */
        agent_cancel(asking->request->shared, asking->entry, asking->inquiry.id);
}

/* What becomes of the inquiry. */

static void finish(struct asking *asking)
{
    if (asking->inquiry.all != NULL)
        inquiry_close(&asking->inquiry);
    asking->open = false;
    release(asking);
}

static void answer_event(struct request *r, const struct event *event)
{
    char now[ISO_TIME_LEN + 3] = "\"";
    struct text text;
    bool good;

    iso_time_format(now + 1, loop_wall_ms(r->shared->senders.loop));
    now[ISO_TIME_LEN + 1] = '"';
    good = agent_answer_say(event, notify_str_of(now, ISO_TIME_LEN + 2), &text);
    if (text.len > 0)
        r->responder->answer(r, good ? ANSWER_OK : ANSWER_PROCESSING_ERROR, &text);
    else
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
    text_release(&text);
}

static void heard(struct inquiry *inquiry, const struct event *event)
{
    struct asking *asking = (struct asking *)inquiry;
    struct request *r = asking->request;

    if (event->agent != AGENT_MESSAGE && event->agent != AGENT_ERROR) {
        inquiry_extend(inquiry); /* piece by piece, which nobody has asked for */
    } else if (event->data.len > r->shared->agent->answer_bytes) {
        client_limit_met(r->client, COUNTER_AGENT_ANSWERS);
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "the agent's answer is too long");
        finish(asking);
    } else {
        answer_event(r, event);
        finish(asking);
    }
}

static void over(struct inquiry *inquiry, enum inquiry_end end)
{
    struct asking *asking = (struct asking *)inquiry;

    if (end == INQUIRY_TIMED_OUT) {
        client_limit_met(asking->request->client, COUNTER_AGENT_TIMEOUT);
        answer_timed_out(asking->request, asking->request->shared->inquiries->timeout_ms);
    }
    cancel(asking);
    finish(asking);
}

static const struct inquiry_kind asking_kind = {.heard = heard, .over = over};

/* Asking. */

static bool on_turn(void *ctx)
{
    const struct asking *asking = ctx;

    asking->request->responder->goes_on(asking->request);
    return asking->open;
}

/* The agent may have answered already, over the other link. */
static void on_added(void *ctx, const struct resp *reply)
{
    struct asking *asking = ctx;
    bool taken = agent_was_asked(reply, asking->entry);

    asking->asked = false;
    if (!taken && asking->open) {
        answer_failed_reply(asking->request, reply);
        finish(asking);
        return;
    }
    if (taken && asking->cancelled)
        cancel(asking);
    release(asking);
}

static void fail_open(struct request *r, int error)
{
    const struct agent_refusal *refusal = agent_refusal_of(error);

    if (refusal->limit != COUNTERS)
        client_limit_met(r->client, refusal->limit);
    answer_error(r, refusal->code, NULL, refusal->text);
}

/* NULL: it has been answered. bytes: of what is asked. */
static struct asking *asking_new(struct request *r, size_t bytes)
{
    struct asking *asking = calloc(1, sizeof(*asking));
    char name[ASKER_NAME_MAX];
    int error;

    if (asking == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return NULL;
    }
    error = inquiry_open(&asking->inquiry, &asking_kind, r->shared->inquiries,
                         &r->client->inquiries, agent_asker(r->client, name));
    if (error != 0) {
        fail_open(r, error);
        free(asking);
        return NULL;
    }
    asking->request = request_ref(r);
    asking->open = asking->asked = true;
    asking->bytes = sizeof(*asking) + bytes + r->shared->agent->answer_bytes;
    r->responder->begin(r, asking->bytes);
    return asking;
}

/* key: of the session's log. */
static int put(struct asking *asking, struct notify_str key)
{
    const struct request *r = asking->request;
    const struct agent_request request = {.id = notify_str_z(asking->inquiry.id),
                                          .session = client_session(r->client),
                                          .user = request_user(r),
                                          .answer = NOTIFY_STR("message"),
                                          .reply_to = key,
                                          .message = request_text(r, "message")};

    return agent_ask(r->shared, &request, on_added, on_turn, asking);
}

/* Whether it may ask at all; answers if not. */
static bool may_ask(struct request *r, struct notify_str key)
{
    struct client *client = r->client;

    if (!client->in_session || r->shared->agent->stream[0] == '\0')
        answer_error(r, ANSWER_NOT_FOUND, NULL,
                     "an agent is there for /api/v1/ws/{session_id}, if --agent-stream names one");
    else if (!identity_may(client->identity, RIGHT_AGENT, client_session(client)))
        answer_lacks_right(r, "message", RIGHT_AGENT, client_session(client));
    else if (client_find_follow(client, key) == NULL)
        answer_error(r, ANSWER_FORBIDDEN, NULL, "this connection does not follow its session");
    else
        return true;
    return false;
}

void request_handle_message(struct request *r)
{
    struct key_buffer buffer;
    struct notify_str key =
        key_of(r->shared->keys, KEY_SESSION, client_session(r->client), &buffer);
    struct asking *asking;
    int sent;

    if (!may_ask(r, key))
        return;
    asking = asking_new(r, request_text(r, "message").len);
    if (asking == NULL)
        return;
    sent = put(asking, key);
    if (sent == 1)
        r->responder->waits(r);
    if (sent >= 0)
        return;
    answer_error(r, ANSWER_UNAVAILABLE, NULL, "Redis is away; nothing was done");
    asking->asked = false;
    finish(asking);
}
