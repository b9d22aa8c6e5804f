/* The id of an entry as a UUID, and back. */
#include <criterion/criterion.h>

#include "random_testing.h"
#include "wire/entry_uuid.h"

static enum entry_uuid_kind parse(const char *text, struct entry_uuid *ret)
{
    return entry_uuid_parse(notify_str_z(text), ret);
}

static const struct entry_uuid known = {{UINT64_C(1795208400123), 5}, 0xabc};

Test(entry_uuid, has_the_bits_where_the_documentation_says)
{
    char text[ENTRY_UUID_LEN + 1];

    cr_assert(entry_uuid_format(text, &known));
    cr_assert_str_eq(text, "01a1fac2-4cfb-4abc-8000-000000000005");
}

static bool same(const struct entry_uuid *a, const struct entry_uuid *b)
{
    return notify_id_cmp(a->id, b->id) == 0 && a->tag == b->tag;
}

Test(entry_uuid, every_entry_of_every_box_comes_back)
{
    random_begin(7);
    for (int i = 0; i < 100000; i++) {
        uint64_t seq = (below(1U << 31) << 31 | below(1U << 31)) >> below(62);
        struct entry_uuid uuid = {{below(NOTIFY_ID_MAX_MS + 1), seq},
                                  (uint16_t)below(ENTRY_UUID_TAG_MAX + 1)};
        struct entry_uuid back;
        char text[ENTRY_UUID_LEN + 1];

        cr_assert(entry_uuid_format(text, &uuid));
        cr_assert_eq(strlen(text), ENTRY_UUID_LEN);
        cr_assert_eq(text[14], '4');
        cr_assert_not_null(strchr("89ab", text[19]));
        cr_assert_eq(parse(text, &back), ENTRY_UUID_ENTRY);
        cr_assert(same(&uuid, &back), "%s", text);
    }
}

Test(entry_uuid, they_sort_as_the_ids_of_a_box_do)
{
    char before[ENTRY_UUID_LEN + 1], after[ENTRY_UUID_LEN + 1];

    random_begin(11);
    for (int i = 0; i < 10000; i++) {
        struct entry_uuid a = {{below(1000), below(1000)}, 9}, b = a;
        b.id = notify_id_after(b.id);
        b.id.ms += below(2);
        cr_assert(entry_uuid_format(before, &a) && entry_uuid_format(after, &b));
        cr_assert_lt(strcmp(before, after), 0);
    }
}

Test(entry_uuid, an_id_that_was_given_by_hand_may_have_none)
{
    struct entry_uuid uuid = {{1, ENTRY_UUID_SEQ_MAX}, 0};
    char text[ENTRY_UUID_LEN + 1];

    cr_assert(entry_uuid_format(text, &uuid));
    uuid.id.seq++;
    cr_assert_not(entry_uuid_format(text, &uuid));
}

Test(entry_uuid, either_case_is_read)
{
    struct entry_uuid back;

    cr_assert_eq(parse("01A1FAC2-4CFB-4ABC-8000-000000000005", &back), ENTRY_UUID_ENTRY);
    cr_assert(same(&back, &known));
}

Test(entry_uuid, other_peoples_uuids_are_told_from_what_is_none)
{
    static const struct {
        const char *text;
        enum entry_uuid_kind kind;
    } rows[] = {
        {"01a1fac2-4cfb-1abc-8000-000000000005", ENTRY_UUID_FOREIGN}, /* version 1 */
        {"01a1fac2-4cfb-4abc-c000-000000000005", ENTRY_UUID_FOREIGN}, /* variant */
        {"00000000-0000-0000-0000-000000000000", ENTRY_UUID_FOREIGN},
        {"ffffffff-ffff-4fff-bfff-ffffffffffff", ENTRY_UUID_FOREIGN}, /* after the year 9999 */
        {"", ENTRY_UUID_NONE},
        {"01a1fac2-4cfb-4abc-8000-00000000000", ENTRY_UUID_NONE},
        {"01a1fac2-4cfb-4abc-8000-0000000000055", ENTRY_UUID_NONE},
        {"01a1fac2-4cfb-4abc-8000-00000000000g", ENTRY_UUID_NONE},
        {"01a1fac2-4cfb-4abc-8000 000000000005", ENTRY_UUID_NONE},
        {"01a1fac24cfb-4abc-8000-0000000000050", ENTRY_UUID_NONE},
        {"+1a1fac2-4cfb-4abc-8000-000000000005", ENTRY_UUID_NONE},
        {"{1a1fac2-4cfb-4abc-8000-00000000000}", ENTRY_UUID_NONE},
        {"1795208400123-0", ENTRY_UUID_NONE},
    };
    struct entry_uuid back;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(parse(rows[i].text, &back), rows[i].kind, "%s", rows[i].text);
}

Test(entry_uuid, a_nul_is_no_digit)
{
    static const char text[] = "01a1fac2-4cfb-4abc-8000-00000000000\0";
    struct entry_uuid back;

    cr_assert_eq(entry_uuid_parse(notify_str_of(text, ENTRY_UUID_LEN), &back), ENTRY_UUID_NONE);
}

Test(entry_uuid, the_tag_of_a_key_is_the_same_everywhere_and_never_that_of_the_inbox)
{
    char key[16];

    cr_assert_eq(entry_uuid_tag(NOTIFY_STR("topic:all")), entry_uuid_tag(NOTIFY_STR("topic:all")));
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(key, sizeof(key), "topic:%d", i);
        cr_assert_geq(entry_uuid_tag(notify_str_z(key)), 1);
        cr_assert_leq(entry_uuid_tag(notify_str_z(key)), ENTRY_UUID_TAG_MAX);
    }
}
