/* sessions -- the packed list behind sessions.h. */
#include "sessions/sessions.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/json_text.h"
#include "base/mem.h"
#include "base/utf8.h"

/* A record is this head and, behind it, session, connection, node, addr and meta. Heads are copied
 * out and in, as records are not aligned. */
struct head {
    uint64_t lease_ms;
    uint64_t opened_ms;
    uint16_t meta_len;
    uint8_t session_len;
    uint8_t connection_len;
    uint8_t node_len;
    uint8_t addr_len;
    uint16_t unused;
};

struct sessions {
    uint64_t rev;
    uint32_t count; /* records */
    uint32_t used;  /* bytes of records */
    uint32_t cap;   /* bytes that records may take */
    char records[];
};

_Static_assert(SESSIONS_NAME_MAX <= UINT8_MAX, "a name's length is stored in one byte");
_Static_assert(SESSIONS_META_MAX <= UINT16_MAX, "the length of meta is stored in two bytes");
_Static_assert((sizeof(struct head) + 4u * SESSIONS_NAME_MAX + SESSIONS_META_MAX) *
                       SESSIONS_CONNECTIONS_MAX <
                   UINT32_MAX / 2,
               "offsets are 32 bits wide");

/* ---- life ---- */

struct sessions *sessions_new(void)
{
    struct sessions *set = mem_try_alloc(sizeof(*set));

    if (set != NULL)
        *set = (struct sessions){0};
    return set;
}

struct sessions *sessions_copy(const struct sessions *set)
{
    struct sessions *copy = mem_try_alloc(sizeof(*set) + set->used);

    if (copy == NULL)
        return NULL;
    memcpy(copy, set, sizeof(*set) + set->used);
    copy->cap = set->used;
    return copy;
}

void sessions_free(struct sessions *set)
{
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

size_t sessions_bytes(const struct sessions *set)
{
    /* The allocator may be asked only about a pointer that it could write through. */
    return mem_usable_size((void *)set, sizeof(*set) + set->cap);
}

/* ---- walking ---- */

static struct notify_str cut(const char **at, size_t len)
{
    struct notify_str text = notify_str_of(len == 0 ? NULL : *at, len);

    *at += len;
    return text;
}

/* The record at an offset; returns the offset behind it. */
static size_t read_record(const struct sessions *set, size_t at, struct sessions_connection *ret)
{
    const char *text = set->records + at + sizeof(struct head);
    struct head head;

    memcpy(&head, set->records + at, sizeof(head));
    ret->lease_ms = head.lease_ms;
    ret->opened_ms = head.opened_ms;
    ret->session = cut(&text, head.session_len);
    ret->connection = cut(&text, head.connection_len);
    ret->node = cut(&text, head.node_len);
    ret->addr = cut(&text, head.addr_len);
    ret->meta = cut(&text, head.meta_len);
    return (size_t)(text - set->records);
}

bool sessions_iter_next(struct sessions_iter *iter, struct sessions_connection *ret_connection)
{
    while (iter->set != NULL && iter->at < iter->set->used) {
        iter->at = read_record(iter->set, iter->at, ret_connection);
        if (ret_connection->lease_ms > iter->now_ms)
            return true;
    }
    return false;
}

struct sessions_counts sessions_count(const struct sessions *set, uint64_t now_ms)
{
    struct sessions_iter iter = SESSIONS_ITER(set, now_ms);
    struct sessions_counts counts = {0, 0};
    struct notify_str session = {NULL, 0};
    struct sessions_connection c;

    while (sessions_iter_next(&iter, &c)) {
        counts.connections++;
        counts.sessions += !notify_str_eq(session, c.session);
        session = c.session;
    }
    return counts;
}

size_t sessions_connections_of(const struct sessions *set, struct notify_str session,
                               uint64_t now_ms)
{
    struct sessions_iter iter = SESSIONS_ITER(set, now_ms);
    struct sessions_connection c;
    size_t count = 0;

    while (sessions_iter_next(&iter, &c))
        count += notify_str_eq(session, c.session);
    return count;
}

uint64_t sessions_last_lease_ms(const struct sessions *set)
{
    struct sessions_iter iter = SESSIONS_ITER(set, SESSIONS_ALL);
    struct sessions_connection c;
    uint64_t last = 0;

    while (sessions_iter_next(&iter, &c))
        if (c.lease_ms > last)
            last = c.lease_ms;
    return last;
}

/* Where a record lies. */
struct place {
    size_t from, to;
};

static bool find(const struct sessions *set, struct notify_str connection, struct place *ret_place,
                 struct sessions_connection *ret)
{
    for (size_t at = 0; at < set->used;) {
        size_t next = read_record(set, at, ret);
        if (notify_str_eq(ret->connection, connection)) {
            *ret_place = (struct place){at, next};
            return true;
        }
        at = next;
    }
    return false;
}

bool sessions_find(const struct sessions *set, struct notify_str connection,
                   struct sessions_connection *ret_connection)
{
    struct sessions_connection ignored;
    struct place place;

    return find(set, connection, &place, ret_connection == NULL ? &ignored : ret_connection);
}

/* ---- changing ---- */

static bool is_name(struct notify_str text, size_t min)
{
    return text.len >= min && text.len <= SESSIONS_NAME_MAX && utf8_is_valid(text);
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
           is_time(connection->opened_ms) && connection->meta.len <= SESSIONS_META_MAX &&
           (connection->meta.len == 0 || json_text_is_minified(connection->meta));
}

static size_t record_len(const struct sessions_connection *c)
{
    return sizeof(struct head) + c->session.len + c->connection.len + c->node.len + c->addr.len +
           c->meta.len;
}

static char *paste(char *at, struct notify_str text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static void write_record(char *at, const struct sessions_connection *c)
{
    struct head head = {
        .lease_ms = c->lease_ms,
        .opened_ms = c->opened_ms,
        .meta_len = (uint16_t)c->meta.len,
        .session_len = (uint8_t)c->session.len,
        .connection_len = (uint8_t)c->connection.len,
        .node_len = (uint8_t)c->node.len,
        .addr_len = (uint8_t)c->addr.len,
    };

    memcpy(at, &head, sizeof(head));
    at = paste(at + sizeof(head), c->session);
    at = paste(at, c->connection);
    at = paste(at, c->node);
    at = paste(at, c->addr);
    (void)paste(at, c->meta);
}

/* Makes the bytes of place len bytes long, with undefined contents. */
static int resize_place(struct sessions **set, struct place place, size_t len)
{
    struct sessions *s = *set;
    size_t used = s->used - (place.to - place.from) + len;

    if (used > s->cap) {
        s = mem_try_realloc(s, sizeof(*s) + s->used, sizeof(*s) + used);
        if (s == NULL)
            return -ENOMEM;
        s->cap = (uint32_t)(mem_usable_size(s, sizeof(*s) + used) - sizeof(*s));
        *set = s;
    }
    memmove(s->records + place.from + len, s->records + place.to, s->used - place.to);
    s->used = (uint32_t)used;
    return 0;
}

/* Behind the last connection of the session, or at the end. */
static size_t find_end_of_session(const struct sessions *set, struct notify_str session)
{
    struct sessions_connection c;
    size_t end = set->used;

    for (size_t at = 0; at < set->used;) {
        at = read_record(set, at, &c);
        if (notify_str_eq(c.session, session))
            end = at;
    }
    return end;
}

int sessions_put(struct sessions **set, const struct sessions_connection *connection)
{
    struct sessions_connection known;
    struct place place;
    bool is_known;

    if (!connection_is_sound(connection))
        return -EINVAL;
    is_known = find(*set, connection->connection, &place, &known);
    if (is_known && !notify_str_eq(known.session, connection->session))
        return -EEXIST;
    if (!is_known && (*set)->count == SESSIONS_CONNECTIONS_MAX)
        return -ENOSPC;
    if (!is_known)
        place.from = place.to = find_end_of_session(*set, connection->session);
    if (resize_place(set, place, record_len(connection)) != 0)
        return -ENOMEM;
    write_record((*set)->records + place.from, connection);
    (*set)->count += !is_known;
    return is_known ? 1 : 0;
}

bool sessions_set_lease(struct sessions *set, struct notify_str connection, uint64_t lease_ms)
{
    struct sessions_connection c;
    struct place place;

    assert(is_time(lease_ms));
    if (!find(set, connection, &place, &c))
        return false;
    memcpy(set->records + place.from + offsetof(struct head, lease_ms), &lease_ms,
           sizeof(lease_ms));
    return true;
}

size_t sessions_remove_if(struct sessions *set, sessions_match_fn is_match, void *ctx)
{
    struct sessions_connection c;
    size_t kept = 0, removed = 0, next;

    for (size_t at = 0; at < set->used; at = next) {
        next = read_record(set, at, &c);
        if (is_match(ctx, &c)) {
            removed++;
            continue;
        }
        memmove(set->records + kept, set->records + at, next - at);
        kept += next - at;
    }
    set->used = (uint32_t)kept;
    set->count -= (uint32_t)removed;
    return removed;
}

static bool has_id(void *ctx, const struct sessions_connection *connection)
{
    return notify_str_eq(connection->connection, *(const struct notify_str *)ctx);
}

bool sessions_remove(struct sessions *set, struct notify_str connection)
{
    return sessions_remove_if(set, has_id, &connection) > 0;
}

/* ---- checking ---- */

/* What stands before the record at an offset must go with it. */
static bool fits_those_before(const struct sessions *set, size_t end,
                              const struct sessions_connection *c)
{
    bool session_ended = false, session_begun = false;
    struct sessions_connection before;

    for (size_t at = 0; at < end;) {
        bool same;
        at = read_record(set, at, &before);
        same = notify_str_eq(before.session, c->session);
        if (notify_str_eq(before.connection, c->connection) || (same && session_ended))
            return false;
        session_ended = session_begun && !same;
        session_begun = session_begun || same;
    }
    return !session_ended;
}

bool sessions_verify(const struct sessions *set)
{
    struct sessions_connection c;
    size_t count = 0, at = 0, next;

    for (; at < set->used; at = next, count++) {
        next = read_record(set, at, &c);
        if (next > set->used || !connection_is_sound(&c) || !fits_those_before(set, at, &c))
            return false;
    }
    return count == set->count && at == set->used && set->used <= set->cap &&
           count <= SESSIONS_CONNECTIONS_MAX;
}
