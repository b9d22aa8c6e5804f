/* crowd -- a swarm that follows a broadcast log, and the books about what reached it.
 *
 * Client i connects as user "u<i>", so each has an inbox of its own; the bridge lets all of them
 * follow the log CROWD_LOG. What is sent to the log through Redis is tracked until every client has
 * it, and the ledger proves that each id came exactly once and in order. */
#ifndef CROWD_H
#define CROWD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ledger.h"
#include "notify_id.h"
#include "pollers.h"
#include "resp.h"
#include "swarm.h"

/* What the members of a crowd speak: the messages of /ws, the same compressed, those of a stream of
 * events, or Socket.IO over WebSockets or over polling. */
enum crowd_speech { CROWD_WEBSOCKET, CROWD_DEFLATED, CROWD_EVENTS, CROWD_SOCKETIO, CROWD_POLLS };

#define CROWD_LOG "topic:all"
#define CROWD_IN_FLIGHT_MAX 256 /* messages that not every client has yet */
#define CROWD_TIMEOUT_MS 60000  /* for anything that is waited for */

struct crowd {
    enum crowd_speech speech;
    uint32_t clients;
    uint32_t group;    /* so many clients follow one more topic; 0: there are none */
    uint32_t channels; /* that Redis knows once all is subscribed: each inbox, the log */
    pid_t bridge_pid;
    uint64_t bridge_descriptors; /* that it had before the first client came; 0: none has yet */
    struct swarm *swarm;         /* owned; NULL for pollers */
    struct pollers *pollers;     /* owned; NULL for a swarm */
    struct resp redis;
    struct ledger ledger;
    uint32_t greeted;                       /* clients, since the last crowd_connect() */
    uint64_t sent;                          /* messages to the log */
    uint64_t arrived;                       /* of these, those that every client has */
    char last_id[NOTIFY_ID_TEXT_MAX + 1];   /* of the last message that Redis has answered for */
    uint32_t arrivals[CROWD_IN_FLIGHT_MAX]; /* clients that have message number (index mod size) */
    uint64_t heartbeats;                    /* pings that were answered */
    uint64_t acks;                          /* of what crowd_ask() asked */
    uint64_t asks;                          /* still to be asked as others are acknowledged */
    uint64_t payload_bytes;                 /* of all messages of the log, summed up */
    uint64_t payloads;
    /* Sees every text that is not a message of the log, the greeting included. NULL for nobody. */
    void (*on_other)(void *ctx, uint32_t client, struct notify_str text);
    void *on_other_ctx;
};

void crowd_init(struct crowd *crowd, uint32_t clients, int bridge_port, pid_t bridge_pid,
                int redis_port);
/* The same in another speech. */
void crowd_init_over(enum crowd_speech speech, struct crowd *crowd, uint32_t clients,
                     int bridge_port, pid_t bridge_pid, int redis_port);
void crowd_release(struct crowd *crowd);
/* Before they connect: so many clients at a time also follow a topic of their own, the first of
 * them "topic:g0". Of WebSockets. */
void crowd_group(struct crowd *crowd, uint32_t clients);

/* As swarm_poll(), swarm_watch() and swarm_received_bytes(), of whatever the crowd is made of. */
void crowd_poll_once(struct crowd *crowd, int timeout_ms);
void crowd_watch(struct crowd *crowd, int fd, void (*fn)(void *ctx), void *ctx);
uint64_t crowd_received_bytes(const struct crowd *crowd);

/* Handles what is there, waiting for it a little, while the caller waits for something that began
 * at started_ns (bench_now_ns()). After CROWD_TIMEOUT_MS the program ends and says what was
 * missing. */
void crowd_poll(struct crowd *crowd, uint64_t started_ns, const char *what);

/* Connects all clients and waits until all have been greeted. Returns how long that took. */
uint64_t crowd_connect(struct crowd *crowd);
/* Waits until the bridge has subscribed every inbox and the log, and has come to rest. */
void crowd_wait_following(struct crowd *crowd);
/* Cuts all connections, and waits until the bridge has closed them and come to rest. */
void crowd_drop(struct crowd *crowd);

/* Writes command, which adds one message to the log and answers its id, to Redis count times in one
 * go. At most CROWD_IN_FLIGHT_MAX may be on their way. */
void crowd_send(struct crowd *crowd, const struct resp_text *command, size_t count);
/* Waits until every client has all but in_flight of the messages that were sent. */
void crowd_wait(struct crowd *crowd, uint64_t in_flight);
/* Sends command count times, at most window of them at once on their way, and waits for the last.
 */
void crowd_broadcast(struct crowd *crowd, const struct resp_text *command, uint64_t count,
                     uint64_t window);
/* Every client emits "ping" with an ack, and again when it has it, count times in all. Only
 * Socket.IO.
 */
void crowd_ask(struct crowd *crowd, uint64_t count);
/* Waits for the last message and ends the program unless the books are in order. */
void crowd_check(struct crowd *crowd, const char *when);

#endif
