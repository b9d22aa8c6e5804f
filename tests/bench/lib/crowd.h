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
#include "resp.h"
#include "swarm.h"

#define CROWD_LOG "topic:all"
#define CROWD_IN_FLIGHT_MAX 256 /* messages that not every client has yet */
#define CROWD_TIMEOUT_MS 60000  /* for anything that is waited for */

struct crowd {
    uint32_t clients;
    pid_t bridge_pid;
    struct swarm *swarm; /* owned */
    struct resp redis;
    struct ledger ledger;
    uint32_t greeted;                       /* clients, since the last crowd_connect() */
    uint64_t sent;                          /* messages to the log */
    uint64_t arrived;                       /* of these, those that every client has */
    char last_id[NOTIFY_ID_TEXT_MAX + 1];   /* of the last message that Redis has answered for */
    uint32_t arrivals[CROWD_IN_FLIGHT_MAX]; /* clients that have message number (index mod size) */
    uint64_t payload_bytes;                 /* of all messages of the log, summed up */
    uint64_t payloads;
    /* Sees every text that is not a message of the log, the greeting included. NULL for nobody. */
    void (*on_other)(void *ctx, uint32_t client, struct notify_str text);
    void *on_other_ctx;
};

void crowd_init(struct crowd *crowd, uint32_t clients, int bridge_port, pid_t bridge_pid,
                int redis_port);
/* The same, over another carrier than WebSockets. */
void crowd_init_over(enum swarm_carrier carrier, struct crowd *crowd, uint32_t clients,
                     int bridge_port, pid_t bridge_pid, int redis_port);
void crowd_release(struct crowd *crowd);

/* Handles what is there, waiting for it a little, while the caller waits for something that began
 * at started_ns (bench_now_ns()). After CROWD_TIMEOUT_MS the program ends and says what was
 * missing. */
void crowd_poll(struct crowd *crowd, uint64_t started_ns, const char *what);

/* Connects all clients and waits until all have been greeted. Returns how long that took. */
uint64_t crowd_connect(struct crowd *crowd);
/* Waits until the bridge has subscribed every inbox and the log, and has come to rest. */
void crowd_wait_following(struct crowd *crowd);
/* Cuts all connections and waits until the bridge has come to rest. */
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
/* Waits for the last message and ends the program unless the books are in order. */
void crowd_check(struct crowd *crowd, const char *when);

#endif
