/* sessions_plan -- see sessions_plan.h. */
#include "sessions/sessions_plan.h"

#include <assert.h>
#include <errno.h>

#include "sessions/sessions_store.h"

/* ---- noting ---- */

static bool is_kept(const struct sessions_slot *slot, const struct sessions_connection *keep)
{
    struct sessions_connection c;

    if (keep == NULL)
        return false;
    sessions_read(slot, &c);
    return notify_str_eq(c.connection, keep->connection) && notify_str_eq(c.session, keep->session);
}

void sessions_plan_sweep(struct sessions *set, uint64_t now_ms,
                         const struct sessions_connection *keep)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->slots[i].lease_ms <= now_ms && !is_kept(&set->slots[i], keep))
            set->slots[i].plan |= PLAN_REMOVE;
}

void sessions_plan_remove(struct sessions *set, uint32_t index)
{
    set->slots[index].plan |= PLAN_REMOVE;
}

size_t sessions_plan_remove_if(struct sessions *set, sessions_match_fn is_match, void *ctx)
{
    struct sessions_connection c;
    size_t count = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        if ((set->slots[i].plan & PLAN_REMOVE) != 0)
            continue;
        sessions_read(&set->slots[i], &c);
        if (!is_match(ctx, &c))
            continue;
        set->slots[i].plan |= PLAN_REMOVE;
        count++;
    }
    return count;
}

void sessions_plan_lease(struct sessions *set, uint32_t index, uint64_t lease_ms)
{
    struct sessions_slot *slot = &set->slots[index];

    assert(lease_ms >= 1 && lease_ms <= SESSIONS_TIME_MAX);
    if (slot->lease_ms == lease_ms)
        return;
    slot->lease_ms = lease_ms & SESSIONS_LEASE_MASK;
    slot->plan |= PLAN_LEASE;
}

/* The connection is there already: what others need to be told of it. */
static unsigned notes_about(const struct sessions_connection *known,
                            const struct sessions_connection *c, uint64_t now_ms)
{
    unsigned notes = known->lease_ms <= now_ms ? PLAN_AGAIN : 0;

    if (known->opened_ms != c->opened_ms || !notify_str_eq(known->node, c->node) ||
        !notify_str_eq(known->addr, c->addr) || !notify_str_eq(known->meta, c->meta))
        notes |= PLAN_PUT;
    if (known->lease_ms != c->lease_ms)
        notes |= PLAN_LEASE;
    return notes;
}

int sessions_plan_put(struct sessions **set, const struct sessions_connection *connection,
                      uint64_t now_ms)
{
    uint32_t index = sessions_seek(*set, connection->connection);
    unsigned notes = PLAN_NEW | PLAN_PUT;
    struct sessions_connection known;
    int rc;

    if (index != SESSIONS_NOWHERE) {
        sessions_read(&(*set)->slots[index], &known);
        if (!notify_str_eq(known.session, connection->session))
            return -EEXIST;
        notes = notes_about(&known, connection, now_ms);
    }
    rc = sessions_insert(set, connection, index, &index);
    if (rc >= 0)
        (*set)->slots[index].plan = notes & 0x7fffu;
    return rc;
}

/* ---- telling ---- */

static bool is_removed(const struct sessions_slot *slot)
{
    return (slot->plan & PLAN_REMOVE) != 0;
}

struct sessions_tally sessions_plan_tally(const struct sessions *set)
{
    struct sessions_tally tally = {0, 0, 0};

    for (uint32_t i = 0; i < set->count; i++) {
        unsigned plan = set->slots[i].plan;
        if ((plan & PLAN_REMOVE) != 0)
            tally.removed++;
        else if ((plan & PLAN_PUT) != 0)
            tally.put++;
        else if ((plan & PLAN_LEASE) != 0)
            tally.leases++;
    }
    return tally;
}

void sessions_plan_tell(const struct sessions *set, const struct sessions_plan_handler *handler,
                        void *ctx)
{
    struct sessions_connection c;

    for (uint32_t i = 0; i < set->count; i++) {
        if (!is_removed(&set->slots[i]))
            continue;
        sessions_read(&set->slots[i], &c);
        handler->on_close(ctx, &c);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        unsigned plan = set->slots[i].plan;
        if ((plan & PLAN_REMOVE) != 0 || (plan & (PLAN_PUT | PLAN_LEASE)) == 0)
            continue;
        sessions_read(&set->slots[i], &c);
        if ((plan & PLAN_PUT) != 0)
            handler->on_put(ctx, &c);
        else
            handler->on_lease(ctx, &c);
    }
}

/* What is to be known of one session. */
struct facts {
    bool was_there;
    bool was_live;
    bool is_there;
};

static void add_facts(struct facts *facts, const struct sessions_slot *slot, uint64_t now_ms)
{
    bool is_a_beginning = (slot->plan & (PLAN_NEW | PLAN_AGAIN)) != 0;

    facts->was_there = facts->was_there || (slot->plan & PLAN_NEW) == 0;
    facts->was_live = facts->was_live || (!is_a_beginning && slot->lease_ms > now_ms);
    facts->is_there = facts->is_there || !is_removed(slot);
}

static bool takes_turn(const struct facts *facts, enum sessions_turn turn)
{
    switch (turn) {
    case SESSIONS_WERE_LIVE:
        return facts->was_live;
    case SESSIONS_LEFT:
        return facts->was_there && (!facts->is_there || !facts->was_live);
    case SESSIONS_JOINED:
        return facts->is_there && !facts->was_live;
    case SESSIONS_EXPIRED:
        return facts->was_there && !facts->was_live;
    }
    return false;
}

void sessions_plan_each(const struct sessions *set, uint64_t now_ms, enum sessions_turn turn,
                        sessions_session_fn on_session, void *ctx)
{
    for (uint32_t i = 0; i < set->count;) {
        const struct sessions_slot *first = &set->slots[i];
        struct facts facts = {false, false, false};
        do
            add_facts(&facts, &set->slots[i++], now_ms);
        while (i < set->count && !set->slots[i].begins);
        if (takes_turn(&facts, turn))
            on_session(ctx, sessions_slot_session(first));
    }
}

/* ---- ending ---- */

void sessions_plan_end(struct sessions *set)
{
    sessions_take_out(set);
}

void sessions_plan_drop(struct sessions *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        set->slots[i].plan = 0;
}
