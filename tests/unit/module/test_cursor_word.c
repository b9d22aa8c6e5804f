/* A cursor as one word: what is in it comes back, and nothing else is such a word. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "box/cursor_edit.h"
#include "box/cursor_word.h"
#include "box_testing.h"
#include "mem_testing.h"

static void setup(void)
{
    mem_testing_install(1);
}

static void teardown(void)
{
    cr_assert_eq(mem_testing_live, 0, "something leaks");
}

TestSuite(cursor_word, .init = setup, .fini = teardown);

static struct notify_id at(uint64_t ms)
{
    return (struct notify_id){ms, 0};
}

/* A box that follows two logs, has read some of one of them, and has muted categories. */
static struct box *make_follower(int muted)
{
    struct box *box = box_new();
    struct cursor_edit edit;
    struct cursor *cursor;
    char name[32];

    for (int n = 0; n < muted; n++)
        (void)test_mute(&box, notify_str_of(name, (size_t)sprintf(name, "category %d", n)), true);
    cr_assert_eq(box_put_cursor(&box, cursor_new(NOTIFY_STR("other"), at(3))), 0);
    cr_assert_eq(box_put_cursor(&box, cursor_new(NOTIFY_STR("topic:all"), at(5))), 0);
    cursor = cursors_find(box_cursors(box), NOTIFY_STR("topic:all"));
    cr_assert_eq(cursor_edit_begin(&edit, cursor, NULL, BOX_NEVER_EXPIRE), 0);
    for (uint64_t ms = 10; ms < 50; ms += 2)
        cr_assert(cursor_edit_mark(&edit, at(ms), BOX_MARK_READ));
    cr_assert(cursor_edit_mark(&edit, at(12), BOX_MARK_ARCHIVED));
    cr_assert_eq(cursor_edit_commit(&edit), 0);
    return box;
}

static struct cursor *topic_of(const struct box *box)
{
    return cursors_find(box_cursors(box), NOTIFY_STR("topic:all"));
}

static int make_word(struct text_buf *word, const struct box *box)
{
    struct box *carrier = cursor_word_carrier(box);
    int rc = carrier == NULL ? -ENOMEM : cursor_word_add(word, &carrier, topic_of(box));

    if (carrier != NULL)
        cr_assert_eq(cursors_count(box_cursors(carrier)), 0, "the carrier is as before");
    box_free(carrier);
    return rc;
}

static bool cursors_equal(const struct cursor *a, const struct cursor *b)
{
    struct text_buf x = TEXT_BUF_INIT;
    struct text_buf y = TEXT_BUF_INIT;
    bool equal;

    cursor_save(a, true, &x);
    cursor_save(b, true, &y);
    equal = notify_str_eq(text_buf_str(&x), text_buf_str(&y));
    text_buf_release(&x);
    text_buf_release(&y);
    return equal;
}

Test(cursor_word, brings_the_cursor_and_what_is_muted_and_nothing_else)
{
    static const int muted[] = {0, 1, 20, 4000};

    for (size_t i = 0; i < sizeof(muted) / sizeof(muted[0]); i++) {
        struct box *box = make_follower(muted[i]);
        struct text_buf word = TEXT_BUF_INIT;
        const char *why = "";
        struct box *back;
        cr_assert_eq(make_word(&word, box), 0);
        cr_assert_leq(word.len, CURSOR_WORD_MAX);
        back = cursor_word_read(text_buf_str(&word), &why);
        cr_assert_not_null(back, "%s", why);
        cr_assert_eq(cursors_count(box_cursors(back)), 1);
        cr_assert(cursors_equal(topic_of(back), topic_of(box)));
        cr_assert_eq(box_category_slots(back), (size_t)muted[i]);
        cr_assert_eq(box_is_muted(back, NOTIFY_STR("category 0")), muted[i] > 0);
        box_free(back);
        box_free(box);
        text_buf_release(&word);
    }
}

Test(cursor_word, has_about_the_size_that_was_foretold)
{
    struct box *box = make_follower(300);
    struct box *carrier = cursor_word_carrier(box);
    struct text_buf word = TEXT_BUF_INIT;

    cr_assert_eq(cursor_word_add(&word, &carrier, topic_of(box)), 0);
    cr_assert_leq(word.len, cursor_word_size(carrier, topic_of(box)));
    cr_assert_geq(3 * word.len, cursor_word_size(carrier, topic_of(box)));
    text_buf_release(&word);
    box_free(carrier);
    box_free(box);
}

Test(cursor_word, any_other_byte_and_any_other_length_is_refused)
{
    struct box *box = make_follower(2);
    struct text_buf word = TEXT_BUF_INIT;
    const char *why;

    cr_assert_eq(make_word(&word, box), 0);
    for (size_t len = 0; len < word.len; len++)
        cr_assert_null(cursor_word_read(notify_str_of(word.ptr, len), &why));
    for (size_t i = 0; i < word.len; i++) {
        char before = word.ptr[i];
        for (int c = 0; c < 256; c += 5) {
            word.ptr[i] = (char)c;
            cr_assert(c == before || cursor_word_read(text_buf_str(&word), &why) == NULL);
        }
        word.ptr[i] = before;
    }
    text_buf_release(&word);
    box_free(box);
}

/* Payloads with the right sum that hold something else. */
static struct box *read_payload(const struct box *box)
{
    struct text_buf word = TEXT_BUF_INIT;
    const char *why;
    struct box *back;

    cr_assert_eq(cursor_word_of_box(&word, box), 0);
    back = cursor_word_read(text_buf_str(&word), &why);
    text_buf_release(&word);
    return back;
}

Test(cursor_word, of_a_box_with_anything_but_one_cursor_is_refused)
{
    struct box *none = box_new();
    struct box *two = make_follower(1);
    struct box *one = box_new();
    struct box *back;

    cr_assert_eq(box_put_cursor(&one, cursor_new(NOTIFY_STR("a"), at(3))), 0);
    back = read_payload(one);
    cr_assert_not_null(back, "the others differ in one thing from this");
    box_free(back);
    cr_assert_null(read_payload(none));
    cr_assert_null(read_payload(two));
    cr_assert_eq(box_remember(&one, &(struct token){NOTIFY_STR("t"), at(1), 1}, 2), 0);
    cr_assert_null(read_payload(one));
    box_free(none);
    box_free(two);
    box_free(one);
}

Test(cursor_word, without_memory_nothing_leaks)
{
    struct box *box = make_follower(20);
    struct box *back = NULL;
    struct text_buf word = TEXT_BUF_INIT;
    const char *why;
    int rc = -ENOMEM;

    for (long n = 1; rc != 0; n++) {
        text_buf_clear(&word);
        mem_testing_fail_at(n);
        rc = make_word(&word, box);
        mem_testing_fail_at(0);
        cr_assert(rc == 0 || rc == -ENOMEM);
    }
    for (long n = 1; back == NULL; n++) {
        mem_testing_fail_at(n);
        back = cursor_word_read(text_buf_str(&word), &why);
        mem_testing_fail_at(0);
    }
    cr_assert(cursors_equal(topic_of(back), topic_of(box)));
    box_free(back);
    box_free(box);
    text_buf_release(&word);
}
