/* relay -- the least that the way of a single message takes: three processes that hand it on and do
 * nothing else.
 *
 *     source ──▶ first ──▶ second ──▶ one of the source's connections
 *
 * The first stands where Redis does and also answers the source, the second where the bridge does,
 * with as many connections in its epoll. Each waits in epoll_wait(), takes with recv() and hands on
 * with send(). */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_MESSAGE_MIN 8 /* bytes: where to, and its number */
#define RELAY_MESSAGE_MAX 4096

struct relay;

struct relay_load {
    uint64_t count;                        /* messages, each to a connection picked at random */
    uint64_t interval_ns;                  /* between two of them */
    uint64_t command_bytes, message_bytes; /* to the first; from there on */
};

/* Starts the processes, source and first on one core, second on the other, and connects them. They
 * end with the calling process. count_max: the most messages of a run. */
struct relay *relay_new(uint32_t connections, uint64_t count_max, int server_core,
                        int generator_core);
void relay_free(struct relay *relay);

/* Begins to send the messages. */
void relay_start(struct relay *relay, const struct relay_load *load);
struct relay_result {
    uint64_t started_ns; /* when message 0 was due (bench_now_ns()) */
    uint64_t cpu_ns;     /* of the second process, user and system */
};

/* False while they are on their way. Then fills ret_delays_ns with the time of each from due to
 * received, in the order in which they were due. */
bool relay_is_done(struct relay *relay, uint64_t *ret_delays_ns, struct relay_result *ret_result);

#endif
