/* send_result -- what came of sending one entry to one box. */
#ifndef SEND_RESULT_H
#define SEND_RESULT_H

#include <stdint.h>

#include "notify_id.h"

enum send_outcome {
    SEND_STORED,
    SEND_PUBLISHED, /* NOSTORE */
    SEND_DUPLICATE, /* IDEMPOTENT: it was stored before */
    SEND_SKIPPED,   /* NX, XX */
    SEND_FAILED,    /* args.error says why; nothing has changed */
};

struct send_result {
    enum send_outcome outcome;
    struct notify_id id;
    struct notify_id prev;     /* the box's last id before */
    struct notify_id replaces; /* what COLLAPSE took out; 0-0: nothing visible */
    uint64_t maxlen;           /* the limit that has the same effect where nothing expires */
    uint32_t epoch;            /* that has begun with it; 0: none has */
    uint64_t rev;
    uint64_t unread;
    int receivers;
};

#endif
