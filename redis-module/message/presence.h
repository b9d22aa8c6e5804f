/* presence -- the messages about session sets (docs/protocol.md, section 1). Pure text: who came
 * and went is for sessions_plan to say. */
#ifndef PRESENCE_H
#define PRESENCE_H

#include "sessions/sessions.h"
#include "base/text_buf.h"

/* What a message says about the set: its state after the whole command. */
struct presence_set {
    struct notify_str key;
    uint64_t rev;
    struct sessions_counts counts;
};

enum presence_event { PRESENCE_JOIN, PRESENCE_LEAVE };

/* Append to out; out->failed tells about lack of memory. session is valid UTF-8. */
void presence_render(struct text_buf *out, const struct presence_set *set,
                     enum presence_event event, struct notify_str session);
void presence_render_kick(struct text_buf *out, const struct presence_set *set,
                          struct notify_str session);

/* "gone": the set is no more. rev: one more than its last. */
void presence_render_gone(struct text_buf *out, struct notify_str key, uint64_t rev);
/* "changed": a set has appeared under this key from elsewhere. */
void presence_render_appeared(struct text_buf *out, const struct presence_set *set);

#endif
