/* Cursors in a log: what marking does to watermarks and exceptions, limits, payloads, lack of
 * memory. That the counts are right whatever happens is test_cursor_model.c's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "box_testing.h"
#include "box/cursor_count.h"
#include "box/cursor_covers.h"
#include "box/cursor_edit.h"
#include "box/cursors.h"
#include "mem_testing.h"

static struct box *topic;
static struct cursor *cursor;
static struct text_buf body;
static const struct category_choice all = {NULL};

static struct notify_id id_of(uint64_t ms)
{
    return (struct notify_id){ms, 0};
}

static void add_entry(uint64_t ms, enum entry_kind kind)
{
    struct box_entry entry = {.id = id_of(ms), .kind = kind};

    entry.body = test_body(&body, "title", NULL);
    cr_assert_eq(box_append(&topic, &entry), 0);
}

/* Entries first .. last, all notifications. */
static void send_range(uint64_t first, uint64_t last)
{
    for (uint64_t ms = first; ms <= last; ms++)
        add_entry(ms, ENTRY_NOTIFICATION);
}

static void setup(void)
{
    mem_testing_install(1);
    topic = box_new();
    cursor = cursor_new(NOTIFY_STR("topic:all"), id_of(0));
}

static void teardown(void)
{
    cursor_free(cursor);
    box_free(topic);
    text_buf_release(&body);
    cr_assert_eq(mem_testing_live, 0, "something leaks");
}

TestSuite(cursor, .init = setup, .fini = teardown);

static int mark(uint64_t ms, enum box_mark what)
{
    struct cursor_edit edit;
    bool changed;
    int rc;

    cr_assert_eq(cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE), 0);
    changed = cursor_edit_mark(&edit, id_of(ms), what);
    rc = cursor_edit_commit(&edit);
    return rc < 0 ? rc : changed;
}

static uint64_t upto(uint64_t ms, enum box_mark what)
{
    struct notify_id told;
    struct cursor_edit edit;
    uint64_t count;

    cr_assert_eq(cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE), 0);
    count = cursor_edit_upto(&edit, id_of(ms), what, &told);
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    return count;
}

static struct cursor_counts counts(void)
{
    return cursor_count(cursor, topic, &all, BOX_NEVER_EXPIRE);
}

static struct cursor_state state_of(uint64_t ms)
{
    struct cursor_sight sight;
    struct cursor_state state;
    struct box_entry entry = {0};

    (void)box_find(topic, id_of(ms), BOX_NEVER_EXPIRE, &entry);
    cr_assert_eq(cursor_sight_init(&sight, cursor, topic), 0);
    state = cursor_state_of(&sight, id_of(ms), entry.category_slot);
    cursor_sight_release(&sight);
    return state;
}

static bool read_mark_is(uint64_t ms)
{
    return notify_id_cmp(cursor->read_mark, id_of(ms)) == 0;
}

/* The first exception of a kind; 0: none. */
static uint64_t first_mark(enum cursor_mark_kind kind)
{
    struct notify_id id = {0, 0};
    uint32_t pos = 0;

    return cursor_next_mark(cursor, kind, &pos, &id) ? id.ms : 0;
}

Test(cursor, counts_what_comes_after_its_start)
{
    send_range(1, 10);
    cursor_free(cursor);
    cursor = cursor_new(NOTIFY_STR("x"), id_of(7));
    cr_assert_eq(counts().unread, 3);
    cr_assert_eq(counts().unseen, 3);
    cr_assert_eq(mark(7, BOX_MARK_READ), 0, "not its own");
    cr_assert_eq(cursor_count(cursor, NULL, &all, BOX_NEVER_EXPIRE).unread, 0, "no log");
}

Test(cursor, reading_in_order_moves_the_watermark_and_leaves_nothing)
{
    send_range(1, 5);
    for (uint64_t ms = 1; ms <= 5; ms++) {
        cr_assert_eq(mark(ms, BOX_MARK_READ), 1);
        cr_assert(read_mark_is(ms));
        cr_assert_eq(cursor->mark_count, 0);
        cr_assert_null(cursor->marks);
    }
}

Test(cursor, reading_out_of_order_leaves_exceptions_until_the_gap_is_read)
{
    send_range(1, 6);
    mark(4, BOX_MARK_READ);
    mark(2, BOX_MARK_READ);
    cr_assert(read_mark_is(0));
    cr_assert_eq(cursor->mark_count, 2);
    cr_assert_eq(first_mark(CURSOR_READ), 2);
    mark(1, BOX_MARK_READ);
    cr_assert(read_mark_is(2));
    mark(3, BOX_MARK_READ);
    cr_assert(read_mark_is(4));
    cr_assert_eq(cursor->mark_count, 0);
    cr_assert_eq(counts().unread, 2);
}

Test(cursor, unread_again_below_the_watermark_is_an_exception)
{
    send_range(1, 6);
    cr_assert_eq(upto(5, BOX_MARK_READ), 5);
    cr_assert_eq(mark(3, BOX_MARK_UNREAD), 1);
    cr_assert_eq(first_mark(CURSOR_UNREAD), 3);
    cr_assert_eq(counts().unread, 2);
    cr_assert_eq(counts().unseen, 1, "it has been seen all the same");
    cr_assert_eq(upto(4, BOX_MARK_READ), 1);
    cr_assert(read_mark_is(5));
    cr_assert_eq(cursor->mark_count, 0);
}

Test(cursor, archiving_and_reading_do_not_forget_each_other)
{
    send_range(1, 4);
    mark(2, BOX_MARK_ARCHIVED);
    cr_assert_eq(counts().unread, 3);
    cr_assert_eq(upto(4, BOX_MARK_READ), 4, "archived ones too");
    cr_assert_eq(first_mark(CURSOR_ARCHIVED), 2);
    mark(2, BOX_MARK_UNREAD);
    cr_assert_eq(counts().unread, 0, "archived");
    mark(2, BOX_MARK_UNARCHIVED);
    cr_assert_eq(counts().unread, 1);
    cr_assert(state_of(2).is_seen);
}

Test(cursor, what_is_archived_does_not_stop_the_watermark)
{
    send_range(1, 4);
    mark(1, BOX_MARK_ARCHIVED);
    mark(2, BOX_MARK_READ);
    cr_assert(read_mark_is(2));
    cr_assert_eq(cursor->mark_count, 1);
    cr_assert_not(state_of(1).is_read, "passing over it is not reading it");
    cr_assert_not(state_of(1).is_seen);
    mark(1, BOX_MARK_UNARCHIVED);
    cr_assert_eq(counts().unread, 3);
}

Test(cursor, events_are_passed_over_and_cannot_be_read)
{
    add_entry(1, ENTRY_NOTIFICATION);
    add_entry(2, ENTRY_EVENT);
    add_entry(3, ENTRY_NOTIFICATION);
    add_entry(4, ENTRY_EVENT);
    cr_assert_eq(counts().unread, 2);
    cr_assert_eq(mark(2, BOX_MARK_READ), 0);
    cr_assert_eq(mark(2, BOX_MARK_SEEN), 0);
    cr_assert_eq(mark(2, BOX_MARK_ARCHIVED), 1);
    mark(1, BOX_MARK_READ);
    cr_assert(read_mark_is(2));
    mark(3, BOX_MARK_READ);
    cr_assert(read_mark_is(4));
}

Test(cursor, what_the_log_has_withdrawn_stops_the_watermark_as_it_may_return)
{
    send_range(1, 3);
    box_mark(&topic, id_of(1), BOX_MARK_ARCHIVED, 5, BOX_NEVER_EXPIRE);
    mark(2, BOX_MARK_READ);
    cr_assert(read_mark_is(0));
    cr_assert_eq(counts().unread, 1);
    box_mark(&topic, id_of(1), BOX_MARK_UNARCHIVED, 5, BOX_NEVER_EXPIRE);
    cr_assert_eq(counts().unread, 2);
}

Test(cursor, a_watermark_for_nothing_does_not_move)
{
    send_range(1, 3);
    cr_assert_eq(upto(3, BOX_MARK_READ), 3);
    add_entry(4, ENTRY_EVENT);
    cr_assert_eq(upto(4, BOX_MARK_READ), 0);
    cr_assert(read_mark_is(3));
    cr_assert_eq(upto(3, BOX_MARK_SEEN), 0);
}

Test(cursor, exceptions_before_the_logs_first_entry_are_forgotten_with_the_next_change)
{
    send_range(1, 10);
    mark(3, BOX_MARK_READ);
    mark(5, BOX_MARK_READ);
    box_trim_minid(&topic, id_of(4), BOX_NEVER_EXPIRE, NULL);
    cr_assert_eq(counts().unread, 6);
    cr_assert_eq(cursor->mark_count, 2);
    mark(8, BOX_MARK_READ);
    cr_assert_eq(first_mark(CURSOR_READ), 5);
    cr_assert_eq(cursor->mark_count, 2);
}

Test(cursor, too_many_exceptions_are_refused_and_nothing_changes)
{
    send_range(1, 2 * LIMIT_EXCEPTIONS + 10);
    for (uint64_t n = 1; n <= LIMIT_EXCEPTIONS; n++)
        cr_assert_eq(mark(2 * n, BOX_MARK_READ), 1);
    cr_assert_eq(mark(2 * LIMIT_EXCEPTIONS + 4, BOX_MARK_READ), -ENOSPC);
    cr_assert_eq(cursor->mark_count, LIMIT_EXCEPTIONS);
    cr_assert_not(state_of(2 * LIMIT_EXCEPTIONS + 4).is_read);
    cr_assert_eq(box_delete(&topic, id_of(10), BOX_NEVER_EXPIRE), 1);
    cr_assert_eq(mark(2 * LIMIT_EXCEPTIONS + 4, BOX_MARK_READ), 1, "one of them has gone");
    cr_assert_eq(mark(1, BOX_MARK_READ), 1, "this makes room by itself");
    cr_assert_eq(counts().unread, LIMIT_EXCEPTIONS + 10 - 2);
}

Test(cursor, many_at_once_may_pass_the_limit_if_they_close_their_gaps)
{
    struct cursor_edit edit;

    send_range(1, 3000);
    cr_assert_eq(cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE), 0);
    for (uint64_t ms = 2; ms <= 2500; ms++)
        cr_assert(cursor_edit_mark(&edit, id_of(ms), BOX_MARK_READ));
    cr_assert(cursor_edit_mark(&edit, id_of(1), BOX_MARK_READ));
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    cr_assert(read_mark_is(2500));
    cr_assert_eq(counts().unread, 500);
}

Test(cursor, any_number_at_once_may_be_read_in_order)
{
    const uint64_t count = CURSOR_EDIT_TIDY + 5000;
    struct cursor_edit edit;

    send_range(1, 2 * count);
    cr_assert_eq(cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE), 0);
    for (uint64_t ms = 1; ms <= count; ms++)
        cr_assert(cursor_edit_mark(&edit, id_of(ms), BOX_MARK_READ));
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    cr_assert_eq(cursor->mark_count, 0);
    cr_assert(read_mark_is(count));
    cr_assert_eq(counts().unread, count);
}

Test(cursor, without_memory_nothing_changes)
{
    struct cursor_edit edit;

    send_range(1, 50);
    mark(3, BOX_MARK_READ);
    for (long request = 1;; request++) {
        int rc;
        mem_testing_fail_at(request);
        rc = cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE);
        if (rc == 0) {
            for (uint64_t ms = 10; ms <= 48; ms += 2)
                (void)cursor_edit_mark(&edit, id_of(ms), BOX_MARK_READ);
            rc = cursor_edit_commit(&edit);
        }
        mem_testing_fail_from = 0;
        if (rc == 0)
            break;
        cr_assert_eq(rc, -ENOMEM);
        cr_assert_eq(counts().unread, 49);
        cr_assert_eq(cursor->mark_count, 1);
    }
    cr_assert_eq(counts().unread, 29);
}

/* ---- payloads ---- */

static struct cursor *load(const char *bytes, size_t len)
{
    const char *why = NULL;
    struct cursor *loaded = cursor_load(notify_str_of(bytes, len), &why);

    cr_assert(loaded != NULL || why != NULL);
    return loaded;
}

static bool is_accepted(const char *bytes, size_t len)
{
    struct cursor *loaded = load(bytes, len);

    cursor_free(loaded);
    return loaded != NULL;
}

/* name "x", start 2-0, read 5-0, seen 4-0, then what comes. */
#define HEAD "\1x\2\0\5\0\4\0"
#define ACCEPTED(literal) is_accepted(literal, sizeof(literal) - 1)

Test(cursor, only_sound_payloads_are_accepted)
{
    cr_assert(ACCEPTED(HEAD "\0"));
    cr_assert(ACCEPTED(HEAD "\1\3\0\1"), "unread up to the watermark");
    cr_assert(ACCEPTED(HEAD "\2\3\0\1\3\0\2"), "and seen after it");
    cr_assert_not(ACCEPTED(""), "nothing");
    cr_assert_not(ACCEPTED(HEAD), "no number of exceptions");
    cr_assert_not(ACCEPTED(HEAD "\0\0"), "bytes left over");
    cr_assert_not(ACCEPTED(HEAD "\2\3\0\1"), "one is missing");
    cr_assert_not(ACCEPTED(HEAD "\1\2\0\1"), "not after the start");
    cr_assert_not(ACCEPTED(HEAD "\2\3\0\1\0\0\1"), "ids do not rise");
    cr_assert_not(ACCEPTED(HEAD "\1\3\0\0"), "says nothing");
    cr_assert_not(ACCEPTED(HEAD "\1\3\0\x10"), "an unknown flag");
    cr_assert(ACCEPTED(HEAD "\1\6\0\x8"), "unread though covered, as far as it can tell");
    cr_assert_not(ACCEPTED(HEAD "\1\3\0\x8"), "nothing covers what the watermark has reached");
    cr_assert_not(ACCEPTED(HEAD "\1\6\0\x9"), "read and unread");
    cr_assert_not(ACCEPTED(HEAD "\1\3\0\2"), "seen, where the watermark says so already");
    cr_assert_not(ACCEPTED(HEAD "\1\6\0\3"), "seen, where being read says so already");
    cr_assert_not(ACCEPTED("\1x\5\0\4\0\5\0\0"), "read before the start");
    cr_assert_not(ACCEPTED("\1x\5\0\5\0\4\0\0"), "seen before the start");
    cr_assert_not(ACCEPTED("\2x"), "a name cut short");
    cr_assert_not(ACCEPTED("\1x\xff\xff\xff\xff\xff\xff\x3f\0\5\0\5\0\0"), "a time too late");
    cr_assert_not(ACCEPTED(HEAD "\xff\xff\xff\xff\xff\xff\xff\x3f"), "a huge number of exceptions");
}

Test(cursor, what_is_saved_loads_as_it_was_cut_short_never)
{
    struct text_buf saved = TEXT_BUF_INIT;
    struct text_buf again = TEXT_BUF_INIT;
    struct cursor *loaded;

    send_range(1, 40);
    upto(11, BOX_MARK_READ);
    upto(20, BOX_MARK_SEEN);
    for (uint64_t ms = 3; ms <= 39; ms += 4)
        mark(ms, (enum box_mark)(ms / 4 % 5));
    cursor_save(cursor, true, &saved);
    loaded = load(saved.ptr, saved.len);
    cr_assert_not_null(loaded);
    cursor_save(loaded, true, &again);
    cr_assert(notify_str_eq(text_buf_str(&saved), text_buf_str(&again)));
    cr_assert_eq(cursor_count(loaded, topic, &all, BOX_NEVER_EXPIRE).unread, counts().unread);
    cursor_free(loaded);
    for (size_t len = 0; len < saved.len; len++)
        cr_assert_not(is_accepted(saved.ptr, len));
    text_buf_release(&saved);
    text_buf_release(&again);
}

Test(cursor, a_cursor_that_contradicts_itself_is_found_out)
{
    send_range(1, 10);
    mark(4, BOX_MARK_READ);
    cr_assert(cursor_is_sound(cursor));
    cursor->read_mark = id_of(4);
    cr_assert(cursor_is_sound(cursor), "its exception says unread now");
    cursor->start = id_of(4);
    cr_assert_not(cursor_is_sound(cursor), "an exception before the start");
    cursor->start = id_of(5);
    cr_assert_not(cursor_is_sound(cursor), "a watermark before the start");
    cursor->start = id_of(0);
    cursor->mark_count = 0;
    cr_assert_not(cursor_is_sound(cursor), "exceptions that nobody counts");
    cursor->mark_count = 1;
}

/* ---- categories ---- */

static const struct notify_str news = {"news", 4};
static const struct notify_str other = {"other", 5};

static void send_to(uint64_t ms, struct notify_str category)
{
    struct box_entry entry = {.id = id_of(ms), .category = category};

    entry.body = test_body(&body, "title", NULL);
    cr_assert_eq(box_append(&topic, &entry), 0);
}

/* 1 .. 9: news, other, none, and again. */
static void send_three_of_each(void)
{
    for (uint64_t ms = 1; ms <= 9; ms += 3) {
        send_to(ms, news);
        send_to(ms + 1, other);
        send_to(ms + 2, CATEGORY_NONE);
    }
}

static int64_t read_category(struct notify_str category, uint64_t ms)
{
    struct notify_id told;
    struct cursor_edit edit;
    uint64_t count;
    int rc;

    cr_assert_eq(cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE), 0);
    count = cursor_edit_category(&edit, category, id_of(ms), &told);
    rc = cursor_edit_commit(&edit);
    return rc < 0 ? rc : (int64_t)count;
}

Test(cursor, a_category_is_read_by_a_watermark_of_its_own_whatever_its_size)
{
    for (uint64_t ms = 1; ms <= 3 * LIMIT_EXCEPTIONS; ms += 3) {
        send_to(ms, other);
        send_to(ms + 1, news);
        send_to(ms + 2, news);
    }
    cr_assert_eq(read_category(news, UINT64_C(1) << 40), 2 * LIMIT_EXCEPTIONS);
    cr_assert_eq(cursor->mark_count, 0);
    cr_assert_eq(counts().unread, LIMIT_EXCEPTIONS);
    cr_assert_eq(read_category(news, UINT64_C(1) << 40), 0);
    send_to(5 * LIMIT_EXCEPTIONS, news);
    cr_assert_eq(counts().unread, LIMIT_EXCEPTIONS + 1, "what comes later is not read");
    cr_assert(cursor_is_sound(cursor));
}

Test(cursor, exceptions_stand_before_the_watermark_of_a_category)
{
    send_three_of_each();
    mark(4, BOX_MARK_READ);
    cr_assert_eq(read_category(news, 6), 1, "one of the two was read before");
    cr_assert_eq(counts().unread, 7);
    cr_assert_eq(mark(4, BOX_MARK_UNREAD), 1);
    cr_assert_not(state_of(4).is_read);
    cr_assert(state_of(4).is_seen);
    cr_assert_eq(first_mark(CURSOR_UNREAD), 4);
    cr_assert_eq(mark(4, BOX_MARK_READ), 1);
    cr_assert_eq(cursor->mark_count, 0);
    mark(1, BOX_MARK_ARCHIVED);
    cr_assert_eq(mark(4, BOX_MARK_UNREAD), 1);
    cr_assert_eq(read_category(news, 9), 2, "the third, and the one that was unread again");
    cr_assert(state_of(1).archived);
    cr_assert(cursor_is_sound(cursor));
}

Test(cursor, the_watermark_for_all_goes_over_categories_that_are_read)
{
    send_three_of_each();
    read_category(news, 7);
    read_category(other, 9);
    cr_assert_eq(cursor_covers_count(cursor->covers), 2);
    cr_assert(read_mark_is(2));
    mark(3, BOX_MARK_READ);
    cr_assert(read_mark_is(5));
    mark(8, BOX_MARK_UNREAD);
    mark(6, BOX_MARK_READ);
    cr_assert(read_mark_is(7), "8 is not read");
    cr_assert_eq(cursor_covers_count(cursor->covers), 1, "news says no more than it");
    cr_assert_eq(upto(9, BOX_MARK_READ), 2);
    cr_assert_null(cursor->covers);
    cr_assert_eq(cursor->mark_count, 0);
}

Test(cursor, categories_with_watermarks_have_a_limit)
{
    char names[LIMIT_COVERS + 1][16];
    uint64_t ms = 1;

    send_to(ms++, CATEGORY_NONE); /* nothing goes over it */
    for (size_t i = 0; i <= LIMIT_COVERS; i++)
        send_to(ms++, notify_str_of(names[i], (size_t)sprintf(names[i], "number %zu", i)));
    for (size_t i = 0; i < LIMIT_COVERS; i++)
        cr_assert_eq(read_category(notify_str_z(names[i]), ms), 1);
    cr_assert_eq(read_category(notify_str_z(names[LIMIT_COVERS]), ms), -ENOSPC);
    cr_assert_eq(counts().unread, 2);
    for (size_t i = 0; i < LIMIT_COVERS; i++)
        cr_assert(state_of(2 + i).is_read);
    cr_assert_not(state_of(2 + LIMIT_COVERS).is_read);
}

Test(cursor, without_memory_no_category_is_read)
{
    send_three_of_each();
    read_category(other, 5);
    mark(9, BOX_MARK_READ);
    for (long request = 1;; request++) {
        struct notify_id told;
        struct cursor_edit edit;
        int rc;
        mem_testing_fail_at(request);
        rc = cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE);
        if (rc == 0) {
            (void)cursor_edit_category(&edit, news, id_of(9), &told);
            rc = cursor_edit_commit(&edit);
        }
        mem_testing_fail_from = 0;
        if (rc == 0)
            break;
        cr_assert_eq(rc, -ENOMEM);
        cr_assert_eq(counts().unread, 6);
        cr_assert(cursor_is_sound(cursor));
    }
    cr_assert_eq(counts().unread, 3);
}

static bool are_accepted(const char *bytes, size_t len)
{
    struct notify_str left = notify_str_of(bytes, len);
    struct cursor_covers *covers = NULL;
    const char *why = NULL;
    bool loaded = cursor_covers_load(&left, &covers, &why);
    bool sound = loaded && left.len == 0 && cursor_covers_are_sound(covers, id_of(5));

    cr_assert(loaded || why != NULL);
    cr_assert_eq(loaded, covers != NULL);
    cursor_covers_free(covers);
    return sound;
}

#define COVERS_ACCEPTED(literal) are_accepted(literal, sizeof(literal) - 1)

Test(cursor, only_sound_watermarks_of_categories_are_accepted)
{
    cr_assert(COVERS_ACCEPTED("\1\1x\6\0"));
    cr_assert(COVERS_ACCEPTED("\2\1x\6\0\2xa\7\1"));
    cr_assert_not(COVERS_ACCEPTED(""), "nothing");
    cr_assert_not(COVERS_ACCEPTED("\0"), "an empty set is none");
    cr_assert_not(COVERS_ACCEPTED("\1\1x\6"), "cut short");
    cr_assert_not(COVERS_ACCEPTED("\2\1x\6\0"), "one is missing");
    cr_assert_not(COVERS_ACCEPTED("\1\x7fx\6\0"), "a name that is longer than all");
    cr_assert_not(COVERS_ACCEPTED("\1\1x\6\0\0"), "bytes left over");
    cr_assert_not(COVERS_ACCEPTED("\1\1x\5\0"), "no more than the watermark for all");
    cr_assert_not(COVERS_ACCEPTED("\1\0\6\0"), "no name");
    cr_assert_not(COVERS_ACCEPTED("\1\1\xff\6\0"), "no text");
    cr_assert_not(COVERS_ACCEPTED("\2\1x\6\0\1x\7\0"), "twice");
    cr_assert_not(COVERS_ACCEPTED("\2\1y\6\0\1x\7\0"), "out of order");
    cr_assert_not(COVERS_ACCEPTED("\1\1x\xff\xff\xff\xff\xff\xff\x3f\0"), "a time too late");
    cr_assert_not(COVERS_ACCEPTED("\xff\xff\xff\xff\xff\xff\xff\x3f"), "a huge number");
}

/* ---- without the log ---- */

static bool mark_blindly(uint64_t ms, enum box_mark what)
{
    struct cursor_edit edit;
    bool changed;

    cr_assert_eq(cursor_edit_begin(&edit, cursor, NULL, BOX_NEVER_EXPIRE), 0);
    changed = cursor_edit_mark(&edit, id_of(ms), what);
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    cr_assert(cursor_is_sound(cursor));
    return changed;
}

static uint64_t upto_blindly(uint64_t ms, enum box_mark what)
{
    struct notify_id told = {0, 0};
    struct cursor_edit edit;
    uint64_t changed;

    cr_assert_eq(cursor_edit_begin(&edit, cursor, NULL, BOX_NEVER_EXPIRE), 0);
    changed = cursor_edit_upto(&edit, id_of(ms), what, &told);
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    cr_assert(changed == 0 || told.ms == ms);
    cr_assert(cursor_is_sound(cursor));
    return changed;
}

static bool is_state(struct cursor_state state, bool is_read, bool is_seen, bool archived)
{
    return state.is_read == is_read && state.is_seen == is_seen && state.archived == archived;
}

Test(cursor, a_blind_edit_takes_ids_at_their_word_and_counts_agree_when_the_log_is_seen_again)
{
    send_range(1, 6);
    cr_assert(mark_blindly(4, BOX_MARK_READ));
    cr_assert_not(mark_blindly(4, BOX_MARK_READ));
    cr_assert(mark_blindly(5, BOX_MARK_SEEN));
    cr_assert(mark_blindly(6, BOX_MARK_ARCHIVED));
    cr_assert(mark_blindly(9, BOX_MARK_READ), "whether it exists or not");
    cr_assert_eq(counts().unread, 4);
    cr_assert_eq(counts().unseen, 3);
    cr_assert(mark_blindly(4, BOX_MARK_UNREAD));
    cr_assert_not(mark_blindly(4, BOX_MARK_UNREAD));
    cr_assert(is_state(state_of(4), false, true, false), "seen it stays");
    cr_assert(mark_blindly(6, BOX_MARK_UNARCHIVED));
    cr_assert_eq(counts().unread, 6);
    cr_assert_eq(counts().unseen, 4);
}

Test(cursor, a_blind_watermark_moves_forward_and_ends_exceptions)
{
    send_range(1, 6);
    mark_blindly(2, BOX_MARK_READ);
    mark_blindly(3, BOX_MARK_ARCHIVED);
    cr_assert_eq(upto_blindly(4, BOX_MARK_SEEN), 1);
    cr_assert_eq(upto_blindly(4, BOX_MARK_SEEN), 0);
    cr_assert_eq(upto_blindly(4, BOX_MARK_READ), 1);
    cr_assert_eq(upto_blindly(3, BOX_MARK_READ), 0);
    cr_assert_eq(counts().unread, 2);
    cr_assert(mark_blindly(1, BOX_MARK_UNREAD));
    cr_assert_eq(upto_blindly(3, BOX_MARK_READ), 1, "1 was unread again");
    cr_assert(read_mark_is(4));
    cr_assert(is_state(state_of(3), true, true, true));
    cr_assert_eq(cursor->mark_count, 1);
}

Test(cursor, a_blind_edit_leaves_alone_what_categories_say_and_may_say_otherwise)
{
    send_three_of_each();
    read_category(other, 9);
    cr_assert(mark_blindly(5, BOX_MARK_ARCHIVED));
    cr_assert(is_state(state_of(5), true, true, true));
    cr_assert(mark_blindly(5, BOX_MARK_UNREAD));
    cr_assert(is_state(state_of(5), false, true, true));
    cr_assert(mark_blindly(4, BOX_MARK_UNREAD),
              "its category may have been read, for all it knows");
    cr_assert(is_state(state_of(4), false, true, false));
    cr_assert(mark_blindly(5, BOX_MARK_READ));
    cr_assert(mark_blindly(8, BOX_MARK_READ));
    cr_assert(is_state(state_of(5), true, true, true));
    cr_assert_eq(counts().unread, 6);
    cr_assert_eq(mark(7, BOX_MARK_READ), 1);
    cr_assert_eq(counts().unread, 5);
    cr_assert(cursor_is_sound(cursor));
}
