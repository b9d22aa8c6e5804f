/* sessions_payload -- a session set as bytes, and back: see sessions.h.
 *
 *   version rev count  { lease opened  length text  × session, connection, node, addr, meta } ×
 * count
 *
 * Version 2 goes on with sections, which later modules may write and this one does not:
 *
 *   count  { what  may-skip (0 or 1)  length bytes } × count
 *
 * One that is not known and may not be skipped is refused. Numbers are varints. An empty set is
 * never saved: its key does not exist. */
#include "sessions/sessions.h"

#include <errno.h>

#include "base/limits.h"
#include "base/varint.h"
#include "sessions/sessions_store.h"

enum { VERSION_FIRST = 1, VERSION_SECTIONS = 2, VERSION_LATEST = 2 };

static void add_varint(struct text_buf *out, uint64_t value)
{
    char *room = text_buf_room(out, VARINT_MAX);

    if (room != NULL)
        out->len += (size_t)(varint_put((uint8_t *)room, value) - (uint8_t *)room);
}

static void add_text(struct text_buf *out, struct notify_str text)
{
    add_varint(out, text.len);
    text_buf_add(out, text);
}

void sessions_save(const struct sessions *set, struct text_buf *out)
{
    struct sessions_iter iter = SESSIONS_ITER(set, SESSIONS_ALL);
    struct sessions_connection c;

    add_varint(out, VERSION_FIRST);
    add_varint(out, sessions_rev(set));
    add_varint(out, sessions_length(set));
    while (sessions_iter_next(&iter, &c)) {
        add_varint(out, c.lease_ms);
        add_varint(out, c.opened_ms);
        add_text(out, c.session);
        add_text(out, c.connection);
        add_text(out, c.node);
        add_text(out, c.addr);
        add_text(out, c.meta);
    }
}

static bool take_text(struct notify_str *payload, struct notify_str *ret_text)
{
    uint64_t len;

    if (!varint_take(payload, &len) || len > payload->len)
        return false;
    *ret_text = notify_str_of(payload->ptr, (size_t)len);
    *payload = notify_str_of(payload->ptr + len, payload->len - (size_t)len);
    return true;
}

static bool take_connection(struct notify_str *payload, struct sessions_connection *ret)
{
    return varint_take(payload, &ret->lease_ms) && varint_take(payload, &ret->opened_ms) &&
           take_text(payload, &ret->session) && take_text(payload, &ret->connection) &&
           take_text(payload, &ret->node) && take_text(payload, &ret->addr) &&
           take_text(payload, &ret->meta);
}

/* NULL: they are in; else why not. Their order is checked when all are there. */
static const char *load_connections(struct sessions **set, struct notify_str *payload,
                                    uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct sessions_connection c;
        int rc;
        if (!take_connection(payload, &c))
            return "cut short";
        rc = sessions_append(set, &c);
        if (rc != 0)
            return rc == -ENOMEM ? "no memory" : "bad connection";
    }
    return NULL;
}

/* As load_connections. */
static const char *load_sections(struct notify_str *payload)
{
    struct notify_str bytes;
    uint64_t count, what, may_skip;

    if (!varint_take(payload, &count) || count == 0)
        return "bad number of sections";
    for (uint64_t i = 0; i < count; i++) {
        if (!varint_take(payload, &what) || !varint_take(payload, &may_skip) || may_skip > 1 ||
            !take_text(payload, &bytes))
            return "bad section";
        if (may_skip == 0)
            return "a section that only a newer notify.so knows";
    }
    return NULL;
}

static const char *load_all(struct sessions **set, struct notify_str payload)
{
    uint64_t version, rev, count;
    const char *why;

    if (!varint_take(&payload, &version) || version < VERSION_FIRST || version > VERSION_LATEST)
        return "unknown version";
    if (!varint_take(&payload, &rev) || !varint_take(&payload, &count) || count == 0 ||
        limits_forbid(count, LIMIT_CONNECTIONS))
        return "bad number of connections";
    sessions_set_rev(*set, rev);
    why = load_connections(set, &payload, count);
    if (why == NULL && version >= VERSION_SECTIONS)
        why = load_sections(&payload);
    if (why != NULL)
        return why;
    switch (sessions_is_ordered(*set)) {
    case 1:
        return payload.len > 0 ? "bytes left over" : NULL;
    case 0:
        return "a connection or a session stands in two places";
    default:
        return "no memory";
    }
}

struct sessions *sessions_load(struct notify_str payload, const char **ret_why)
{
    struct sessions *set = sessions_new();
    const char *why = set == NULL ? "no memory" : load_all(&set, payload);

    if (why == NULL)
        return set;
    sessions_free(set);
    *ret_why = why;
    return NULL;
}
