/* sessions_store -- how a session set lies in memory; internal to the sessions*.c files.
 *
 *     struct sessions | slots, one for each connection in their order ... room
 *                         -> record: what does not change while the connection is renewed
 *
 * Everything that is asked of a set again and again (how many are live, is this one known, what has
 * expired) is answered from the slots, which lie side by side: a walk over ten thousand takes some
 * microseconds, and records are looked at only where a hash fits. */
#ifndef SESSIONS_STORE_H
#define SESSIONS_STORE_H

#include "sessions/sessions_types.h"

/* What a command is about to do (sessions_plan.h); all gone when it has ended. */
#define PLAN_REMOVE 0x01u /* to everybody but the plan, it is not there any more */
#define PLAN_NEW 0x02u    /* it was not there before */
#define PLAN_AGAIN 0x04u  /* its lease had passed: it is a new beginning */
#define PLAN_PUT 0x08u    /* others need to be told all of it */
#define PLAN_LEASE 0x10u  /* others need to be told its lease */

#define SESSIONS_LEASE_MASK ((UINT64_C(1) << 48) - 1)

/* The texts stand behind it: session, connection, node, addr, meta. */
struct sessions_record {
    uint64_t opened_ms;
    uint16_t meta_len;
    uint8_t session_len;
    uint8_t connection_len;
    uint8_t node_len;
    uint8_t addr_len;
    char texts[];
};

struct sessions_slot {
    uint64_t lease_ms : 48;
    uint64_t begins : 1; /* the first one of its session */
    uint64_t plan : 15;  /* PLAN_* */
    uint32_t connection_hash;
    uint32_t session_hash;
    struct sessions_record *record; /* owned */
};

struct sessions {
    uint64_t rev;
    uint32_t count;
    uint32_t cap;
    struct sessions_slot slots[];
};

_Static_assert(sizeof(struct sessions_slot) == 24, "what every walk goes over");
_Static_assert(SESSIONS_TIME_MAX < UINT64_C(1) << 48, "leases are stored in 48 bits");
_Static_assert(SESSIONS_NAME_BOUND <= UINT8_MAX, "a name's length is stored in one byte");
_Static_assert(SESSIONS_META_BOUND <= UINT16_MAX, "the length of meta is stored in two bytes");

/* All of a connection; its texts are borrowed. */
void sessions_read(const struct sessions_slot *slot, struct sessions_connection *ret_connection);
struct notify_str sessions_slot_session(const struct sessions_slot *slot);

/* The index of the connection, or SESSIONS_NOWHERE; one that is to be removed is not found. */
uint32_t sessions_seek(const struct sessions *set, struct notify_str connection);
/* Whether the slot, whose connection has that hash, is this connection's. */
bool sessions_slot_is(const struct sessions_slot *slot, uint32_t hash,
                      struct notify_str connection);

/* As sessions_put, for whoever has looked the connection up (known: its index) and knows that there
 * is room. *ret_index: where it stands. */
int sessions_insert(struct sessions **set, const struct sessions_connection *connection,
                    uint32_t known, uint32_t *ret_index);

/* Takes the slots out that are to be removed, and frees them; all other notes are gone. */
void sessions_take_out(struct sessions *set);

/* Behind the last one, whatever stands there already: for whoever checks the whole afterwards. 0,
 * -EINVAL, -ENOMEM. */
int sessions_append(struct sessions **set, const struct sessions_connection *connection);

/* No connection occurs twice, and the connections of each session stand together. 1, 0, or -ENOMEM:
 * it could not be found out. */
int sessions_is_ordered(const struct sessions *set);

#endif
