#include "clients/sender.h"

#include <errno.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"
#include "channels/batch.h"
#include "net/conn.h"
#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/frame.h"
#include "wire/text.h"

/* At most this much goes to a socket at once: what it does not take is copied by the transport, and
 * ten thousand slow clients must not hold ten thousand backlogs. */
#define WRITE_MAX_BYTES 65536
#define STUCK_TICK_MS 100

bool sender_is_idle(const struct sender *sender)
{
    return sender->state == SENDER_READY && sender->outbox.len == 0 && !conn_is_busy(sender->conn);
}

/* What the peer has us hold, beside what is queued for it. */
static size_t held_elsewhere(const struct sender *sender)
{
    return sender->call_bytes + conn_unsent(sender->conn);
}

static bool holds_enough(const struct sender *sender)
{
    return sender->outbox.bytes + held_elsewhere(sender) > sender->shared->outbox_bytes;
}

static void pause_input(struct sender *sender)
{
    bool pause;

    if (sender->state == SENDER_CLOSED)
        return;
    pause = sender->calls >= SENDER_MAX_CALLS || sender->in_line > 0 || holds_enough(sender);
    if (pause == sender->input_paused)
        return;
    sender->input_paused = pause;
    if (pause)
        counter_add(COUNTER_REQUESTS_HELD_BACK, 1);
    conn_pause_input(sender->conn, pause);
}

/* After something was written or queued. If the socket takes no more, it must take something
 * within slow_timeout_ms. */
static void look_after(struct sender *sender)
{
    struct senders *shared = sender->shared;

    if (sender->state != SENDER_CLOSED && conn_is_busy(sender->conn) &&
        !heartbeat_is_set(&sender->stuck))
        heartbeat_set(shared->stuck, &sender->stuck, shared->slow_timeout_ms);
    pause_input(sender);
}

static void send_answer(struct sender *sender, struct frame *frame)
{
    if (frame == NULL || sender->state == SENDER_CLOSED)
        return;
    if (sender_is_idle(sender))
        (void)conn_write(sender->conn, frame->data, frame->len); /* a dead one reports itself */
    else if (outbox_push(&sender->outbox, frame, NULL, (struct notify_id){0, 0}) != 0)
        conn_close(sender->conn, CONN_CLOSE_INTERNAL, "out of memory");
    look_after(sender);
}

void sender_send(struct sender *sender, const struct text *answer)
{
    struct frame *frame = dialect_frame(sender->dialect, answer);

    if (frame == NULL)
        log_error("out_of_memory", "at", "answer");
    send_answer(sender, frame);
    frame_unref(frame);
}

void sender_send_json(struct sender *sender, json_t *answer)
{
    struct text text;

    if (text_of_json(&text, answer))
        sender_send(sender, &text);
    else
        log_error("out_of_memory", "at", "answer");
    text_release(&text);
}

/* As many whole frames as fit into one piece; 0 when the first alone is too large for it. */
static size_t fill_piece(struct outbox *outbox, char piece[WRITE_MAX_BYTES])
{
    size_t len = 0;

    while (outbox->len > 0 && len + outbox_first_bytes(outbox) <= WRITE_MAX_BYTES) {
        struct frame *frame = outbox_pop(outbox);
        memcpy(piece + len, frame->data, frame->len);
        len += frame->len;
        frame_unref(frame);
    }
    return len;
}

/* Hands the queue to the socket in pieces of many frames, until the socket is full. */
void sender_drain(struct sender *sender)
{
    static char piece[WRITE_MAX_BYTES]; /* one thread; nothing in it outlives the call */
    enum conn_write written = CONN_SENT;

    while (written != CONN_DEAD && sender->outbox.len > 0 && sender->state == SENDER_READY &&
           !conn_is_busy(sender->conn)) {
        size_t len = fill_piece(&sender->outbox, piece);
        if (len > 0) {
            written = conn_write(sender->conn, piece, len);
        } else {
            struct frame *frame = outbox_pop(&sender->outbox);
            written = conn_write(sender->conn, frame->data, frame->len);
            frame_unref(frame);
        }
    }
    look_after(sender);
}

void sender_greet(struct sender *sender, const struct greeting *greeting)
{
    struct frame *frame = dialect_greeting(sender->dialect, greeting);

    sender->state = SENDER_READY;
    if (frame == NULL || outbox_push_first(&sender->outbox, frame) != 0)
        conn_close(sender->conn, CONN_CLOSE_INTERNAL, "out of memory");
    frame_unref(frame);
    sender_drain(sender);
}

/* Events. */

bool sender_deliver(struct sender *sender, struct batch *batch)
{
    struct frame *frame = batch_frame(batch, sender->dialect);

    if (frame == NULL || frame->len > WRITE_MAX_BYTES || !sender_is_idle(sender))
        return false;
    if (conn_write(sender->conn, frame->data, frame->len) == CONN_BUSY)
        look_after(sender); /* a dead one reports itself */
    return true;
}

bool sender_enqueue(struct sender *sender, struct follow *source, struct event *event)
{
    struct frame *frame = event_frame(event, sender->dialect);
    struct notify_id id = event->whole_box == WHOLE_BOX_STAYS ? event->id : OUTBOX_WHOLE_BOX;

    if (frame == NULL ||
        !outbox_fits(&sender->outbox, frame->len, held_elsewhere(sender),
                     sender->shared->outbox_bytes) ||
        outbox_push(&sender->outbox, frame, source, id) != 0)
        return false;
    return true;
}

bool sender_is_full(const struct sender *sender)
{
    return sender->outbox.bytes > sender->shared->outbox_bytes;
}

void sender_on_drained(struct sender *sender)
{
    heartbeat_cancel(sender->shared->stuck, &sender->stuck);
    sender_drain(sender);
}

/* Requests under way. */

void sender_call_begin(struct sender *sender, size_t bytes)
{
    sender->calls++;
    sender->call_bytes += (uint32_t)bytes;
    pause_input(sender);
}

void sender_call_end(struct sender *sender, size_t bytes)
{
    sender->calls--;
    sender->call_bytes -= (uint32_t)bytes;
    pause_input(sender);
}

void sender_call_waits(struct sender *sender)
{
    sender->in_line++;
    pause_input(sender);
}

void sender_call_goes_on(struct sender *sender)
{
    sender->in_line--;
    pause_input(sender);
}

void sender_on_closed(struct sender *sender)
{
    sender->state = SENDER_CLOSED;
    sender->conn = NULL;
    heartbeat_cancel(sender->shared->stuck, &sender->stuck);
    outbox_release(&sender->outbox);
}

/* All senders. */

static void on_stuck_too_long(struct heartbeat_node *node)
{
    struct sender *sender = (void *)((char *)node - offsetof(struct sender, stuck));

    conn_limit_met(sender->conn, COUNTER_CLIENTS_TOO_SLOW);
    log_info("client_too_slow", "held_bytes", log_int((int64_t)sender->outbox.bytes));
    conn_close(sender->conn, CONN_CLOSE_TOO_SLOW, "too slow for too long");
}

int senders_init(struct senders *senders)
{
    senders->stuck = heartbeat_new(senders->loop, STUCK_TICK_MS, on_stuck_too_long);
    return senders->stuck == NULL ? -ENOMEM : 0;
}

void senders_release(struct senders *senders)
{
    heartbeat_free(senders->stuck);
}
