/* client -- one connected peer: who it is, what it follows, what it still has to be sent.
 *
 * The owner of its follows, its outbox and its open questions. It does not know what a request
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

#include <jansson.h>

#include "wire/event.h"
#include "notify_id.h"
#include "notify_str.h"
#include "clients/outbox.h"

struct ask;
struct batch;
struct client;
struct conn;
struct http_request;
struct follow;
struct key_names;
struct linger_account;
struct loop;
struct router;
struct turns;

#define CLIENT_FORBIDDEN_TEXT "Redis does not let the bridge listen to this key"
#define CLIENT_MAX_CALLS 64 /* requests under way for one client; then its input waits */

/* What a client may have us hold, outbox_bytes: what is queued for it, what its socket has not
 * taken, its requests under way and what their answers may come to. At that its input waits, and
 * events do not fit any more. A single answer or event may pass it. */

struct client_limits {
    size_t outbox_bytes;      /* queued for one client; past it, it is refilled from Redis later */
    size_t subscriptions;     /* keys that one client may follow */
    uint64_t slow_timeout_ms; /* how long its socket may take nothing of what waits */
};

/* What all clients of a process share. */
struct client_shared {
    struct loop *loop; /* borrowed, like all of these */
    struct router *router;
    struct turns *commands;
    const struct key_names *keys;
    struct client_limits limits;
    const char *const *broadcast_logs; /* keys that everyone follows; NULL-terminated */
    TAILQ_HEAD(client_queue, client) all;
    struct client_queue stuck; /* in the order of stuck_since_ms */
    struct loop_timer *stuck_timer;
    uint64_t next_number;
    unsigned told; /* calls of client_on_live() under way: nothing leads back to channels then */
    void (*on_closed)(void *ctx); /* a client has gone */
    void *ctx;
};

enum client_state { CLIENT_OPENING, CLIENT_READY, CLIENT_CLOSED };

/* What a delivery looks at stands first: with ten thousand clients none of it is in the cache. */
struct client {
    struct conn *conn;            /* borrowed; NULL once closed */
    struct client_shared *shared; /* borrowed */
    uint16_t calls;               /* requests without an answer yet, and asks */
    uint8_t state, dialect;
    bool input_paused;
    uint8_t in_line;   /* commands of its calls that wait for their turn; then its input waits */
    bool greeting_due; /* a deferred call is on its way */
    uint8_t user_len, id_len;
    struct outbox outbox;
    struct follow *follows;      /* owned list */
    struct ask *asks;            /* owned list */
    struct linger_account *left; /* owned; channels that it has left; or NULL */
    uint64_t stuck_since_ms;     /* loop clock when its socket took no more; 0: it takes all */
    TAILQ_ENTRY(client) all_link;
    TAILQ_ENTRY(client) stuck_link; /* while stuck_since_ms != 0 */
    uint64_t number;                /* for the log */
    uint32_t follow_count;
    uint32_t call_bytes; /* of the calls and asks: what they and their answers may come to */
    char names[];        /* user id, then client id */
};

/* 0 or -ENOMEM. The rest of *shared is set by the caller. */
int client_shared_init(struct client_shared *shared);
void client_shared_release(struct client_shared *shared);

/* A connection at a path of ours has opened. NULL: its address is no good (the connection is being
 * closed with 4400), or out of memory. */
struct client *client_open(struct client_shared *shared, struct conn *conn,
                           const struct http_request *req);
void client_on_drained(struct client *client);
void client_on_closed(struct client *client, int code);

struct notify_str client_user(const struct client *client);
struct notify_str client_id(const struct client *client);

/* From channel: events of one follow; newest: the last entry's id or 0-0. The client may fall
 * behind by it, which shows in follow->state. */
void client_deliver(struct client *client, struct follow *follow, struct batch *batch,
                    struct notify_id newest);
/* Two steps towards having in the cache what client_deliver() will look at: the client, then, when
 * that is there, its connection. */
void client_prefetch(const struct client *client);
void client_prefetch_conn(const struct client *client);
/* From within these nothing may be followed, resumed or left. */
void client_on_live(struct follow *follow);    /* FOLLOW_LIVE now, for the first time or again */
void client_on_gap(struct follow *follow);     /* entries that it was to get are gone */
void client_on_refused(struct follow *follow); /* Redis forbids its key: ends it */

/* Following. key: 1 to NOTIFY_KEY_MAX bytes. */
struct follow *client_find_follow(const struct client *client, struct notify_str key);
/* From *from on, or from == NULL: from now on. ask (or NULL) awaits it, and must be open. 0, -E2BIG
 * (limit on subscriptions), -EBUSY as router_add(), -ENOMEM. Not for a key that is followed
 * already. */
int client_follow(struct client *client, struct notify_str key, const struct notify_id *from,
                  struct ask *ask);
void client_unfollow(struct client *client, struct follow *follow);
/* Sends what follows pos (again), then goes on live. ask: as above. */
void client_resume(struct client *client, struct follow *follow, struct notify_id pos,
                   struct ask *ask);

/* An ask belongs to its client from open on. It is done once it is closed and nothing is pending: a
 * follow may be live within the call that starts it, and even then is counted. */
void client_ask_open(struct client *client, struct ask *ask);
void client_ask_close(struct client *client, struct ask *ask);
void client_ask_cancel(struct client *client, struct ask *ask);

/* Answers. An answer always goes out, even to a client that is behind. */
void client_send(struct client *client, size_t count, const struct notify_str *parts);
/* Takes message over, an object with a member. request_id (may be NULL) is added: a JSON string
 * that holds the id's JSON text as the client wrote it. */
void client_send_json(struct client *client, json_t *message, const json_t *request_id);

/* Requests under way: they keep the client's memory until their answers are there. bytes: what the
 * request holds and its answer may come to; the same at the end. */
void client_call_begin(struct client *client, size_t bytes);
void client_call_end(struct client *client, size_t bytes);
/* A command of it waits for its turn (turns.h), and waits no more. */
void client_call_waits(struct client *client);
void client_call_goes_on(struct client *client);

#endif
