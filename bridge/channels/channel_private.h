/* What channel.c, channel_read.c and channel_serve.c share. */
#ifndef CHANNEL_PRIVATE_H
#define CHANNEL_PRIVATE_H

#include "channels/channel.h"

/* Of the read that is under way, or has just been answered. */
struct channel_read {
    struct notify_id from; /* where it begins; NOWHERE: it asks for the box's end alone */
    uint32_t epoch;        /* under which that was given; 0: not known */
    bool judges;           /* asks what became of epoch alone: from is behind everything */
    struct notify_id last; /* of the channel when it was asked for, */
    uint64_t rev;
    size_t stash;                /* and how long the stash was */
    size_t told_begin, told_end; /* what of it was handed on already */
    struct notify_id on;         /* where the last portion ended; 0-0: it was the whole */
};

/* One read at a time; who comes later is served by it too, or by the next. own: where what the
 * channel itself lacks begins; NOWHERE: nothing but what the waiting lack, and where the box ends.
 *
 * An answer is a portion. The next one goes on where it ended as long as somebody is there, and
 * only then from the smallest position again: newcomers who begin far back do not hold up those who
 * are on their way. */
void channel_read_from(struct channel *channel, struct notify_id own);

enum sync_reason {
    SYNC_HOLE,  /* something has been missed, or may have been */
    SYNC_DOUBT, /* a message does not fit */
};
/* It is not live until it has been read. */
void channel_stop(struct channel *channel, enum sync_reason reason);
/* The same, and reads what the channel itself lacks. */
void channel_sync_up(struct channel *channel, enum sync_reason reason);

/* event is the newest; an entry says the epoch, too, if nothing has yet. False: out of memory; then
 * last stays, and the next entry shows that one is missing. */
bool channel_accept(struct channel *channel, struct event *event);
/* What came meanwhile. The entries of what was there before the read was asked for are in what was
 * read, or do not exist: to look for those again would never end. */
void channel_take_stash(struct channel *channel);

/* Up to here everything is what Redis had. */
struct notify_id channel_sure(const struct channel *channel);

/* A channel without a box has nothing that could be read: what is said while somebody listens is
 * all that there is. */
void channel_plain_held(struct channel *channel);
void channel_plain_message(struct channel *channel, struct notify_str name,
                           struct notify_str message);

/* For another message, before those that wait have been handed on? */
bool channel_has_room(const struct channel *channel);
/* There is no room for a message: it is dropped. event: NULL for an entry; those need not be
 * decoded for that. */
void channel_miss(struct channel *channel, struct event *event);
/* Its turn has come: asks for what was missed, unless something is being read; then that is done
 * behind the answer. */
void channel_repair(struct channel *channel);
/* Whoever wants to know of all that is said is told what has become of it. */
void channel_tell_watch(struct channel *channel, struct event *event, size_t followers);
/* Something is to be done when its turn comes. */
void channel_mark_dirty(struct channel *channel);
/* An event that cannot be had again is dropped: nobody who follows gets it. */
void channel_lose(struct channel *channel, struct event *event);

bool channel_keeps_recent(const struct channel *channel);
void channel_forget_recent(struct channel *channel);

/* Serving those who wait, of a channel that is live: all who can be served without asking Redis;
 * for the others it is asked. */
void channel_serve_from_memory(struct channel *channel);
void channel_serve_one(struct channel *channel, struct follow *follow);
/* Of what has been read; batch: its entries. */
void channel_serve_from_read(struct channel *channel, const struct catchup_result *result,
                             const struct batch *batch);

#endif
