/* ending -- how the process ends: not ready any more, and after a while, in which whoever asks
 * for that sends nobody here any more, no new clients, a closing handshake with each old one, then
 * out. */
#ifndef ENDING_H
#define ENDING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct client_shared;
struct duty;
struct front_door;
struct loop;
struct loop_timer;

struct ending {
    struct loop *loop; /* borrowed, like these three */
    struct front_door *door;
    struct client_shared *clients;
    struct duty *duty;
    uint64_t delay_ms;        /* before anything but readiness ends */
    uint64_t spread_ms;       /* over which clients are told to come back */
    uint64_t timeout_ms;      /* for all of it */
    pid_t supervisor;         /* 0: there is none; it says it another way when in a hurry */
    struct loop_timer *timer; /* owned, as is this one: for how long others are asked for */
    struct loop_timer *patience;
    struct loop_timer *delay; /* and this one */
    bool closing;             /* clients are told */
    bool over;                /* nobody waits for anything any more: all is being freed */
    bool told;                /* Redis has been told that our clients are gone */
};

/* What is borrowed is set. 0 or -ENOMEM. */
int ending_init(struct ending *ending);
void ending_release(struct ending *ending);

/* A signal to end has come; the second one means at once, unless it is supervised. ending: the
 * struct ending, here too. */
void ending_on_signal(void *ending);
void ending_at_once(void *ending);
/* Another bridge serves at our addresses: nobody is accepted any more, and who was is served for a
 * little while as if nothing had been. */
void ending_handed_over(void *ending);
/* A client has gone, or the last request that was under way is answered. */
void ending_on_closed(void *ending);

#endif
