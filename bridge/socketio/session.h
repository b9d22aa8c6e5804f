/* session -- a session of Engine.IO, whatever carries it. Private to socketio/; what whoever is
 * above it does with it: engineio.h. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "net/conn.h"
#include "socketio/engineio.h"

struct poll;

struct engineio {
    struct engineio_config config;
    bool drains; /* the process is about to end; others go on with what is over polling, */
    bool ends;   /* or nobody does */
    bool telling;
    void (*on_drained)(void *ctx); /* of engineio_drain(); NULL: it does not end */
    void *drain_ctx;
    struct transport *transport;                /* borrowed; of all connections; NULL: none yet */
    struct peer_handlers ws;                    /* of sessions over a WebSocket, */
    struct peer_handlers probe;                 /* and of WebSockets that ask for a session */
    struct heartbeat *deadlines;                /* owned; of polls */
    struct hash_table kept;                     /* polls between two GETs (poll_keep.c) */
    TAILQ_HEAD(poll_list, poll) polls;          /* GETs that are held, */
    size_t poll_count;                          /* how many, */
    TAILQ_HEAD(post_list, post) posts;          /* POSTs and handshakes, */
    TAILQ_HEAD(upgrade_list, upgrade) upgrades; /* and WebSockets that ask for a session */
};

/* A poll has gone (door.c). */
void engine_tell_no_polls(struct engineio *engine);

/* What carries a session: session_ws.c, poll_answer.c. */
struct session_carrier {
    void (*plan)(struct session *session); /* beat or alarm have changed */
    void (*say)(struct session *session, size_t count, const struct notify_str *parts);
    void (*say_binary)(struct session *session, struct notify_str bytes);
    enum conn_write (*relay)(struct session *session, const void *frames, size_t len);
    void (*hold)(struct session *session, int change);         /* NULL, and so is */
    struct address *(*address)(const struct session *session); /* this: no poll */
    void (*pause)(struct session *session);                    /* paused has changed */
    void (*close)(struct session *session, int code, const char *reason, uint32_t retry_ms);
};

/* One per client: keep it small. */
struct session {
    struct engineio *engine;               /* borrowed */
    const struct session_carrier *carrier; /* NULL: none yet */
    struct conn *ws;                       /* borrowed; NULL: over polling */
    struct poll *poll;                     /* borrowed; the GET that is held, or NULL */
    void *seed;                            /* of on_handshake; owned until on_forget; or NULL */
    struct left_input *left;               /* session_ws.c's; or NULL */
    uint32_t beat_at;  /* short_time: when the next ping is due, or, once it is sent, the end */
    uint32_t alarm_at; /* short_time, if has_alarm */
    bool awaits_pong, has_alarm;
    bool closing; /* nothing of the client is listened to any more */
    bool paused;
    bool missed;   /* what is not stored may have passed it by before it went on here */
    bool set_back; /* its client may have come further before */
    _Alignas(8) char upper[];
};

/* One that has no carrier yet; it takes seed over. NULL: out of memory, and seed is forgotten. */
struct session *session_new(struct engineio *engine, void *seed);
/* The last of it: tells whoever is above, if on_open was called, and frees it. */
void session_end(struct session *session, int code);
void session_free(struct session *session);

/* A packet of text has come, or binary data. */
void session_take(struct session *session, struct notify_str text);
/* It is over: the peer has broken the rules. */
void session_violated(struct session *session, const char *why);

/* When the sooner of beat and alarm is due. */
uint64_t session_due_ms(const struct session *session, uint64_t now_ms);
uint64_t session_now_ms(const struct session *session);
/* Calls on_alarm if it is due. */
void session_check_alarm(struct session *session);

/* Writes the packet that opens a session to out; returns its length. */
#define SESSION_OPEN_MAX 256
size_t session_write_open(const struct engineio *engine, const char *sid, bool upgrades,
                          char out[SESSION_OPEN_MAX]);
void session_make_sid(char out[ENGINEIO_SID_LEN + 1]);

#endif
