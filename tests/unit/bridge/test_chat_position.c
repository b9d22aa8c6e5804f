/* How far the reader of an answer has come, as text. */
#include <criterion/criterion.h>
#include <string.h>

#include "wire/chat_position.h"

#define REQUEST "5a0f3c1e-0000-4000-8000-000000000001"

static char key[NOTIFY_KEY_MAX];

static void check_both_ways(const struct chat_position *position)
{
    char text[CHAT_POSITION_MAX];
    size_t len = chat_position_format(text, position);
    struct chat_position read;

    cr_assert(len > 0 && len <= CHAT_POSITION_MAX);
    for (size_t i = 0; i < len; i++)
        cr_assert(text[i] > ' ' && text[i] < 0x7f, "it stays within its line");
    cr_assert(chat_position_parse(notify_str_of(text, len), &read, key));
    cr_assert_eq(notify_id_cmp(read.id, position->id), 0);
    cr_assert_eq(read.seq, position->seq);
    cr_assert(notify_str_eq(read.request, position->request));
    cr_assert(notify_str_eq(read.key, position->key));
}

Test(chat_position, is_read_as_it_was_written)
{
    static char long_key[NOTIFY_KEY_MAX];

    memset(long_key, '\xff', sizeof(long_key));
    check_both_ways(&(struct chat_position){{0, 0}, 0, NOTIFY_STR(REQUEST), NOTIFY_STR("s")});
    check_both_ways(&(struct chat_position){
        {1795208400123, 7}, 3, NOTIFY_STR(REQUEST), NOTIFY_STR("session:\r\n.a\0b")});
    check_both_ways(&(struct chat_position){{NOTIFY_ID_MAX_MS, UINT64_MAX},
                                            UINT64_MAX,
                                            NOTIFY_STR(REQUEST),
                                            notify_str_of(long_key, sizeof(long_key))});
}

static const char *const bad[] = {
    "",
    ".",
    "...",
    "1-0",
    "1-0.1." REQUEST,
    "1-0.1." REQUEST ".",
    "1-0.1." REQUEST ".c2Vzc2lvbg==",
    "1-0.1." REQUEST ".c2Vzc2l.vbg",
    "1-0.1." REQUEST ".x",
    "1-0.1." REQUEST "0.cw",
    "1-0.1.5A0F3C1E-0000-4000-8000-000000000001.cw",
    "1-0.x." REQUEST ".cw",
    "1-0.." REQUEST ".cw",
    "1-0.1x." REQUEST ".cw",
    "1-0.18446744073709551616." REQUEST ".cw",
    "x.1." REQUEST ".cw",
    "1-0-0.1." REQUEST ".cw",
    " 1-0.1." REQUEST ".cw",
};

Test(chat_position, is_nothing_else)
{
    struct chat_position position;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(chat_position_parse(notify_str_z(bad[i]), &position, key), "%s", bad[i]);
    cr_assert(chat_position_parse(NOTIFY_STR("1-0.1." REQUEST ".cw"), &position, key));
}

Test(chat_position, what_is_no_request_of_ours_has_none)
{
    char text[CHAT_POSITION_MAX];
    static char too_long[NOTIFY_KEY_MAX + 1];

    cr_assert_eq(chat_position_format(
                     text, &(struct chat_position){{1, 0}, 0, NOTIFY_STR("x\ny"), NOTIFY_STR("s")}),
                 0);
    cr_assert_eq(chat_position_format(
                     text, &(struct chat_position){{1, 0},
                                                   0,
                                                   NOTIFY_STR(REQUEST),
                                                   notify_str_of(too_long, sizeof(too_long))}),
                 0);
}
