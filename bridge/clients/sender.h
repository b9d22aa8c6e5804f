/* sender -- what goes out to one peer: straight to its connection where that has room, else by its
 * outbox; and how much the peer may have us hold.
 *
 * A peer may have us hold outbox_bytes: what is queued for it, what its socket has not taken, its
 * requests under way and what their answers may come to. At that its input waits, and events do not
 * fit any more. A single answer or event may pass it. */
#ifndef SENDER_H
#define SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/heartbeat.h"
#include "clients/latency.h"
#include "clients/outbox.h"
#include "notify_id.h"
#include "notify_str.h"

struct batch;
struct conn;
struct event;
struct follow;
struct frame;
struct greeting;
struct loop;
struct progress;
struct text;

#define SENDER_MAX_CALLS 64 /* requests under way for one peer; then its input waits */

/* What all senders of a process share. */
struct senders {
    struct loop *loop;        /* borrowed */
    size_t outbox_bytes;      /* see above */
    uint64_t slow_timeout_ms; /* how long a socket may take nothing of what waits */
    struct heartbeat *stuck;  /* owned; of those whose socket takes no more */
    struct latency latency;   /* of what connections take */
};

enum sender_state {
    SENDER_OPENING, /* what is sent waits behind the greeting */
    SENDER_READY,
    SENDER_CLOSED,
};

/* What a delivery looks at stands first: with ten thousand clients none of it is in the cache. */
struct sender {
    struct conn *conn;      /* borrowed; NULL once closed */
    struct senders *shared; /* borrowed */
    uint16_t calls;         /* requests without an answer yet, and asks */
    uint8_t in_line; /* commands of its calls that wait for their turn; then its input waits */
    uint8_t state : 2, dialect : 4; /* of those enums */
    bool input_paused : 1;
    bool cut : 1;        /* entries were to be sent when the connection had ended */
    bool broken : 1;     /* the connection has taken nothing more: it is ending */
    bool marked : 1;     /* its frames are open, to be ended by how far it has come (progress) */
    bool begins : 1;     /* see sender_set_begins() */
    bool deflates : 1;   /* its peer takes compressed messages */
    uint32_t call_bytes; /* of the calls and asks: what they and their answers may come to */
    struct outbox outbox;
    struct heartbeat_node stuck; /* set while its socket takes no more: until when it must */
    struct progress *progress;   /* owned; of one that is marked, or has brought some; or NULL */
};

/* loop and the limits are set. 0 or -ENOMEM. */
int senders_init(struct senders *senders);
void senders_release(struct senders *senders);

/* Answers: they always go out, however much waits before them. answer: one object in canonical
 * words. */
void sender_send(struct sender *sender, const struct text *answer);
/* The same; answer is taken over. NULL: out of memory. */
void sender_send_json(struct sender *sender, json_t *answer);
/* What is sent from now on, or no longer, tells of how it begins: of what it has missed, or may not
 * follow. One that is parked before it is greeted begins once more, and is told all of that then.
 */
void sender_set_begins(struct sender *sender, bool begins);
/* The first thing that the peer hears: from now on the queue goes out. */
void sender_greet(struct sender *sender, const struct greeting *greeting);

/* The same by a text that is its first one; behind what was the first, it goes out as answers do.
 * NULL: only what waits. */
void sender_begin(struct sender *sender, const struct text *text);
/* Ends the connection (net/conn.h) with code (wire/close_code.h), in the peer's words. */
void sender_close(struct sender *sender, int code, const char *reason);
/* The same; the peer is told to come back after so many milliseconds. */
void sender_close_until(struct sender *sender, int code, const char *reason, uint32_t retry_ms);

/* Events. All of the batch, which came from source, at once, if the socket takes it and nothing
 * waits before it. */
bool sender_deliver(struct sender *sender, struct follow *source, struct batch *batch);
/* Into the queue, with where it came from. False: it does not fit. */
bool sender_enqueue(struct sender *sender, struct follow *source, struct event *event);
/* Hands the queue to the socket, until that is full. */
void sender_drain(struct sender *sender);
/* It has been sent nothing for a while, perhaps; of a stream of events. */
void sender_beat(struct sender *sender);
/* The socket has taken what waited for it. */
void sender_on_drained(struct sender *sender);
/* Everything is out and the socket takes more. */
bool sender_is_idle(const struct sender *sender);
/* Is there no room for what need not be told now? */
bool sender_is_full(const struct sender *sender);

/* Requests under way. bytes: what the request holds and its answer may come to; the same at the
 * end. */
void sender_call_begin(struct sender *sender, size_t bytes);
void sender_call_end(struct sender *sender, size_t bytes);
/* A command of it waits for its turn (redis/turns.h), and waits no more. */
void sender_call_waits(struct sender *sender);
void sender_call_goes_on(struct sender *sender);

/* Its connection is about to end between two polls, and takes whatever it is given: what waits and
 * cannot be had again goes out. What one that is not greeted is sent then stays. */
void sender_park(struct sender *sender);

/* The connection has gone: nothing is sent any more. */
void sender_on_closed(struct sender *sender);

#endif
