/* poll_answer -- what is said over polling, until it is given back and answered.
 *
 * It is gathered until the end of the turn, or for as long as somebody says that more is coming;
 * then the session is packed, with what does not go into this answer, and given back; and only then
 * the answer goes out, so that the next GET finds the box. */
#include "socketio/poll_private.h"

#include <stdlib.h>

#include "base/loop.h"
#include "socketio/state.h"
#include "wire/engineio_packet.h"
#include "wire/ws_frame.h"

#define HOLD_MS 2000        /* that an answer waits for what is still to be said, at most */
#define ANSWER_BYTES 262144 /* of an answer; a longer packet goes alone */
#define OVER_BYTES                                                                                 \
    65536 /* that may be said beyond a full answer: a state has to have room for it */
#define KEPT_BYTES 65536 /* that may wait for the next GET; the rest waits in the outbox */

/* The end of the turn. */

static void on_turn_end(void *ctx);

void poll_finish_soon(struct poll *poll)
{
    bool goes = poll->state == POLL_KEPT && poll->released;

    if (poll->deferred || (poll->state != POLL_HELD && !goes))
        return;
    poll->deferred = true;
    loop_defer(poll->engine->config.loop, on_turn_end, poll);
}

void poll_finish_if_due(struct poll *poll)
{
    if (poll->out_count > 0 || poll->probed || poll->closing || poll->parting)
        poll_finish_soon(poll);
}

void poll_undefer_finish(struct poll *poll)
{
    if (poll->deferred)
        loop_undefer(poll->engine->config.loop, on_turn_end, poll);
}

/* What is said is gathered. */

static bool is_full(const struct poll *poll)
{
    size_t max = poll->state == POLL_HELD ? ANSWER_BYTES : KEPT_BYTES;

    return poll->out_count >= ENGINEIO_POLL_PACKETS_MAX || poll->out.len >= max;
}

/* Is what is said from now on to wait for the next poll? As long as acknowledgements are waited
 * for, those must come through; what does not go into this answer is said with the next. */
static bool is_stuck(const struct poll *poll)
{
    return is_full(poll) && (poll->holds <= 0 || poll->out.len >= OVER_BYTES);
}

static void begin_packet(struct poll *poll)
{
    static const char separator[] = {ENGINEIO_SEPARATOR};

    if (poll->out_count++ > 0)
        parcel_append(&poll->out, notify_str_of(separator, 1));
    poll_finish_soon(poll);
}

static void say(struct session *session, size_t count, const struct notify_str *parts)
{
    struct poll *poll = session->poll;

    if (poll->parting)
        return;
    begin_packet(poll);
    for (size_t i = 0; i < count; i++)
        parcel_append(&poll->out, parts[i]);
}

void poll_say(struct poll *poll, struct notify_str packet)
{
    say(poll->session, 1, &packet);
}

static void say_binary(struct session *session, struct notify_str bytes)
{
    char *text = malloc(ENGINEIO_BINARY_LEN(bytes.len));
    struct notify_str packet = {text, 0};

    if (text == NULL) {
        session->poll->out.failed = true;
        return;
    }
    packet.len = engineio_write_binary(text, bytes.ptr, bytes.len);
    say(session, 1, &packet);
    free(text);
}

static enum conn_write relay(struct session *session, const void *frames, size_t len)
{
    struct notify_str rest = notify_str_of(frames, len), packet;

    while (ws_frame_take(&rest, &packet))
        say(session, 1, &packet);
    return is_stuck(session->poll) ? CONN_BUSY : CONN_SENT;
}

static void hold(struct session *session, int change)
{
    struct poll *poll = session->poll;

    poll->holds += change;
    if (poll->holds <= 0 && (poll->out_count > 0 || poll->probed || poll->released))
        poll_finish_soon(poll);
}

static void close_it(struct session *session, int code, const char *reason, uint32_t retry_ms)
{
    struct poll *poll = session->poll;

    (void)reason; /* there is no way to say it */
    (void)retry_ms;
    poll->closing = true;
    poll->left |= code == CONN_CLOSE_NORMAL;
    poll_finish_soon(poll);
}

/* Input. */

void poll_feed(struct poll *poll)
{
    struct session *session = poll->session;
    struct notify_str packet;

    while (!is_full(poll) && !session->paused && !session->closing &&
           backlog_next(&poll->in, &packet))
        session_take(session, packet);
}

static void pause_input(struct session *session)
{
    if (!session->paused && !session->poll->building)
        poll_finish_soon(session->poll); /* there, never within what unpauses it */
}

static struct address *address_of(const struct session *session)
{
    return session->poll->address;
}

static void plan(struct session *session)
{
    poll_plan(session->poll);
}

static const struct session_carrier carrier = {.plan = plan,
                                               .address = address_of,
                                               .say = say,
                                               .say_binary = say_binary,
                                               .relay = relay,
                                               .hold = hold,
                                               .pause = pause_input,
                                               .close = close_it};

void poll_carry(struct poll *poll)
{
    poll->session->carrier = &carrier;
    poll->session->poll = poll;
}

/* Giving back. */

/* What goes into this answer, of all that there is to say; the rest is for the next poll. */
static struct notify_str split(struct poll *poll, struct notify_str *ret_rest)
{
    struct notify_str all = parcel_text(&poll->out), packet;
    struct engineio_walk walk = engineio_walk(all);
    size_t end = 0;

    for (int i = 0; poll->out_count > 0 && i < ENGINEIO_POLL_PACKETS_MAX; i++) {
        if (!engineio_next(&walk, &packet))
            break;
        if (i > 0 && (size_t)(packet.ptr + packet.len - all.ptr) > ANSWER_BYTES)
            break;
        end = (size_t)(packet.ptr + packet.len - all.ptr);
    }
    *ret_rest = end < all.len ? notify_str_of(all.ptr + end + 1, all.len - end - 1)
                              : notify_str_of(all.ptr, 0);
    return notify_str_of(all.ptr, end);
}

/* A GET is answered by something. */
static struct notify_str or_noop(struct notify_str packets)
{
    return packets.len > 0 ? packets : NOTIFY_STR("6");
}

/* Whoever is above says what it goes on with; that may be more to say, for the next poll. False:
 * out of memory. */
static bool pack(struct poll *poll, struct parcel *ret_state)
{
    struct parcel upper = {.bytes = NULL};
    struct session_state parts = {.input = backlog_rest(&poll->in)};
    bool done = poll->engine->config.handlers.on_park(poll->session, &upper);
    struct notify_str now = {NULL, 0};

    if (poll->released)
        parts.over = parcel_text(&poll->out);
    else
        now = split(poll, &parts.over);
    poll->said = now.len;
    parts.upper = parcel_text(&upper);
    state_write(&parts, ret_state);
    parcel_append(&poll->answer, or_noop(now));
    done = done && !upper.failed && !ret_state->failed && !poll->answer.failed &&
           !poll->out.failed && !poll->in.payloads.failed;
    parcel_release(&upper);
    return done;
}

/* Whose GET came elsewhere goes on there, whether this was taken or not. */
static int code_of_given(const struct poll *poll, enum poll_result result)
{
    return poll->remote && result == POLL_AWAY ? CONN_CLOSE_PARKED : poll_code(result);
}

static void on_kept_given(struct poll *poll, enum poll_result result)
{
    bool gone = poll->exchange == NULL && !poll->remote;

    if (result == POLL_UNHEARD) { /* it is for the next GET */
        poll_keep_take_back(poll);
        result = POLL_DONE;
    }
    if (result != POLL_DONE)
        poll->hold = NULL;
    if (result == POLL_DONE && !gone) {
        poll_stay(poll);
        return;
    }
    if (poll->hold != NULL)
        poll_drop(poll);
    poll_end_session(poll, code_of_given(poll, result));
    poll_answer_result(poll, POLL_AT_GIVING, result);
    poll_free(poll);
}

static void on_given(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct poll *poll = ctx;

    (void)taken;
    if (poll->session != NULL) {
        on_kept_given(poll, result);
        return;
    }
    if (poll->released) {
        poll_free(poll);
        return;
    }
    if (poll->exchange == NULL && !poll->remote) { /* it has gone: the box is nobody's */
        poll_drop(poll);
    } else if (result == POLL_DONE) {
        poll_answer_text(poll, parcel_text(&poll->answer));
    } else {
        poll_answer_result(poll, POLL_AT_GIVING, result);
    }
    poll_free(poll);
}

static void give_box(struct poll *poll, const struct parcel *state, bool keeps)
{
    struct poll_hold *held = poll->hold;
    struct poll_giving giving = {.state = parcel_text(state),
                                 .pinged = poll->pinged,
                                 .answers = !poll->released,
                                 .keeps = keeps};

    giving.answer = parcel_text(&poll->answer);
    poll->state = POLL_GIVING;
    if (keeps) {
        poll_keep_cut(poll, poll->said);
    } else {
        poll->hold = NULL;
        poll_end_session(poll, CONN_CLOSE_PARKED);
    }
    poll_store_of(poll)->ops->give_back(poll_store_of(poll)->store, held, &giving, on_given, poll);
}

void poll_give_back(struct poll *poll, bool keeps)
{
    struct parcel state = {.bytes = NULL};

    if (pack(poll, &state))
        give_box(poll, &state, keeps);
    else
        poll_end_closed(poll, CONN_CLOSE_INTERNAL);
    parcel_release(&state);
}

/* Or the session is over. */

static void finish_elsewhere(struct poll *poll, struct notify_str now)
{
    poll_store_of(poll)->ops->finish(poll_store_of(poll)->store, poll->hold, or_noop(now));
    poll->hold = NULL;
}

void poll_end_closed(struct poll *poll, int code)
{
    struct notify_str rest, now = split(poll, &rest);

    if (poll->remote && !poll->looking && poll->hold != NULL)
        finish_elsewhere(poll, now);
    else
        poll_drop(poll);
    poll->state = POLL_ENDED; /* what is said meanwhile is for nobody */
    poll_end_session(poll, code);
    if (poll->building && now.len == 0)
        poll_answer_fault(poll, ERROR_SID);
    else
        poll_answer_text(poll, or_noop(now));
    poll_over(poll);
}

/* Which it is. */

/* Nobody is there any more who could say something; what was said before is done first. */
static bool has_parted(const struct poll *poll)
{
    return poll->parting && !poll->session->paused && backlog_rest(&poll->in).len == 0;
}

/* A GET that is held elsewhere hears the end through the box, which is ours for certain only when
 * nobody is looking whether it is: after that. */
static bool may_end(const struct poll *poll)
{
    return (poll->closing || has_parted(poll)) && !(poll->remote && poll->looking);
}

static bool has_to_wait(struct poll *poll)
{
    uint64_t now = poll_now_ms(poll);

    if (poll->looking)
        return true;
    if (poll->holds <= 0 || poll->waited)
        return false;
    if (poll->hold_until_ms == NEVER_MS)
        poll->hold_until_ms = now + HOLD_MS;
    poll_plan(poll);
    return now < poll->hold_until_ms;
}

static void on_turn_end(void *ctx)
{
    struct poll *poll = ctx;
    bool keeps;

    poll->deferred = false;
    if (poll->state == POLL_KEPT && poll->released) {
        poll_release(poll); /* which may be the end of it */
        return;
    }
    if (poll->state != POLL_HELD)
        return;
    poll_feed(poll);
    if (may_end(poll)) {
        poll_end_closed(poll, CONN_CLOSE_ABNORMAL);
        return;
    }
    if (poll->closing || poll->parting || (poll->out_count == 0 && !poll->probed) ||
        has_to_wait(poll))
        return;
    keeps = poll_may_keep(poll);
    poll->released = poll->remote && !keeps; /* who has that GET says it, or who comes next */
    poll_give_back(poll, keeps);
}
