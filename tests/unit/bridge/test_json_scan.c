/* The JSON scanner beside RFC 8259 and RFC 3629, and beside jansson. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/json_scan.h"

static void count_member(void *ctx, struct notify_str name, struct notify_str value)
{
    (void)name;
    (void)value;
    ++*(size_t *)ctx;
}

static bool accepts(struct notify_str text)
{
    size_t members = 0;
    char *copy = malloc(text.len + 1); /* so that a sanitizer sees a byte read too far */
    bool accepted;

    cr_assert_not_null(copy);
    memcpy(copy, text.ptr, text.len);
    copy = realloc(copy, text.len == 0 ? 1 : text.len);
    accepted = json_scan_object(notify_str_of(copy, text.len), count_member, &members);
    free(copy);
    return accepted;
}

static const char *const objects[] = {
    "{}",
    " \t\r\n{ \t\r\n} \t\r\n",
    "{\"a\":1}",
    "{ \"a\" : 1 , \"b\" : 2 }",
    "{\"\":\"\"}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":[],\"b\":{},\"c\":[[],[{}]],\"d\":{\"e\":[1,2,{\"f\":null}]}}",
    "{\"a\":[true,false,null]}",
    "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD834\\udd1e\\ud800\"}",
    "{\"a\\u0022\":1}",
    "{\"a\":[0,-0,1,-1,10,1.5,0.0,-0.1,1e1,1E1,1e+1,1e-1,1.5e300,123456789012345678901234567890]}",
    "{\"a\":\"\x7f\"}",
    /* The edges of UTF-8. */
    "{\"a\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"}",
    "{\"a\":\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}",
    "{\"\xc3\xa9\":1}",
};

static const char *const others[] = {
    "",
    " ",
    "null",
    "1",
    "\"a\"",
    "[]",
    "[{}]",
    "{",
    "}",
    "{}}",
    "{}{}",
    "{},",
    "{}x",
    ",{}",
    "\xef\xbb\xbf{}",
    "{,}",
    "{\"a\":1,}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":1 \"b\":2}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" 1}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "{\"a\":1]",
    "{\"a\":[1}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1:2]}",
    "{\"a\":{\"b\":1,}}",
    "{\"a\":{\"b\",\"c\"}}",
    "{\"a\":[}}",
    "{\"a\":[[]}",
    "{\"a\":nul}",
    "{\"a\":nulll}",
    "{\"a\":True}",
    "{\"a\":truefalse}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":undefined}",
    "{\"a\":/**/1}",
    "{\"a\":1}//",
    "{\"a\":01}",
    "{\"a\":-01}",
    "{\"a\":00}",
    "{\"a\":+1}",
    "{\"a\":-}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":1.e1}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":1e1.5}",
    "{\"a\":1 e1}",
    "{\"a\":- 1}",
    "{\"a\":0x10}",
    "{\"a\":\"}",
    "{\"a\":\"\\\"}",
    "{\"a\":\"\\",
    "{\"a\":\"\\u",
    "{\"a\":\"\\u00",
    "{\"a\":\"\\u000g\"}",
    "{\"a\":\"\\u00 0\"}",
    "{\"a\":\"\\x41\"}",
    "{\"a\":\"\\'\"}",
    "{\"a\":\"\\U0041\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":\"\x1f\"}",
    "{\"a\n\":1}",
    "{\"a\":1}\v",
    "{\"a\":\f1}",
    "{\"a\":\xc2\xa0[]}",
    /* Not UTF-8: a lone continuation, overlong forms, a surrogate, beyond U+10FFFF, cut short. */
    "{\"a\":\"\x80\"}",
    "{\"a\":\"\xbf\"}",
    "{\"a\":\"\xc0\x80\"}",
    "{\"a\":\"\xc1\xbf\"}",
    "{\"a\":\"\xe0\x9f\xbf\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf0\x8f\xbf\xbf\"}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xf5\x80\x80\x80\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc2\"}",
    "{\"a\":\"\xe2\x82\"}",
    "{\"a\":\"\xf0\x9f\x98\"}",
    "{\"a\":\"\xc2",
    "{\"a\":\"\xe2\x82",
    "{\"a\":\"\xf0\x9f\x98",
    "{\"\xff\":1}",
};

Test(json_scan, accepts_what_rfc_8259_calls_an_object)
{
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
        cr_assert(accepts(notify_str_z(objects[i])), "%s", objects[i]);
}

Test(json_scan, refuses_everything_else)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(accepts(notify_str_z(others[i])), "%s", others[i]);
}

Test(json_scan, a_nul_byte_is_no_blank_and_no_end)
{
    cr_assert_not(accepts(NOTIFY_STR("{}\0")));
    cr_assert_not(accepts(NOTIFY_STR("\0{}")));
    cr_assert_not(accepts(NOTIFY_STR("{\"a\":\"\0\"}")));
    cr_assert_not(accepts(NOTIFY_STR("{\0}")));
}

/* {"a": and depth times open or close in turn. */
static char *nested(size_t depth, const char *open, const char *close, bool ended)
{
    size_t cap = 16 + depth * (strlen(open) + strlen(close));
    char *text = malloc(cap);
    size_t len = 0;

    cr_assert_not_null(text);
    len += (size_t)sprintf(text, "{\"a\":");
    for (size_t i = 0; i < depth; i++)
        len += (size_t)sprintf(text + len, "%s", open);
    len += (size_t)sprintf(text + len, "1");
    for (size_t i = 0; i < depth; i++)
        len += (size_t)sprintf(text + len, "%s", close);
    (void)sprintf(text + len, ended ? "}" : "");
    return text;
}

static bool accepts_depth(size_t depth, const char *open, const char *close)
{
    char *text = nested(depth, open, close, true);
    bool accepted = accepts(notify_str_z(text));

    free(text);
    return accepted;
}

Test(json_scan, depth_is_limited)
{
    cr_assert(accepts_depth(JSON_SCAN_MAX_DEPTH, "[", "]"));
    cr_assert(accepts_depth(JSON_SCAN_MAX_DEPTH, "{\"b\":", "}"));
    cr_assert(accepts_depth(JSON_SCAN_MAX_DEPTH / 2, "[{\"b\":", "}]"));
    cr_assert_not(accepts_depth(JSON_SCAN_MAX_DEPTH + 1, "[", "]"));
    cr_assert_not(accepts_depth(JSON_SCAN_MAX_DEPTH + 1, "{\"b\":", "}"));
    cr_assert_not(accepts_depth(1000000, "[", "]"));
}

Test(json_scan, each_level_must_be_closed_by_its_own_bracket)
{
    cr_assert_not(accepts_depth(20, "[{\"b\":", "]}"));
    cr_assert_not(accepts_depth(9, "[", "}"));
    cr_assert_not(accepts_depth(9, "{\"b\":", "]"));
}

Test(json_scan, a_text_cut_anywhere_is_refused)
{
    const char *text =
        "{\"a\":[1,-2.5e+7,{\"b\\n\":\"\xf0\x9f\x98\x80\\u00e9\"},[],{}],\"c\":null}";

    cr_assert(accepts(notify_str_z(text)));
    for (size_t len = 0; len < strlen(text); len++)
        cr_assert_not(accepts(notify_str_of(text, len)), "%.*s", (int)len, text);
}

/* Members. */

struct seen {
    struct notify_str names[8], values[8];
    size_t len;
};

static void keep_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct seen *seen = ctx;

    seen->names[seen->len] = name;
    seen->values[seen->len++] = value;
}

Test(json_scan, members_come_in_order_and_raw)
{
    static const char *const expected[][2] = {
        {"a", "1"},   {"b\\n", "\"x\\\"y\""}, {"", "[ 1 , {\"a\":2} ]"},
        {"a", "{ }"}, {"z", "-1.5e3"},        {"n", "null"}};
    const size_t count = sizeof(expected) / sizeof(expected[0]);
    struct seen seen = {.len = 0};

    cr_assert(json_scan_object(
        NOTIFY_STR(" { \"a\" : 1 , \"b\\n\" : \"x\\\"y\" , \"\" : [ 1 , {\"a\":2} ] ,\"a\":{ }"
                   ",\"z\":-1.5e3 , \"n\":null } "),
        keep_member, &seen));
    cr_assert_eq(seen.len, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert(notify_str_eq(seen.names[i], notify_str_z(expected[i][0])));
        cr_assert(notify_str_eq(seen.values[i], notify_str_z(expected[i][1])), "%.*s",
                  (int)seen.values[i].len, seen.values[i].ptr);
    }
}

Test(json_scan, a_fault_says_where_and_whether_it_is_the_depth)
{
    struct json_fault fault;
    struct seen seen = {.len = 0};
    char *deep = nested(JSON_SCAN_MAX_DEPTH + 1, "[", "]", true);

    cr_assert(json_scan_message(NOTIFY_STR("{\"a\":1}"), keep_member, &seen, &fault));
    cr_assert_not(json_scan_message(NOTIFY_STR("{\"a\":1;\"b\":2}"), keep_member, &seen, &fault));
    cr_assert_eq(fault.at, 6);
    cr_assert_not(fault.too_deep);
    cr_assert_not(json_scan_message(notify_str_z(deep), keep_member, &seen, &fault));
    cr_assert_eq(fault.at, 5 + JSON_SCAN_MAX_DEPTH + 1);
    cr_assert(fault.too_deep);
    cr_assert_not(json_scan_message((struct notify_str){NULL, 0}, keep_member, &seen, &fault));
    cr_assert_not(fault.too_deep);
    free(deep);
}

Test(json_scan, a_value_is_exactly_one)
{
    static const char *const values[] = {"1", "-0", "\"\\ud800\"", "null", "[1, 2]", "{\"a\":{}}"};
    static const char *const none[] = {"",   " ",  " 1",     "1 ",  "1,2", "\"a",
                                       "[1", "01", "\"\n\"", "nul", "1}",  "\"\\u12\""};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        cr_assert(json_scan_value(notify_str_z(values[i])), "%s", values[i]);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        cr_assert_not(json_scan_value(notify_str_z(none[i])), "%s", none[i]);
}

/* What is wrong in a message, and how often "id":7 is found all the same. */
static const struct {
    const char *text;
    size_t found;
} skimmed[] = {
    {"{\"id\":7", 1},
    {"{\"id\":7,", 1},
    {" { \"id\" : 7 , \"x\"", 1},
    {"{\"x\":nonsense,\"id\":7}", 1},
    {"{\"x\":,\"id\":7}", 1},
    {"{\"x\":1 2 \"3\" [,] {,},\"id\":7}", 1},
    {"{\"x\":\"\\x\n \\\"id\\\":7 ,{\",\"id\":7}", 1},
    {"{\"x\":[1,{\"id\":7},\"id\"],\"id\":7}", 1},
    {"{,,\"x\",1,id,{\"id\":7},\"id\":7}", 1},
    {"{\"id\":7}\"id\":7}", 1},
    {"{\"id\":7,\"id\":7}", 2},
    {"{\"x\":{\"id\":7}}", 0},
    {"{\"x\":\",\\\"id\\\":7", 0},
    {"{\"id\" 7}", 0},
    {"{id:7}", 0},
    {"{\"id\"", 0},
    {"{\"id", 0},
    {"[\"id\":7]", 0},
    {"", 0},
    {"{", 0},
};

static void count_id(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("id")) && notify_str_eq(value, NOTIFY_STR("7")))
        ++*(size_t *)ctx;
}

Test(json_scan, members_are_found_in_what_is_no_object)
{
    for (size_t i = 0; i < sizeof(skimmed) / sizeof(skimmed[0]); i++) {
        size_t found = 0;
        json_skim_object(notify_str_z(skimmed[i].text), count_id, &found);
        cr_assert_eq(found, skimmed[i].found, "%s", skimmed[i].text);
    }
}

Test(json_scan, a_member_is_found_behind_any_depth)
{
    size_t found = 0;
    char *deep = nested(1000000, "[", "]", false);
    char *text = malloc(strlen(deep) + 16);

    (void)sprintf(text, "%s,\"id\":7}", deep);
    json_skim_object(notify_str_z(text), count_id, &found);
    cr_assert_eq(found, 1);
    free(deep);
    free(text);
}

Test(json_scan, skimming_finds_the_same_members_in_an_object_as_scanning)
{
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        struct seen scanned = {.len = 0}, skim = {.len = 0};
        cr_assert(json_scan_object(notify_str_z(objects[i]), keep_member, &scanned));
        json_skim_object(notify_str_z(objects[i]), keep_member, &skim);
        cr_assert_eq(scanned.len, skim.len, "%s", objects[i]);
        for (size_t n = 0; n < skim.len; n++) {
            cr_assert(notify_str_eq(scanned.names[n], skim.names[n]), "%s", objects[i]);
            cr_assert(notify_str_eq(scanned.values[n], skim.values[n]), "%s", objects[i]);
        }
    }
}

Test(json_scan, a_plain_string_has_quotes_and_no_escapes)
{
    cr_assert(notify_str_eq(json_plain_string(NOTIFY_STR("\"5-1\"")), NOTIFY_STR("5-1")));
    cr_assert_eq(json_plain_string(NOTIFY_STR("\"\"")).len, 0);
    cr_assert_null(json_plain_string(NOTIFY_STR("\"a\\n\"")).ptr);
    cr_assert_null(json_plain_string(NOTIFY_STR("51")).ptr);
    cr_assert_null(json_plain_string(NOTIFY_STR("\"")).ptr);
    cr_assert_null(json_plain_string((struct notify_str){NULL, 0}).ptr);
}

/* Beside jansson, which refuses more in three places: numbers that do not fit, escapes that make no
 * character, and depths beyond its own. */

static bool within_common_ground(const char *text, size_t len)
{
    size_t digits = 0;

    for (size_t i = 0; i < len; i++) {
        digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
        if (digits > 15 || (i + 1 < len && text[i] == '\\' && text[i + 1] == 'u'))
            return false;
        if ((text[i] == 'e' || text[i] == 'E') && i + 4 < len && text[i + 3] >= '0' &&
            text[i + 3] <= '9')
            return false; /* may be an exponent of three digits */
    }
    return true;
}

static size_t mutate(char *text, size_t len, size_t cap)
{
    static const char alphabet[] =
        "{}[]:,\"\\0123456789-+.eEtrufalsn \t\n\x01\xc3\xa9\xe2\x82\xac\xf0";
    size_t at = len == 0 ? 0 : (size_t)rand() % len;
    char c = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];

    switch (rand() % 4) {
    case 0: /* change */
        if (len > 0)
            text[at] = c;
        return len;
    case 1: /* insert */
        if (len == cap)
            return len;
        memmove(text + at + 1, text + at, len - at);
        text[at] = c;
        return len + 1;
    case 2: /* remove */
        if (len > 0)
            memmove(text + at, text + at + 1, len - at - 1);
        return len > 0 ? len - 1 : 0;
    default: /* swap two */
        if (len > 1 && at + 1 < len) {
            c = text[at];
            text[at] = text[at + 1];
            text[at + 1] = c;
        }
        return len;
    }
}

static bool jansson_accepts(const char *text, size_t len)
{
    json_t *value = json_loadb(text, len, 0, NULL);
    bool accepted = json_is_object(value);

    json_decref(value);
    return accepted;
}

Test(json_scan, agrees_with_jansson_on_mutated_texts)
{
    static const char *const seeds[] = {
        "{\"a\":1}",
        "{\"type\":\"t\",\"key\":\"k\",\"rev\":17,\"ids\":[\"5-1\",\"6-1\"],\"x\":null}",
        "{\"a\":[1,-2.5e+7,{\"b\\n\":\"\xf0\x9f\x98\x80\xc3\xa9\"},[],{}],\"c\":[true,false]}",
        " { \"\" : { \"a\" : [ [ 0 , -0 ] , \"\\\\\" ] } } ",
    };
    size_t compared = 0, accepted = 0;

    srand(8259);
    for (int i = 0; i < 200000; i++) {
        char text[128];
        const char *seed = seeds[(size_t)i % (sizeof(seeds) / sizeof(seeds[0]))];
        size_t len = strlen(seed);
        memcpy(text, seed, len);
        for (int n = 1 + rand() % 3; n > 0; n--)
            len = mutate(text, len, sizeof(text));
        if (!within_common_ground(text, len))
            continue;
        bool expected = jansson_accepts(text, len);
        cr_assert_eq(accepts(notify_str_of(text, len)), expected, "%.*s", (int)len, text);
        compared++;
        accepted += expected;
    }
    cr_assert_gt(compared, 150000);
    cr_assert_gt(accepted, compared / 20, "%zu of %zu", accepted, compared);
    cr_assert_lt(accepted, compared - compared / 20, "%zu of %zu", accepted, compared);
}

static void join_elements(void *ctx, struct notify_str value)
{
    (void)fprintf(ctx, "<%.*s>", (int)value.len, value.ptr);
}

static bool scan_elements(const char *text, char *out, size_t cap)
{
    FILE *file = fmemopen(out, cap, "w");
    bool whole = json_scan_array(notify_str_z(text), join_elements, file);

    (void)fclose(file);
    return whole;
}

Test(json_scan, an_array_shows_its_elements_raw)
{
    char out[128] = "";

    cr_assert(scan_elements(" [1, \"a\" ,[2,3],{\"b\":[]}\n] ", out, sizeof(out)));
    cr_expect_str_eq(out, "<1><\"a\"><[2,3]><{\"b\":[]}>");
    out[0] = '\0';
    cr_assert(scan_elements("[ ]", out, sizeof(out)));
    cr_expect_str_eq(out, "");
}

Test(json_scan, what_is_not_exactly_one_array_is_none)
{
    static const char *const bad[] = {"",      "[",     "]",    "[1",   "[1,]",   "[,]",
                                      "[1 2]", "[1]]",  "[1]x", "{}",   "1",      "[1}",
                                      "[x]",   "[\"a]", "[[1]", "[1],", "[\x1e]", "[\"\x1e\"]"};
    char out[128];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(scan_elements(bad[i], out, sizeof(out)), "%s", bad[i]);
}
