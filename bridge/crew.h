/* crew -- the workers of a supervisor: starts them, starts those that end again, with a back-off,
 * and ends those that stand still. */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct board;
struct session_journal;

#define CREW_LOOK_MS 1000 /* so often crew_look() is due */

struct crew_member {
    pid_t pid; /* 0: there is none */
    uint64_t started_ms, due_ms;
    uint64_t beat_ms, still_ms; /* its last one, and for how long there was none */
    unsigned starts, failures;  /* one after the other */
    struct session_journal *journal;
};

struct crew {
    unsigned count;
    struct crew_member *members; /* owned, as is board */
    struct board *board;
    uint64_t still_max_ms; /* 0: they may stand still */
    uint64_t looked_ms;
    bool ending;   /* nobody is started any more */
    bool hopeless; /* one could not even begin */
    bool failed;   /* one has ended as it should not, while all end */
};

/* count and still_max_ms are set. 0 or -ENOMEM; to be released in both cases. */
int crew_init(struct crew *crew);
void crew_release(struct crew *crew);

/* *ret_number is to be started now, if there is one that is. */
bool crew_is_start_due(const struct crew *crew, uint64_t now_ms, unsigned *ret_number);
/* Returns whether this is the child now. */
bool crew_start(struct crew *crew, unsigned number, uint64_t now_ms);
/* When something is due next: crew_look(), or a start. */
uint64_t crew_next_ms(const struct crew *crew, uint64_t now_ms);
/* Notices who stands still, and ends it. */
void crew_look(struct crew *crew, uint64_t now_ms);

void crew_signal(const struct crew *crew, int signum);
bool crew_is_any_left(const struct crew *crew);
/* A process has ended, perhaps one of these. */
void crew_take_end(struct crew *crew, pid_t pid, int status, uint64_t now_ms);

#endif
