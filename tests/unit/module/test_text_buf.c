/* Text under construction: growth, numbers, ids, and what happens without memory. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "mem_testing.h"
#include "base/text_buf.h"
#include "base/varint.h"

Test(text_buf, numbers_and_ids_look_as_printf_writes_them)
{
    static const uint64_t values[] = {0,     1,     9,          10,         11,
                                      99,    100,   101,        999,        1000,
                                      12345, 99999, 4294967295, UINT64_MAX, 1795208400123};
    struct text_buf buf = TEXT_BUF_INIT;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct notify_id id = {values[i], values[(i + 3) % 15]};
        char expected[NOTIFY_ID_TEXT_MAX + 1];
        size_t len = (size_t)snprintf(expected, sizeof(expected), "%" PRIu64, values[i]);
        text_buf_clear(&buf);
        text_buf_add_number(&buf, values[i]);
        cr_assert(notify_str_eq(text_buf_str(&buf), notify_str_of(expected, len)));
        len = notify_id_format(expected, id);
        text_buf_clear(&buf);
        text_buf_add_id(&buf, id);
        cr_assert(notify_str_eq(text_buf_str(&buf), notify_str_of(expected, len)));
    }
    text_buf_release(&buf);
}

Test(text_buf, sized_texts_are_taken_off_as_they_were_put_and_none_that_is_cut_short)
{
    static char text[300];

    for (size_t len = 0; len < sizeof(text); len++) {
        struct text_buf buf = TEXT_BUF_INIT;
        struct notify_str left, taken = NOTIFY_STR("untouched");
        text[len] = (char)len;
        text_buf_add_sized(&buf, notify_str_of(text, len));
        text_buf_add_varint(&buf, UINT64_MAX - len);
        for (size_t cut = 0; cut < len + varint_len(len); cut++) {
            left = notify_str_of(buf.ptr, cut);
            cr_assert_not(varint_take_sized(&left, &taken));
            cr_assert(notify_str_eq(taken, NOTIFY_STR("untouched")));
        }
        left = text_buf_str(&buf);
        cr_assert(varint_take_sized(&left, &taken));
        cr_assert(notify_str_eq(taken, notify_str_of(text, len)));
        cr_assert_eq(left.len, varint_len(UINT64_MAX - len));
        text_buf_release(&buf);
    }
}

Test(text_buf, grows_over_many_appends)
{
    struct text_buf buf = TEXT_BUF_INIT;

    for (unsigned i = 0; i < 10000; i++)
        text_buf_add_char(&buf, (char)('a' + i % 26));
    cr_assert_eq(buf.len, 10000);
    for (unsigned i = 0; i < 10000; i++)
        cr_assert_eq(buf.ptr[i], (char)('a' + i % 26));
    text_buf_release(&buf);
}

Test(text_buf, a_failed_allocation_sticks_until_clear)
{
    struct text_buf buf = TEXT_BUF_INIT;

    mem_testing_install(1);
    mem_testing_fail_at(1);
    text_buf_add(&buf, NOTIFY_STR("lost"));
    text_buf_add(&buf, NOTIFY_STR("lost too"));
    cr_assert(buf.failed);
    cr_assert_eq(buf.len, 0);
    text_buf_clear(&buf);
    text_buf_add(&buf, NOTIFY_STR("kept"));
    cr_assert_not(buf.failed);
    cr_assert(notify_str_eq(text_buf_str(&buf), NOTIFY_STR("kept")));
    cr_assert_null(text_buf_room(&buf, SIZE_MAX));
    cr_assert(buf.failed);
    text_buf_release(&buf);
    cr_assert_eq(mem_testing_live, 0);
}
