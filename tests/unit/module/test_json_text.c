/* JSON as text: escaping both ways, and the verdict on whole values, which jansson must share. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>

#include "base/json_text.h"
#include "mem_testing.h"

static struct text_buf out;

static void setup(void)
{
    mem_testing_install(1);
    out = TEXT_BUF_INIT;
}

static void teardown(void)
{
    text_buf_release(&out);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(json_text, .init = setup, .fini = teardown);

static bool out_is(const char *text)
{
    return notify_str_eq(text_buf_str(&out), notify_str_z(text));
}

Test(json_text, escapes_what_must_be_and_nothing_else)
{
    cr_assert(json_text_escape(&out, NOTIFY_STR("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f \xc3\xa4")));
    cr_assert(out_is("a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xc3\xa4"));
}

Test(json_text, escapes_a_nul)
{
    cr_assert(json_text_escape(&out, notify_str_of("a\0b", 3)));
    cr_assert(out_is("a\\u0000b"));
}

/* What becomes of x's around one other byte. */
static void check_byte(size_t len, size_t at, unsigned char byte)
{
    bool is_special = byte < 0x20 || byte == '"' || byte == '\\';
    char text[80];

    memset(text, 'x', len);
    text[at] = (char)byte;
    text_buf_clear(&out);
    cr_assert_eq(json_text_escape(&out, notify_str_of(text, len)), byte < 0x80);
    if (byte >= 0x80)
        cr_assert_eq(out.len, 0, "0x%x at %zu of %zu", byte, at, len);
    else if (is_special)
        cr_assert(out.len > len && out.ptr[at] == '\\', "0x%x at %zu of %zu", byte, at, len);
    else
        cr_assert(notify_str_eq(text_buf_str(&out), notify_str_of(text, len)));
}

Test(json_text, finds_a_special_byte_wherever_it_stands_in_a_text_of_any_length)
{
    static const unsigned char bytes[] = {0x00, 0x01, 0x1f, ' ',  '!',  '"',  '#',  '[', '\\',
                                          ']',  '~',  0x7f, 0x80, 0xa0, 0xa2, 0xdc, 0xff};

    for (size_t len = 1; len < 80; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t i = 0; i < sizeof(bytes); i++)
                check_byte(len, at, bytes[i]);
}

Test(json_text, leaves_longer_characters_alone_wherever_they_stand)
{
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
        struct notify_str character = notify_str_z(characters[i]);
        for (size_t at = 0; at + character.len <= 80; at++) {
            char text[80];
            memset(text, 'x', sizeof(text));
            memcpy(text + at, character.ptr, character.len);
            text_buf_clear(&out);
            cr_assert(json_text_escape(&out, notify_str_of(text, sizeof(text))));
            cr_assert(notify_str_eq(text_buf_str(&out), notify_str_of(text, sizeof(text))));
        }
    }
}

Test(json_text, refuses_to_escape_invalid_utf8_and_leaves_out_as_it_was)
{
    text_buf_add(&out, NOTIFY_STR("before"));
    cr_assert_not(json_text_escape(&out, NOTIFY_STR("good \xc3\x28 bad")));
    cr_assert(out_is("before"));
}

Test(json_text, lossy_escaping_replaces_each_invalid_byte)
{
    json_text_escape_lossy(&out, NOTIFY_STR("a\xff\xc3\x28\"\xc3\xa4"));
    cr_assert(out_is("a\xef\xbf\xbd\xef\xbf\xbd(\\\"\xc3\xa4"));
}

Test(json_text, unescapes_every_escape)
{
    json_text_unescape(
        &out, NOTIFY_STR("\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20AC\\ud83d\\ude00x\\u0041"));
    cr_assert(out_is("\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80xA"));
}

struct pair {
    const char *escaped;
    const char *text;
    bool equal;
};

Test(json_text, compares_an_escaped_text_with_a_plain_one)
{
    static const struct pair pairs[] = {
        {"", "", true},
        {"abc", "abc", true},
        {"abc", "abd", false},
        {"abc", "ab", false},
        {"ab", "abc", false},
        {"a\\nb", "a\nb", true},
        {"a\\nb", "a\nc", false},
        {"a\\n", "a", false},
        {"a", "a\n", false},
        {"\\u00e4", "\xc3\xa4", true},
        {"\\u00e4", "\xc3\xa5", false},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        cr_assert_eq(json_text_equals(notify_str_z(pairs[i].escaped), notify_str_z(pairs[i].text)),
                     pairs[i].equal, "row %zu", i);
}

Test(json_text, knows_the_inside_of_a_string)
{
    cr_assert(json_text_is_escaped(NOTIFY_STR("")));
    cr_assert(json_text_is_escaped(NOTIFY_STR("a\\n\\u0000\\ud83d\\ude00\xc3\xa4")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\"")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\x")));
    cr_assert_not(json_text_is_escaped(notify_str_of("\\\0", 2)));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\u12g4")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\u123")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\ud83d")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\ud83dxxxxxx")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\\ude00")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\n")));
    cr_assert_not(json_text_is_escaped(NOTIFY_STR("\xff")));
}

/* ---- whole values ---- */

static const char *good[][2] = {
    {"null", "null"},
    {" true ", "true"},
    {"\t\r\nfalse\n", "false"},
    {"0", "0"},
    {"-0", "-0"},
    {"-12.5e+3", "-12.5e+3"},
    {"1E9", "1E9"},
    {"123456789012345678901234567890", "123456789012345678901234567890"},
    {"1e9999", "1e9999"},
    {"\"a b\\n\"", "\"a b\\n\""},
    {"\"\\u0000\"", "\"\\u0000\""},
    {"[]", "[]"},
    {"[ ]", "[]"},
    {"{ }", "{}"},
    {"[1 , [ 2,3 ] ,{ } ]", "[1,[2,3],{}]"},
    {"{ \"a\" : 1 , \"b c\" : [ { \"d\" : null } ] }", "{\"a\":1,\"b c\":[{\"d\":null}]}"},
    {"{\"a\":{\"b\":{\"c\":[[[]]]}}}", "{\"a\":{\"b\":{\"c\":[[[]]]}}}"},
};

static const char *bad[] = {
    "",
    " ",
    "nul",
    "nulll",
    "true false",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "0x10",
    "NaN",
    "Infinity",
    "'a'",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\n\"",
    "\"\x01\"",
    "\"\xff\"",
    "\"\\x\"",
    "\"\\ud800\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[,1]",
    "[1,]",
    "[1 2]",
    "{",
    "}",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:2}",
    "{\"a\":1 \"b\":2}",
    "[1}",
    "{\"a\":1]",
    "[]]",
    "{}}",
    "1,2",
    "// c\n1",
    "[1]/**/",
    "\xef\xbb\xbf"
    "1",
    "\x0b"
    "1",
};

Test(json_text, minifies_valid_values)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        text_buf_clear(&out);
        cr_assert(json_text_minify(&out, notify_str_z(good[i][0])), "%s", good[i][0]);
        cr_assert(out_is(good[i][1]), "%s", good[i][0]);
        cr_assert(json_text_is_minified(notify_str_z(good[i][1])));
        if (strcmp(good[i][0], good[i][1]) != 0)
            cr_assert_not(json_text_is_minified(notify_str_z(good[i][0])), "%s", good[i][0]);
    }
}

Test(json_text, refuses_everything_else_and_leaves_out_as_it_was)
{
    text_buf_add(&out, NOTIFY_STR("before"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_not(json_text_minify(&out, notify_str_z(bad[i])), "%s", bad[i]);
        cr_assert_not(json_text_is_minified(notify_str_z(bad[i])), "%s", bad[i]);
        cr_assert(out_is("before"));
    }
    cr_assert_not(json_text_minify(&out, notify_str_of("1\0", 2)));
    cr_assert_not(json_text_minify(&out, notify_str_of("[1,\0]", 5)));
}

static void nest(char *text, size_t depth, bool closed)
{
    memset(text, '[', depth);
    memset(text + depth, ']', closed ? depth : 0);
    text[depth * (closed ? 2 : 1)] = '\0';
}

Test(json_text, limits_the_depth)
{
    char text[2 * JSON_TEXT_DEPTH_MAX + 4];

    nest(text, JSON_TEXT_DEPTH_MAX, true);
    cr_assert(json_text_minify(&out, notify_str_z(text)));
    nest(text, JSON_TEXT_DEPTH_MAX + 1, true);
    cr_assert_not(json_text_minify(&out, notify_str_z(text)));
    nest(text, JSON_TEXT_DEPTH_MAX + 1, false);
    cr_assert_not(json_text_minify(&out, notify_str_z(text)));
}

/* jansson has limits on numbers that we do not have: those of its errors do not count. */
static int jansson_verdict(const char *text, size_t len, json_t **ret_value)
{
    json_error_t error;
    json_t *value =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

    *ret_value = value;
    if (value != NULL)
        return 1;
    return json_error_code(&error) == json_error_numeric_overflow ? -1 : 0;
}

static uint64_t seed = 42;

static uint64_t below(uint64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % n;
}

Test(json_text, jansson_comes_to_the_same_verdict_and_value_on_mutated_texts, .timeout = 0)
{
    static const char material[] = "{}[]\",:\\ \n0123456789eE+-.utrfalsn/bd\xc3\xa4\xed\xa0\x01";
    size_t accepted = 0;

    for (size_t round = 0; round < 200000; round++) {
        char text[128];
        size_t pick = below(sizeof(good) / sizeof(good[0]));
        size_t len = strlen(good[pick][0]);
        json_t *value;
        json_t *again;
        int verdict;
        bool ours;
        memcpy(text, good[pick][0], len);
        for (uint64_t edits = below(4); edits > 0 && len > 1 && len < 100; edits--) {
            size_t at = below(len);
            char c = material[below(sizeof(material) - 1)];
            if (below(3) == 0) {
                memmove(text + at, text + at + 1, --len - at);
            } else if (below(2) == 0) {
                memmove(text + at + 1, text + at, len++ - at);
                text[at] = c;
            } else {
                text[at] = c;
            }
        }
        verdict = jansson_verdict(text, len, &value);
        text_buf_clear(&out);
        ours = json_text_minify(&out, notify_str_of(text, len));
        if (verdict >= 0)
            cr_assert_eq(ours, verdict == 1, "%.*s", (int)len, text);
        if (verdict == 1) {
            accepted++;
            cr_assert(json_text_is_minified(text_buf_str(&out)));
            cr_assert_eq(jansson_verdict(out.ptr, out.len, &again), 1);
            cr_assert(json_equal(value, again), "%.*s", (int)len, text);
            json_decref(again);
        }
        json_decref(value);
    }
    cr_assert_gt(accepted, 20000);
}
