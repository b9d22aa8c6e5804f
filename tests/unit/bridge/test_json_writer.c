/* JSON that is written piece by piece says the same as the tree that jansson prints. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "random_testing.h"
#include "wire/json_writer.h"
#include "wire/text.h"

#define TEXT_MAX 2000
#define ROUNDS 20000

/* A NUL of its own, what is escaped by a name or by its number, and UTF-8 of each length. */
static const char *const pieces[] = {"a",
                                     "\"",
                                     "\\",
                                     "/",
                                     "\b",
                                     "\f",
                                     "\n",
                                     "\r",
                                     "\t",
                                     "\x01",
                                     "\x1f",
                                     "\x7f",
                                     " ",
                                     "\xc3\xa9",
                                     "",
                                     "\xe2\x82\xac",
                                     "\xf0\x9f\x98\x80",
                                     "plain text"};
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

static size_t random_text(char out[TEXT_MAX])
{
    uint64_t count = below(chance(5) ? 150 : 8);
    size_t len = 0;

    for (; count > 0; count--) {
        const char *piece = pieces[below(PIECES)];
        size_t n = piece[0] == '\0' ? 1 : strlen(piece);
        memcpy(out + len, piece, n);
        len += n;
    }
    return len;
}

static void expect_same(const char *printed, struct json_writer *writer)
{
    struct text text;

    cr_assert(json_writer_end(writer, &text));
    cr_assert_eq(text.len, 1);
    cr_assert(notify_str_eq(text.parts[0], notify_str_z(printed)), "%s beside %.*s", printed,
              (int)text.parts[0].len, text.parts[0].ptr);
    text_release(&text);
}

Test(json_writer, says_any_text_as_jansson_does)
{
    char text[TEXT_MAX];

    random_begin(20261128);
    for (int round = 0; round < ROUNDS; round++) {
        struct json_writer writer = {.len = 0};
        size_t len = random_text(text);
        json_t *json = json_stringn(text, len);
        char *printed = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
        json_writer_add_string(&writer, notify_str_of(text, len));
        expect_same(printed, &writer);
        free(printed);
        json_decref(json);
    }
}

Test(json_writer, says_any_value_as_jansson_does)
{
    static const char *const values[] = {"null",
                                         "true",
                                         "-1.5",
                                         "\"x\"",
                                         "[]",
                                         "{}",
                                         "[\"a\",\"\\u0000\"]",
                                         "[[],[1,[\"b\"]],{\"c\":[\"\\\"\"]}]",
                                         "{\"positions\":{\"inbox:a\":\"1-2\"}}"};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct json_writer writer = {.len = 0};
        json_t *json = json_loads(values[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        cr_assert_not_null(json, "%s", values[i]);
        json_writer_add_json(&writer, json);
        expect_same(values[i], &writer);
        json_decref(json);
    }
}

Test(json_writer, has_nothing_once_it_has_ended)
{
    struct json_writer writer = {.len = 0};
    struct text text;

    cr_assert_not(json_writer_end(&writer, &text));
    cr_assert_eq(text.len, 0);
    json_writer_add(&writer, NOTIFY_STR("{\"type\":\"x\"}"));
    cr_assert(json_writer_end(&writer, &text));
    cr_assert(notify_str_eq(text.type, NOTIFY_STR("\"x\"")));
    text_release(&text);
    cr_assert_not(json_writer_end(&writer, &text));
}
