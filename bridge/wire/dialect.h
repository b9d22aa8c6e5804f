/* dialect -- what a peer hears and says, on two axes: the words (vocabulary.h) and what they are
 * framed in. A table pairs them, one row for each pair that some path speaks.
 *
 * Everything above speaks canonical JSON (docs/protocol.md), and names a dialect where that is to
 * become bytes. */
#ifndef DIALECT_H
#define DIALECT_H

#include <stdbool.h>

#include "notify_str.h"

struct event;
struct frame;
struct greeting;
struct inbound;
struct json_fault;
struct text;

/* When whoever was greeted is to come back once the connection is lost. */
#define DIALECT_RETRY_MS 3000

enum dialect {
    DIALECT_CANONICAL,       /* the published bytes */
    DIALECT_TOPIC,           /* /ws: notifications carry their title as "message", too */
    DIALECT_EVENTS,          /* the published bytes in blocks of a stream of events (sse_block.h) */
    DIALECT_SESSION,         /* /api/v1/ws/{session_id}: ids of entries are UUIDs */
    DIALECT_CHAT,            /* answers of an agent that come piece by piece (dialect_chat.c) */
    DIALECT_SOCKETIO,        /* events of Socket.IO (socketio_frame.h) */
    DIALECT_SOCKETIO_MARKED, /* the same, each to be ended by how far its reader has come */
    DIALECT_COUNT,
};

/* Says event in the words of a dialect; ret is all zero before but for its type. False: it is said
 * as it was published, by the frame of dialect_plain(). An empty text: out of memory. */
bool dialect_event(enum dialect dialect, const struct event *event, struct text *ret);
/* The one that is framed alike and says every event as it was published. */
enum dialect dialect_plain(enum dialect dialect);

/* The same of an item of a list: of data, that of a notification in the box of key, which is raw.
 * False: it stays as it is. */
bool dialect_item(enum dialect dialect, struct notify_str key, struct notify_str data,
                  struct text *ret);

/* Frames. One reference; NULL: out of memory. */
struct frame *dialect_frame(enum dialect dialect, const struct text *text);
struct frame *dialect_greeting(enum dialect dialect, const struct greeting *greeting);

/* A frame of a dialect whose frames are open: what ends it is its reader's own, how far he has come
 * with it (a bookmark, or empty: it is not said). False: this one is whole, and cannot say it. */
bool dialect_is_open(enum dialect dialect, const struct frame *frame);
/* Writes it with its end, up to DIALECT_END_MAX bytes more than both have; or a whole one as it is.
 * Returns how many bytes were written. */
#define DIALECT_END_MAX 16
size_t dialect_end(enum dialect dialect, char *out, const struct frame *frame,
                   struct notify_str id);

/* What code (close_code.h) is to a peer. */
int dialect_close_code(enum dialect dialect, int code);

/* How the keys of inboxes look: a usable pattern (key_pattern.h), borrowed for life. To be said
 * once, before anything else; until then there are none. */
void dialect_name_inboxes(const char *pattern);
/* The same of the logs of sessions. */
void dialect_name_sessions(const char *pattern);

/* What a peer says, in canonical words. As inbound_read() (inbound.h). */
bool dialect_read(enum dialect dialect, struct notify_str text, struct inbound *ret,
                  struct json_fault *ret_fault);

#endif
