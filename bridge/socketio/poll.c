/* poll -- from a GET to its answer.
 *
 *     TAKING --box--> HELD --something to say, and nobody holds--> GIVING --given back--> answered
 *       |              |\--ping due, an upgrade under way------------/
 *       |              \--closed, overlapped, silent--> answered, and the box is gone
 *       \--who keeps the session serves it, elsewhere--> LENT (poll_lent.c)
 *
 * When it is answered, the session is over here, or KEPT until its next GET (poll_keep.c).
 *
 * When the client closes between two GETs, or vanishes while one is taking the box, there is a poll
 * without a GET, which is parting (poll_parting.c): it does what the client had said before, and
 * ends the session as if it had been held.
 *
 * What comes by POSTs waits in the box; whoever holds looks. What is said, and when it is given
 * back: poll_answer.c. How a poll ends: poll_end.c. */
#include "socketio/poll_private.h"

#include <stdlib.h>

#include "base/counters.h"
#include "base/short_time.h"
#include "net/addresses.h"
#include "net/http.h"
#include "socketio/state.h"
#include "wire/engineio_packet.h"

/* Time. */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void poll_plan(struct poll *poll)
{
    const struct session *session = poll->session;
    uint64_t now = poll_now_ms(poll), due = earlier(poll->ping_ms, poll->dead_ms);

    if (poll->state == POLL_KEPT)
        heartbeat_set(poll->engine->deadlines, &poll->deadline,
                      poll->keep_until_ms > now ? poll->keep_until_ms - now : 0);
    if (poll->state != POLL_HELD)
        return;
    due = earlier(due, poll->hold_until_ms);
    if (session->has_alarm)
        due = earlier(due, short_time_ms(session->alarm_at, now));
    heartbeat_set(poll->engine->deadlines, &poll->deadline, due > now ? due - now : 0);
}

static uint64_t at_ms(const struct poll *poll, int64_t in_ms)
{
    if (in_ms == POLL_NEVER)
        return NEVER_MS;
    return poll_now_ms(poll) + (in_ms > 0 ? (uint64_t)in_ms : 0);
}

/* Going on with a session. */

static void note_times(struct poll *poll, const struct poll_taken *taken)
{
    poll->ping_ms = at_ms(poll, taken->ping_in_ms);
    poll->dead_ms = at_ms(poll, taken->dead_in_ms);
    poll->probed = taken->probed || poll->engine->drains;
    if (poll->state != POLL_KEPT || poll->released || !taken->waits)
        return;
    poll->state = POLL_HELD; /* a GET that came elsewhere */
    poll->remote = true;
}

/* Goes on where the last poll has ended. False: it cannot. */
static bool build_up(struct poll *poll, const struct poll_taken *taken)
{
    struct session_state parts = {.over = {NULL, 0}};
    struct engineio_walk walk;
    struct notify_str packet;

    if (taken->state.len > 0 && !state_read(taken->state, &parts))
        return false;
    walk = engineio_walk(parts.over);
    while (parts.over.len > 0 && engineio_next(&walk, &packet))
        poll_say(poll, packet);
    if (!poll->engine->config.handlers.on_open(poll->session, parts.upper))
        return false;
    backlog_add(&poll->in, parts.input);
    backlog_add(&poll->in, taken->input);
    poll_feed(poll);
    return true;
}

void poll_tell_end(struct poll *poll)
{
    const struct engineio_handlers *handlers = &poll->engine->config.handlers;

    if (handlers->on_end != NULL)
        handlers->on_end(poll->session);
    else
        session_close(poll->session, CONN_CLOSE_RESTART, "restarting", 0);
}

/* It is held, and has what was taken. */
static void begin(struct poll *poll)
{
    if (poll->engine->ends && !poll->closing)
        poll_tell_end(poll);
    poll_plan(poll);
    poll_finish_if_due(poll);
}

void poll_go_on(struct poll *poll, const struct poll_taken *taken)
{
    poll->hold = taken->hold;
    poll->session = session_new(poll->engine, poll->seed);
    poll->seed = NULL;
    if (poll->session == NULL) {
        poll_drop(poll);
        poll_lose(poll, POLL_AT_TAKING, POLL_AWAY);
        return;
    }
    poll->state = POLL_HELD;
    poll_carry(poll);
    poll->session->missed = taken->missed;
    poll->session->set_back = taken->set_back;
    note_times(poll, taken);
    poll->building = true;
    if (!build_up(poll, taken))
        poll->closing = true;
    poll->building = poll->closing && poll->out_count == 0;
    begin(poll);
}

/* The session that was kept serves this GET. */
static void go_on_kept(struct poll *poll, const struct poll_taken *taken)
{
    poll_forget_seed(poll);
    poll->state = POLL_HELD;
    poll->parting = poll->exchange == NULL; /* it has gone meanwhile */
    note_times(poll, taken);
    backlog_add(&poll->in, taken->input);
    poll_feed(poll);
    begin(poll);
}

/* Looking at the box again. */

static void look(struct poll *poll);

/* Its client has left; a WebSocket takes the session over; or it is kept on. */
static void stay_or_go(struct poll *poll, const struct poll_taken *taken)
{
    if (poll->left)
        poll_end_closed(poll, CONN_CLOSE_ABNORMAL);
    else if (poll->released || (taken != NULL && taken->release))
        poll_release(poll);
}

static void on_looked(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct poll *poll = ctx;

    poll->looking = false;
    if (poll->state == POLL_ENDED) {
        if (result == POLL_DONE || result == POLL_AWAY)
            poll_drop(poll);
        poll_free(poll);
        return;
    }
    if (result != POLL_DONE && result != POLL_AWAY) {
        poll->hold = NULL;
        poll_lose(poll, POLL_AT_HOLD, result);
        return;
    }
    if (result == POLL_DONE) {
        note_times(poll, taken);
        backlog_add(&poll->in, taken->input);
        if (!poll->released)
            poll_feed(poll);
    }
    poll_plan(poll);
    if (poll->look_again && !poll->closing)
        look(poll);
    else if (poll->state == POLL_KEPT)
        stay_or_go(poll, taken);
    else
        poll_finish_if_due(poll);
}

static void look(struct poll *poll)
{
    poll->look_again = poll->looking;
    if (poll->looking)
        return;
    poll->looking = true;
    poll_store_of(poll)->ops->look(poll_store_of(poll)->store, poll->hold, on_looked, poll);
}

/* Once something is to be said, no more is taken: what comes meanwhile is for the next poll. */
void poll_on_wake(void *ctx)
{
    struct poll *poll = ctx;

    if ((poll->state == POLL_HELD && poll->out_count == 0) || poll->state == POLL_KEPT)
        look(poll);
    else if (poll->state == POLL_LENT)
        poll_ask(poll);
}

/* A deadline. */

void poll_due(struct heartbeat_node *node)
{
    struct poll *poll = (void *)((char *)node - offsetof(struct poll, deadline));
    uint64_t now = poll_now_ms(poll);

    if (poll->state == POLL_KEPT || poll->state == POLL_LENT) {
        poll->waited |= poll->released;
        (poll->state == POLL_KEPT ? poll_release : poll_ask)(poll);
        return;
    }
    session_check_alarm(poll->session);
    if (now >= poll->dead_ms) {
        session_limit_met(poll->session, COUNTER_SOCKETIO_SILENT);
        poll->closing = poll->building = true; /* the session is unknown from now on */
        poll_finish_soon(poll);
        return;
    }
    if (now >= poll->ping_ms) {
        poll->ping_ms = NEVER_MS;
        poll->pinged = true;
        poll_say(poll, NOTIFY_STR("2"));
    }
    if (now >= poll->hold_until_ms) {
        poll->waited = true;
        poll->hold_until_ms = NEVER_MS;
        poll_finish_soon(poll);
    }
    poll_plan(poll);
}

/* Taking. */

/* What the session that was kept has left. */
static void forget_said(struct poll *poll)
{
    poll->out.len = poll->answer.len = poll->out_count = 0;
    poll->in.payloads.len = poll->in.at = 0;
    poll->holds = 0;
    poll->closing = poll->left = poll->waited = poll->pinged = poll->probed = false;
}

/* It is not served by the session that is kept, which stays; whatever is to be said of that. */
static void keep_on(struct poll *poll, enum poll_result result, const struct poll_taken *taken)
{
    poll_forget_seed(poll);
    if (result == POLL_DONE)
        poll_answer_text(poll, taken->answer);
    else
        poll_answer_result(poll, POLL_AT_TAKING, result);
    poll->state = POLL_KEPT;
    poll_plan(poll);
    look(poll); /* what it was told meanwhile */
}

static bool is_kept_on(enum poll_result result, const struct poll_taken *taken)
{
    return result == POLL_AWAY || result == POLL_PROBED || (result == POLL_DONE && taken->again);
}

/* True: that was all. */
static bool on_taken_for_kept(struct poll *poll, enum poll_result result,
                              const struct poll_taken *taken)
{
    if (is_kept_on(result, taken)) {
        keep_on(poll, result, taken);
        return true;
    }
    if (result == POLL_DONE && taken->known) {
        go_on_kept(poll, taken);
        return true;
    }
    poll->hold = NULL; /* or it is told anew */
    if (result != POLL_DONE && result != POLL_SERVED)
        return false;
    poll_end_session(poll, CONN_CLOSE_PARKED); /* somebody has gone on with it elsewhere */
    forget_said(poll);
    return false;
}

static void on_taken(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct poll *poll = ctx;

    poll->looking = false;
    if (poll->session != NULL && on_taken_for_kept(poll, result, taken))
        return;
    if (result == POLL_SERVED) {
        poll_lend(poll, taken);
    } else if (result == POLL_DONE && taken->again) {
        poll_answer_text(poll, taken->answer);
        poll_free(poll);
    } else if (result != POLL_DONE) {
        poll_lose(poll, POLL_AT_TAKING, result);
    } else {
        poll->parting = poll->exchange == NULL; /* it has gone meanwhile */
        poll_go_on(poll, taken);
    }
}

/* A GET that comes again by itself (a proxy repeats it) is known by this. */
static void take(struct poll *poll)
{
    char t[128];
    int len = http_request_arg(exchange_request(poll->exchange), "t", t, sizeof(t));
    const struct poll_taking taking = {.sid = notify_str_z(poll->sid),
                                       .t = notify_str_of(t, len > 0 ? (size_t)len : 0),
                                       .taker = POLL_FOR_GET,
                                       .kept = poll->session != NULL ? poll->hold : NULL,
                                       .on_wake = poll_on_wake,
                                       .ctx = poll};

    poll_store_of(poll)->ops->take(poll_store_of(poll)->store, &taking, on_taken);
}

/* The beginning. */

/* The client has gone: nothing that is said to it arrives, and it comes back with a new session. */
static void on_gone(void *ctx)
{
    struct poll *poll = ctx;

    poll->exchange = NULL;
    if (poll->state != POLL_HELD && poll->state != POLL_LENT)
        return; /* it is seen when the store has said what it has to say */
    poll_drop(poll);
    poll_end_session(poll, CONN_CLOSE_ABNORMAL);
    poll_over(poll);
}

struct poll *poll_new(struct engineio *engine, const struct http_request *req,
                      enum engineio_error *ret_error)
{
    struct poll *poll = calloc(1, sizeof(*poll));
    int status;

    *ret_error = ERROR_AWAY;
    if (poll == NULL)
        return NULL;
    poll->engine = engine;
    poll->hold_until_ms = NEVER_MS;
    TAILQ_INSERT_TAIL(&engine->polls, poll, link);
    engine->poll_count++;
    status = engine->config.handlers.on_handshake(engine->config.ctx, req, &poll->seed);
    if (status == 0 && http_request_arg(req, "sid", poll->sid, sizeof(poll->sid)) >= 0)
        return poll;
    *ret_error = status == 0 ? ERROR_SID : error_of_status(status);
    poll_free(poll);
    return NULL;
}

void poll_get(struct engineio *engine, struct exchange *exchange)
{
    enum engineio_error error;
    struct poll *poll = poll_new(engine, exchange_request(exchange), &error), *kept;

    if (poll == NULL) {
        reply_error(engine, exchange, error);
        return;
    }
    kept = poll_keep_find(poll);
    if (kept != NULL) {
        kept->seed = poll->seed; /* in case that somebody else has gone on with it */
        poll->seed = NULL;
        poll_free(poll);
        poll = kept;
        poll->state = POLL_TAKING;
        heartbeat_cancel(engine->deadlines, &poll->deadline);
    } else {
        poll->address = address_keep(exchange_request(exchange)->address);
    }
    poll->exchange = exchange;
    exchange_on_gone(exchange, on_gone, poll);
    take(poll);
}
