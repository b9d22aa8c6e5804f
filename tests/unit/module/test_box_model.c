/* Random operations on a box beside a plain array that does the same the slow way. After every step
 * the counters must agree with a recount and with the model; every so often everything else must
 * too.
 *
 * NOTIFY_MODEL_STEPS sets the steps per seed, NOTIFY_MODEL_SEEDS the number of seeds. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "box_testing.h"
#include "mem_testing.h"
#include "random_testing.h"

#define MODEL_MAX 4000
#define START_MS UINT64_C(1795208400000)
#define SWEEP_IDS 7
#define TOKENS_KEPT 6
#define TOKEN_WINDOW_MS 500

struct model_entry {
    struct box_entry entry; /* its body is owned */
    int type;               /* index of types[], -1: none */
    int event;              /* index of events[], -1: default */
    int token;              /* index of collapse_tokens[], -1: none */
    int entity;             /* index of entity_ids[], -1: none */
};

/* More than a box has at a time, so that records are given to others; of all lengths. */
#define CATEGORIES 40
static char category_names[CATEGORIES][NOTIFY_CATEGORY_MAX + 1];

/* An idempotent send that is remembered. */
struct model_token {
    char text[16];
    struct notify_id id;
    uint64_t at_ms;
};

struct model {
    struct model_entry entries[MODEL_MAX];
    size_t count;
    struct notify_id last;
    struct notify_id trimmed;
    bool muted[CATEGORIES];
    struct notify_str categories[CATEGORIES];
    uint64_t now;
    struct model_token tokens[TOKENS_KEPT + 1]; /* oldest first */
    size_t token_count;
    uint64_t until_ms; /* of the tokens */
    uint64_t end_ms;   /* of the key */
    unsigned expiring; /* percent of the entries that expire */
    bool mutes;        /* whether categories are ever muted */
    size_t limit;      /* how long the box may get */
    struct box *box;
    struct text_buf body;
};

static const char *types[] = {"build", "a \"quoted\" type", "\xc3\xa9t\xc3\xa9"};
static const char *events[] = {"alert", "progress"};
static const char *entity_ids[] = {"", "17", "a \"quoted\" id"}; /* all of types[0] */
static const char *collapse_tokens[] = {"job 1", "job 2", "\"quoted\"", "t", "\xc3\xa9"};

static bool is_expired(const struct model *m, const struct box_entry *e)
{
    return e->expire_ms != 0 && e->expire_ms <= m->now;
}

static bool is_of(const struct box_entry *e, struct notify_str category)
{
    return e->category.ptr != NULL && notify_str_eq(e->category, category);
}

static bool is_muted(const struct model *m, const struct box_entry *e)
{
    for (size_t i = 0; i < CATEGORIES; i++)
        if (is_of(e, m->categories[i]))
            return m->muted[i];
    return false;
}

static bool is_unread(const struct box_entry *e)
{
    return e->kind == ENTRY_NOTIFICATION && !e->is_read && !e->archived;
}

static bool is_unseen(const struct box_entry *e)
{
    return e->kind == ENTRY_NOTIFICATION && !e->is_seen && !e->archived;
}

static void model_remove(struct model *m, size_t i)
{
    free((char *)m->entries[i].entry.body.ptr);
    memmove(&m->entries[i], &m->entries[i + 1], (m->count - i - 1) * sizeof(m->entries[0]));
    m->count--;
}

/* ---- operations, on both ---- */

static void build_body(struct model *m, struct model_entry *me)
{
    static char content[70000];
    struct body plain = {0};
    struct body_error error;
    size_t len = chance(2) ? below(20000) : below(500);

    memset(content, 'c', len);
    if (len > 3 && chance(20))
        memcpy(content, "\n\"\\", 3);
    plain.field[BODY_TITLE] = NOTIFY_STR("a title");
    plain.field[BODY_CONTENT] = notify_str_of(content, len);
    me->type = chance(50) ? (int)below(3) : -1;
    me->event = chance(30) ? (int)below(2) : -1;
    me->token = chance(15) ? (int)below(5) : -1;
    if (me->token >= 0)
        plain.field[BODY_COLLAPSE] = notify_str_z(collapse_tokens[me->token]);
    me->entity = chance(30) ? (int)below(3) : -1;
    if (me->entity >= 0) {
        plain.field[BODY_ENTITY_TYPE] = notify_str_z(types[0]);
        plain.field[BODY_ENTITY_ID] = notify_str_z(entity_ids[me->entity]);
    }
    if (me->type >= 0)
        plain.field[BODY_TYPE] = notify_str_z(types[me->type]);
    if (me->event >= 0)
        plain.field[BODY_EVENT] = notify_str_z(events[me->event]);
    cr_assert(body_build(&m->body, &plain, &error));
}

/* Takes out the entry with that collapse token; its id if it was visible. */
static struct notify_id model_collapse(struct model *m, int token)
{
    struct notify_id id = {0, 0};

    for (size_t i = 0; i < m->count; i++) {
        if (token < 0 || m->entries[i].token != token)
            continue;
        if (!is_expired(m, &m->entries[i].entry))
            id = m->entries[i].entry.id;
        model_remove(m, i);
        break;
    }
    return id;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Appends to both; the box gives the id of what it replaced. */
static void append(struct model *m, struct model_entry *me)
{
    struct box_entry *e = &me->entry;
    struct box_appended appended;
    char *copy;

    if (me->token >= 0 && chance(20)) { /* the strict form refuses what would collapse */
        bool taken = false;
        for (size_t i = 0; i < m->count; i++)
            taken = taken || m->entries[i].token == me->token;
        if (taken)
            cr_assert_eq(box_append(&m->box, e), -EEXIST);
    }
    cr_assert_eq(box_append_collapsing(&m->box, e, m->now, &appended), 0);
    cr_assert_eq(appended.is_muted, is_muted(m, e));
    cr_assert_eq(notify_id_cmp(appended.replaced, model_collapse(m, me->token)), 0);
    cr_assert_eq(box_append(&m->box, e), -ERANGE, "the same id is refused");
    copy = malloc(e->body.len);
    memcpy(copy, e->body.ptr, e->body.len);
    e->body.ptr = copy;
    m->entries[m->count++] = *me;
    m->last = e->id;
    if (m->end_ms != 0)
        m->end_ms = e->expire_ms == 0 ? 0 : later(later(m->end_ms, e->expire_ms), e->id.ms);
}

static void op_append(struct model *m)
{
    struct model_entry me = {0};
    struct box_entry *e = &me.entry;

    if (m->count == m->limit)
        return;
    cr_assert_eq(box_next_id(m->box, m->now, &e->id), 0);
    if (chance(5))
        e->id.ms += below(100000);
    if (chance(5))
        e->id.seq += below(UINT64_C(1) << 40);
    build_body(m, &me);
    e->kind = chance(20) ? ENTRY_EVENT : ENTRY_NOTIFICATION;
    e->level = (enum entry_level)below(LEVEL_COUNT);
    e->category = chance(70) ? m->categories[below(CATEGORIES)] : CATEGORY_NONE;
    e->expire_ms = chance(m->expiring) ? m->now + below(3000) : 0;
    if (e->kind == ENTRY_NOTIFICATION && chance(10)) { /* as when restoring */
        e->is_seen = true;
        e->seen_ms = m->now;
        e->is_read = chance(50);
        e->read_ms = e->is_read ? m->now + 5 : 0;
    }
    e->archived = chance(5);
    e->body = text_buf_str(&m->body);
    append(m, &me);
}

static void model_forget(struct model *m, uint64_t upto_ms)
{
    while (m->token_count > 0 && (m->token_count > TOKENS_KEPT || m->tokens[0].at_ms <= upto_ms)) {
        memmove(m->tokens, m->tokens + 1, --m->token_count * sizeof(m->tokens[0]));
    }
    if (m->token_count == 0)
        m->until_ms = 0;
}

/* What an idempotent send does: finds the token, or forgets old ones and remembers it. */
static void op_token(struct model *m)
{
    struct model_token *added = &m->tokens[m->token_count];
    uint64_t after_ms = m->now - TOKEN_WINDOW_MS;
    struct notify_id found = {0, 0};
    struct notify_id id = {0, 0};
    struct token token = {.id = m->last, .at_ms = m->now};
    char text[16];

    snprintf(text, sizeof(text), "token %u", (unsigned)below(12));
    token.text = notify_str_z(text);
    for (size_t i = 0; i < m->token_count; i++)
        if (strcmp(m->tokens[i].text, text) == 0 && m->tokens[i].at_ms > after_ms)
            found = m->tokens[i].id;
    cr_assert_eq(box_find_token(m->box, token.text, after_ms, &id), !notify_id_is_zero(found));
    cr_assert_eq(notify_id_cmp(id, found), 0);
    if (!notify_id_is_zero(found) || notify_id_is_zero(m->last))
        return;
    box_forget_tokens(m->box, after_ms, TOKENS_KEPT);
    model_forget(m, after_ms);
    cr_assert_eq(box_remember(&m->box, &token, m->now + TOKEN_WINDOW_MS), 0);
    cr_assert_eq(box_remember(&m->box, &token, m->now), -EEXIST);
    box_forget_tokens(m->box, 0, TOKENS_KEPT);
    added = &m->tokens[m->token_count++];
    memcpy(added->text, text, sizeof(text));
    added->id = m->last;
    added->at_ms = m->now;
    m->until_ms = later(m->until_ms, m->now + TOKEN_WINDOW_MS);
    model_forget(m, 0);
}

/* The end of the key, worked out from everything there is. */
static void settle_end(struct model *m)
{
    bool all_expire = m->count > 0;
    bool any_muted = false;
    uint64_t end_ms = m->end_ms;

    for (size_t i = 0; i < CATEGORIES; i++)
        any_muted = any_muted || m->muted[i];
    for (size_t i = 0; i < m->count; i++)
        all_expire = all_expire && m->entries[i].entry.expire_ms != 0;
    for (size_t i = 0; m->end_ms == 0 && all_expire && i < m->count; i++)
        end_ms = later(end_ms, m->entries[i].entry.expire_ms);
    if (end_ms != 0)
        end_ms = later(later(end_ms, m->last.ms), m->until_ms);
    m->end_ms = any_muted ? 0 : end_ms;
    cr_assert_eq(box_settle_key_end(&m->box), 0);
    cr_assert_eq(box_key_end_ms(m->box), m->end_ms);
}

/* Mostly the id of an entry, else one near it. */
static struct notify_id some_id(struct model *m)
{
    struct notify_id id = m->last;

    if (m->count > 0)
        id = m->entries[below(m->count)].entry.id;
    if (chance(10))
        id.seq += 1 + below(3);
    if (chance(10))
        id = notify_id_before(id);
    return id;
}

/* The index of the visible entry with that id, or -1. */
static long model_find(const struct model *m, struct notify_id id)
{
    for (size_t i = 0; i < m->count; i++)
        if (notify_id_cmp(m->entries[i].entry.id, id) == 0)
            return is_expired(m, &m->entries[i].entry) ? -1 : (long)i;
    return -1;
}

static bool model_mark(struct box_entry *e, enum box_mark mark, uint64_t at_ms)
{
    struct box_entry old = *e;
    bool is_event = e->kind == ENTRY_EVENT;

    if ((mark == BOX_MARK_READ || mark == BOX_MARK_SEEN) && !is_event && !e->is_seen) {
        e->is_seen = true;
        e->seen_ms = at_ms;
    }
    if (mark == BOX_MARK_READ && !is_event && !e->is_read) {
        e->is_read = true;
        e->read_ms = at_ms;
    }
    if (mark == BOX_MARK_UNREAD) {
        e->is_read = false;
        e->read_ms = 0;
    }
    if (mark == BOX_MARK_ARCHIVED)
        e->archived = true;
    if (mark == BOX_MARK_UNARCHIVED)
        e->archived = false;
    return old.is_read != e->is_read || old.is_seen != e->is_seen || old.archived != e->archived;
}

static void op_mark(struct model *m)
{
    struct notify_id id = some_id(m);
    enum box_mark mark = (enum box_mark)below(5);
    uint64_t at_ms = m->now + below(50);
    long i = model_find(m, id);
    bool changed = i >= 0 && model_mark(&m->entries[i].entry, mark, at_ms);

    cr_assert_eq(box_mark(&m->box, id, mark, at_ms, m->now), changed);
    cr_assert_eq(box_mark(&m->box, id, mark, at_ms + 1, m->now), 0,
                 "marking again changes nothing");
}

static bool is_marked_upto(const struct box_entry *e, struct notify_id upto,
                           struct notify_str category)
{
    return notify_id_cmp(e->id, upto) <= 0 && (category.ptr == NULL || is_of(e, category));
}

static void op_mark_upto(struct model *m)
{
    struct notify_id upto = some_id(m);
    enum box_mark mark = chance(50) ? BOX_MARK_READ : BOX_MARK_SEEN;
    struct notify_str category = chance(40) ? m->categories[below(CATEGORIES)] : CATEGORY_NONE;
    int64_t changed = 0;

    for (size_t i = 0; i < m->count; i++) {
        struct box_entry e = m->entries[i].entry;
        if (is_marked_upto(&e, upto, category) && !is_expired(m, &e))
            changed += model_mark(&e, mark, m->now);
    }
    for (size_t i = 0; i < m->count && changed > 0; i++)
        if (is_marked_upto(&m->entries[i].entry, upto, category))
            (void)model_mark(&m->entries[i].entry, mark, m->now);
    cr_assert_eq(box_mark_upto(&m->box, upto, category, mark, m->now, m->now), changed);
}

static void op_delete(struct model *m)
{
    struct notify_id id = some_id(m);
    long i = model_find(m, id);

    cr_assert_eq(box_delete(&m->box, id, m->now), i >= 0);
    if (i >= 0)
        model_remove(m, (size_t)i);
}

/* The greatest id that a trim takes out; 0-0: nothing. */
static struct notify_id trimmed_to(const struct model *m, uint64_t maxlen, struct notify_id minid)
{
    struct notify_id to = {0, 0};
    size_t visible = 0;

    for (size_t i = 0; i < m->count; i++)
        visible += !is_expired(m, &m->entries[i].entry);
    for (size_t i = 0; i < m->count; i++) {
        const struct box_entry *e = &m->entries[i].entry;
        if (is_expired(m, e))
            continue;
        if (visible > maxlen || notify_id_cmp(e->id, minid) < 0)
            to = e->id;
        visible -= visible > 0;
    }
    return to;
}

static void op_trim(struct model *m)
{
    struct notify_id minid = m->count > 0 ? m->entries[below(m->count / 4 + 1)].entry.id : m->last;
    uint64_t maxlen = m->count > 0 ? m->count - below(m->count / 4 + 1) : below(3);
    struct notify_id before = {0, 0};
    uint64_t now = m->now;
    bool by_id = chance(50);
    struct notify_id to;
    int64_t count = 0;

    if (chance(3))
        maxlen = below(3);
    if (chance(50))
        m->now = BOX_NEVER_EXPIRE; /* as where no clock has a say */
    to = by_id ? trimmed_to(m, UINT64_MAX, minid) : trimmed_to(m, maxlen, (struct notify_id){0, 0});
    if (by_id)
        cr_assert_geq(count = box_trim_minid(&m->box, minid, m->now, &before), 0);
    else
        cr_assert_geq(count = box_trim_maxlen(&m->box, maxlen, m->now, &before), 0);
    if (!notify_id_is_zero(to)) {
        m->trimmed = to;
        cr_assert_eq(notify_id_cmp(before, notify_id_after(to)), 0);
    }
    while (m->count > 0 && notify_id_cmp(m->entries[0].entry.id, to) <= 0) {
        count -= !is_expired(m, &m->entries[0].entry);
        model_remove(m, 0);
    }
    cr_assert_eq(count, 0);
    m->now = now;
}

static void op_sweep(struct model *m)
{
    struct notify_id ids[SWEEP_IDS];
    size_t count = box_sweep_expired(&m->box, m->now, ids, SWEEP_IDS);
    size_t expected = 0;

    for (size_t i = 0; i < m->count && expected < SWEEP_IDS;) {
        if (!is_expired(m, &m->entries[i].entry)) {
            i++;
            continue;
        }
        cr_assert_lt(expected, count);
        cr_assert_eq(notify_id_cmp(ids[expected], m->entries[i].entry.id), 0);
        model_remove(m, i);
        expected++;
    }
    cr_assert_eq(count, expected);
}

static void op_expire(struct model *m)
{
    struct notify_id id = some_id(m);
    uint64_t now = chance(50) ? BOX_NEVER_EXPIRE : m->now;
    long found = -1;

    for (size_t i = 0; i < m->count; i++) {
        const struct box_entry *e = &m->entries[i].entry;
        if (notify_id_cmp(e->id, id) == 0 && e->expire_ms != 0 &&
            (now == BOX_NEVER_EXPIRE || is_expired(m, e)))
            found = (long)i;
    }
    cr_assert_eq(box_expire(&m->box, id, now), found >= 0);
    if (found >= 0)
        model_remove(m, (size_t)found);
}

static void op_mute(struct model *m)
{
    size_t i = below(CATEGORIES);
    bool muted = m->mutes && chance(50);

    cr_assert_eq(test_mute(&m->box, m->categories[i], muted), m->muted[i] != muted);
    m->muted[i] = muted;
}

static void op_time(struct model *m)
{
    m->now += below(100);
}

/* Somebody has asked, by a clock of his own. */
static void op_advance(struct model *m)
{
    box_advance(m->box, chance(80) ? m->now : m->now + below(2000) - 1000);
}

/* Goes on with what a payload or a copy gives. */
static void op_reload(struct model *m)
{
    struct test_payload payload;
    const char *why = "";
    struct box *other;

    if (chance(50)) {
        other = box_copy(m->box);
    } else {
        cr_assert_eq(test_payload_save(&payload, m->box), 0);
        other = test_payload_load(&payload, &why);
        free(payload.bytes);
    }
    cr_assert_not_null(other, "%s", why);
    cr_assert(test_boxes_equal(m->box, other));
    box_free(m->box);
    m->box = other;
}

/* ---- comparison ---- */

static void check_counts(const struct model *m)
{
    struct box_counts expected = {0, 0, 0};
    struct box_counts counts = box_count(m->box, m->now);
    struct box_audit audit;
    int max_level = -1;

    for (size_t i = 0; i < m->count; i++) {
        const struct box_entry *e = &m->entries[i].entry;
        if (is_expired(m, e))
            continue;
        expected.live++;
        if (is_muted(m, e))
            continue;
        expected.unread += is_unread(e);
        expected.unseen += is_unseen(e);
        if (is_unread(e) && (int)e->level > max_level)
            max_level = (int)e->level;
    }
    cr_assert_eq(counts.live, expected.live);
    cr_assert_eq(counts.unread, expected.unread);
    cr_assert_eq(counts.unseen, expected.unseen);
    cr_assert_eq(box_unread(m->box, m->now), expected.unread);
    cr_assert_eq(box_max_unread_level(m->box, m->now), max_level);
    cr_assert_eq(box_verify(m->box, &audit), 0);
    cr_assert(audit.sound);
    cr_assert_eq(audit.stored.live, m->count);
}

static void check_categories(const struct model *m)
{
    struct box_category_count counts[64], unread_counts[64];
    size_t n = box_count_categories(m->box, m->now, counts, 64);
    size_t waiting = box_unread_categories(m->box, m->now, unread_counts, 64);

    for (size_t c = 0; c < CATEGORIES; c++) {
        uint64_t total = 0;
        uint64_t unread = 0;
        size_t k = 0;
        for (size_t i = 0; i < m->count; i++) {
            const struct box_entry *e = &m->entries[i].entry;
            if (is_expired(m, e) || !is_of(e, m->categories[c]))
                continue;
            total++;
            unread += is_unread(e) && !m->muted[c];
        }
        while (k < n && !notify_str_eq(counts[k].category, m->categories[c]))
            k++;
        cr_assert((k < n) == (total > 0 || m->muted[c]));
        if (k < n) {
            cr_assert_eq(counts[k].total, total);
            cr_assert_eq(counts[k].unread, unread);
            cr_assert_eq(counts[k].muted, m->muted[c]);
        }
        cr_assert_eq(box_unread_of(m->box, m->categories[c], m->now), unread);
        for (k = 0; k < waiting && !notify_str_eq(unread_counts[k].category, m->categories[c]);)
            k++;
        cr_assert_eq(k < waiting ? unread_counts[k].unread : 0, unread);
    }
}

static bool state_matches(const struct box_entry *e, enum box_state state)
{
    switch (state) {
    case BOX_PRESENT:
        return !e->archived;
    case BOX_NOTIFICATIONS:
        return e->kind == ENTRY_NOTIFICATION && !e->archived;
    case BOX_UNREAD:
        return is_unread(e);
    case BOX_READ:
        return e->is_read && !e->archived;
    case BOX_UNSEEN:
        return is_unseen(e);
    case BOX_ARCHIVED:
        return e->archived;
    case BOX_ALL:
        return true;
    }
    return false;
}

static bool model_matches(const struct model *m, const struct model_entry *me,
                          const struct box_range *range)
{
    const struct box_entry *e = &me->entry;
    const struct box_filter *filter = &range->filter;

    if (is_expired(m, e) || notify_id_cmp(e->id, range->from) < 0 ||
        notify_id_cmp(e->id, range->to) > 0 || !state_matches(e, filter->state))
        return false;
    if (filter->has_level &&
        (filter->or_above ? e->level < filter->level : e->level != filter->level))
        return false;
    if (filter->category_count > 0 && !is_of(e, filter->categories[0]) &&
        !is_of(e, filter->categories[1]))
        return false;
    if (filter->type.ptr != NULL &&
        (me->type < 0 || !notify_str_eq(filter->type, notify_str_z(types[me->type]))))
        return false;
    if (filter->entity_type.ptr != NULL &&
        (me->entity < 0 || !notify_str_eq(filter->entity_type, notify_str_z(types[0])) ||
         !notify_str_eq(filter->entity_id, notify_str_z(entity_ids[me->entity]))))
        return false;
    return filter->event.ptr == NULL ||
           notify_str_eq(filter->event,
                         notify_str_z(me->event < 0 ? "notification" : events[me->event]));
}

static void check_range(struct model *m)
{
    struct box_range range = {.from = some_id(m), .to = some_id(m), .now_ms = m->now};
    struct box_filter *filter = &range.filter;
    struct box_iter iter;
    struct box_entry e;

    if (chance(50))
        range.from = (struct notify_id){0, 0};
    if (chance(50))
        range.to = (struct notify_id){UINT64_MAX, UINT64_MAX};
    range.reverse = chance(50);
    filter->state = (enum box_state)below(6);
    if (chance(20)) {
        filter->categories = m->categories + below(CATEGORIES - 1);
        filter->category_count = 2;
    }
    if (chance(20))
        filter->type = notify_str_z(types[below(3)]);
    if (chance(20))
        filter->event = notify_str_z(chance(30) ? "notification" : events[below(2)]);
    if (chance(20)) {
        filter->entity_type = notify_str_z(types[chance(90) ? 0 : 1]);
        filter->entity_id = notify_str_z(entity_ids[below(3)]);
    }
    filter->has_level = chance(20);
    filter->or_above = chance(50);
    filter->level = (enum entry_level)below(LEVEL_COUNT);
    box_iter_init(&iter, m->box, &range);
    for (size_t i = 0; i < m->count; i++) {
        const struct model_entry *me = &m->entries[range.reverse ? m->count - 1 - i : i];
        if (!model_matches(m, me, &range))
            continue;
        cr_assert(box_iter_next(&iter, &e));
        cr_assert(test_entries_equal(&e, &me->entry));
    }
    cr_assert_not(box_iter_next(&iter, &e));
    cr_assert_not(box_iter_next(&iter, &e));
}

static void check_single(struct model *m)
{
    struct notify_id id = some_id(m);
    long i = model_find(m, id);
    struct notify_id prev = {0, 0};
    struct box_entry e;

    cr_assert_eq(box_find(m->box, id, m->now, &e), i >= 0);
    if (i >= 0)
        cr_assert(test_entries_equal(&e, &m->entries[i].entry));
    for (size_t k = 0; k < m->count && notify_id_cmp(m->entries[k].entry.id, id) < 0; k++)
        if (!is_expired(m, &m->entries[k].entry))
            prev = m->entries[k].entry.id;
    cr_assert_eq(notify_id_cmp(box_id_before(m->box, id, m->now), prev), 0);
    cr_assert_eq(notify_id_cmp(box_last_id(m->box), m->last), 0);
    cr_assert_eq(notify_id_cmp(box_trimmed_id(m->box), m->trimmed), 0);
    cr_assert_eq(box_has_gap(m->box, id),
                 notify_id_cmp(m->trimmed, id) > 0 || notify_id_cmp(id, m->last) > 0);
}

/* Whoever asks at the instant that it names has missed none. */
static void check_next_expiry(struct model *m)
{
    uint64_t next = box_next_expiry_ms(m->box, m->now);
    uint64_t exact = 0;

    for (size_t i = 0; i < m->count; i++) {
        uint64_t at = m->entries[i].entry.expire_ms;
        if (at > m->now && (exact == 0 || at < exact))
            exact = at;
    }
    cr_assert(next == 0 || next > m->now);
    cr_assert(exact == 0 || (next != 0 && next <= exact));
}

/* ---- the run ---- */

static const struct random_operation operations[] = {
    {op_append, 40}, {op_mark, 18},  {op_mark_upto, 2}, {op_delete, 10},
    {op_trim, 2},    {op_sweep, 5},  {op_mute, 2},      {op_time, 15},
    {op_reload, 1},  {op_expire, 1}, {op_token, 4},     {op_advance, 20},
};

/* Whoever asks may have another clock, or none. */
static void check(struct model *m, bool thoroughly)
{
    uint64_t now = m->now;

    if (chance(20))
        m->now = chance(50) ? BOX_NEVER_EXPIRE : now + below(2000) - 1000;
    if (chance(30))
        box_advance(m->box, m->now);
    check_counts(m);
    check_single(m);
    check_next_expiry(m);
    if (thoroughly) {
        check_categories(m);
        check_range(m);
    }
    m->now = now;
}

static void make_categories(struct model *m)
{
    for (size_t i = 0; i < CATEGORIES; i++) {
        snprintf(category_names[i], sizeof(category_names[i]), "%zu %.*s", i, (int)(i * 7 % 61),
                 "------------------------------------------------------------");
        m->categories[i] = notify_str_z(category_names[i]);
    }
}

static void run_model(struct model *m, uint64_t seed, size_t limit, size_t steps)
{
    size_t every = limit > 100 ? limit / 8 : 1;

    memset(m, 0, sizeof(*m));
    random_begin(seed);
    m->limit = limit;
    m->expiring = seed % 4 == 0 ? 99 : seed % 5 == 0 ? 100 : 15;
    m->mutes = m->expiring < 99;
    m->now = START_MS;
    m->box = box_new();
    make_categories(m);
    for (size_t step = 0; step < steps; step++) {
        random_operation_run(operations, m);
        settle_end(m);
        if (step % every == 0)
            check(m, step % (every * 4) == 0);
    }
    while (m->count > 0)
        model_remove(m, 0);
    box_free(m->box);
    text_buf_release(&m->body);
}

Test(box_model, box_and_model_agree_after_every_step, .timeout = 0)
{
    static const size_t limits[] = {3, 8, 20, 60, 300, 1500};
    struct model *m = malloc(sizeof(*m));
    size_t steps = setting("NOTIFY_MODEL_STEPS", 18000);
    size_t seeds = setting("NOTIFY_MODEL_SEEDS", 12);

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        mem_testing_install(seed % 3 != 0);
        run_model(m, seed, limits[seed % 6], steps);
        cr_assert_eq(mem_testing_live, 0, "seed %" PRIu64 " leaks", seed);
    }
    free(m);
}
