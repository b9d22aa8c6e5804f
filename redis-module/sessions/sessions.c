/* sessions -- the list behind sessions.h: slots in their order, and a record for each. */
#include "sessions/sessions.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/id_table.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "sessions/sessions_store.h"

/* ---- life ---- */

static size_t set_size(uint32_t cap)
{
    return sizeof(struct sessions) + cap * sizeof(struct sessions_slot);
}

struct sessions *sessions_new(void)
{
    struct sessions *set = mem_try_alloc(set_size(1)); /* a set is made for a connection */

    if (set != NULL)
        *set = (struct sessions){.cap = 1};
    return set;
}

void sessions_free(struct sessions *set)
{
    if (set == NULL)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        mem_free(set->slots[i].record);
    mem_free(set);
}

uint64_t sessions_rev(const struct sessions *set)
{
    return set->rev;
}

void sessions_set_rev(struct sessions *set, uint64_t rev)
{
    set->rev = rev;
}

size_t sessions_length(const struct sessions *set)
{
    return set->count;
}

/* ---- records ---- */

static size_t record_size(size_t texts)
{
    return offsetof(struct sessions_record, texts) + texts;
}

static size_t record_bytes(const struct sessions_record *record)
{
    return record_size((size_t)record->session_len + record->connection_len + record->node_len +
                       record->addr_len + record->meta_len);
}

static char *paste(char *at, struct notify_str text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* NULL: no memory. */
static struct sessions_record *new_record(const struct sessions_connection *c)
{
    struct sessions_record *record = mem_try_alloc(
        record_size(c->session.len + c->connection.len + c->node.len + c->addr.len + c->meta.len));
    char *at;

    if (record == NULL)
        return NULL;
    record->opened_ms = c->opened_ms;
    record->meta_len = (uint16_t)c->meta.len;
    record->session_len = (uint8_t)c->session.len;
    record->connection_len = (uint8_t)c->connection.len;
    record->node_len = (uint8_t)c->node.len;
    record->addr_len = (uint8_t)c->addr.len;
    at = paste(record->texts, c->session);
    at = paste(at, c->connection);
    at = paste(at, c->node);
    at = paste(at, c->addr);
    (void)paste(at, c->meta);
    return record;
}

static struct notify_str cut(const char **at, size_t len)
{
    struct notify_str text = notify_str_of(len == 0 ? NULL : *at, len);

    *at += len;
    return text;
}

void sessions_read(const struct sessions_slot *slot, struct sessions_connection *ret)
{
    const struct sessions_record *record = slot->record;
    const char *at = record->texts;

    ret->lease_ms = slot->lease_ms;
    ret->opened_ms = record->opened_ms;
    ret->session = cut(&at, record->session_len);
    ret->connection = cut(&at, record->connection_len);
    ret->node = cut(&at, record->node_len);
    ret->addr = cut(&at, record->addr_len);
    ret->meta = cut(&at, record->meta_len);
}

struct notify_str sessions_slot_session(const struct sessions_slot *slot)
{
    return notify_str_of(slot->record->texts, slot->record->session_len);
}

bool sessions_slot_is(const struct sessions_slot *slot, uint32_t hash, struct notify_str connection)
{
    const struct sessions_record *record = slot->record;

    if (slot->connection_hash != hash || (slot->plan & PLAN_REMOVE) != 0)
        return false;
    return notify_str_eq(
        connection, notify_str_of(record->texts + record->session_len, record->connection_len));
}

static bool is_of_session(const struct sessions_slot *slot, uint32_t hash,
                          struct notify_str session)
{
    return slot->session_hash == hash && notify_str_eq(sessions_slot_session(slot), session);
}

/* ---- asking ---- */

bool sessions_iter_next(struct sessions_iter *iter, struct sessions_connection *ret_connection)
{
    while (iter->set != NULL && iter->at < iter->set->count) {
        const struct sessions_slot *slot = &iter->set->slots[iter->at++];
        if (slot->lease_ms <= iter->now_ms || (slot->plan & PLAN_REMOVE) != 0)
            continue;
        sessions_read(slot, ret_connection);
        return true;
    }
    return false;
}

struct sessions_counts sessions_count(const struct sessions *set, uint64_t now_ms)
{
    struct sessions_counts counts = {0, 0};
    bool counted = false; /* this session */

    for (uint32_t i = 0; set != NULL && i < set->count; i++) {
        const struct sessions_slot *slot = &set->slots[i];
        counted = counted && !slot->begins;
        if (slot->lease_ms <= now_ms || (slot->plan & PLAN_REMOVE) != 0)
            continue;
        counts.connections++;
        counts.sessions += !counted;
        counted = true;
    }
    return counts;
}

size_t sessions_connections_of(const struct sessions *set, struct notify_str session,
                               uint64_t now_ms)
{
    uint32_t hash = id_table_hash(session);
    bool is_meant = false;
    size_t count = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        const struct sessions_slot *slot = &set->slots[i];
        if (slot->begins)
            is_meant = is_of_session(slot, hash, session);
        count += is_meant && slot->lease_ms > now_ms && (slot->plan & PLAN_REMOVE) == 0;
    }
    return count;
}

uint64_t sessions_last_lease_ms(const struct sessions *set)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < set->count; i++)
        if (set->slots[i].lease_ms > last && (set->slots[i].plan & PLAN_REMOVE) == 0)
            last = set->slots[i].lease_ms;
    return last;
}

uint32_t sessions_seek(const struct sessions *set, struct notify_str connection)
{
    uint32_t hash = id_table_hash(connection);

    for (uint32_t i = 0; i < set->count; i++)
        if (sessions_slot_is(&set->slots[i], hash, connection))
            return i;
    return SESSIONS_NOWHERE;
}

bool sessions_find(const struct sessions *set, struct notify_str connection,
                   struct sessions_connection *ret_connection)
{
    uint32_t index = sessions_seek(set, connection);

    if (index != SESSIONS_NOWHERE && ret_connection != NULL)
        sessions_read(&set->slots[index], ret_connection);
    return index != SESSIONS_NOWHERE;
}

/* ---- what may be in a set ---- */

static bool is_name(struct notify_str text, size_t min)
{
    return text.len >= min && text.len <= SESSIONS_NAME_BOUND &&
           !limits_forbid(text.len, LIMIT_SESSION) && utf8_is_valid(text);
}

static bool is_time(uint64_t ms)
{
    return ms >= 1 && ms <= SESSIONS_TIME_MAX;
}

static bool connection_is_sound(const struct sessions_connection *connection)
{
    return is_name(connection->session, 1) && is_name(connection->connection, 1) &&
           is_name(connection->node, 0) && is_name(connection->addr, 0) &&
           !notify_str_eq(connection->session, NOTIFY_STR("*")) && is_time(connection->lease_ms) &&
           is_time(connection->opened_ms) && connection->meta.len <= SESSIONS_META_BOUND &&
           !limits_forbid(connection->meta.len, LIMIT_META) &&
           (connection->meta.len == 0 || json_text_is_minified(connection->meta));
}

/* ---- changing ---- */

/* Room for one more. */
static int grow(struct sessions **set)
{
    uint32_t count = (*set)->count;
    uint32_t cap = count < 4 ? count + 1 : count + count / 2;
    struct sessions *grown;

    if (count < (*set)->cap)
        return 0;
    grown = mem_try_realloc(*set, set_size(count), set_size(cap));
    if (grown == NULL)
        return -ENOMEM;
    grown->cap = cap;
    *set = grown;
    return 0;
}

/* Behind the last connection of the session that stays; set->count: it has none. */
static uint32_t find_end_of_session(const struct sessions *set, uint32_t hash,
                                    struct notify_str session)
{
    uint32_t end = set->count;
    bool is_meant = false;

    for (uint32_t i = 0; i < set->count; i++) {
        const struct sessions_slot *slot = &set->slots[i];
        if (slot->begins)
            is_meant = is_of_session(slot, hash, session);
        if (is_meant && (slot->plan & PLAN_REMOVE) == 0)
            end = i + 1;
    }
    return end;
}

/* Is the slot before this place of that session? */
static bool follows_its_own(const struct sessions *set, uint32_t at, uint32_t hash,
                            struct notify_str session)
{
    return at > 0 && (set->slots[at - 1].plan & PLAN_REMOVE) == 0 &&
           is_of_session(&set->slots[at - 1], hash, session);
}

/* The record becomes the set's. */
static int insert_at(struct sessions **set, uint32_t at, const struct sessions_connection *c,
                     struct sessions_record *record)
{
    struct sessions_slot slot = {
        .lease_ms = c->lease_ms,
        .connection_hash = id_table_hash(c->connection),
        .session_hash = id_table_hash(c->session),
        .record = record,
    };
    struct sessions *s;

    if (grow(set) != 0)
        return -ENOMEM;
    s = *set;
    slot.begins = !follows_its_own(s, at, slot.session_hash, c->session);
    memmove(&s->slots[at + 1], &s->slots[at], (s->count - at) * sizeof(s->slots[0]));
    s->slots[at] = slot;
    s->count++;
    return 0;
}

static int insert_new(struct sessions **set, uint32_t at, const struct sessions_connection *c)
{
    struct sessions_record *record = new_record(c);
    int rc = record == NULL ? -ENOMEM : insert_at(set, at, c, record);

    if (rc != 0)
        mem_free(record);
    return rc;
}

static int replace(struct sessions_slot *slot, const struct sessions_connection *c)
{
    struct sessions_record *record = new_record(c);

    if (record == NULL)
        return -ENOMEM;
    mem_free(slot->record);
    slot->record = record;
    slot->lease_ms = c->lease_ms & SESSIONS_LEASE_MASK;
    return 0;
}

int sessions_insert(struct sessions **set, const struct sessions_connection *c, uint32_t known,
                    uint32_t *ret_index)
{
    int rc;

    if (!connection_is_sound(c))
        return -EINVAL;
    *ret_index = known;
    if (known != SESSIONS_NOWHERE) {
        rc = replace(&(*set)->slots[known], c);
        return rc == 0 ? 1 : rc;
    }
    *ret_index = find_end_of_session(*set, id_table_hash(c->session), c->session);
    return insert_new(set, *ret_index, c);
}

int sessions_put(struct sessions **set, const struct sessions_connection *connection)
{
    uint32_t known = sessions_seek(*set, connection->connection);
    uint32_t index;

    if (known != SESSIONS_NOWHERE &&
        !notify_str_eq(sessions_slot_session(&(*set)->slots[known]), connection->session))
        return connection_is_sound(connection) ? -EEXIST : -EINVAL;
    if (known == SESSIONS_NOWHERE && limits_forbid((*set)->count + UINT64_C(1), LIMIT_CONNECTIONS))
        return connection_is_sound(connection) ? -ENOSPC : -EINVAL;
    return sessions_insert(set, connection, known, &index);
}

int sessions_append(struct sessions **set, const struct sessions_connection *connection)
{
    return connection_is_sound(connection) ? insert_new(set, (*set)->count, connection) : -EINVAL;
}

bool sessions_set_lease(struct sessions *set, struct notify_str connection, uint64_t lease_ms)
{
    uint32_t index = sessions_seek(set, connection);

    assert(is_time(lease_ms));
    if (index == SESSIONS_NOWHERE)
        return false;
    set->slots[index].lease_ms = lease_ms & SESSIONS_LEASE_MASK;
    return true;
}

void sessions_take_out(struct sessions *set)
{
    bool begins = false; /* the session whose first one has gone begins with the next */
    uint32_t kept = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        struct sessions_slot slot = set->slots[i];
        begins = begins || slot.begins;
        if ((slot.plan & PLAN_REMOVE) != 0) {
            mem_free(slot.record);
            continue;
        }
        slot.begins = begins;
        slot.plan = 0;
        begins = false;
        set->slots[kept++] = slot;
    }
    set->count = kept;
}

bool sessions_remove(struct sessions *set, struct notify_str connection)
{
    uint32_t index = sessions_seek(set, connection);

    if (index == SESSIONS_NOWHERE)
        return false;
    set->slots[index].plan |= PLAN_REMOVE;
    sessions_take_out(set);
    return true;
}

struct sessions *sessions_copy(const struct sessions *set)
{
    struct sessions *copy = mem_try_alloc(set_size(set->count));

    if (copy == NULL)
        return NULL;
    *copy = (struct sessions){.rev = set->rev, .cap = set->count};
    for (uint32_t i = 0; i < set->count; i++) {
        size_t bytes = record_bytes(set->slots[i].record);
        struct sessions_record *record = mem_try_alloc(bytes);
        if (record == NULL) {
            sessions_free(copy);
            return NULL;
        }
        memcpy(record, set->slots[i].record, bytes);
        copy->slots[i] = set->slots[i];
        copy->slots[i].record = record;
        copy->count++;
    }
    return copy;
}

/* ---- checking ---- */

/* A text by its hash: where it stands. */
struct seen {
    uint32_t hash;
    uint32_t index;
};

static int compare_seen(const void *a, const void *b)
{
    uint32_t x = ((const struct seen *)a)->hash, y = ((const struct seen *)b)->hash;

    return x < y ? -1 : x > y;
}

static struct notify_str session_at(const struct sessions *set, uint32_t index)
{
    return sessions_slot_session(&set->slots[index]);
}

static struct notify_str connection_at(const struct sessions *set, uint32_t index)
{
    const struct sessions_record *record = set->slots[index].record;

    return notify_str_of(record->texts + record->session_len, record->connection_len);
}

typedef struct notify_str (*text_fn)(const struct sessions *set, uint32_t index);

static bool are_distinct(const struct sessions *set, struct seen *seen, size_t count, text_fn text)
{
    if (count > 0)
        qsort(seen, count, sizeof(seen[0]), compare_seen);
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count && seen[k].hash == seen[i].hash; k++)
            if (notify_str_eq(text(set, seen[i].index), text(set, seen[k].index)))
                return false;
    return true;
}

int sessions_is_ordered(const struct sessions *set)
{
    struct seen *seen = mem_try_alloc((set->count + 1) * sizeof(seen[0]));
    size_t begun = 0;
    bool ordered;

    if (seen == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < set->count; i++)
        seen[i] = (struct seen){set->slots[i].connection_hash, i};
    ordered = are_distinct(set, seen, set->count, connection_at);
    for (uint32_t i = 0; i < set->count; i++)
        if (set->slots[i].begins)
            seen[begun++] = (struct seen){set->slots[i].session_hash, i};
    ordered = ordered && are_distinct(set, seen, begun, session_at);
    mem_free(seen);
    return ordered;
}

static bool slot_is_sound(const struct sessions *set, uint32_t index)
{
    const struct sessions_slot *slot = &set->slots[index];
    struct sessions_connection c;

    sessions_read(slot, &c);
    return connection_is_sound(&c) && slot->plan == 0 &&
           slot->connection_hash == id_table_hash(c.connection) &&
           slot->session_hash == id_table_hash(c.session) &&
           slot->begins == !follows_its_own(set, index, slot->session_hash, c.session);
}

bool sessions_verify(const struct sessions *set)
{
    if (set->count > set->cap)
        return false;
    for (uint32_t i = 0; i < set->count; i++)
        if (!slot_is_sound(set, i))
            return false;
    return sessions_is_ordered(set) == 1;
}

/* ---- memory ---- */

size_t sessions_bytes(const struct sessions *set)
{
    /* The allocator may be asked only about a pointer that it could write through. */
    size_t bytes = mem_usable_size((void *)set, set_size(set->cap));

    for (uint32_t i = 0; i < set->count; i++)
        bytes += mem_usable_size(set->slots[i].record, record_bytes(set->slots[i].record));
    return bytes;
}

size_t sessions_allocations(const struct sessions *set)
{
    return 1 + (size_t)set->count;
}

bool sessions_move(struct sessions **set, const struct mover *mover, unsigned long *cursor)
{
    if (*cursor == 0)
        *set = mover_moved(mover, *set);
    for (uint32_t i = (uint32_t)*cursor; i < (*set)->count; i++) {
        if (i > *cursor && mover->should_stop != NULL && mover->should_stop(mover->ctx)) {
            *cursor = i;
            return true;
        }
        (*set)->slots[i].record = mover_moved(mover, (*set)->slots[i].record);
    }
    return false;
}
