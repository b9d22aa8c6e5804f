/* Bodies: what goes in, what is refused, what comes out, and what a hostile payload may not
 * contain. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/varint.h"
#include "box/body.h"
#include "mem_testing.h"

static struct text_buf out;
static struct text_buf scratch;
static struct body plain;
static struct body_error error;

static void setup(void)
{
    mem_testing_install(1);
    out = TEXT_BUF_INIT;
    scratch = TEXT_BUF_INIT;
    plain = (struct body){0};
}

static void teardown(void)
{
    text_buf_release(&out);
    text_buf_release(&scratch);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(body, .init = setup, .fini = teardown);

static bool stored_is(enum body_field field, const char *text)
{
    return notify_str_eq(body_find(text_buf_str(&out), field), notify_str_z(text));
}

static void fill_all(void)
{
    plain.field[BODY_EVENT] = NOTIFY_STR("build.done");
    plain.field[BODY_TITLE] = NOTIFY_STR("A \"title\"");
    plain.field[BODY_CONTENT] = NOTIFY_STR("line 1\nline 2");
    plain.field[BODY_TYPE] = NOTIFY_STR("build");
    plain.field[BODY_ACTION] = NOTIFY_STR(" { \"type\" : \"open\" } ");
    plain.field[BODY_ENTITY_TYPE] = NOTIFY_STR("job");
    plain.field[BODY_ENTITY_ID] = NOTIFY_STR("7");
    plain.field[BODY_DATA] = NOTIFY_STR("[1, 123456789012345678901]");
    plain.field[BODY_EXCLUDE] = NOTIFY_STR("s-1");
}

Test(body, every_field_is_stored_rendered_and_can_be_read_back)
{
    struct body stored;

    fill_all();
    cr_assert(body_build(&out, &plain, &error));
    cr_assert(stored_is(BODY_TITLE, "A \\\"title\\\""));
    cr_assert(stored_is(BODY_CONTENT, "line 1\\nline 2"));
    cr_assert(stored_is(BODY_ACTION, "{\"type\":\"open\"}"));
    cr_assert(stored_is(BODY_DATA, "[1,123456789012345678901]"));
    cr_assert(body_is_sound(text_buf_str(&out)));
    cr_assert(body_parse(text_buf_str(&out), &stored));
    for (unsigned f = BODY_EVENT; f < BODY_FIELD_COUNT; f++) {
        enum body_field field = (enum body_field)f;
        struct notify_str text = body_plain(&scratch, field, stored.field[f]);
        if (field != BODY_ACTION && field != BODY_DATA)
            cr_assert(notify_str_eq(text, plain.field[f]), "field %u", f);
    }
}

Test(body, absent_and_empty_optional_fields_take_no_room)
{
    plain.field[BODY_TITLE] = NOTIFY_STR("t");
    plain.field[BODY_CONTENT] = NOTIFY_STR("");
    plain.field[BODY_TYPE] = NOTIFY_STR("");
    plain.field[BODY_EXCLUDE] = NOTIFY_STR("");
    plain.field[BODY_EVENT] = NOTIFY_STR(NOTIFY_EVENT_DEFAULT);
    cr_assert(body_build(&out, &plain, &error));
    cr_assert_eq(out.len, 3);
    cr_assert_null(body_find(text_buf_str(&out), BODY_CONTENT).ptr);
    cr_assert_null(body_find(text_buf_str(&out), BODY_EVENT).ptr);
}

Test(body, a_field_longer_than_127_bytes_has_a_longer_head)
{
    static char text[70000];

    memset(text, 'x', sizeof(text));
    plain.field[BODY_TITLE] = NOTIFY_STR("t");
    plain.field[BODY_CONTENT] = notify_str_of(text, sizeof(text));
    plain.field[BODY_TYPE] = NOTIFY_STR("behind it");
    cr_assert(body_build(&out, &plain, &error));
    cr_assert_eq(body_find(text_buf_str(&out), BODY_CONTENT).len, sizeof(text));
    cr_assert(stored_is(BODY_TYPE, "behind it"));
}

/* A text that gets longer as it is rendered, and JSON that gets shorter. */
static void check_rendered_length(size_t count)
{
    static char quotes[20000], blanks[20000];

    memset(quotes, '"', count);
    memset(blanks, ' ', count);
    blanks[0] = '7';
    plain.field[BODY_TITLE] = NOTIFY_STR("before");
    plain.field[BODY_CONTENT] = notify_str_of(quotes, count);
    plain.field[BODY_TYPE] = NOTIFY_STR("between");
    plain.field[BODY_DATA] = notify_str_of(blanks, count);
    plain.field[BODY_EXCLUDE] = NOTIFY_STR("behind");
    cr_assert(body_build(&out, &plain, &error), "%zu", count);
    cr_assert(body_is_sound(text_buf_str(&out)), "%zu", count);
    cr_assert(stored_is(BODY_TITLE, "before") && stored_is(BODY_TYPE, "between") &&
                  stored_is(BODY_DATA, "7") && stored_is(BODY_EXCLUDE, "behind"),
              "%zu", count);
    cr_assert_eq(body_find(text_buf_str(&out), BODY_CONTENT).len, 2 * count);
    cr_assert_eq(out.len, 8 + 1 + varint_len(2 * count) + 2 * count + 9 + 3 + 8, "%zu", count);
}

Test(body, a_field_whose_length_changes_as_it_is_rendered_stands_beside_the_others)
{
    for (size_t count = 1; count < 300; count++)
        check_rendered_length(count);
    for (size_t count = 8190; count < 8195; count++) /* 2 * 8192: one more byte of length */
        check_rendered_length(count);
    for (size_t count = 16382; count < 16387; count++) /* so has 16384 */
        check_rendered_length(count);
}

struct fault_row {
    enum body_field field;
    const char *text;
    enum body_fault fault;
};

Test(body, the_fault_and_its_field_are_told)
{
    static const struct fault_row rows[] = {
        {BODY_TITLE, "", BODY_EMPTY},
        {BODY_TITLE, "\xff", BODY_NOT_UTF8},
        {BODY_CONTENT, "\xff", BODY_NOT_UTF8},
        {BODY_TYPE, "\xed\xa0\x80", BODY_NOT_UTF8},
        {BODY_EVENT, "", BODY_EMPTY},
        {BODY_EVENT, "with blank", BODY_NOT_NAME},
        {BODY_EVENT, "\xc3\xa4", BODY_NOT_NAME},
        {BODY_EVENT, "quote\"", BODY_NOT_NAME},
        {BODY_ACTION, "", BODY_NOT_JSON},
        {BODY_DATA, "{", BODY_NOT_JSON},
        {BODY_DATA, "", BODY_NOT_JSON},
        {BODY_ENTITY_ID, "\xff", BODY_NOT_UTF8},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        plain = (struct body){0};
        plain.field[BODY_TITLE] = NOTIFY_STR("t");
        plain.field[rows[i].field] = notify_str_z(rows[i].text);
        cr_assert_not(body_build(&out, &plain, &error), "row %zu", i);
        cr_assert_eq(error.fault, rows[i].fault, "row %zu", i);
        cr_assert_eq(error.field, rows[i].field, "row %zu", i);
        cr_assert_eq(out.len, 0);
    }
}

Test(body, limits_count_characters_of_a_title_and_bytes_of_the_others)
{
    static char text[NOTIFY_TITLE_MAX * 4 + 4];
    size_t max = NOTIFY_TITLE_MAX;

    for (size_t i = 0; i < sizeof(text); i += 4)
        memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    plain.field[BODY_TITLE] = notify_str_of(text, max * 4);
    cr_assert(body_build(&out, &plain, &error));
    cr_assert(body_is_sound(text_buf_str(&out)));
    plain.field[BODY_TITLE] = notify_str_of(text, max * 4 + 4);
    cr_assert_not(body_build(&out, &plain, &error));
    cr_assert_eq(error.fault, BODY_TOO_LONG);

    memset(text, 'x', sizeof(text));
    for (unsigned f = BODY_EVENT; f < BODY_FIELD_COUNT; f++) {
        max = body_field_max((enum body_field)f);
        if (max == 0)
            continue;
        plain = (struct body){0};
        plain.field[f] = notify_str_of(text, max);
        cr_assert(body_build(&out, &plain, &error), "field %u", f);
        plain.field[f] = notify_str_of(text, max + 1);
        cr_assert_not(body_build(&out, &plain, &error), "field %u", f);
        cr_assert_eq(error.fault, BODY_TOO_LONG);
        cr_assert_eq(error.field, f);
    }
}

Test(body, a_title_of_control_characters_passes_its_own_check_again)
{
    char text[NOTIFY_TITLE_MAX];

    memset(text, 1, sizeof(text)); /* each becomes six bytes */
    plain.field[BODY_TITLE] = notify_str_of(text, sizeof(text));
    cr_assert(body_build(&out, &plain, &error));
    cr_assert(body_is_sound(text_buf_str(&out)));
}

Test(body, hostile_bytes_are_not_sound)
{
    static const struct notify_str rows[] = {
        {"\x03", 1}, /* no length */
        {"\x03\x05"
         "abc",
         5}, /* cut short */
        {"\x03\x80\x00"
         "a",
         4}, /* length not in its shortest form */
        {"\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"\x03\x00", 2}, /* empty title */
        {"\x00\x01"
         "a",
         3}, /* no such field */
        {"\x0b\x01"
         "a",
         3}, /* no such field */
        {"\xff\x01"
         "a",
         3},
        {"\x03\x01"
         "a\x03\x01"
         "b",
         6}, /* twice */
        {"\x04\x01"
         "a\x03\x01"
         "b",
         6},               /* wrong order */
        {"\x03\x01\"", 3}, /* would end the string */
        {"\x03\x01\\", 3}, /* would escape the quote */
        {"\x03\x01\n", 3},
        {"\x03\x01\xff", 3},
        {"\x02\x01\"", 3}, /* event */
        {"\x02\x02\\n", 4},
        {"\x09\x02{}"
         "x",
         5},
        {"\x09\x01{", 3},   /* data */
        {"\x09\x03{ }", 5}, /* not minified */
        {"\x09\x05"
         "1,\"a\"",
         7},
        {"\x06\x03[]]", 5}, /* action */
    };

    cr_assert(body_is_sound(NOTIFY_STR("\x03\x01"
                                       "a")));
    cr_assert(body_is_sound(NOTIFY_STR("\x03\x01"
                                       "a\x09\x02{}")));
    cr_assert(body_is_sound(NOTIFY_STR("")));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_not(body_is_sound(rows[i]), "row %zu", i);
}

Test(body, lack_of_memory_is_a_fault_and_leaks_nothing)
{
    static char text[3000];
    bool built = false;

    memset(text, '\n', sizeof(text));
    fill_all();
    plain.field[BODY_CONTENT] = notify_str_of(text, sizeof(text));
    for (long n = 1; !built; n++) {
        text_buf_release(&out);
        mem_testing_fail_at(n);
        built = body_build(&out, &plain, &error);
        mem_testing_fail_at(0);
        if (!built)
            cr_assert_eq(error.fault, BODY_NO_MEMORY);
        cr_assert_lt(n, 100);
    }
    cr_assert_eq(body_find(text_buf_str(&out), BODY_CONTENT).len, 6000);
}
