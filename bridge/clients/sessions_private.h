/* sessions_private -- one session set as this process holds it. For sessions.c, session_line.c,
 * session_renewal.c, session_holders.c, session_kicks.c and presence.c alone, which have the same
 * object before them: who has a place, what is sent, what is heard. */
#ifndef SESSIONS_PRIVATE_H
#define SESSIONS_PRIVATE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/heartbeat.h"
#include "base/log_once.h"
#include "base/number.h"
#include "clients/sessions.h"
#include "redis/keyspace.h"

/* To all who watch a set, in one round; of more they learn at its end. Else one who comes and goes
 * without end would have us send that to a thousand. */
#define SESSIONS_TOLD_MAX 200
#define SESSIONS_TOUCHES_PER_LEASE 3 /* so two may fail before Redis forgets anybody */

/* What the places of a client were called before it was parked. */
struct session_return {
    uint64_t number;
    char node[SESSIONS_NODE_MAX];
};

enum place_state {
    PLACE_NONE, /* not in Redis, nor to be: it watches, or was refused or kicked */
    PLACE_WANTED,
    PLACE_OPENING,
    PLACE_OPEN,
    PLACE_CLOSING,
};

/* The tie between one client and one set. */
struct session_place {
    struct session_set *set;
    struct client *client;      /* NULL: it has gone */
    struct session_place *next; /* of the same client */
    TAILQ_ENTRY(session_place) link;
    /* With the node's name it makes the connection's: of the client, or of the one that it was
     * before it was parked, then with the node that it was at. */
    uint64_t number;
    char *node; /* owned; NULL: ours */
    uint8_t state;
    uint8_t round;        /* of the set, when it was touched */
    bool watches : 1;     /* is told of presence, */
    bool is_to_learn : 1; /* and how it stands */
    bool is_named : 1;    /* others may know its session: then whose it is stands in a set, */
    bool holds : 1;       /* and does so already */
    bool again : 1;       /* it was open before: it may have been kicked unheard */
    bool stays : 1;       /* whatever Redis answers: its client was parked meanwhile */
    uint32_t entry;       /* in the journal, of the set of those who hold its session; 0: none */
};

TAILQ_HEAD(session_places, session_place);

struct session_set {
    struct hash_node node;    /* first */
    struct sessions *all;     /* borrowed */
    struct subscription *sub; /* NULL: nobody has to hear of it */
    union {
        struct heartbeat_node beat;        /* until touch_ms; or, */
        TAILQ_ENTRY(session_set) due_link; /* while due: of those that have something to send */
    };
    uint64_t touch_ms; /* when its leases are to be renewed */
    /* Those that something is to be sent for first; then those that have not been touched in this
     * round; then the rest. */
    struct session_places places;
    uint32_t in_flight; /* commands */
    uint32_t watchers;  /* places */
    uint32_t entry;     /* in the journal; 0: none */
    uint16_t key_len;
    uint8_t kind;
    uint8_t lane;   /* while due: whose line it stands in */
    uint8_t round;  /* of touching */
    uint8_t told;   /* messages about it, in this round, to those who watch */
    uint8_t opened; /* OPENs that TOUCHes had to wait for, at most */
    bool due : 1;
    bool failing : 1;   /* Redis refused its last command: nothing is opened until touch_ms */
    bool dropping : 1;  /* all that this process has in it is to go */
    bool tells : 1;     /* some watchers are to learn how it stands */
    bool counting : 1;  /* and are about to, */
    bool uncounted : 1; /* or could not be told: at touch_ms again */
    char key[];
};

struct sessions {
    struct sessions_config config;
    struct subscription_set *subscriptions; /* owned */
    struct heartbeat *wheel;                /* owned */
    struct session_legacy *legacy;          /* owned; NULL: there is none */
    struct hash_table sets;
    size_t closing; /* places and holdings that Redis is still to be told of that they ended */
    struct session_lane {
        TAILQ_HEAD(session_set_queue, session_set) due;
        TAILQ_HEAD(holding_queue, holding) ended;
        size_t in_flight;        /* commands; one that renews many leases counts as as many */
    } lanes[KEYSPACE_LANES_MAX]; /* one for each server */
    size_t lane_count;           /* that may be used */
    STAILQ_HEAD(kicked_queue, kicked) kicked; /* sessions that are to be ended, in this turn or */
    struct loop_timer *kick_timer;            /* when this rings; owned */
    uint64_t newest;                          /* number of a client that has entered a set */
    struct hash_table kicked_names;           /* of those of one set, while it is looked through */
    size_t in_flight;                         /* of all lanes */
    struct log_once said;                     /* of the log */
    uint64_t entered;                         /* sets so far */
    void (*on_drained)(void *ctx);
    void *ctx;
    bool draining, pump_due;
    bool knows_again, knows_renew; /* the server, as far as known: an older one does not */
    char node[SESSIONS_NODE_MAX];
    struct sessions_texts {
        char lease[NUMBER_TEXT_MAX + 1], per_session[NUMBER_TEXT_MAX + 1],
            per_user[NUMBER_TEXT_MAX + 1];
    } texts; /* of what config has in numbers */
};

struct notify_str session_set_key(const struct session_set *set);
/* NULL: no client has to do with it. */
struct session_set *sessions_find_set(struct sessions *all, struct notify_str key);
/* What it is called in its set. Its client is there. */
struct notify_str session_place_name(const struct session_place *place);
const char *session_place_node(const struct session_place *place);
/* Frees it; its set goes when nobody has to do with it any more. */
void session_place_free(struct session_place *place);
/* Moves it to where its state belongs, and has the set's commands sent. */
void session_place_set_state(struct session_place *place, enum place_state state);
/* Redis may have lost what it had of the set: all places that are open there are opened again. */
void session_set_open_again(struct session_set *set);
/* All who watch are to learn how it stands. */
void session_set_learn(struct session_set *set);
void session_set_free_if_idle(struct session_set *set);

/* Redis refused a command for a reason that is no limit: it is counted, and told in the log. */
void sessions_failed(struct sessions *all, struct notify_str key, const struct resp *reply);

static_assert(KEYSPACE_LANES_MAX <= UINT8_MAX + 1, "a set notes its lane in a byte");

/* session_line.c: where what is said of this key counts, and so many more commands there. */
struct session_lane *session_lane_of(struct sessions *all, struct notify_str key);
void session_lane_sent(struct sessions *all, struct session_lane *lane, size_t count);
void session_lane_answered(struct sessions *all, struct session_lane *lane, size_t count);
/* Something may be to be sent for this set. */
void session_line_add(struct session_set *set);
/* All places are to be touched in a new round, what was refused is tried again. */
void session_line_begin_round(struct session_set *set);
/* A command for the set has been answered. */
void session_line_answered(struct session_set *set);
/* The line moves on, in the next turn, if anything stands in it. */
void session_line_pump_soon(struct sessions *all);
/* Nothing is, nor will it be when its leases are due. */
void session_line_remove(struct session_set *set);
/* Nothing is sent any more. */
void session_line_stop(struct sessions *all);
/* Nothing more is to be sent, or can be: whoever drains is told, once. */
void session_line_check_drained(struct sessions *all);
/* session_renewal.c: the lease of a place that is open is to be renewed, in its set, or (its client
 * is there) in that of those who hold its session. */
void session_renewal_add(const struct session_place *place);
void session_renewal_add_holder(const struct session_place *place);
/* Sends what has been added. */
void session_renewal_send(struct sessions *all);
/* session_holders.c: whose session the place's client is a connection of is to stand in its set.
 * The client is there, for both. */
void session_holder_open(struct session_place *place);
/* Not any more. */
void session_holder_close(struct session_place *place);
/* The next one that has ended, of this lane; there is one. */
void session_holders_send_close(struct session_lane *lane);
/* Their server was lost: Redis forgets them. part NULL: all. */
void session_holders_forget_ended(struct sessions *all, const struct keyspace_part *part);
/* session_return.c: a place of a client that has come back has the name that it had. Without memory
 * it is another one. */
void session_return_name(struct session_place *place);
void session_return_forget(struct client *client);
/* session_kicks.c: its session was ended. */
void session_place_kick(struct session_place *place);
/* All that are of this session. */
void session_kicks_add(struct session_set *set, struct notify_str session);
/* 0 or -ENOMEM. */
int session_kicks_init(struct sessions *all);
void session_kicks_release(struct sessions *all);
/* A message on its channel; the counts of two replies. */
void presence_on_message(struct session_set *set, struct notify_str message);
void presence_tell(struct session_set *set, int64_t sessions, int64_t connections);

#endif
