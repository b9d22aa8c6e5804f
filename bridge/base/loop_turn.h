/* loop_turn -- how long one turn of the loop takes, and what with: one that takes long holds up
 * everybody, and is told with its cause.
 *
 * Whoever is called by the loop says what kind of work begins; that costs a look at the coarse
 * clock of the kernel. The exact one is read at the begin and at the end of a turn. How much of it
 * the thread was on a CPU is known as well: a process that is stopped, or waits for a CPU or a
 * disk, is told apart from one that works. */
#ifndef LOOP_TURN_H
#define LOOP_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/token_bucket.h"

enum loop_work {
    LOOP_ACCEPT,   /* of connections */
    LOOP_CLIENTS,  /* what they say, and what they take */
    LOOP_REDIS,    /* what it says */
    LOOP_DELIVERY, /* handing on to those who follow */
    LOOP_FILES,    /* that are read again */
    LOOP_TIMER,
    LOOP_DEFERRED,
    LOOP_SIGNAL,
    LOOP_OFF_CPU, /* none: the thread was not on a CPU */
    LOOP_WORKS,
};

struct loop_turn_part {
    enum loop_work work;
    const char *place; /* static text: "trust.c:on_files_due" */
    uint64_t us;       /* its begin, or its length */
};

/* Zeroed, with slow_us set. */
struct loop_turn {
    uint64_t slow_us;  /* longer ones are told; 0: none is */
    uint64_t began_us; /* monotonic clock; 0: nothing has been done in it yet */
    uint64_t ended_us; /* of the one before; 0: there was none */
    uint64_t stall_us; /* in which nothing was waited for any more, before it began */
    struct loop_turn_part now, longest;
    uint64_t cpu_mark_us, cpu_us; /* of the thread, and when that was asked */
    struct token_bucket lines;    /* of the log */
    uint64_t kept_back;           /* lines, since the last one */
};

/* This begins now. place: static text, or one that outlives the turn. */
void loop_turn_work(struct loop_turn *turn, enum loop_work work, const char *place);
/* A timer is called that was due then: was it late although nobody was at work? */
void loop_turn_due(struct loop_turn *turn, uint64_t due_us);
/* It is over. Returns when, or 0: nothing was done in it. */
uint64_t loop_turn_end(struct loop_turn *turn);

#endif
