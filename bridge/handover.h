/* handover -- how a process that serves alone hands over to another one, on SIGUSR2 (takeover.h).
 * Of several processes the supervisor does. */
#ifndef HANDOVER_H
#define HANDOVER_H

struct config;
struct ending;
struct loop;
struct loop_timer;
struct takeover;
struct worker;

struct handover {
    struct loop *loop; /* borrowed, as are these */
    const struct config *config;
    const struct worker *worker;
    struct ending *ending;     /* is told when it is over */
    struct takeover *takeover; /* owned; NULL: there is none under way */
    struct loop_timer *timer;  /* owned */
};

/* What is borrowed is set. 0 or -ENOMEM. */
int handover_init(struct handover *handover);
void handover_release(struct handover *handover);

/* handover: the struct. */
void handover_on_signal(void *handover);
/* The configuration has been read again: whoever has begun since then may have an older one. */
void handover_on_reload(struct handover *handover);

#endif
