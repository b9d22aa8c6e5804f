/* rewind -- a request that asks for the newest entries of a box: where to begin, asked of Redis. */
#ifndef REWIND_H
#define REWIND_H

#include "clients/rewind_search.h"
#include "notify_str.h"

struct request;

struct rewind_kind {
    /* What was wished for stands behind from. ctx: now the callee's. */
    void (*found)(struct request *r, const struct position *from, void *ctx);
    void (*release)(void *ctx); /* of ctx, when found is not called */
};

/* Asks Redis; what goes wrong is answered. key is copied; ctx is taken over. */
void rewind_find(struct request *r, struct notify_str key, const struct rewind_wish *wish,
                 const struct rewind_kind *kind, void *ctx);

#endif
