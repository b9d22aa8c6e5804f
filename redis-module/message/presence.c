/* presence -- see presence.h. */
#include "message/presence.h"

#include "base/json_text.h"

/* Up to the revision, which tells the bridge that it is a change of state. */
static void add_start(struct text_buf *out, struct notify_str type, const struct presence_set *set)
{
    TEXT_BUF_LITERAL(out, "{\"type\":\"");
    text_buf_add(out, type);
    TEXT_BUF_LITERAL(out, "\",\"key\":\"");
    json_text_escape_lossy(out, set->key);
    TEXT_BUF_LITERAL(out, "\",\"rev\":");
    text_buf_add_number(out, set->rev);
}

static void add_session(struct text_buf *out, struct notify_str session)
{
    TEXT_BUF_LITERAL(out, ",\"session_id\":\"");
    json_text_escape_lossy(out, session);
    text_buf_add_char(out, '"');
}

static void add_counts(struct text_buf *out, const struct presence_set *set)
{
    TEXT_BUF_LITERAL(out, ",\"sessions\":");
    text_buf_add_number(out, set->counts.sessions);
    TEXT_BUF_LITERAL(out, ",\"connections\":");
    text_buf_add_number(out, set->counts.connections);
    text_buf_add_char(out, '}');
}

void presence_render(struct text_buf *out, const struct presence_set *set,
                     enum presence_event event, struct notify_str session)
{
    add_start(out, NOTIFY_STR("presence"), set);
    if (event == PRESENCE_JOIN)
        TEXT_BUF_LITERAL(out, ",\"event\":\"join\"");
    else
        TEXT_BUF_LITERAL(out, ",\"event\":\"leave\"");
    add_session(out, session);
    add_counts(out, set);
}

void presence_render_kick(struct text_buf *out, const struct presence_set *set,
                          struct notify_str session)
{
    add_start(out, NOTIFY_STR("kick"), set);
    add_session(out, session);
    text_buf_add_char(out, '}');
}

void presence_render_gone(struct text_buf *out, struct notify_str key, uint64_t rev)
{
    struct presence_set none = {.key = key, .rev = rev};

    add_start(out, NOTIFY_STR("gone"), &none);
    add_counts(out, &none);
}

void presence_render_appeared(struct text_buf *out, const struct presence_set *set)
{
    add_start(out, NOTIFY_STR("changed"), set);
    add_counts(out, set);
}
