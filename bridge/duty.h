/* duty -- what a process owes to those beside it and above it: that it accepts connections, its own
 * and those of a worker that is away; that it stirs, and has done what it was asked for; what the
 * service manager and the bridge that it takes over from are told. */
#ifndef DUTY_H
#define DUTY_H

#include <stdbool.h>
#include <stdint.h>

struct listener_set;
struct loop;
struct loop_timer;
struct transport;
struct worker;

struct duty {
    struct loop *loop; /* borrowed, as are these */
    const struct worker *worker;
    struct transport *transport; /* adopts what is accepted */
    struct listener_set *own;    /* owned; NULL: it does not accept */
    struct duty_post {
        struct listener_set *set; /* owned; NULL: it does not stand in for that worker */
        bool missed;              /* it did not accept at the last tick */
    } * posts;                    /* owned: of each worker */
    struct loop_timer *tick;      /* owned, as is this one */
    struct loop_timer *beat;
    bool ready, stopped, handed_over;
};

/* What is borrowed is set. 0 or -ENOMEM. */
int duty_init(struct duty *duty);
void duty_release(struct duty *duty);

/* All is built: it accepts, unless somebody else does so until it is ready. 0 or -ENOMEM. */
int duty_begin(struct duty *duty);
/* It can serve clients, perhaps not for the first time. 0 or -ENOMEM. */
int duty_on_ready(struct duty *duty);

/* Around each reading of the configuration; begin returns what end is to be told. */
uint64_t duty_begin_reload(struct duty *duty);
void duty_end_reload(struct duty *duty, uint64_t asked);

/* It is going to end, and then: it accepts nobody any more. */
void duty_on_leaving(struct duty *duty);
void duty_stop(struct duty *duty);

#endif
