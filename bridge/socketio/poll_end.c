/* poll_end -- how a poll ends: its GET is answered, its session ended, its box dropped. */
#include "socketio/poll_private.h"

#include <stdlib.h>

#include "net/addresses.h"

void poll_forget_seed(struct poll *poll)
{
    if (poll->seed != NULL)
        poll->engine->config.handlers.on_forget(poll->engine->config.ctx, poll->seed);
    poll->seed = NULL;
}

void poll_free(struct poll *poll)
{
    poll_forget_seed(poll);
    poll_undefer_finish(poll);
    heartbeat_cancel(poll->engine->deadlines, &poll->deadline);
    poll_keep_forget(poll);
    address_unkeep(poll->address);
    TAILQ_REMOVE(&poll->engine->polls, poll, link);
    poll->engine->poll_count--;
    parcel_release(&poll->out);
    backlog_release(&poll->in);
    parcel_release(&poll->answer);
    engine_tell_no_polls(poll->engine);
    free(poll);
}

void poll_over(struct poll *poll)
{
    poll->state = POLL_ENDED;
    if (!poll->looking)
        poll_free(poll);
}

void poll_end_session(struct poll *poll, int code)
{
    struct session *session = poll->session;

    heartbeat_cancel(poll->engine->deadlines, &poll->deadline);
    poll_keep_forget(poll);
    poll->session = NULL;
    if (session != NULL)
        session_end(session, code);
}

void poll_drop(struct poll *poll)
{
    struct notify_str sid = notify_str_z(poll->sid);

    if (poll->looking)
        return;
    poll_store_of(poll)->ops->drop(poll_store_of(poll)->store, sid, poll->hold);
    poll->hold = NULL;
}

/* Answers. */

void poll_answer_text(struct poll *poll, struct notify_str body)
{
    struct exchange *exchange = poll->exchange;

    poll->exchange = NULL;
    if (exchange != NULL)
        reply_packets(poll->engine, exchange, body);
}

void poll_answer_fault(struct poll *poll, enum engineio_error error)
{
    struct exchange *exchange = poll->exchange;

    poll->exchange = NULL;
    if (exchange != NULL)
        reply_error(poll->engine, exchange, error);
}

static const struct verdict {
    const char *packet; /* NULL: an error */
    enum engineio_error error;
} noop = {"6", ERROR_NONE}, closing = {"1", ERROR_NONE}, unknown = {NULL, ERROR_SID},
  refused = {NULL, ERROR_REQUEST}, away = {NULL, ERROR_AWAY};

/* At taking, while held, at giving. An overlap is told to whoever held first by a close. */
static const struct verdict *const verdicts[][POLL_MOMENTS] = {
    [POLL_DONE] = {&unknown, &unknown, &unknown},
    [POLL_UNKNOWN] = {&unknown, &unknown, &unknown},
    [POLL_UPGRADED] = {&refused, &noop, &refused},
    [POLL_OVERLAP] = {&unknown, &closing, &closing},
    [POLL_PROBED] = {&noop, &noop, &noop},
    [POLL_CLOSED] = {&noop, &noop, &noop},
    [POLL_LOST] = {&unknown, &unknown, &unknown},
    [POLL_ELSEWHERE] = {&unknown, &unknown, &unknown},
    [POLL_FULL] = {&unknown, &unknown, &unknown},
    [POLL_UNHEARD] = {&unknown, &unknown, &unknown},
    [POLL_AWAY] = {&away, &away, &away},
    [POLL_SERVED] = {&unknown, &unknown, &unknown},
};

void poll_answer_result(struct poll *poll, enum poll_moment moment, enum poll_result result)
{
    const struct verdict *verdict = verdicts[result][moment];

    if (verdict->packet != NULL)
        poll_answer_text(poll, notify_str_z(verdict->packet));
    else
        poll_answer_fault(poll, verdict->error);
}

/* Who goes on with it has his place, too. */
int poll_code(enum poll_result result)
{
    if (result == POLL_ELSEWHERE)
        return CONN_CLOSE_PARKED;
    return result == POLL_CLOSED ? CONN_CLOSE_NORMAL : CONN_CLOSE_ABNORMAL;
}

void poll_lose(struct poll *poll, enum poll_moment moment, enum poll_result result)
{
    poll_end_session(poll, poll_code(result));
    poll_answer_result(poll, moment, result);
    poll_over(poll);
}
