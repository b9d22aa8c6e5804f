/* Payloads: what is saved comes back, and no bytes at all do harm. The fuzz target goes further;
 * the mutations here are few, always the same, and part of every test run.
 *
 * NOTIFY_PAYLOAD_ROUNDS sets the number of mutated payloads. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "box/cursor_edit.h"
#include "box_testing.h"
#include "mem_testing.h"
#include "random_testing.h"
#include "message/render.h"

#define NOW UINT64_C(1795208400000)

static struct text_buf body_buf;
static struct text_buf out;

static void setup(void)
{
    mem_testing_install(1);
    body_buf = TEXT_BUF_INIT;
    out = TEXT_BUF_INIT;
    random_begin(7);
}

static void teardown(void)
{
    text_buf_release(&body_buf);
    text_buf_release(&out);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(box_payload, .init = setup, .fini = teardown);

static struct box *make_box(uint64_t count)
{
    struct box *box = box_new();
    char name[] = "c0";
    char token[32];

    for (uint64_t n = 1; n <= count; n++) {
        struct body plain = {0};
        struct body_error error;
        struct box_entry e = {.id = {NOW + n, n % 3}};
        snprintf(token, sizeof(token), "token \\ %d", (int)n);
        plain.field[BODY_TITLE] = NOTIFY_STR("A \"title\"");
        plain.field[BODY_CONTENT] = NOTIFY_STR("content \xc3\xa4");
        plain.field[BODY_DATA] = NOTIFY_STR("{\"a\":[1,2]}");
        if (n % 9 == 0)
            plain.field[BODY_COLLAPSE] = notify_str_z(token);
        if (n % 4 == 0)
            plain.field[BODY_EVENT] = NOTIFY_STR("alert");
        cr_assert(body_build(&body_buf, &plain, &error));
        e.body = text_buf_str(&body_buf);
        name[1] = (char)('0' + n % 4);
        e.category = notify_str_z(name);
        e.kind = n % 5 == 0 ? ENTRY_EVENT : ENTRY_NOTIFICATION;
        e.is_seen = n % 3 == 0;
        e.seen_ms = e.is_seen ? NOW + n : 0;
        e.archived = n % 7 == 0;
        e.expire_ms = n % 6 == 0 ? NOW + 100000 + n : 0;
        if (n % 50 == 1)
            cr_assert_eq(box_begin_epoch(&box, (uint32_t)n * 1000, box_last_id(box)), 0);
        cr_assert_eq(box_append(&box, &e), 0);
        if (n % 2 == 0) {
            struct token sent = {notify_str_z(token), e.id, NOW + n};
            cr_assert_eq(box_remember(&box, &sent, NOW + n + 1000), 0);
        }
    }
    box_forget_tokens(box, NOW + 1, count / 3);
    cr_assert_geq(box_trim_maxlen(&box, count - count / 4, BOX_NEVER_EXPIRE, NULL), 0);
    box_raise_rev_to(box, 99);
    return box;
}

Test(box_payload, what_is_saved_comes_back)
{
    static const uint64_t counts[] = {0, 1, 3, 20, 500, 3000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct box *box = make_box(counts[i]);
        struct test_payload payload;
        struct box_audit audit;
        struct box *loaded;
        const char *why = "";
        cr_assert_geq(test_mute(&box, NOTIFY_STR("c1"), true), 0);
        cr_assert_eq(test_payload_save(&payload, box), 0);
        loaded = test_payload_load(&payload, &why);
        cr_assert_not_null(loaded, "%s", why);
        cr_assert(test_boxes_equal(box, loaded));
        cr_assert_eq(payload.read, payload.len, "all blocks are read");
        cr_assert_eq(box_verify(loaded, &audit), 0);
        cr_assert(audit.sound);
        box_free(box);
        box_free(loaded);
        free(payload.bytes);
    }
}

/* A log, and a box that has read two of its categories, but for one entry. */
static struct box *make_follower(void)
{
    static const struct notify_str categories[] = {{"c1", 2}, {"c0", 2}};
    struct box *topic = make_box(40);
    struct box *box = make_box(3);
    struct cursor *cursor = cursor_new(NOTIFY_STR("topic"), (struct notify_id){1, 0});
    struct notify_id told;
    struct cursor_edit edit;

    cr_assert_not_null(cursor);
    cr_assert_eq(cursor_edit_begin(&edit, cursor, topic, BOX_NEVER_EXPIRE), 0);
    for (size_t i = 0; i < 2; i++)
        cr_assert_gt(cursor_edit_category(&edit, categories[i], box_last_id(topic), &told), 0);
    for (uint64_t n = 10; n < 30; n++)
        (void)cursor_edit_mark(&edit, (struct notify_id){NOW + n, n % 3}, BOX_MARK_UNREAD);
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    cr_assert_eq(cursor_covers_count(cursor->covers), 2);
    cr_assert_gt(cursor->mark_count, 0);
    cr_assert_eq(box_put_cursor(&box, cursor), 0);
    cr_assert_eq(box_put_cursor(&box, cursor_new(NOTIFY_STR("a"), (struct notify_id){5, 0})), 0);
    box_free(topic);
    return box;
}

Test(box_payload, categories_of_a_log_that_have_been_read_come_back)
{
    struct box *box = make_follower();
    struct test_payload payload;
    struct box *loaded;
    const char *why = "";
    struct box *copy = box_copy(box);

    cr_assert_eq(test_payload_save(&payload, box), 0);
    loaded = test_payload_load(&payload, &why);
    cr_assert_not_null(loaded, "%s", why);
    cr_assert(test_boxes_equal(box, loaded));
    cr_assert(test_boxes_equal(box, copy));
    cr_assert_eq(payload.read, payload.len, "all blocks are read");
    box_free(box);
    box_free(copy);
    box_free(loaded);
    free(payload.bytes);
}

Test(box_payload,
     versions_before_the_third_leave_out_categories_of_a_log_and_what_stands_before_them)
{
    struct box *box = make_follower();
    const struct cursor *before = cursors_find(box_cursors(box), NOTIFY_STR("topic"));
    struct test_payload payload = {NULL, 0, 0};
    struct box_sink sink = {test_payload_write, &payload, BOX_PAYLOAD_SECTIONS};
    const struct cursor *after;
    struct box *loaded;
    const char *why = "";

    cr_assert_eq(box_save(box, &sink), 0);
    loaded = test_payload_load(&payload, &why);
    cr_assert_not_null(loaded, "%s", why);
    cr_assert_eq(box_count(loaded, BOX_NEVER_EXPIRE).live, 3);
    cr_assert_eq(cursors_count(box_cursors(loaded)), 2);
    after = cursors_find(box_cursors(loaded), NOTIFY_STR("topic"));
    cr_assert_null(after->covers);
    cr_assert_gt(before->mark_count, 0);
    cr_assert_eq(notify_id_cmp(after->read_mark, before->read_mark), 0);
    cr_assert(cursor_is_sound(after));
    box_free(box);
    box_free(loaded);
    free(payload.bytes);
}

Test(box_payload, thousands_of_categories_come_back)
{
    struct box *box = make_box(3);
    struct test_payload payload;
    struct box *loaded;
    char name[NOTIFY_CATEGORY_MAX + 1];

    for (int n = 0; n < 4000; n++) {
        snprintf(name, sizeof(name), "%d %.*s", n, n % 50,
                 "a rather long name, of which each takes another part.");
        cr_assert_eq(test_mute(&box, notify_str_z(name), true), 1);
    }
    cr_assert_eq(test_payload_save(&payload, box), 0);
    loaded = test_payload_load(&payload, NULL);
    cr_assert_not_null(loaded);
    cr_assert(test_boxes_equal(box, loaded));
    cr_assert(box_is_muted(loaded, notify_str_z(name)));
    box_free(box);
    box_free(loaded);
    free(payload.bytes);
}

Test(box_payload, an_empty_box_keeps_its_last_id_revision_and_gap)
{
    struct box *box = make_box(4);
    struct test_payload payload;
    struct box *loaded;

    cr_assert_eq(box_trim_maxlen(&box, 0, BOX_NEVER_EXPIRE, NULL), 3);
    cr_assert_eq(test_payload_save(&payload, box), 0);
    loaded = test_payload_load(&payload, NULL);
    cr_assert_not_null(loaded);
    cr_assert(test_boxes_equal(box, loaded));
    cr_assert(box_has_gap(loaded, (struct notify_id){NOW + 3, 0}));
    box_free(box);
    box_free(loaded);
    free(payload.bytes);
}

static int fail_at_third(void *ctx, const void *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    return ++*(int *)ctx == 3 ? -EIO : 0;
}

Test(box_payload, an_error_of_the_sink_ends_the_saving)
{
    struct box *box = make_box(3000);
    int calls = 0;
    struct box_sink sink = {fail_at_third, &calls, BOX_PAYLOAD_LATEST};

    cr_assert_eq(box_save(box, &sink), -EIO);
    cr_assert_eq(calls, 3);
    box_free(box);
}

Test(box_payload, lack_of_memory_while_saving_or_loading_leaks_nothing)
{
    struct box *box = make_box(200);
    struct test_payload payload = {0};
    struct box *loaded = NULL;
    int rc = -ENOMEM;

    for (long n = 1; rc != 0; n++) {
        free(payload.bytes);
        mem_testing_fail_at(n);
        rc = test_payload_save(&payload, box);
        mem_testing_fail_at(0);
    }
    for (long n = 1; loaded == NULL; n++) {
        long live = mem_testing_live;
        mem_testing_fail_at(n);
        loaded = test_payload_load(&payload, NULL);
        mem_testing_fail_at(0);
        if (loaded == NULL)
            cr_assert_eq(mem_testing_live, live);
    }
    cr_assert(test_boxes_equal(box, loaded));
    box_free(box);
    box_free(loaded);
    free(payload.bytes);
}

/* ---- hostile payloads ---- */

struct refused {
    struct notify_str first;
    struct notify_str second; /* .ptr NULL: no second block */
};

static bool read_refused(void *ctx, struct notify_str *ret_block)
{
    struct notify_str **next = ctx;

    if ((*next)->ptr == NULL)
        return false;
    *ret_block = *(*next)++;
    return true;
}

static struct box *load_blocks(struct notify_str first, struct notify_str second)
{
    struct notify_str blocks[3] = {first, second, {NULL, 0}};
    struct notify_str *next = blocks;
    struct box_source source = {read_refused, &next};

    return box_load(&source, NULL);
}

/* version 1, last 9-9, rev 1, trimmed 0-0, no end */
#define START "\x01\x09\x09\x01\x00\x00\x00"
/* no categories, n entries, t tokens, until 0, c cursors */
#define COUNTS_OF(n, t, c) "\x00" n t "\x00" c
#define COUNTS(n, t) COUNTS_OF(n, t, "\x00")
#define HEAD(n) START COUNTS(n, "\x00")
#define TOKENS(t) START COUNTS("\x00", t)
#define CURSORS(c) START COUNTS_OF("\x00", "\x00", c)
#define WITH_SECTIONS(n) "\x02\x09\x09\x01\x00\x00\x00" COUNTS("\x00", "\x00") n
/* 9 bytes: the log x, start 2-0, read 5-0, seen 4-0, no exceptions */
#define CURSOR "\x09\x01x\x02\x00\x05\x00\x04\x00\x00"
/* the same with an exception: 7-0 is unread, though its category has been read */
#define KEPT "\x0c\x01x\x02\x00\x05\x00\x04\x00\x01\x07\x00\x08"
/* that cursor and s sections */
#define CURSOR_AND(s) "\x03\x09\x09\x01\x00\x00\x00" COUNTS_OF("\x00", "\x00", "\x01") s
/* of the first cursor, the category a is read up to 8-0 */
#define COVERS "\x02\x00\x06\x00\x01\x01\x61\x08\x00"

Test(box_payload, sections_of_a_later_version_are_passed_over_if_they_may_be)
{
    struct box *box =
        load_blocks(NOTIFY_STR(WITH_SECTIONS("\x02")), NOTIFY_STR("\x63\x01\x03xyz\x64\x01\x00"));

    cr_assert_not_null(box);
    cr_assert_eq(box_last_id(box).ms, 9);
    box_free(box);
}

Test(box_payload, payloads_that_contradict_themselves_are_refused)
{
    static const struct refused rows[] = {
        {{"", 0}, {NULL, 0}},
        {NOTIFY_STR("\x00"), {NULL, 0}},
        {NOTIFY_STR("\x03\x09\x09\x01\x00\x00\x00" COUNTS("\x00", "\x00") "\x00"),
         {NULL, 0}}, /* version */
        {NOTIFY_STR(WITH_SECTIONS("\x00")), {NULL, 0}},
        {NOTIFY_STR(WITH_SECTIONS("\x01")), {NULL, 0}},                   /* section missing */
        {NOTIFY_STR(WITH_SECTIONS("\x01")), NOTIFY_STR("\x63\x00\x01x")}, /* not to be skipped */
        {NOTIFY_STR(WITH_SECTIONS("\x01")), NOTIFY_STR("\x63\x02\x01x")},
        {NOTIFY_STR(WITH_SECTIONS("\x01")), NOTIFY_STR("\x63\x01\x02x")},  /* cut short */
        {NOTIFY_STR(WITH_SECTIONS("\x01")), NOTIFY_STR("\x63\x01\x01xy")}, /* left over */
        {NOTIFY_STR(START), {NULL, 0}},                                    /* cut short */
        {NOTIFY_STR(HEAD("\x00") "x"), {NULL, 0}},                         /* left over */
        {NOTIFY_STR("\x01\x09\x09\x01\x0a\x00\x00" COUNTS("\x00", "\x00")),
         {NULL, 0}}, /* trimmed > last */
        {NOTIFY_STR("\x01\x09\x09\x01\x00\x00\x08" COUNTS("\x00", "\x00")),
         {NULL, 0}}, /* end before the last id */
        {NOTIFY_STR("\x01\x09\x09\x01\x00\x00\x0a"
                    "\x01\x01\x01"
                    "a\x00\x00\x00\x00"),
         {NULL, 0}}, /* end in spite of a muted category */
        {NOTIFY_STR("\x01\x09\x09\x01\x00\x00\x0a" COUNTS("\x01", "\x00")),
         NOTIFY_STR("\x00\x03\x01\x01\x00\x03\x01"
                    "a")}, /* entry that stays */
        {NOTIFY_STR(START "\x01\x00\x00"
                          "\x00\x00\x00\x00"),
         {NULL, 0}}, /* empty name */
        {NOTIFY_STR(START "\x01\x02\x01"
                          "a"
                          "\x00\x00\x00\x00"),
         {NULL, 0}}, /* muted 2 */
        {NOTIFY_STR(START "\x02\x00\x01"
                          "a"
                          "\x00\x01"
                          "a"
                          "\x00\x00\x00\x00"),
         {NULL, 0}},
        {NOTIFY_STR(START "\x80\x80\x04\x00\x00\x00\x00"), {NULL, 0}}, /* 65536 categories */
        {NOTIFY_STR(TOKENS("\x01")), {NULL, 0}},                       /* token missing */
        {NOTIFY_STR(TOKENS("\x01")), NOTIFY_STR("\x01\x01\x01\x00")},  /* empty token */
        {NOTIFY_STR(TOKENS("\x01")), NOTIFY_STR("\x01\x01\x01\x02"
                                                "a")},                    /* cut short */
        {NOTIFY_STR(TOKENS("\x01")), NOTIFY_STR("\x01\x01\x01\x01\xff")}, /* not UTF-8 */
        {NOTIFY_STR(TOKENS("\x01")), NOTIFY_STR("\x01\x01\x01\x01"
                                                "ab")}, /* left over */
        {NOTIFY_STR(TOKENS("\x02")), NOTIFY_STR("\x00\x01\x01\x01"
                                                "a"
                                                "\x00\x01\x02\x01"
                                                "a")},            /* twice */
        {NOTIFY_STR(CURSORS("\x01")), NOTIFY_STR(KEPT)},          /* read by what? */
        {NOTIFY_STR(WITH_SECTIONS("\x01")), NOTIFY_STR(COVERS)},  /* whose? */
        {NOTIFY_STR(CURSORS("\x81\x08")), {NULL, 0}},             /* 1025 cursors */
        {NOTIFY_STR(CURSORS("\x01")), {NULL, 0}},                 /* cursor missing */
        {NOTIFY_STR(CURSORS("\x01")), NOTIFY_STR(CURSOR "x")},    /* left over */
        {NOTIFY_STR(CURSORS("\x02")), NOTIFY_STR(CURSOR CURSOR)}, /* twice */
        {NOTIFY_STR(CURSORS("\x01")), NOTIFY_STR("\x08" CURSOR)}, /* cut short */
        {NOTIFY_STR("\x01\x09\x09\x01\x00\x00\x0a" COUNTS_OF("\x00", "\x00", "\x01")),
         NOTIFY_STR(CURSOR)},                  /* end in spite of a cursor */
        {NOTIFY_STR(HEAD("\x01")), {NULL, 0}}, /* entry missing */
        {NOTIFY_STR(HEAD("\x01")), {"", 0}},
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x05\x03\x01\x01\x00\x03\x01"
                                              "a")}, /* level 5 */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x10\x03\x01\x01\x00\x03\x01"
                                              "a")}, /* unseen read */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x28\x03\x01\x01\x00\x01\x00\x03\x01"
                                              "a")}, /* event */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x20\x03\x01\x01\x00\x01\x01\x03\x01"
                                              "a")}, /* read? */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x80\x03\x01\x01\x00\x00\x03\x01"
                                              "a")}, /* expiry 0 */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x01\x01\x01\x03\x01"
                                              "a")}, /* category */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x00\x00\x00\x03\x01"
                                              "a")}, /* 0-0 */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x09\x0a\x00\x03\x01"
                                              "a")}, /* > last */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x04\x01\x01\x00\x03\x01"
                                              "a")},                              /* cut short */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x01\x01\x00\x03\x01\"")}, /* body */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x01\x01\x00\x04\x01"
                                              "a")}, /* no title */
        {NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x01\x01\x00\x03\x01"
                                              "ax")}, /* left over */
        {NOTIFY_STR(HEAD("\x02")), NOTIFY_STR("\x00\x03\x01\x01\x00\x03\x01"
                                              "a\x00\x03\x00\x01\x00\x03\x01"
                                              "a")}, /* same id */
        {NOTIFY_STR(HEAD("\x02")), NOTIFY_STR("\x00\x06\x01\x01\x00\x01\x01"
                                              "t"
                                              "\x03\x01"
                                              "a"
                                              "\x00\x06\x01\x01\x00\x01\x01"
                                              "t"
                                              "\x03\x01"
                                              "a")}, /* same collapse token */
    };
    struct box *box =
        load_blocks(NOTIFY_STR(HEAD("\x01")), NOTIFY_STR("\x00\x03\x01\x01\x00\x03\x01"
                                                         "a"));

    cr_assert_not_null(box, "the rows differ in one place from one that is accepted");
    box_free(box);
    box = load_blocks(NOTIFY_STR(TOKENS("\x02")), NOTIFY_STR("\x00\x01\x01\x01"
                                                             "a\x00\x01\x02\x01"
                                                             "b"));
    cr_assert_not_null(box, "so do those about tokens");
    box_free(box);
    box = load_blocks(NOTIFY_STR(CURSORS("\x01")), NOTIFY_STR(CURSOR));
    cr_assert_not_null(box, "and those about cursors");
    box_free(box);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_null(load_blocks(rows[i].first, rows[i].second), "row %zu", i);
}

static bool is_accepted(struct notify_str first, struct notify_str cursor, struct notify_str covers)
{
    struct notify_str blocks[] = {first, cursor, covers, {NULL, 0}};
    struct notify_str *next = blocks;
    struct box_source source = {read_refused, &next};
    struct box *box = box_load(&source, NULL);

    box_free(box);
    return box != NULL;
}

#define ACCEPTED(covers) is_accepted(one, kept, NOTIFY_STR(covers))

Test(box_payload, categories_of_a_log_are_accepted_if_they_go_with_its_cursor)
{
    const struct notify_str one = NOTIFY_STR(CURSOR_AND("\x01"));
    const struct notify_str two = NOTIFY_STR(CURSOR_AND("\x02"));
    const struct notify_str kept = NOTIFY_STR(KEPT);

    cr_assert(ACCEPTED(COVERS));
    cr_assert(is_accepted(one, NOTIFY_STR(CURSOR), NOTIFY_STR(COVERS)));
    cr_assert(is_accepted(two, kept, NOTIFY_STR(COVERS "\x63\x01\x00")));
    cr_assert_not(is_accepted(two, kept, NOTIFY_STR(COVERS COVERS)), "twice");
    cr_assert_not(ACCEPTED("\x02\x00\x06\x00\x01\x01\x61\x06\x00"), "less than what is kept");
    cr_assert_not(ACCEPTED("\x02\x00\x06\x00\x01\x01\x61\x05\x00"), "no more than for all");
    cr_assert_not(ACCEPTED("\x02\x00\x06\x01\x01\x01\x61\x08\x00"), "of which cursor?");
    cr_assert_not(ACCEPTED("\x02\x00\x07\x00\x01\x01\x61\x08\x00x"), "bytes left over");
    cr_assert_not(ACCEPTED("\x02\x00\x02\x00\x00"), "none");
}

/* A box that was accepted must count right, render as JSON strings, and save to what loads again.
 */
static void use_box(const struct box *box)
{
    struct box_range range = {.to = {UINT64_MAX, UINT64_MAX}, .filter = BOX_FILTER_ALL};
    struct render_box rb = {
        .key = NOTIFY_STR("key"), .rev = box_rev(box), .unread = box_unread(box, BOX_NEVER_EXPIRE)};
    struct test_payload payload;
    struct box_audit audit;
    struct box_iter iter;
    struct box_entry e;
    struct box *again;

    cr_assert_eq(box_verify(box, &audit), 0);
    cr_assert(audit.sound);
    box_iter_init(&iter, box, &range);
    while (box_iter_next(&iter, &e)) {
        text_buf_clear(&out);
        render_entry(&out, &rb, &e, (struct notify_id){0, 0}, (struct notify_id){0, 0});
        cr_assert(json_text_is_minified(text_buf_str(&out)));
    }
    cr_assert_eq(test_payload_save(&payload, box), 0);
    again = test_payload_load(&payload, NULL);
    cr_assert_not_null(again);
    cr_assert(test_boxes_equal(box, again));
    box_free(again);
    free(payload.bytes);
}

Test(box_payload, mutated_payloads_are_refused_or_make_a_sound_box, .timeout = 0)
{
    size_t rounds = setting("NOTIFY_PAYLOAD_ROUNDS", 40000);
    struct box *box = make_box(12);
    struct test_payload original;
    size_t accepted = 0;

    cr_assert_eq(test_payload_save(&original, box), 0);
    for (size_t round = 0; round < rounds; round++) {
        struct test_payload payload = {malloc(original.len), original.len, 0};
        struct box *loaded;
        memcpy(payload.bytes, original.bytes, original.len);
        payload.len = random_spoil(payload.bytes, payload.len, 4);
        loaded = test_payload_load(&payload, NULL);
        if (loaded != NULL) {
            accepted++;
            use_box(loaded);
        }
        box_free(loaded);
        free(payload.bytes);
    }
    cr_assert_gt(accepted, 100, "some mutations are harmless");
    cr_assert_lt(accepted, rounds - 100);
    box_free(box);
    free(original.bytes);
}
