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

void sessions_save(const struct sessions *set, struct text_buf *out)
{
    struct sessions_iter iter = SESSIONS_ITER(set, SESSIONS_ALL);
    struct sessions_connection c;

    text_buf_add_varint(out, VERSION_FIRST);
    text_buf_add_varint(out, sessions_rev(set));
    text_buf_add_varint(out, sessions_length(set));
    while (sessions_iter_next(&iter, &c)) {
        text_buf_add_varint(out, c.lease_ms);
        text_buf_add_varint(out, c.opened_ms);
        text_buf_add_sized(out, c.session);
        text_buf_add_sized(out, c.connection);
        text_buf_add_sized(out, c.node);
        text_buf_add_sized(out, c.addr);
        text_buf_add_sized(out, c.meta);
    }
}

static bool take_connection(struct notify_str *payload, struct sessions_connection *ret)
{
    return varint_take(payload, &ret->lease_ms) && varint_take(payload, &ret->opened_ms) &&
           varint_take_sized(payload, &ret->session) &&
           varint_take_sized(payload, &ret->connection) && varint_take_sized(payload, &ret->node) &&
           varint_take_sized(payload, &ret->addr) && varint_take_sized(payload, &ret->meta);
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
            !varint_take_sized(payload, &bytes))
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
