/* worker -- which of the processes that serve clients this is, and what it has from whoever started
 * it. */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <sys/types.h>

struct board;
struct bound_set;
struct handed;
struct session_journal;

struct worker {
    unsigned number, count;          /* the first is 0; 0 of 1 is alone */
    pid_t supervisor;                /* 0: there is none */
    struct bound_set *bound;         /* borrowed, as are all of these */
    struct session_journal *journal; /* of what it has in Redis; NULL: nobody would read it */
    struct board *board;             /* of all of them; NULL: it is alone */
    struct handed *handed;           /* what to tell who is taken over from; NULL: not its matter */
    bool waits;                      /* somebody else serves until it is ready */
};

#endif
