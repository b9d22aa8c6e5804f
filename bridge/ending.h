/* ending -- how the process ends: no new clients, a closing handshake with each old one, then out.
 */
#ifndef ENDING_H
#define ENDING_H

#include <stdbool.h>
#include <stdint.h>

struct client_shared;
struct front_door;
struct listener_set;
struct loop;
struct loop_timer;

struct ending {
    struct loop *loop; /* borrowed, like all of these but the last two */
    struct front_door *door;
    struct client_shared *clients;
    uint64_t spread_ms;              /* over which clients are told to come back */
    uint64_t timeout_ms;             /* for all of it */
    struct listener_set **listeners; /* *listeners is freed, and NULL from then on */
    struct loop_timer *timer;        /* owned */
    bool told;                       /* Redis has been told that our clients are gone */
};

/* What is borrowed is set. 0 or -ENOMEM. */
int ending_init(struct ending *ending);
void ending_release(struct ending *ending);

/* A signal to end has come; the second one means at once. ending: the struct ending, here too. */
void ending_on_signal(void *ending);
/* A client has gone. */
void ending_on_closed(void *ending);

#endif
