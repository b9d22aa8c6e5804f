/* rewind -- where to begin in a box so that its newest entries are had again. */
#ifndef REWIND_H
#define REWIND_H

#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"
#include "wire/position.h"

struct request;

#define REWIND_LAST_MAX 100                /* entries */
#define REWIND_SINCE_MAX_MS 604800000      /* a week */
#define REWIND_SINCE_MAX_TEXT "a week ago" /* the same */

/* How far back: so many entries, or, if that is 0, those from this instant on (Unix time). */
struct rewind_wish {
    size_t last;
    uint64_t since_ms;
};

struct rewind_kind {
    /* What was wished for stands behind from. ctx: now the callee's. */
    void (*found)(struct request *r, const struct position *from, void *ctx);
    void (*release)(void *ctx); /* of ctx, when found is not called */
};

/* Asks Redis; what goes wrong is answered. key is copied; ctx is taken over. */
void rewind_find(struct request *r, struct notify_str key, const struct rewind_wish *wish,
                 const struct rewind_kind *kind, void *ctx);

#endif
