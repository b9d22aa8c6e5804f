/* turns -- a server shared fairly: so much is under way there, and the rest stands in a line.
 *
 * What goes there by itself (reads of what clients missed, checks) is answered behind what is under
 * way at most, however long the line is. Who sends for many has each of them stand in the line once
 * only, and they have the server in turn. Each server of a cluster has a line of its own: one that
 * stands still holds up nobody who wants another. */
#ifndef TURNS_H
#define TURNS_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"
#include "redis/keyspace.h"

struct turns;

#define TURNS_COMMANDS 128        /* under way at a server at a time */
#define TURNS_REPLY_BYTES 4194304 /* that their replies may have; one alone may have more */
#define TURNS_LINE_MAX 100000     /* commands in all lines */

/* Whoever reads entries for one client asks for so many at once: how large they are is only known
 * once they are there, and one reply for all that it may have of the largest would hold up
 * everybody. */
#define TURNS_ENTRIES 26
/* What they may come to, with the module's default for the largest entry. */
#define TURNS_ENTRIES_BYTES ((size_t)TURNS_ENTRIES * 65536)

/* A command with what it is for. */
struct turn {
    size_t argc;
    const struct notify_str *argv; /* borrowed for the call */
    size_t reply_bytes;            /* that its reply may have */
    redis_reply_fn fn;             /* NULL as its reply: the link is down, or it was not sent */
    /* Its turn has come, behind others. False: not wanted any more, fn gets NULL. May be NULL. */
    bool (*on_turn)(void *ctx);
    void *ctx; /* of both */
};

/* keys is borrowed; it, or its link, must be freed before (that answers what is under way). NULL:
 * no memory. */
struct turns *turns_new(struct keyspace *keys);
/* Nothing may be under way or in the line. NULL is fine. */
void turns_free(struct turns *turns);

/* 0: it is under way. 1: it is in the line, on_turn will be called. Otherwise as
 * keyspace_command(): fn is not called. Commands go out in the order of the calls; one that then
 * cannot be sent is told so at once, perhaps before those ahead of it have their replies. */
int turns_command(struct turns *turns, const struct turn *turn);

size_t turns_in_line(const struct turns *turns);

#endif
