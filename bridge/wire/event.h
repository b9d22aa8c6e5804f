/* event -- one message of the module (docs/protocol.md, "The message"), decoded as far as routing
 * needs it, immutable, and shared by all receivers.
 *
 * Its frames are made when the first client of a dialect needs them, once for all clients. Beside
 * what it says stands how far it has come. */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"
#include "wire/dialect.h"
#include "wire/reach.h"

struct frame;

enum event_kind {
    EVENT_ENTRY,    /* has an id and can be read again */
    EVENT_VOLATILE, /* an event that is not stored */
    EVENT_STATE,    /* what changed in a box: read, deleted … */
};

/* What a change of state says of the box as a whole. */
enum whole_box {
    WHOLE_BOX_STAYS,
    WHOLE_BOX_GONE,
    WHOLE_BOX_CHANGED, /* another one stands there, which ends at prev */
};

struct event {
    unsigned refs;
    enum event_kind kind;
    struct notify_id id, prev;  /* of EVENT_ENTRY; else 0-0, but for WHOLE_BOX_CHANGED: prev */
    uint64_t rev;               /* of the box after it; 0: not said */
    uint32_t epoch;             /* that begins with it; 0: none does */
    uint8_t whole_box;          /* enum whole_box; of EVENT_STATE */
    bool counts_log;            /* says how much of a log is unread; the same */
    bool plain;                 /* of a channel that is no box: said as it is in every dialect */
    bool excerpt;               /* discreet, uncounted or telling of another one */
    uint8_t agent;              /* enum agent_event; of the others */
    struct notify_str type;     /* raw JSON string with quotes; points into payload */
    struct notify_str key;      /* the same */
    struct notify_str category; /* raw JSON value, or empty; points into payload */
    struct notify_str data;     /* raw JSON value, or empty; points into payload */
    struct notify_str exclude;  /* raw JSON string with quotes, or empty; the same */
    struct notify_str request;  /* the request of an agent's event: raw, or empty; the same */
    struct frame *frames[DIALECT_COUNT]; /* owned; NULL until needed */
    struct event *discreet;              /* owned; NULL until needed */
    struct event *uncounted;             /* the same */
    struct event *telling;               /* the same */
    struct reach reach; /* of it alone: those who were sent another part of it count there */
    uint32_t turn;      /* of the client for which it was queued last (clients/outcome.h) */
    size_t len;
    char payload[];
};

/* Decodes a message. Takes a copy. One reference. NULL: it has not the shape of a message, or out
 * of memory. */
struct event *event_decode(struct notify_str message);
/* What is said on a channel that is no box, as clients get it: EVENT_VOLATILE, without a key. Takes
 * a copy. One reference. NULL: out of memory. */
struct event *event_plain(struct notify_str text);
/* {"type":"changed"}: more has changed in the box of key than its messages told; rev and unread are
 * what holds now, epoch one that is new (or 0). One reference. NULL: out of memory. */
struct event *event_changed(struct notify_str key, uint32_t epoch, uint64_t rev, uint64_t unread);
struct event *event_ref(struct event *event);
struct event *event_unref(struct event *event); /* returns NULL */

/* Does a message begin as an entry does? A look that costs little, for whoever drops it then. */
bool event_looks_stored(struct notify_str message);

/* Does it speak of this key? A channel carries what is said of the key of its name, nothing else.
 */
bool event_is_of(const struct event *event, struct notify_str key);
/* Is the message the one of the control channel that all keys were flushed or exchanged? */
bool event_is_flushed(struct notify_str message);

/* Is this the session that does not get it? */
bool event_excludes(const struct event *event, struct notify_str session);

/* Is it an entry that NOTIFY.SEND made? Its data begins with its id, which no event knows before it
 * is sent. */
bool event_is_notification(const struct event *event);
/* Is it, as an agent's event, for who asked by the request of this id? */
bool event_answers(const struct event *event, struct notify_str request);

/* What of it is for those who are not sent all of its log: it lacks the members that speak of other
 * entries (prev, replaces) or count them (rev, unread). Borrowed from the event. NULL: out of
 * memory. */
struct event *event_discreet(struct event *event);

/* What of a change in an inbox is for whoever may not see all of the log that it is about: it does
 * not count that (log_unread). As above. */
struct event *event_uncounted(struct event *event);

/* An entry as it is told to those who may not know the epoch of its box: it says that, unless it
 * says one itself. As above. */
struct event *event_with_epoch(struct event *event, uint32_t epoch);

/* A change as it is told to those whose position may be of another epoch. As above. */
struct event *event_without_epoch(struct event *event);

/* What such parts of all events of the process take in memory, about, each with a frame. */
size_t event_excerpts_bytes(void);

/* How far it has come, in whichever form. */
struct reach event_reach(const struct event *event);

/* Borrowed from the event. NULL: out of memory. */
struct frame *event_frame(struct event *event, enum dialect dialect);

#endif
