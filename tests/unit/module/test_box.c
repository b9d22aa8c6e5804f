/* Single behaviours of the box; tests/unit/test_box_model.c runs them against each other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "box_testing.h"
#include "base/limits.h"
#include "box/category_table.h"
#include "mem_testing.h"

#define NOW UINT64_C(1795208400000)

static struct box *box;
static struct text_buf body_buf;

static void setup(void)
{
    mem_testing_install(1);
    body_buf = TEXT_BUF_INIT;
    box = box_new();
}

static void teardown(void)
{
    box_free(box);
    text_buf_release(&body_buf);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(box, .init = setup, .fini = teardown);

static struct notify_id id_of(uint64_t n)
{
    return (struct notify_id){NOW + n, 0};
}

/* A body with a collapse token. */
static struct notify_str body_with(const char *token)
{
    struct body plain = {0};
    struct body_error error;

    plain.field[BODY_TITLE] = NOTIFY_STR("title");
    plain.field[BODY_COLLAPSE] = notify_str_z(token);
    cr_assert(body_build(&body_buf, &plain, &error));
    return text_buf_str(&body_buf);
}

static struct box_entry entry_of(uint64_t n)
{
    return (struct box_entry){.id = id_of(n), .body = test_body(&body_buf, "title", "content")};
}

static void append(struct box_entry entry)
{
    cr_assert_eq(box_append(&box, &entry), 0);
}

static void append_many(uint64_t count)
{
    for (uint64_t n = 1; n <= count; n++)
        append(entry_of(n));
}

static bool is_sound(void)
{
    struct box_audit audit;

    return box_verify(box, &audit) == 0 && audit.sound;
}

/* ---- collapse tokens, the end of the key ---- */

static struct notify_id append_with(uint64_t n, const char *token, uint64_t now_ms)
{
    struct box_entry entry = {.id = id_of(n), .body = body_with(token)};
    struct box_appended appended;

    cr_assert_eq(box_append_collapsing(&box, &entry, now_ms, &appended), 0);
    return appended.replaced;
}

Test(box, an_entry_replaces_the_one_with_its_token)
{
    struct box_entry entry = {.id = id_of(9)};

    cr_assert(notify_id_is_zero(append_with(1, "a", NOW)));
    cr_assert(notify_id_is_zero(append_with(2, "b", NOW)));
    cr_assert_eq(notify_id_cmp(append_with(3, "a", NOW), id_of(1)), 0);
    cr_assert_eq(box_count(box, NOW).live, 2);
    cr_assert_eq(box_unread(box, NOW), 2);
    entry.body = body_with("b");
    cr_assert_eq(box_append(&box, &entry), -EEXIST);
    cr_assert_eq(box_delete(&box, id_of(2), NOW), 1);
    entry.body = body_with("b");
    cr_assert_eq(box_append(&box, &entry), 0);
    cr_assert(is_sound());
}

Test(box, a_replaced_entry_that_had_expired_is_removed_but_not_named)
{
    struct box_entry entry = {.id = id_of(1), .expire_ms = NOW + 5, .body = body_with("a")};

    append(entry);
    cr_assert(notify_id_is_zero(append_with(2, "a", NOW + 5)));
    cr_assert_eq(box_count(box, BOX_NEVER_EXPIRE).live, 1);
}

Test(box, a_key_has_an_end_when_everything_in_it_has)
{
    struct box_entry entry = entry_of(1);

    entry.expire_ms = NOW + 100;
    append(entry);
    cr_assert_eq(box_settle_key_end(&box), 0);
    cr_assert_eq(box_key_end_ms(box), NOW + 100);
    entry.id = id_of(500);
    entry.expire_ms = NOW + 50;
    append(entry);
    cr_assert_eq(box_key_end_ms(box), NOW + 500, "not before the time in the last id");
    append(entry_of(501));
    cr_assert_eq(box_key_end_ms(box), 0);
    cr_assert_eq(box_delete(&box, id_of(501), NOW), 1);
    cr_assert_eq(box_settle_key_end(&box), 0);
    cr_assert_eq(box_key_end_ms(box), NOW + 501);
    cr_assert_eq(box_restore_key_end(&box, NOW + 99), -EINVAL, "an entry lives longer");
    cr_assert(is_sound());
}

Test(box, a_plain_box_has_no_extra)
{
    append_many(200);
    cr_assert_null(box_extra(box));
    cr_assert_eq(box_key_end_ms(box), 0);
}

/* ---- ids ---- */

Test(box, an_id_takes_the_time_or_follows_the_last_one)
{
    struct notify_id id;

    cr_assert_eq(box_next_id(box, NOW, &id), 0);
    cr_assert_eq(notify_id_cmp(id, (struct notify_id){NOW, 0}), 0);
    box_raise_last_id(box, (struct notify_id){NOW, 7});
    cr_assert_eq(box_next_id(box, NOW, &id), 0);
    cr_assert_eq(notify_id_cmp(id, (struct notify_id){NOW, 8}), 0);
    cr_assert_eq(box_next_id(box, NOW - 5000, &id), 0, "the clock went back");
    cr_assert_eq(notify_id_cmp(id, (struct notify_id){NOW, 8}), 0);
    box_raise_last_id(box, (struct notify_id){NOW, UINT64_MAX});
    cr_assert_eq(box_next_id(box, NOW, &id), 0);
    cr_assert_eq(notify_id_cmp(id, (struct notify_id){NOW + 1, 0}), 0);
    box_raise_last_id(box, (struct notify_id){NOTIFY_ID_MAX_MS, UINT64_MAX});
    cr_assert_eq(box_next_id(box, NOW, &id), -EOVERFLOW);
}

Test(box, the_first_id_is_never_0_0)
{
    struct notify_id id;

    cr_assert_eq(box_next_id(box, 0, &id), 0);
    cr_assert_eq(notify_id_cmp(id, (struct notify_id){0, 1}), 0);
}

Test(box, an_id_that_is_not_greater_than_the_last_is_refused_even_after_deletion)
{
    struct box_entry entry = entry_of(2);

    append(entry_of(2));
    cr_assert_eq(box_append(&box, &entry), -ERANGE);
    cr_assert_eq(box_delete(&box, entry.id, NOW), 1);
    cr_assert_eq(box_append(&box, &entry), -ERANGE);
    entry.id = (struct notify_id){0, 0};
    cr_assert_eq(box_append(&box, &entry), -ERANGE);
    entry.id = (struct notify_id){NOTIFY_ID_MAX_MS + 1, 0};
    cr_assert_eq(box_append(&box, &entry), -ERANGE);
}

Test(box, an_entry_that_cannot_be_is_refused)
{
    struct box_entry entry = entry_of(1);

    entry.level = (enum entry_level)LEVEL_COUNT;
    cr_assert_eq(box_append(&box, &entry), -EINVAL);
    entry = entry_of(1);
    entry.category = NOTIFY_STR("a\nb");
    cr_assert_eq(box_append(&box, &entry), -EINVAL);
    entry = entry_of(1);
    entry.expire_ms = NOTIFY_ID_MAX_MS + 1;
    cr_assert_eq(box_append(&box, &entry), -EINVAL);
    entry = entry_of(1);
    entry.body.len = LIMIT_BODY + 1;
    cr_assert_eq(box_append(&box, &entry), -EMSGSIZE);
    cr_assert_eq(box_count(box, NOW).live, 0);
}

/* ---- state ---- */

Test(box, reading_also_sees_and_unreading_keeps_seen)
{
    struct box_entry e;

    append(entry_of(1));
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_READ, NOW + 10, NOW), 1);
    cr_assert(box_find(box, id_of(1), NOW, &e));
    cr_assert(e.is_read && e.is_seen);
    cr_assert_eq(e.read_ms, NOW + 10);
    cr_assert_eq(e.seen_ms, NOW + 10);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_UNREAD, NOW + 20, NOW), 1);
    cr_assert(box_find(box, id_of(1), NOW, &e));
    cr_assert(!e.is_read && e.is_seen);
    cr_assert_eq(e.read_ms, 0);
    cr_assert_eq(e.seen_ms, NOW + 10);
    cr_assert_eq(box_count(box, NOW).unread, 1);
    cr_assert_eq(box_count(box, NOW).unseen, 0);
}

Test(box, repeating_a_mark_keeps_the_first_time_and_changes_nothing)
{
    struct box_entry e;

    append(entry_of(1));
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_SEEN, NOW + 1, NOW), 1);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_SEEN, NOW + 2, NOW), 0);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_READ, NOW + 3, NOW), 1);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_READ, NOW + 4, NOW), 0);
    cr_assert(box_find(box, id_of(1), NOW, &e));
    cr_assert_eq(e.seen_ms, NOW + 1);
    cr_assert_eq(e.read_ms, NOW + 3);
    cr_assert_eq(box_mark(&box, id_of(2), BOX_MARK_READ, NOW, NOW), 0, "unknown id");
}

Test(box, events_are_never_counted_nor_read_but_can_be_archived)
{
    struct box_entry event = entry_of(1);

    event.kind = ENTRY_EVENT;
    event.is_read = true; /* ignored */
    append(event);
    cr_assert_eq(box_count(box, NOW).live, 1);
    cr_assert_eq(box_count(box, NOW).unread, 0);
    cr_assert_eq(box_count(box, NOW).unseen, 0);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_READ, NOW, NOW), 0);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_SEEN, NOW, NOW), 0);
    cr_assert_eq(box_mark_upto(&box, id_of(9), CATEGORY_NONE, BOX_MARK_READ, NOW, NOW), 0);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_ARCHIVED, NOW, NOW), 1);
    cr_assert(is_sound());
}

Test(box, archived_entries_are_not_counted_and_come_back_unread)
{
    append(entry_of(1));
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_ARCHIVED, NOW, NOW), 1);
    cr_assert_eq(box_unread(box, NOW), 0);
    cr_assert_eq(box_count(box, NOW).live, 1);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_UNARCHIVED, NOW, NOW), 1);
    cr_assert_eq(box_unread(box, NOW), 1);
}

Test(box, a_muted_category_is_not_counted_until_it_is_unmuted)
{
    struct box_entry entry = entry_of(1);
    struct notify_str ci = NOTIFY_STR("ci");

    entry.category = ci;
    append(entry);
    append(entry_of(2));
    cr_assert_eq(test_mute(&box, ci, true), 1);
    cr_assert_eq(test_mute(&box, ci, true), 0);
    cr_assert_eq(box_unread(box, NOW), 1);
    cr_assert_eq(box_unread_of(box, ci, NOW), 0);
    cr_assert_eq(test_mute(&box, ci, false), 1);
    cr_assert_eq(box_unread(box, NOW), 2);
    cr_assert_eq(box_unread_of(box, ci, NOW), 1);
    cr_assert(is_sound());
}

/* ---- expiry ---- */

Test(box, an_expired_entry_is_gone_from_every_reading_at_that_instant)
{
    struct box_entry entry = entry_of(1);
    struct box_entry e;

    entry.expire_ms = NOW + 1000;
    entry.level = LEVEL_CRITICAL;
    append(entry);
    append(entry_of(2));
    cr_assert_eq(box_unread(box, NOW + 999), 2);
    cr_assert_eq(box_max_unread_level(box, NOW + 999), LEVEL_CRITICAL);
    cr_assert_eq(box_unread(box, NOW + 1000), 1);
    cr_assert_eq(box_max_unread_level(box, NOW + 1000), LEVEL_INFO);
    cr_assert_not(box_find(box, id_of(1), NOW + 1000, &e));
    cr_assert(box_find(box, id_of(1), BOX_NEVER_EXPIRE, &e));
    cr_assert_eq(notify_id_cmp(box_first_visible(box, NOW + 1000), id_of(2)), 0);
    cr_assert_eq(box_mark(&box, id_of(1), BOX_MARK_READ, NOW, NOW + 1000), 0);
    cr_assert_eq(box_delete(&box, id_of(1), NOW + 1000), 0);
}

Test(box, the_sweep_takes_expired_entries_oldest_first_and_knows_when_it_is_done)
{
    struct notify_id ids[2];

    for (uint64_t n = 1; n <= 5; n++) {
        struct box_entry entry = entry_of(n);
        entry.expire_ms = n == 3 ? NOW + 9000 : NOW + 1000;
        append(entry);
    }
    cr_assert_eq(box_sweep_expired(&box, NOW + 999, ids, 2), 0);
    cr_assert_eq(box_sweep_expired(&box, NOW + 1000, ids, 2), 2);
    cr_assert_eq(notify_id_cmp(ids[1], id_of(2)), 0);
    cr_assert_eq(box_sweep_expired(&box, NOW + 1000, ids, 2), 2);
    cr_assert_eq(notify_id_cmp(ids[1], id_of(5)), 0);
    cr_assert_eq(box_sweep_expired(&box, NOW + 1000, ids, 2), 0);
    cr_assert_eq(box_min_expire_ms(box), NOW + 9000);
    cr_assert_eq(box_max_expire_ms(box), NOW + 9000);
    cr_assert(box_all_expire(box));
    append(entry_of(6));
    cr_assert_not(box_all_expire(box));
    cr_assert(notify_id_is_zero(box_trimmed_id(box)), "expiry leaves no gap");
}

enum { MANY = 200000 };

/* Many entries, of which those from first_expiring on expire one after the other. */
static void append_expiring(uint64_t first_expiring)
{
    for (uint64_t n = 1; n <= MANY; n++) {
        struct box_entry entry = entry_of(n);
        entry.expire_ms = n < first_expiring ? 0 : NOW + n;
        append(entry);
    }
}

/* What a few looks at every entry cost: a slow machine and a sanitizer change this measure too. */
static double seconds_of_verify(void)
{
    struct box_audit audit;
    clock_t start = clock();

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(box_verify(box, &audit), 0);
        cr_assert(audit.sound);
    }
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

Test(box, sweeping_step_by_step_does_not_begin_anew_with_every_step)
{
    struct notify_id ids[64];
    double limit, seconds;
    clock_t start;
    size_t swept = 0, count;

    append_expiring(MANY / 2 + 1);
    limit = seconds_of_verify();
    start = clock();
    do {
        count = box_sweep_expired(&box, NOW + MANY, ids, 64);
        swept += count;
    } while (count == 64);
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    cr_assert_eq(swept, MANY / 2);
    cr_assert_lt(seconds, limit, "%f s, ten times looking at everything takes %f s", seconds,
                 limit);
}

Test(box, what_expires_one_by_one_is_found_and_counted_without_looking_at_everything)
{
    struct notify_id ids[64];
    double limit, seconds;
    clock_t start;

    append_expiring(1);
    limit = seconds_of_verify();
    start = clock();
    for (uint64_t n = 1; n <= 1000; n++) {
        cr_assert_eq(box_count(box, NOW + n).unread, MANY - n);
        cr_assert_eq(box_sweep_expired(&box, NOW + n, ids, 64), 1);
        cr_assert_eq(box_min_expire_ms(box), NOW + n + 1);
    }
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    cr_assert_lt(seconds, limit, "%f s, ten times looking at everything takes %f s", seconds,
                 limit);
}

Test(box, one_entry_that_stays_is_found_without_looking_at_everything)
{
    double limit, seconds;
    clock_t start;

    append_expiring(1);
    append(entry_of(MANY + 1));
    limit = seconds_of_verify();
    start = clock();
    for (int i = 0; i < 1000; i++)
        cr_assert_not(box_all_expire(box));
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    cr_assert_lt(seconds, limit, "%f s, ten times looking at everything takes %f s", seconds,
                 limit);
}

/* ---- gaps ---- */

Test(box, trimming_leaves_a_gap_and_deleting_does_not)
{
    struct notify_id before;

    append_many(5);
    cr_assert_eq(box_delete(&box, id_of(1), NOW), 1);
    cr_assert_not(box_has_gap(box, (struct notify_id){0, 0}));
    cr_assert_eq(box_trim_maxlen(&box, 2, BOX_NEVER_EXPIRE, &before), 2);
    cr_assert_eq(notify_id_cmp(before, notify_id_after(id_of(3))), 0);
    cr_assert(box_has_gap(box, id_of(2)));
    cr_assert_not(box_has_gap(box, id_of(3)));
    cr_assert_not(box_has_gap(box, id_of(5)));
    cr_assert(box_has_gap(box, id_of(6)), "an id from a future that was lost");
}

Test(box, trimming_to_an_id_removes_what_is_smaller)
{
    append_many(5);
    cr_assert_eq(box_trim_minid(&box, id_of(4), BOX_NEVER_EXPIRE, NULL), 3);
    cr_assert_eq(box_trim_minid(&box, id_of(4), BOX_NEVER_EXPIRE, NULL), 0);
    cr_assert_eq(notify_id_cmp(box_first_visible(box, NOW), id_of(4)), 0);
    cr_assert_eq(box_trim_maxlen(&box, 0, BOX_NEVER_EXPIRE, NULL), 2);
    cr_assert_eq(box_count(box, NOW).live, 0);
    cr_assert_eq(notify_id_cmp(box_last_id(box), id_of(5)), 0, "the last id survives");
    cr_assert(is_sound());
}

/* ---- limits and memory ---- */

static bool lifted;

static bool are_lifted(void)
{
    return lifted;
}

Test(box, categories_of_a_box_are_limited_for_clients_and_disused_places_used_again)
{
    struct box_entry entry;
    char name[16];

    lifted = false;
    limits_set_judge(are_lifted);
    for (uint64_t n = 0; n <= LIMIT_CATEGORIES; n++) {
        int len = snprintf(name, sizeof(name), "c%u", (unsigned)n);
        entry = entry_of(n + 1);
        entry.category = notify_str_of(name, (size_t)len);
        cr_assert_eq(box_check_append(box, &entry), n < LIMIT_CATEGORIES ? 0 : -E2BIG);
        cr_assert_eq(box_append(&box, &entry), n < LIMIT_CATEGORIES ? 0 : -E2BIG);
    }
    cr_assert_eq(test_mute(&box, entry.category, true), -E2BIG);
    lifted = true;
    cr_assert_eq(box_check_append(box, &entry), 0);
    lifted = false;
    cr_assert_eq(box_delete(&box, id_of(1), NOW), 1);
    cr_assert_eq(box_append(&box, &entry), 0);
    cr_assert_eq(box_category_slots(box), LIMIT_CATEGORIES);
    cr_assert(is_sound());
}

Test(box, what_is_replayed_may_have_more_categories_than_clients)
{
    char name[16];

    lifted = true;
    limits_set_judge(are_lifted);
    for (unsigned n = 0; n < LIMIT_CATEGORIES + 500; n++) {
        snprintf(name, sizeof(name), "c%u", n);
        cr_assert_eq(test_mute(&box, notify_str_z(name), true), 1);
    }
    lifted = false;
    cr_assert_eq(test_mute(&box, NOTIFY_STR("one more"), true), -E2BIG);
    cr_assert(box_is_muted(box, notify_str_z(name)));
    cr_assert_eq(test_mute(&box, NOTIFY_STR("c77"), false), 1);
    cr_assert_eq(test_mute(&box, NOTIFY_STR("one more"), true), 1);
    cr_assert(is_sound());
}

Test(box, a_small_box_is_one_allocation_and_a_large_one_becomes_small_again)
{
    append_many(20);
    cr_assert_eq(box_allocations(box), 1);
    cr_assert_eq(mem_testing_live, 2, "the box and the body's buffer");
    for (uint64_t n = 21; n <= 400; n++)
        append(entry_of(n));
    cr_assert_gt(box_allocations(box), 2);
    cr_assert_eq(box_mark(&box, id_of(390), BOX_MARK_READ, NOW, NOW), 1);
    cr_assert_eq(box_trim_maxlen(&box, 15, BOX_NEVER_EXPIRE, NULL), 385);
    cr_assert_eq(box_allocations(box), 1);
    cr_assert_lt(box_bytes(box), BOX_SMALL_MAX / 2);
    cr_assert_eq(box_unread(box, NOW), 14);
    cr_assert(is_sound());
}

Test(box, an_entry_larger_than_a_segment_gets_one_of_its_own)
{
    static char content[100001];
    struct box_entry entry;
    struct box_entry e;

    memset(content, 'x', sizeof(content) - 1);
    append(entry_of(1));
    entry = entry_of(2);
    entry.body = test_body(&body_buf, "big", content);
    append(entry);
    append(entry_of(3));
    cr_assert(box_find(box, id_of(2), NOW, &e));
    cr_assert_gt(e.body.len, sizeof(content));
    cr_assert(box_find(box, id_of(3), NOW, &e));
    cr_assert_eq(box_delete(&box, id_of(2), NOW), 1);
    cr_assert_lt(box_bytes(box), BOX_SMALL_MAX + BOX_SEGMENT_MAX);
    cr_assert(is_sound());
}

Test(box, steady_trimming_keeps_memory_in_bounds)
{
    for (uint64_t n = 1; n <= 20000; n++) {
        append(entry_of(n));
        cr_assert_geq(box_trim_maxlen(&box, 1000, BOX_NEVER_EXPIRE, NULL), 0);
    }
    cr_assert_lt(box_bytes(box), 1000 * (body_buf.len + 10) + 4 * BOX_SEGMENT_MAX);
    cr_assert(is_sound());
}

/* A script that meets every growing path. false: something ran out of memory. */
static bool run_script(void)
{
    static char content[3000];
    struct box_entry entry;
    struct box_appended appended;
    struct token token = {.at_ms = NOW};
    char name[] = "c0";
    bool ok = true;

    memset(content, 'x', sizeof(content) - 1);
    for (uint64_t n = 1; n <= 60; n++) {
        entry = entry_of(n);
        if (n == 40)
            entry.body = test_body(&body_buf, "big", content);
        name[1] = (char)('0' + n % 8);
        entry.category = notify_str_z(name);
        entry.is_seen = n % 9 == 0;
        if (n % 6 == 0)
            entry.body = body_with(n % 4 == 0 ? "a" : "b");
        ok = box_append_collapsing(&box, &entry, NOW, &appended) == 0 && ok;
        token.text = notify_str_z(name);
        if (n <= 8)
            ok = box_remember(&box, &token, NOW + 1) == 0 && ok;
        if (n % 5 == 0)
            ok = box_mark(&box, box_last_id(box), BOX_MARK_READ, NOW, NOW) >= 0 && ok;
        if (n == 20 || n == 50)
            ok = box_mark_upto(&box, id_of(n), CATEGORY_NONE, BOX_MARK_SEEN, NOW, NOW) >= 0 && ok;
        if (n == 30)
            ok = box_trim_minid(&box, id_of(5), BOX_NEVER_EXPIRE, NULL) >= 0 && ok;
        if (n == 55)
            ok = test_mute(&box, notify_str_z(name), true) >= 0 && ok;
    }
    (void)box_delete(&box, id_of(33), NOW);
    ok = box_trim_maxlen(&box, 3, BOX_NEVER_EXPIRE, NULL) >= 0 && ok;
    return ok;
}

Test(box, lack_of_memory_at_any_request_leaves_a_sound_box, .timeout = 0)
{
    bool ok = false;

    for (long n = 1; !ok; n++) {
        cr_assert_lt(n, 2000);
        box_free(box);
        mem_testing_install(n % 2 == 0);
        mem_testing_live = 1; /* the body's buffer */
        text_buf_release(&body_buf);
        (void)test_body(&body_buf, "title", "content");
        box = box_new();
        cr_assert_not_null(text_buf_room(&body_buf, 8192));
        mem_testing_fail_at(n);
        ok = run_script() && mem_testing_fail_from != 0;
        mem_testing_fail_at(0);
        cr_assert(is_sound(), "request %ld", n);
    }
}

Test(box, a_copy_that_runs_out_of_memory_leaks_nothing)
{
    struct box *copy = NULL;

    append_many(300);
    cr_assert_gt(box_mark_upto(&box, id_of(200), CATEGORY_NONE, BOX_MARK_READ, NOW, NOW), 0);
    for (long n = 1; copy == NULL; n++) {
        long live = mem_testing_live;
        mem_testing_fail_at(n);
        copy = box_copy(box);
        mem_testing_fail_at(0);
        if (copy == NULL)
            cr_assert_eq(mem_testing_live, live);
    }
    cr_assert(test_boxes_equal(box, copy));
    box_free(copy);
}

struct moves {
    size_t asked;
    size_t until_stop; /* questions of should_stop that are answered with no */
};

static void *move_allocation(void *ctx, void *ptr)
{
    struct moves *moves = ctx;
    size_t size = malloc_usable_size(ptr);
    void *moved;

    if (++moves->asked % 3 == 0)
        return NULL;
    moved = malloc(size);
    memcpy(moved, ptr, size);
    free(ptr);
    return moved;
}

static bool stop_now(void *ctx)
{
    struct moves *moves = ctx;

    return moves->until_stop-- == 0;
}

Test(box, every_allocation_can_be_moved)
{
    struct box *copy;
    struct moves moves = {0};
    struct mover mover = {.move = move_allocation, .ctx = &moves};
    unsigned long cursor = 0;

    append_many(300);
    cr_assert_gt(box_mark_upto(&box, id_of(200), CATEGORY_NONE, BOX_MARK_READ, NOW, NOW), 0);
    copy = box_copy(box);
    cr_assert_not(box_move(&box, &mover, &cursor));
    cr_assert_geq(moves.asked, box_allocations(box));
    cr_assert(test_boxes_equal(box, copy));
    cr_assert(is_sound());
    box_free(copy);
}

Test(box, moving_goes_on_where_it_was_stopped_and_the_box_may_change_meanwhile)
{
    struct moves moves = {0};
    struct mover mover = {.move = move_allocation, .should_stop = stop_now, .ctx = &moves};
    unsigned long cursor = 0;
    unsigned long before = 0;
    int steps = 1;

    append_many(12000);
    cr_assert_gt(box_segments(box), 40);
    for (; box_move(&box, &mover, &cursor); steps++) {
        cr_assert_gt(cursor, before);
        before = cursor;
        moves.until_stop = 1;
        cr_assert_gt(box_trim_maxlen(&box, 12000 - 100 * (uint64_t)steps, BOX_NEVER_EXPIRE, NULL),
                     0);
        cr_assert(is_sound());
    }
    cr_assert_gt(steps, 2);
    cr_assert_gt(moves.asked, box_segments(box));
    cr_assert_eq(box_trim_maxlen(&box, 1, BOX_NEVER_EXPIRE, NULL),
                 (int64_t)(12000 - 100 * (steps - 1) - 1));
    cursor = before; /* behind what there is now */
    cr_assert_not(box_move(&box, &mover, &cursor));
    cr_assert(is_sound());
}

Test(box, the_revision_only_rises)
{
    cr_assert_eq(box_raise_rev(box), 1);
    box_raise_rev_to(box, 10);
    box_raise_rev_to(box, 5);
    cr_assert_eq(box_rev(box), 10);
    box_raise_rev_to(box, UINT64_MAX);
    cr_assert_eq(box_raise_rev(box), UINT64_MAX);
}
