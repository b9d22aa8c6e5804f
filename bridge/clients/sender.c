#include "clients/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "channels/batch.h"
#include "channels/follow.h"
#include "clients/progress.h"
#include "net/conn.h"
#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/frame.h"
#include "wire/sse_block.h"
#include "wire/text.h"

/* At most this much goes to a socket at once: what it does not take is copied by the transport, and
 * ten thousand slow clients must not hold ten thousand backlogs. */
#define WRITE_MAX_BYTES 65536
#define STUCK_TICK_MS 100

_Static_assert(DIALECT_COUNT <= 16, "a sender has four bits for its dialect");

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

void sender_close(struct sender *sender, int code, const char *reason)
{
    conn_close(sender->conn, dialect_close_code(sender->dialect, code), reason);
}

void sender_close_until(struct sender *sender, int code, const char *reason, uint32_t retry_ms)
{
    conn_close_until(sender->conn, dialect_close_code(sender->dialect, code), reason, retry_ms);
}

void sender_set_begins(struct sender *sender, bool begins)
{
    sender->begins = begins;
}

/* What goes out in place of a frame, which may be NULL; borrowed from it. */
static struct frame *said_as(const struct sender *sender, struct frame *frame)
{
    return frame != NULL && sender->deflates ? frame_deflated(frame) : frame;
}

static void send_answer(struct sender *sender, struct frame *answer)
{
    struct frame *frame = sender->state == SENDER_CLOSED ? NULL : said_as(sender, answer);
    const struct outbox_item item = {.frame = frame, .begins = sender->begins};

    if (frame == NULL)
        return;
    counter_add(COUNTER_ANSWERS_SENT, 1);
    if (sender_is_idle(sender) && !sender->marked)
        (void)conn_write(sender->conn, frame->data, frame->len); /* a dead one reports itself */
    else if (outbox_push_item(&sender->outbox, &item) != 0)
        sender_close(sender, CONN_CLOSE_INTERNAL, "out of memory");
    else if (sender->marked)
        sender_drain(sender);
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

/* How much longer a frame may be, once it is ended. */
static size_t end_max(const struct sender *sender)
{
    return sender->marked ? progress_text_max(sender->progress) + DIALECT_END_MAX : 0;
}

/* Writes the frame of one that is marked and what ends it: how far its reader has come with it.
 * Returns the length; out has room for end_max() more than the frame has. */
static size_t write_marked(struct sender *sender, const struct outbox_item *item, char *out)
{
    struct notify_str id = {NULL, 0};

    if (notify_id_cmp(item->id, OUTBOX_WHOLE_BOX) != 0)
        progress_had(sender->progress, item->source, item->id, item->epoch);
    else if (sender->outbox.len == 0)
        progress_settle(sender->progress);             /* it stands in another box */
    if (dialect_is_open(sender->dialect, item->frame)) /* else the next one says it */
        id = progress_text(sender->progress);
    return dialect_end(sender->dialect, out, item->frame, id);
}

/* Writes what was taken off the queue. */
static size_t write_item(struct sender *sender, const struct outbox_item *item, char *out)
{
    if (!sender->marked) {
        memcpy(out, item->frame->data, item->frame->len);
        return item->frame->len;
    }
    if (sender->outbox.len == 0)
        progress_settle(sender->progress);
    return write_marked(sender, item, out);
}

/* What of a piece is events; the rest is answers. */
struct contents {
    size_t events;
    bool entries; /* are there any? */
};

static void contents_add(struct contents *contents, const struct outbox_item *item)
{
    bool id = !notify_id_is_zero(item->id);

    contents->events += item->source != NULL || id;
    contents->entries |= id && notify_id_cmp(item->id, OUTBOX_WHOLE_BOX) != 0;
}

/* What has no id has no time. */
static void note_latency(struct sender *sender, const struct outbox_item *item)
{
    if (item->live && !notify_id_is_zero(item->id) &&
        notify_id_cmp(item->id, OUTBOX_WHOLE_BOX) != 0)
        latency_note(&sender->shared->latency, item->id.ms);
}

/* As many whole frames as fit into one piece; 0 when the first alone is too large for it. */
static size_t fill_piece(struct sender *sender, char piece[WRITE_MAX_BYTES],
                         struct contents *contents)
{
    struct outbox *outbox = &sender->outbox;
    struct outbox_item item;
    size_t len = 0, end = end_max(sender);

    while (outbox->len > 0 && len + outbox_first_bytes(outbox) + end <= WRITE_MAX_BYTES) {
        (void)outbox_pop_item(outbox, &item); /* there is one */
        contents_add(contents, &item);
        note_latency(sender, &item);
        len += write_item(sender, &item, piece + len);
        frame_unref(item.frame);
    }
    return len;
}

/* A connection that has ended reports itself. What was seen, say, is no loss to it. */
static void note_written(struct sender *sender, struct contents contents, enum conn_write written)
{
    if (written != CONN_DEAD) {
        counter_add(COUNTER_EVENTS_DELIVERED, contents.events);
        return;
    }
    sender->broken = true;
    sender->cut |= contents.entries;
}

static enum conn_write write_piece(struct sender *sender, const void *bytes, size_t len,
                                   struct contents contents)
{
    enum conn_write written = conn_write(sender->conn, bytes, len);

    note_written(sender, contents, written);
    return written;
}

/* One that is too large for a piece. */
static enum conn_write write_large(struct sender *sender)
{
    struct contents contents = {0};
    struct outbox_item item;
    struct frame *whole;
    enum conn_write written = CONN_DEAD;

    (void)outbox_pop_item(&sender->outbox, &item); /* there is one */
    contents_add(&contents, &item);
    note_latency(sender, &item);
    whole = sender->marked ? frame_new(item.frame->len + end_max(sender)) : frame_ref(item.frame);
    if (whole == NULL)
        sender_close(sender, CONN_CLOSE_INTERNAL, "out of memory");
    else
        written = write_piece(sender, whole->data,
                              sender->marked ? write_item(sender, &item, whole->data) : whole->len,
                              contents);
    frame_unref(whole);
    frame_unref(item.frame);
    return written;
}

static enum conn_write write_some(struct sender *sender)
{
    static char piece[WRITE_MAX_BYTES]; /* one thread; nothing in it outlives the call */
    struct contents contents = {0};
    size_t len = fill_piece(sender, piece, &contents);

    return len > 0 ? write_piece(sender, piece, len, contents) : write_large(sender);
}

/* Hands the queue to the socket in pieces of many frames, until the socket is full. */
void sender_drain(struct sender *sender)
{
    enum conn_write written = CONN_SENT;

    while (written != CONN_DEAD && sender->outbox.len > 0 && sender->state == SENDER_READY &&
           !conn_is_busy(sender->conn))
        written = write_some(sender);
    look_after(sender);
}

static void begin(struct sender *sender, struct frame *first)
{
    sender->state = SENDER_READY;
    if (first == NULL || outbox_push_first(&sender->outbox, said_as(sender, first)) != 0)
        sender_close(sender, CONN_CLOSE_INTERNAL, "out of memory");
    frame_unref(first);
    sender_drain(sender);
}

void sender_greet(struct sender *sender, const struct greeting *greeting)
{
    begin(sender, dialect_greeting(sender->dialect, greeting));
}

void sender_begin(struct sender *sender, const struct text *text)
{
    if (sender->state == SENDER_OPENING && text != NULL) {
        begin(sender, dialect_frame(sender->dialect, text));
    } else if (text != NULL) {
        sender_send(sender, text);
    } else {
        sender->state = SENDER_READY;
        sender_drain(sender);
    }
}

/* Events. */

static bool is_live(const struct follow *source)
{
    return source != NULL && source->state == FOLLOW_LIVE;
}

/* What goes out with the event, if it is an entry, and where it came from. */
static struct outbox_item item_of(struct event *event, struct follow *source, struct frame *frame)
{
    struct notify_id id = event->whole_box == WHOLE_BOX_STAYS ? event->id : OUTBOX_WHOLE_BOX;

    return (struct outbox_item){.frame = frame,
                                .source = source,
                                .id = id,
                                .epoch = source == NULL ? 0 : follow_box_epoch(source),
                                .live = is_live(source)};
}

/* Whether all of it fits into one piece, with what ends its events; its frames are there then. */
static bool is_piece(const struct sender *sender, const struct batch *batch)
{
    size_t len = 0, end = end_max(sender);

    for (size_t i = 0; i < batch->len; i++) {
        const struct frame *frame = event_frame(batch->events[i], sender->dialect);
        if (frame == NULL || frame->len + end > WRITE_MAX_BYTES - len)
            return false;
        len += frame->len + end;
    }
    return true;
}

static void note_latency_of(struct sender *sender, const struct batch *batch)
{
    for (size_t i = 0; i < batch->len; i++)
        if (batch->events[i]->kind == EVENT_ENTRY)
            latency_note(&sender->shared->latency, batch->events[i]->id.ms);
}

static void after_batch(struct sender *sender, const struct follow *source, struct batch *batch,
                        enum conn_write written)
{
    struct contents contents = {.events = batch->len};

    if (written != CONN_DEAD && is_live(source))
        note_latency_of(sender, batch);
    if (written == CONN_BUSY)
        look_after(sender);
    for (size_t i = 0; i < batch->len && written == CONN_DEAD; i++)
        contents.entries |= batch->events[i]->kind == EVENT_ENTRY;
    batch->reach.of[written == CONN_DEAD ? REACH_ENDED : REACH_DELIVERED]++;
    note_written(sender, contents, written);
}

/* Its frames are everybody's, but what ends them is its own. */
static bool deliver_marked(struct sender *sender, struct follow *source, struct batch *batch)
{
    static char piece[WRITE_MAX_BYTES]; /* as above */
    size_t len = 0;

    if (!sender_is_idle(sender) || !is_piece(sender, batch))
        return false;
    for (size_t i = 0; i < batch->len; i++) {
        struct event *event = batch->events[i];
        struct outbox_item item = item_of(event, source, event_frame(event, sender->dialect));
        len += write_marked(sender, &item, piece + len);
    }
    after_batch(sender, source, batch, conn_write(sender->conn, piece, len));
    return true;
}

bool sender_deliver(struct sender *sender, struct follow *source, struct batch *batch)
{
    struct frame *frame;

    if (sender->marked)
        return deliver_marked(sender, source, batch);
    frame = (sender->deflates ? batch_deflated : batch_frame)(batch, sender->dialect);
    if (frame == NULL || frame->len > WRITE_MAX_BYTES || !sender_is_idle(sender))
        return false;
    after_batch(sender, source, batch, conn_write(sender->conn, frame->data, frame->len));
    return true;
}

bool sender_enqueue(struct sender *sender, struct follow *source, struct event *event)
{
    struct frame *frame = said_as(sender, event_frame(event, sender->dialect));
    struct outbox_item item;

    if (frame == NULL || !outbox_fits(&sender->outbox, frame->len, held_elsewhere(sender),
                                      sender->shared->outbox_bytes))
        return false;
    item = item_of(event, source, frame);
    return outbox_push_item(&sender->outbox, &item) == 0;
}

/* A block of nothing but an id makes it the last one that its reader has had, without an event. */
void sender_beat(struct sender *sender)
{
    char block[BOOKMARK_TEXT_MAX + SSE_END_MAX];
    struct notify_str id = {NULL, 0};

    if (sender->state == SENDER_CLOSED || conn_is_busy(sender->conn))
        return;
    if (sender_is_idle(sender) && sender->marked) {
        progress_settle(sender->progress);
        id = progress_text(sender->progress);
    }
    if (id.len > 0)
        (void)conn_write(sender->conn, block, sse_block_end(block, id)); /* as above */
    else
        (void)conn_write(sender->conn, SSE_COMMENT, sizeof(SSE_COMMENT) - 1);
    look_after(sender);
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

static void write_answer(struct sender *sender, const struct outbox_item *item)
{
    struct frame *whole = frame_new(item->frame->len + end_max(sender));
    size_t len = item->frame->len;

    if (whole == NULL) {
        sender_close(sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    if (sender->marked)
        len = write_marked(sender, item, whole->data);
    else
        memcpy(whole->data, item->frame->data, len);
    (void)conn_write(sender->conn, whole->data, len); /* a dead one reports itself */
    frame_unref(whole);
}

/* Whoever has not been greeted is sent what he missed once he is, and then told that it was all. */
static void write_answers(struct sender *sender)
{
    struct outbox_item item;

    for (size_t count = sender->outbox.len; count > 0; count--) {
        (void)outbox_pop_item(&sender->outbox, &item); /* there is one */
        if (item.source == NULL && notify_id_is_zero(item.id) && !item.begins)
            write_answer(sender, &item);
        else if (outbox_push_item(&sender->outbox, &item) != 0)
            sender_close(sender, CONN_CLOSE_INTERNAL, "out of memory");
        frame_unref(item.frame);
    }
}

void sender_park(struct sender *sender)
{
    enum conn_write written = CONN_SENT;

    if (sender->state == SENDER_OPENING) {
        write_answers(sender);
        return;
    }
    while (written != CONN_DEAD && sender->outbox.len > 0)
        written = write_some(sender);
}

void sender_on_closed(struct sender *sender)
{
    sender->state = SENDER_CLOSED;
    sender->conn = NULL;
    heartbeat_cancel(sender->shared->stuck, &sender->stuck);
    outbox_release(&sender->outbox);
    progress_free(sender->progress);
    sender->progress = NULL;
    sender->marked = false;
}

/* All senders. */

static void on_stuck_too_long(struct heartbeat_node *node)
{
    struct sender *sender = (void *)((char *)node - offsetof(struct sender, stuck));

    conn_limit_met(sender->conn, COUNTER_CLIENTS_TOO_SLOW);
    log_info("client_too_slow", "held_bytes", log_int((int64_t)sender->outbox.bytes));
    sender_close(sender, CONN_CLOSE_TOO_SLOW, "too slow for too long");
}

int senders_init(struct senders *senders)
{
    senders->stuck =
        heartbeat_new(senders->loop, STUCK_TICK_MS, HEARTBEAT_AT_ONCE, on_stuck_too_long);
    return senders->stuck == NULL ? -ENOMEM : 0;
}

void senders_release(struct senders *senders)
{
    heartbeat_free(senders->stuck);
}
