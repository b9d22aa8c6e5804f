/* sessions -- who is connected, as Redis knows it: the places that clients of this process have in
 * session sets (docs/sessions.md), and what is told of those sets.
 *
 * Each set in which some client has a place is held once: its commands go out one behind the other,
 * many sets at a time; its leases are renewed by a timing wheel; its channel is listened to, where
 * somebody has to hear of kicks or wants to hear of presence. What Redis has lost or could not take
 * is opened again, sooner or later. Nothing here delays what clients are sent: only the decision
 * whether one may be here at all is waited for.
 *
 *     WANTED --OPEN sent--> OPENING --reply--> OPEN --client gone--> CLOSING --CLOSE sent--> freed
 *        ^                     | refused: NONE   |
 *        +--- lost by Redis ---+-----------------+
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number.h"
#include "notify_str.h"

struct client;
struct key_names;
struct loop;
struct ears;
struct keyspace;
struct keyspace_handlers;
struct redis_link_handlers;
struct resp;
struct session_journal;
struct session_place;
struct sessions;

enum session_set_kind {
    SESSIONS_OF_USER, /* a user's sessions: Redis decides by it whether a connection may be */
    USERS_OF_SESSION, /* whose a session is, for those who know its id alone */
    USERS_OF_TOPIC,   /* who is here */
};

/* Called from the loop. */
struct session_handlers {
    /* Its place in the set of its user is there; or Redis does not give it one, for a reason that
     * is none of its own. */
    void (*on_settled)(struct client *client);
    /* A limit of the set is reached, of its sessions or else of connections: it has no place. */
    void (*on_refused)(struct client *client, enum session_set_kind kind, struct notify_str key,
                       bool too_many_sessions);
    /* Its session is ended: its place is gone. */
    void (*on_kicked)(struct client *client);
};

struct sessions_config {
    struct loop *loop;         /* borrowed, as are the next three */
    struct keyspace *commands; /* what is sent goes there */
    struct ears *ears;         /* where sets are heard; NULL: where all is */
    const struct key_names *keys;
    const struct session_handlers *handlers;
    struct session_journal *journal; /* where its sets are noted; NULL: nowhere. Borrowed */
    uint64_t lease_ms;
    /* So long after a kick was heard clients are told: what was published before it comes over
     * other links, and is theirs. 0: it comes over the same one. */
    uint64_t kick_after_ms;
    unsigned connections_per_session, sessions_per_user; /* 0: as many as a set holds */
};

#define SESSIONS_CLOSING_MAX                                                                       \
    65536                    /* places that Redis is still to be told of that they are left        \
                              */
#define SESSIONS_NODE_MAX 17 /* bytes of the name of this process in sets, and a NUL */

/* config is copied. NULL: out of memory. */
struct sessions *sessions_new(const struct sessions_config *config);
/* No client may have a place; the links must have been freed, or be down. */
void sessions_free(struct sessions *sessions);

/* What the link that hears, and commands, tell (redis/redis_link.h, redis/keyspace.h); ctx: the
 * sessions. */
extern const struct redis_link_handlers sessions_subscriber_handlers;
extern const struct keyspace_handlers sessions_commands_handlers;

/* Gives client a place in the set, of a user or a topic. 0 or -ENOMEM. */
int sessions_enter(struct sessions *sessions, struct client *client, enum session_set_kind kind,
                   struct notify_str key);
/* Others may know client's session by its id: as long as Redis gives it the place in its user's set
 * that it has entered, whose it is stands in the set of those who hold that session, too. */
void sessions_name_holder(struct client *client);
void sessions_leave(struct client *client, struct notify_str key);
/* Tells client of who comes and goes there, first of how it stands. 0 or -ENOMEM. */
int sessions_watch(struct sessions *sessions, struct client *client, enum session_set_kind kind,
                   struct notify_str key);
void sessions_unwatch(struct client *client, struct notify_str key);
/* The same for one who was told that before he went (below): first he hears of what changes. */
int sessions_watch_again(struct sessions *sessions, struct client *client,
                         enum session_set_kind kind, struct notify_str key);
/* The sets that client has to do with. */
size_t sessions_count_of(const struct client *client);
/* It has gone. */
void sessions_forget(struct client *client);

/* A client that goes and comes back, to this bridge or another one, as one over polling does
 * between two polls: nobody sees that. Its places stay in Redis, until their leases end; whoever
 * comes back says what they were called before he enters them. */
#define SESSIONS_CONNECTION_MAX (SESSIONS_NODE_MAX + 1 + NUMBER_TEXT_MAX)
struct notify_str sessions_connection(const struct sessions *sessions, const struct client *client,
                                      char out[SESSIONS_CONNECTION_MAX]);
void sessions_park(struct client *client);
/* Tells fn of each set that client has to do with: as one who has a place there, or watches it. */
typedef void (*session_fn)(void *ctx, enum session_set_kind kind, struct notify_str key,
                           bool has_place, bool watches);
void sessions_each(const struct client *client, session_fn fn, void *ctx);
/* 0, -EINVAL (it is no such name) or -ENOMEM: then it enters as a new one. */
int sessions_return(struct client *client, struct notify_str connection);

/* This process ends: gives up all places at once, and gives no new ones. fn is called, once, when
 * Redis has been told, or there is no link to tell it by; it may be called within. */
void sessions_drain(struct sessions *sessions, void (*fn)(void *ctx), void *ctx);

size_t sessions_set_count(const struct sessions *sessions);
const char *sessions_node(const struct sessions *sessions);

#endif
