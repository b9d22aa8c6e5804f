/* Several inboxes that follow one log, beside arrays that do the same the slow way. After every
 * step what each inbox counts as unread and unseen must agree with the model.
 *
 * NOTIFY_MODEL_STEPS sets the steps per seed, NOTIFY_MODEL_SEEDS the number of seeds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <errno.h>
#include <inttypes.h>

#include "box_testing.h"
#include "box/cursor_count.h"
#include "box/cursor_edit.h"
#include "box/cursors.h"
#include "mem_testing.h"
#include "random_testing.h"

#define LOG_MAX 3000
#define INBOXES 6
#define CATEGORIES 12
#define START_MS UINT64_C(1795208400000)

static char category_names[CATEGORIES][16];

struct model_entry {
    struct notify_id id;
    enum entry_kind kind;
    struct notify_str category;
    uint64_t expire_ms;
    bool withdrawn; /* archived in the log itself */
    struct cursor_state state[INBOXES];
};

struct model_inbox {
    struct cursor *cursor; /* NULL: does not follow */
    struct notify_id start;
    bool mutes[CATEGORIES];
};

struct model {
    struct model_entry entries[LOG_MAX];
    size_t count;
    struct model_inbox inboxes[INBOXES];
    struct notify_str categories[CATEGORIES];
    uint64_t now;
    size_t limit;
    struct box *log;
    struct text_buf body;
};

static bool is_expired(const struct model *m, const struct model_entry *e)
{
    return e->expire_ms != 0 && e->expire_ms <= m->now;
}

/* What the log shows as a notification. */
static bool is_countable(const struct model *m, const struct model_entry *e)
{
    return e->kind == ENTRY_NOTIFICATION && !e->withdrawn && !is_expired(m, e);
}

static void model_remove(struct model *m, size_t i)
{
    memmove(&m->entries[i], &m->entries[i + 1], (m->count - i - 1) * sizeof(m->entries[0]));
    m->count--;
}

static struct notify_id some_id(struct model *m)
{
    struct notify_id id = box_last_id(m->log);

    if (m->count > 0)
        id = m->entries[below(m->count)].id;
    if (chance(5))
        id.seq += 1 + below(2);
    return id;
}

static struct model_entry *model_find(struct model *m, struct notify_id id)
{
    for (size_t i = 0; i < m->count; i++)
        if (notify_id_cmp(m->entries[i].id, id) == 0)
            return &m->entries[i];
    return NULL;
}

/* ---- what happens to the log ---- */

static void op_send(struct model *m)
{
    struct model_entry e = {0};
    struct box_entry entry = {0};
    char content[] = "some text, some more, and a bit of it at the end as well";

    if (m->count == m->limit)
        return;
    content[below(sizeof(content) - 1)] = '\0';
    cr_assert_eq(box_next_id(m->log, m->now, &e.id), 0);
    e.id.seq += chance(10) ? below(1000) : 0;
    e.kind = chance(20) ? ENTRY_EVENT : ENTRY_NOTIFICATION;
    e.category = chance(60) ? m->categories[below(CATEGORIES)] : CATEGORY_NONE;
    e.expire_ms = chance(10) ? m->now + below(2000) : 0;
    e.withdrawn = chance(5);
    entry.id = e.id;
    entry.kind = e.kind;
    entry.category = e.category;
    entry.expire_ms = e.expire_ms;
    entry.archived = e.withdrawn;
    entry.body = test_body(&m->body, "title", content);
    cr_assert_eq(box_append(&m->log, &entry), 0);
    m->entries[m->count++] = e;
}

static void op_delete(struct model *m)
{
    struct notify_id id = some_id(m);
    struct model_entry *e = model_find(m, id);
    bool is_there = e != NULL && !is_expired(m, e);

    cr_assert_eq(box_delete(&m->log, id, m->now), is_there);
    if (is_there)
        model_remove(m, (size_t)(e - m->entries));
}

static void op_trim(struct model *m)
{
    size_t maxlen = chance(2) ? below(3) : m->count - below(m->count / 4 + 1);

    (void)box_trim_maxlen(&m->log, maxlen, BOX_NEVER_EXPIRE, NULL);
    while (m->count > maxlen)
        model_remove(m, 0);
}

static void op_sweep(struct model *m)
{
    struct notify_id ids[5];
    size_t count = box_sweep_expired(&m->log, m->now, ids, 5);

    for (size_t i = 0; i < count; i++)
        model_remove(m, (size_t)(model_find(m, ids[i]) - m->entries));
}

static void op_withdraw(struct model *m)
{
    struct notify_id id = some_id(m);
    struct model_entry *e = model_find(m, id);
    bool withdrawn = chance(50);

    if (box_mark(&m->log, id, withdrawn ? BOX_MARK_ARCHIVED : BOX_MARK_UNARCHIVED, m->now,
                 m->now) == 1)
        e->withdrawn = withdrawn;
}

/* The log's own read state is nobody else's business. */
static void op_log_read(struct model *m)
{
    (void)box_mark_upto(&m->log, some_id(m), CATEGORY_NONE, BOX_MARK_READ, m->now, m->now);
}

static void op_time(struct model *m)
{
    m->now += below(100);
}

/* ---- what happens to the inboxes ---- */

static void op_follow(struct model *m)
{
    size_t i = below(INBOXES);
    struct model_inbox *inbox = &m->inboxes[i];

    if (inbox->cursor != NULL && !chance(20))
        return;
    cursor_free(inbox->cursor);
    inbox->start = chance(50) ? box_last_id(m->log) : some_id(m);
    if (chance(20))
        inbox->start = (struct notify_id){0, 0};
    inbox->cursor = cursor_new(NOTIFY_STR("topic:all"), inbox->start);
    cr_assert_not_null(inbox->cursor);
    for (size_t k = 0; k < m->count; k++)
        m->entries[k].state[i] = (struct cursor_state){false, false, false};
}

static void op_mute(struct model *m)
{
    m->inboxes[below(INBOXES)].mutes[below(CATEGORIES)] = chance(50);
}

static bool model_mark(struct cursor_state *state, enum box_mark mark)
{
    struct cursor_state before = *state;

    if (mark == BOX_MARK_READ)
        state->is_read = state->is_seen = true;
    if (mark == BOX_MARK_UNREAD)
        state->is_read = false;
    if (mark == BOX_MARK_SEEN)
        state->is_seen = true;
    if (mark == BOX_MARK_ARCHIVED || mark == BOX_MARK_UNARCHIVED)
        state->archived = mark == BOX_MARK_ARCHIVED;
    return memcmp(&before, state, sizeof(before)) != 0;
}

/* A command with a few ids; now and then one that is given up again. */
static void op_mark(struct model *m)
{
    size_t i = below(INBOXES);
    struct model_inbox *inbox = &m->inboxes[i];
    enum box_mark mark = chance(50) ? BOX_MARK_READ : (enum box_mark)below(5);
    bool abort = chance(5);
    struct cursor_edit edit;

    if (inbox->cursor == NULL)
        return;
    cr_assert_eq(cursor_edit_begin(&edit, inbox->cursor, m->log, m->now), 0);
    for (size_t n = 1 + below(4); n > 0; n--) {
        struct notify_id id = some_id(m);
        struct model_entry *e = model_find(m, id);
        bool is_for_events = mark == BOX_MARK_ARCHIVED || mark == BOX_MARK_UNARCHIVED;
        bool changes = e != NULL && !is_expired(m, e) && notify_id_cmp(id, inbox->start) > 0 &&
                       (e->kind == ENTRY_NOTIFICATION || is_for_events);
        if (abort) {
            (void)cursor_edit_mark(&edit, id, mark);
            continue;
        }
        if (changes)
            changes = model_mark(&e->state[i], mark);
        cr_assert_eq(cursor_edit_mark(&edit, id, mark), changes);
    }
    if (abort)
        cursor_edit_abort(&edit);
    else
        cr_assert_eq(cursor_edit_commit(&edit), 0);
}

static bool is_of(const struct model_entry *e, const struct notify_str *category)
{
    return category == NULL || (e->category.ptr != NULL && notify_str_eq(e->category, *category));
}

/* All of the log up to an id, or what is of one category (NULL: all). */
static void mark_upto(struct model *m, enum box_mark mark, const struct notify_str *category)
{
    size_t i = below(INBOXES);
    struct model_inbox *inbox = &m->inboxes[i];
    struct notify_id upto = chance(50) ? some_id(m) : (struct notify_id){UINT64_MAX, 0};
    struct notify_id told = {0, 0};
    struct cursor_edit edit;
    uint64_t expected = 0;

    if (inbox->cursor == NULL)
        return;
    for (size_t k = 0; k < m->count; k++) {
        struct model_entry *e = &m->entries[k];
        if (notify_id_cmp(e->id, inbox->start) > 0 && notify_id_cmp(e->id, upto) <= 0 &&
            is_countable(m, e) && is_of(e, category))
            expected += mark == BOX_MARK_READ ? !e->state[i].is_read : !e->state[i].is_seen;
    }
    cr_assert_eq(cursor_edit_begin(&edit, inbox->cursor, m->log, m->now), 0);
    if (category == NULL)
        cr_assert_eq(cursor_edit_upto(&edit, upto, mark, &told), expected);
    else
        cr_assert_eq(cursor_edit_category(&edit, *category, upto, &told), expected);
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    for (size_t k = 0; k < m->count && expected > 0; k++)
        if (notify_id_cmp(m->entries[k].id, upto) <= 0 && is_of(&m->entries[k], category))
            (void)model_mark(&m->entries[k].state[i], mark);
    if (expected > 0 && notify_id_cmp(upto, box_last_id(m->log)) > 0)
        cr_assert_eq(notify_id_cmp(told, box_last_id(m->log)), 0);
}

static void op_upto(struct model *m)
{
    mark_upto(m, chance(60) ? BOX_MARK_READ : BOX_MARK_SEEN, NULL);
}

static void op_category(struct model *m)
{
    mark_upto(m, BOX_MARK_READ, &m->categories[below(CATEGORIES)]);
}

/* The cursor and its covers, in one. */
static struct text_buf saved_form(const struct cursor *cursor)
{
    struct text_buf out = TEXT_BUF_INIT;

    cursor_save(cursor, true, &out);
    cursor_covers_save(cursor->covers, &out);
    return out;
}

static struct cursor *loaded(const struct cursor *cursor)
{
    struct text_buf bytes = TEXT_BUF_INIT;
    struct text_buf covers = TEXT_BUF_INIT;
    struct notify_str left;
    const char *why = "";
    struct cursor *other;

    cursor_save(cursor, true, &bytes);
    other = cursor_load(text_buf_str(&bytes), &why);
    cr_assert_not_null(other, "%s", why);
    if (cursor->covers != NULL) {
        cursor_covers_save(cursor->covers, &covers);
        left = text_buf_str(&covers);
        cr_assert(cursor_covers_load(&left, &other->covers, &why), "%s", why);
        cr_assert_eq(left.len, 0);
    }
    text_buf_release(&bytes);
    text_buf_release(&covers);
    return other;
}

/* Goes on with what a payload or a copy gives. */
static void op_reload(struct model *m)
{
    struct model_inbox *inbox = &m->inboxes[below(INBOXES)];
    struct cursor *other;
    struct text_buf saved;
    struct text_buf again;

    if (inbox->cursor == NULL)
        return;
    saved = saved_form(inbox->cursor);
    other = chance(50) ? cursor_copy(inbox->cursor) : loaded(inbox->cursor);
    cr_assert_not_null(other);
    again = saved_form(other);
    cr_assert(notify_str_eq(text_buf_str(&saved), text_buf_str(&again)));
    cursor_free(inbox->cursor);
    inbox->cursor = other;
    text_buf_release(&saved);
    text_buf_release(&again);
}

/* ---- comparison ---- */

static bool is_among(const struct model *m, const bool wanted[CATEGORIES],
                     struct notify_str category)
{
    for (size_t i = 0; i < CATEGORIES; i++)
        if (category.ptr != NULL && notify_str_eq(m->categories[i], category))
            return wanted[i];
    return false;
}

/* A box that has muted these categories, in another order than the log's. */
static struct box *muting(const struct model *m, const bool mutes[CATEGORIES])
{
    struct box *box = box_new();

    for (size_t i = CATEGORIES; i-- > 0;)
        if (mutes[i])
            cr_assert_eq(test_mute(&box, m->categories[i], true), 1);
    return box;
}

/* only: NULL, or the categories that are asked for. */
static void check_inbox(struct model *m, size_t i, const bool *only)
{
    static struct category_wish wish;
    const struct model_inbox *inbox = &m->inboxes[i];
    struct notify_str wanted[CATEGORIES];
    struct cursor_counts expected = {0, 0};
    struct cursor_counts counts;
    struct category_choice choice;
    struct box *box;

    if (inbox->cursor == NULL)
        return;
    box = muting(m, inbox->mutes);
    muted_set_init(&wish.muted, box);
    wish.only = wanted;
    wish.only_count = 0;
    for (size_t k = 0; only != NULL && k < CATEGORIES; k++)
        if (only[k])
            wanted[wish.only_count++] = m->categories[k];
    if (wish.only_count == 0)
        only = NULL;
    choice = category_wish_for(&wish, m->log);
    for (size_t k = 0; k < m->count; k++) {
        const struct model_entry *e = &m->entries[k];
        if (notify_id_cmp(e->id, inbox->start) <= 0 || !is_countable(m, e) ||
            e->state[i].archived || is_among(m, inbox->mutes, e->category) ||
            (only != NULL && !is_among(m, only, e->category)))
            continue;
        expected.unread += !e->state[i].is_read;
        expected.unseen += !e->state[i].is_seen;
    }
    cr_assert(cursor_is_sound(inbox->cursor));
    counts = cursor_count(inbox->cursor, m->log, &choice, m->now);
    cr_assert_eq(counts.unread, expected.unread, "%" PRIu64 " unread, not %" PRIu64, counts.unread,
                 expected.unread);
    cr_assert_eq(counts.unseen, expected.unseen, "%" PRIu64 " unseen, not %" PRIu64, counts.unseen,
                 expected.unseen);
    box_free(box);
}

static void check_state(struct model *m)
{
    size_t i = below(INBOXES);
    const struct model_inbox *inbox = &m->inboxes[i];
    const struct model_entry *e;
    struct cursor_sight sight;
    struct cursor_state state;
    struct box_entry entry;

    if (m->count == 0 || inbox->cursor == NULL)
        return;
    e = &m->entries[below(m->count)];
    if (notify_id_cmp(e->id, inbox->start) <= 0)
        return;
    cr_assert(box_find(m->log, e->id, BOX_NEVER_EXPIRE, &entry));
    cr_assert_eq(cursor_sight_init(&sight, inbox->cursor, m->log), 0);
    state = cursor_state_of(&sight, e->id, entry.category_slot);
    cursor_sight_release(&sight);
    cr_assert_eq(state.archived, e->state[i].archived);
    if (e->kind == ENTRY_EVENT)
        return;
    cr_assert_eq(state.is_read, e->state[i].is_read);
    cr_assert_eq(state.is_seen, e->state[i].is_seen);
}

static void check_tally(struct model *m)
{
    static const struct category_choice all = {NULL};
    struct notify_id from = some_id(m);
    struct notify_id to = some_id(m);
    uint64_t expected = 0;

    for (size_t k = 0; k < m->count; k++)
        expected += notify_id_cmp(m->entries[k].id, from) >= 0 &&
                    notify_id_cmp(m->entries[k].id, to) <= 0 && is_countable(m, &m->entries[k]);
    cr_assert_eq(box_tally(m->log, from, to, &all, m->now), expected);
}

static void check(struct model *m, bool is_small)
{
    bool only[CATEGORIES];
    struct box_audit audit;

    for (size_t i = 0; i < CATEGORIES; i++)
        only[i] = chance(40);
    for (size_t i = is_small ? 0 : below(INBOXES); i < INBOXES; i++)
        check_inbox(m, i, NULL);
    check_inbox(m, below(INBOXES), only);
    check_state(m);
    check_tally(m);
    if (chance(2)) {
        cr_assert_eq(box_verify(m->log, &audit), 0);
        cr_assert(audit.sound);
    }
}

/* ---- the run ---- */

static const struct random_operation operations[] = {
    {op_send, 33},    {op_delete, 6}, {op_trim, 1},     {op_sweep, 3}, {op_withdraw, 3},
    {op_log_read, 1}, {op_time, 12},  {op_follow, 3},   {op_mute, 2},  {op_mark, 30},
    {op_upto, 4},     {op_reload, 2}, {op_category, 4},
};

static void run_model(struct model *m, uint64_t seed, size_t limit, size_t steps)
{
    memset(m, 0, sizeof(*m));
    random_begin(seed);
    m->limit = limit;
    m->now = START_MS;
    m->log = box_new();
    for (size_t i = 0; i < CATEGORIES; i++) {
        snprintf(category_names[i], sizeof(category_names[i]), "category %zu", i);
        m->categories[i] = notify_str_z(category_names[i]);
    }
    for (size_t step = 0; step < steps; step++) {
        random_operation_run(operations, m);
        check(m, limit < 500);
    }
    for (size_t i = 0; i < INBOXES; i++)
        cursor_free(m->inboxes[i].cursor);
    box_free(m->log);
    text_buf_release(&m->body);
}

Test(cursor_model, every_inbox_counts_what_the_model_counts_after_every_step, .timeout = 0)
{
    static const size_t limits[] = {4, 10, 40, 120, 400, LOG_MAX};
    struct model *m = malloc(sizeof(*m));
    size_t steps = setting("NOTIFY_MODEL_STEPS", 6000);
    size_t seeds = setting("NOTIFY_MODEL_SEEDS", 12);

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        mem_testing_install(seed % 3 != 0);
        run_model(m, seed, limits[seed % 6], steps);
        cr_assert_eq(mem_testing_live, 0, "seed %" PRIu64 " leaks", seed);
    }
    free(m);
}
