/* box_testing -- what several tests of boxes share: bodies, payloads in memory, comparison of two
 * boxes. Header only; each test program is one translation unit. */
#ifndef BOX_TESTING_H
#define BOX_TESTING_H

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "box/body.h"
#include "box/box.h"
#include "box/cursor_covers.h"
#include "box/cursors.h"
#include "box/box_extra.h"

/* ---- a payload in memory: blocks, each a length (size_t) and that many bytes ---- */

struct test_payload {
    char *bytes;
    size_t len;
    size_t read;
};

static inline int test_payload_write(void *ctx, const void *bytes, size_t len)
{
    struct test_payload *payload = ctx;

    payload->bytes = realloc(payload->bytes, payload->len + sizeof(len) + len);
    memcpy(payload->bytes + payload->len, &len, sizeof(len));
    if (len > 0)
        memcpy(payload->bytes + payload->len + sizeof(len), bytes, len);
    payload->len += sizeof(len) + len;
    return 0;
}

static inline bool test_payload_read(void *ctx, struct notify_str *ret_block)
{
    struct test_payload *payload = ctx;
    size_t len;

    if (payload->len - payload->read < sizeof(len))
        return false;
    memcpy(&len, payload->bytes + payload->read, sizeof(len));
    payload->read += sizeof(len);
    if (len > payload->len - payload->read)
        return false;
    *ret_block = notify_str_of(payload->bytes + payload->read, len);
    payload->read += len;
    return true;
}

static inline int test_payload_save(struct test_payload *payload, const struct box *box)
{
    struct box_sink sink = {test_payload_write, payload, BOX_PAYLOAD_LATEST};

    *payload = (struct test_payload){NULL, 0, 0};
    return box_save(box, &sink);
}

static inline struct box *test_payload_load(struct test_payload *payload, const char **ret_why)
{
    struct box_source source = {test_payload_read, payload};

    payload->read = 0;
    return box_load(&source, ret_why);
}

/* ---- comparison ---- */

static inline bool test_entries_equal(const struct box_entry *a, const struct box_entry *b)
{
    return notify_id_cmp(a->id, b->id) == 0 && a->kind == b->kind && a->level == b->level &&
           notify_str_eq(a->category, b->category) && a->archived == b->archived &&
           a->is_read == b->is_read && a->is_seen == b->is_seen && a->read_ms == b->read_ms &&
           a->seen_ms == b->seen_ms && a->expire_ms == b->expire_ms &&
           notify_str_eq(a->body, b->body);
}

static inline bool test_tokens_equal(const struct box *a, const struct box *b)
{
    const struct tokens *ta = box_tokens(a);
    const struct tokens *tb = box_tokens(b);
    size_t pa = 0;
    size_t pb = 0;
    struct token x;
    struct token y;

    if (ta == NULL || tb == NULL)
        return ta == tb;
    if (tokens_count(ta) != tokens_count(tb) || ta->until_ms != tb->until_ms)
        return false;
    while (tokens_next(ta, &pa, &x))
        if (!tokens_next(tb, &pb, &y) || !notify_str_eq(x.text, y.text) || x.at_ms != y.at_ms ||
            notify_id_cmp(x.id, y.id) != 0)
            return false;
    return !tokens_next(tb, &pb, &y);
}

static inline bool test_cursors_equal(const struct cursors *a, const struct cursors *b)
{
    bool equal = cursors_count(a) == cursors_count(b);

    for (uint32_t i = 0; equal && i < cursors_count(a); i++) {
        struct text_buf saved = TEXT_BUF_INIT;
        struct text_buf other = TEXT_BUF_INIT;
        cursor_save(cursors_at(a, i), true, &saved);
        cursor_save(cursors_at(b, i), true, &other);
        cursor_covers_save(cursors_at(a, i)->covers, &saved);
        cursor_covers_save(cursors_at(b, i)->covers, &other);
        equal = notify_str_eq(text_buf_str(&saved), text_buf_str(&other));
        text_buf_release(&saved);
        text_buf_release(&other);
    }
    return equal;
}

static inline bool test_epochs_equal(const struct box *a, const struct box *b)
{
    struct box_past_epoch pa[BOX_PAST_EPOCHS_MAX];
    struct box_past_epoch pb[BOX_PAST_EPOCHS_MAX];
    size_t count = box_past_epochs(a, pa);

    if (box_epoch(a) != box_epoch(b) || box_past_epochs(b, pb) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (pa[i].epoch != pb[i].epoch || notify_id_cmp(pa[i].end, pb[i].end) != 0)
            return false;
    return true;
}

static inline bool test_boxes_equal(const struct box *a, const struct box *b)
{
    struct box_range range = {.to = {UINT64_MAX, UINT64_MAX}, .filter = BOX_FILTER_ALL};
    struct box_counts ca = box_count(a, BOX_NEVER_EXPIRE);
    struct box_counts cb = box_count(b, BOX_NEVER_EXPIRE);
    struct box_iter ia;
    struct box_iter ib;
    struct box_entry ea;
    struct box_entry eb;

    if (notify_id_cmp(box_last_id(a), box_last_id(b)) != 0 || box_rev(a) != box_rev(b) ||
        notify_id_cmp(box_trimmed_id(a), box_trimmed_id(b)) != 0 || ca.live != cb.live ||
        ca.unread != cb.unread || ca.unseen != cb.unseen ||
        box_key_end_ms(a) != box_key_end_ms(b) || !test_tokens_equal(a, b) ||
        !test_epochs_equal(a, b))
        return false;
    box_iter_init(&ia, a, &range);
    box_iter_init(&ib, b, &range);
    while (box_iter_next(&ia, &ea))
        if (!box_iter_next(&ib, &eb) || !test_entries_equal(&ea, &eb))
            return false;
    return !box_iter_next(&ib, &eb) && test_cursors_equal(box_cursors(a), box_cursors(b));
}

/* ---- bodies ---- */

/* A sound body with that title and content (NULL: none), in buf. */
static inline struct notify_str test_body(struct text_buf *buf, const char *title,
                                          const char *content)
{
    struct body plain = {0};
    struct body_error error;

    plain.field[BODY_TITLE] = notify_str_z(title);
    plain.field[BODY_CONTENT] = notify_str_z(content);
    if (!body_build(buf, &plain, &error))
        abort();
    return text_buf_str(buf);
}

/* As box_mute of one category. */
static inline int test_mute(struct box **box, struct notify_str category, bool muted)
{
    bool changed = false;
    int rc = box_mute(box, &category, 1, muted, &changed);

    return rc < 0 || changed == (rc == 1) ? rc : INT_MIN;
}

#endif
