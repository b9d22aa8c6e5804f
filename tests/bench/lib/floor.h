/* floor -- what a delivery costs at the least: a plain loop of send() over plain TCP connections.
 *
 * Two processes of its own, one that sends (on the core of the measured server) and one that
 * receives (on the generator's), both idle but while floor_run() lasts. The sender does nothing but
 * send() the same bytes to each of its connections; the next round begins when the receiver has got
 * them all, just as when the bridge is measured one message at a time. */
#ifndef FLOOR_H
#define FLOOR_H

#include <stddef.h>
#include <stdint.h>

struct floor;

struct floor_result {
    double send_ns;    /* CPU time of the sender per send(), user and system */
    double receive_ns; /* CPU time of the receiver per send() */
    double wall_ns;    /* time per send() */
};

/* Starts both processes and connects them. They end with the calling process. */
struct floor *floor_new(uint32_t connections, int sender_core, int receiver_core);
void floor_free(struct floor *floor);

/* Sends bytes to every connection, rounds times. */
struct floor_result floor_run(struct floor *floor, size_t bytes, uint32_t rounds);

#endif
