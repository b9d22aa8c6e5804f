/* client -- one connected peer: who it is, what it follows, what it still has to be sent.
 *
 * The owner of its follows, its outbox and its open inquiries. It does not know what a request
 * means (request.c) nor how a connection is carried (transport.h).
 *
 *     OPENING --all it follows by itself is live: greeting--> READY --on_closed--> CLOSED --> freed
 *
 * Channels call clients while they go through their follows, so nothing that they call leads back
 * to a channel: what a client does by itself, it does from the loop.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "base/token_bucket.h"
#include "clients/ask.h"
#include "clients/client_kinds.h"
#include "clients/inquiries.h"
#include "clients/sender.h"
#include "identity/identity.h"
#include "notify_id.h"
#include "notify_str.h"
#include "wire/position.h"

struct admission;
struct admissions;
struct agent;
struct category_choice;
struct category_filters;
struct client;
struct client_origin;
struct conn;
struct filter;
struct follow;
struct follow_handlers;
struct followings;
struct inbox_start;
struct key_buffer;
struct key_names;
struct linger_account;
struct opening;
struct request_rate;
struct partings;
struct peer_handlers;
struct plain_channels;
struct router;
struct session_place;
struct session_return;
struct sessions;
struct turns;

#define CLIENT_FORBIDDEN_TEXT "Redis does not let the bridge listen to this key"
#define CLIENT_NO_RIGHT_TEXT "this user may not follow it"
#define CLIENT_TOO_MANY_KEYS_TEXT "this connection follows as many keys as it may"
#define CLIENT_TOO_MANY_PATTERNS_TEXT "as many patterns of channels are followed as there may be"

/* What all clients of a process share. */
struct client_shared {
    struct senders senders; /* its loop and limits are set by the owner */
    struct router *router;  /* borrowed, like all of these */
    struct turns *commands;
    struct sessions *sessions; /* NULL: nobody keeps them */
    struct followings *followings;
    const struct keyspace *keyspace; /* where keys are */
    const struct key_names *keys;
    const struct plain_channels *channels; /* that are followed without a box; NULL: none */
    const struct peer_handlers *handlers;  /* of their connections */
    size_t max_subscriptions;              /* keys that one client may follow */
    uint64_t recovery_ms;                  /* how long a broken connection is kept (recovery.h), */
    bool recovers_all;                     /* of all who come by Socket.IO; else who asks for it */
    struct token_rate message_rate;        /* of each client */
    const char *const *broadcast_logs;     /* keys that everyone follows; NULL-terminated */
    const char *token_cookie;              /* the name of one that may hold a token; or NULL */
    struct admissions *admissions;
    struct request_rate *request_rate; /* of each user over HTTP; NULL: no limit */
    struct category_filters *filters;
    struct inquiries *inquiries;
    const struct agent *agent; /* requests/agent.h */
    struct partings *partings; /* requests/partings.h */
    void (*on_leaving)(struct client *client,
                       int code); /* its connection has gone: the first that is told */
    void (*on_box_ended)(struct client *client); /* its inbox has gone, or is another one */
    TAILQ_HEAD(client_queue, client) all;
    struct client *review_next; /* rights have changed: the next one to look at */
    bool reviewing;             /* a turn of that is on its way */
    uint64_t next_number;
    struct client_kinds kinds; /* of those who are there */
    uint32_t turns;            /* of clients for which something was queued */
    unsigned told; /* calls of on_live() under way: nothing leads back to channels then */
    void (*on_closed)(void *ctx); /* a client has gone */
    void *ctx;
};

/* A request of a client that must be answered before it goes, whoever minds (a responder). */
struct open_call {
    LIST_ENTRY(open_call) link;
    bool open; /* it is in the list */
};

enum await {
    AWAIT_SESSIONS = 1, /* whether it may be here */
    AWAIT_LOGS = 2,     /* its inbox follows its logs */
};

struct client {
    struct sender sender;         /* first: what a delivery looks at */
    struct client_shared *shared; /* borrowed */
    struct follow *follows;       /* owned list */
    struct asks asks;
    struct inquiry_list inquiries;          /* list; what it has asked an agent */
    LIST_HEAD(open_calls, open_call) calls; /* what it is still to be told the end of */
    struct session_place *places;           /* list; what it has to do with in session sets */
    struct session_return *before;   /* owned; what its places are called, if it has come back */
    struct linger_account *left;     /* owned; channels that it has left; or NULL */
    struct filter *filter;           /* owned reference: what it gets of logs; NULL: everything */
    struct identity *identity;       /* a reference; NULL until it is known who it is */
    struct admission *admission;     /* owned by admission.c; NULL: nothing of it has an end */
    struct inbox_start *inbox_start; /* owned by unseen.c; or NULL */
    struct opening *opening;         /* owned by arrival.c: what it is opened by later; or NULL */
    struct client_origin *origin;    /* owned by client_state.c; NULL: nobody wants to know */
    struct category_choice *choice;  /* owned by categories.c; NULL: it has chosen nothing */
    TAILQ_ENTRY(client) all_link;
    TAILQ_ENTRY(client) following_link; /* while its inbox is to be asked for (following.h) */
    uint64_t number;                    /* for the log */
    struct token_bucket messages, warnings;
    uint32_t follow_count;
    uint8_t id_len;
    uint8_t awaits;          /* of enum await: what Redis is to say before it is greeted */
    uint8_t following;       /* enum following */
    uint8_t following_lane;  /* while FOLLOWING_DUE: whose line it stands in (following.c) */
    bool follows_logs : 1;   /* its inbox is to follow those of its user (logs.h), */
    bool follows_tells : 1;  /* its devices hear of that, */
    bool follows_singly : 1; /* and that log by log, since Redis refused them as a whole */
    bool streams : 1;        /* it reads an answer of an agent, and nothing else (chat_stream.c) */
    bool in_session : 1;     /* it came to talk in the session of its id (request_agent.c) */
    bool warned : 1;         /* it is to wait before it sends another message */
    bool greet_due : 1;      /* once nothing is awaited */
    bool polls : 1;          /* it may go on from a state, over another bridge, too, */
    bool parts : 1;          /* and is about to, as this one ends */
    char id[];
};

/* 0 or -ENOMEM. The rest of *shared is set by the caller. */
int client_shared_init(struct client_shared *shared);
void client_shared_release(struct client_shared *shared);

/* A client that follows nothing yet, is not known, and has not been greeted. id: at most
 * KEY_NAME_MAX bytes. NULL: out of memory. */
struct client *client_new(struct client_shared *shared, struct conn *conn, struct notify_str id);
/* It speaks dialect, and nothing was sent to it before. */
void client_speak(struct client *client, enum dialect dialect);

/* What its connection tells (net/conn.h); peer: the client. */
void client_on_drained(void *peer);
void client_on_beat(void *peer);
void client_on_closed(void *peer, int code);

/* Empty while it is not known. */
struct notify_str client_user(const struct client *client);
/* The key of its inbox, written into *buffer; empty while it is not known. */
struct notify_str client_inbox(const struct client *client, struct key_buffer *buffer);
struct notify_str client_id(const struct client *client);
/* The session that it is a connection of: by EXCLUDE, KICK and presence it is called so. */
struct notify_str client_session(const struct client *client);
bool client_is_closed(const struct client *client);

/* What channels tell of its follows. */
extern const struct follow_handlers client_follow_handlers;

/* It has sent a message: 0, or in how many milliseconds it may send one, as this is more than it
 * may. It is to be told so; who goes on all the same is closed (4429). */
uint64_t client_take_message(struct client *client);
/* How many ms it will be until it may send as much as ever, and be told so as often as ever; of one
 * that goes on (client_state.h): as it stood then. */
struct client_rate {
    uint64_t messages_ms, warnings_ms;
};
struct client_rate client_rate(const struct client *client);
void client_set_rate(struct client *client, const struct client_rate *rate);
/* It has met a limit (net/conn.h). */
void client_limit_met(struct client *client, enum counter limit);
/* {"type":"resumed"}: what became of the keys of results, to which a reference is taken. */
json_t *client_resumed(const struct client *client, json_t *results);
/* The same without a request: what the bridge did by itself. Of a stream of events, {"type":"gap"}
 * says which keys are to be read anew. */
void client_tell_resumed(struct client *client, json_t *results);
/* keys: taken over; null: all that it follows. */
void client_tell_gap(struct client *client, json_t *keys, const char *reason);
/* Tells, without a request, what is wrong with a key that it would follow by itself, or follows, or
 * did. */
void client_tell_error(struct client *client, struct notify_str key, const char *code,
                       const char *why);

/* Following. key: 1 to NOTIFY_KEY_MAX bytes. */
struct follow *client_find_follow(const struct client *client, struct notify_str key);
/* From *from on, or from == NULL: from now on. ask (or NULL) awaits it, and must be open. 0, -E2BIG
 * (limit on subscriptions), -EBUSY as router_add(), -ENOMEM. Not for a key that is followed
 * already. */
int client_follow(struct client *client, struct notify_str key, const struct position *from,
                  struct ask *ask);
void client_unfollow(struct client *client, struct follow *follow);
/* Sends what follows pos (again), then goes on live. ask: as above. */
void client_resume(struct client *client, struct follow *follow, const struct position *pos,
                   struct ask *ask);
/* Those whose queue was dropped go on from where they were, if everything is out. */
void client_refill(struct client *client);

/* What waits for it of what it follows is dropped: its follows stand where it has been sent to. */
void client_drop_queue(struct client *client);
/* It has asked for something; and has been told, or will never be. */
void client_open_call(struct client *client, struct open_call *call);
void client_end_call(struct open_call *call);

/* From now on it gets of logs what filter passes (NULL: everything); takes a reference. What waits
 * for it already is chosen anew. Of its own inbox it always gets all. */
void client_set_filter(struct client *client, struct filter *filter);

/* A request under way keeps the client's memory until its answer is there: between begin (sender.h)
 * and this. */
void client_call_end(struct client *client, size_t bytes);

#endif
