/* Which values fit a schema, and what is said of those that do not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "wire/json_schema.h"

static json_t *read_json(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    cr_assert_not_null(json, "%s", text);
    return json;
}

static void note(void *ctx, const char *path, const char *message)
{
    char *out = ctx;
    size_t len = strlen(out);

    (void)snprintf(out + len, 4096 - len, "%s%s %s", len == 0 ? "" : "; ", path, message);
}

/* What is wrong with it; empty: it fits. */
static const char *faults(const char *schema_text, const char *value_text)
{
    static char out[4096];
    json_t *schema = read_json(schema_text), *value = read_json(value_text);
    bool fits;

    out[0] = '\0';
    cr_assert_null(json_schema_unknown(schema));
    fits = json_schema_check(schema, value, note, out);
    cr_assert_eq(fits, out[0] == '\0');
    cr_assert_eq(json_schema_check(schema, value, NULL, NULL), fits, "whoever is told");
    json_decref(schema);
    json_decref(value);
    return out;
}

struct sample {
    const char *schema, *fits[8], *does_not[8];
};

static const struct sample samples[] = {
    {"{}", {"1", "null", "[]", "{\"a\":1}"}, {NULL}},
    {"{\"type\":\"string\"}", {"\"\"", "\"a\\u0000\""}, {"1", "null", "[]", "true"}},
    {"{\"type\":\"integer\"}", {"1", "-1", "1.0", "0"}, {"1.5", "\"1\"", "null"}},
    {"{\"type\":\"number\"}", {"1", "1.5"}, {"\"1\"", "false"}},
    {"{\"type\":\"boolean\"}", {"true", "false"}, {"0", "null"}},
    {"{\"type\":[\"string\",\"null\"]}", {"\"a\"", "null"}, {"1", "{}"}},
    {"{\"type\":\"nothing that there is\"}", {NULL}, {"1", "null"}},
    {"{\"const\":{\"a\":[1]}}", {"{\"a\":[1]}"}, {"{\"a\":[2]}", "1"}},
    {"{\"enum\":[\"a\",null]}", {"\"a\"", "null"}, {"\"b\"", "1"}},
    {"{\"minimum\":1,\"maximum\":3}", {"1", "3", "2.5", "\"9\""}, {"0", "4", "3.5"}},
    {"{\"minLength\":2,\"maxLength\":3}",
     {"\"ab\"", "\"\xc3\xa9\xc3\xa9\xc3\xa9\"", "1"},
     {"\"a\"", "\"abcd\""}},
    {"{\"pattern\":\"^[0-9]+-[0-9]+$\"}",
     {"\"1-0\"", "5"},
     {"\"1\"", "\"a1-0\"", "\"1-0\\u0000\"", "\"1-0\\n\""}},
    {"{\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"string\"}}",
     {"[\"a\"]", "1"},
     {"[]", "[\"a\",1]", "[\"a\",\"b\",\"c\"]"}},
    {"{\"maxProperties\":1}", {"{\"a\":1}", "[1,2]"}, {"{\"a\":1,\"b\":2}"}},
    {"{\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"string\"}}}",
     {"{\"a\":\"\"}", "{\"a\":\"\",\"b\":1}", "1"},
     {"{}", "{\"a\":1}"}},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}",
     {"{}", "{\"a\":1}"},
     {"{\"b\":1}"}},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"string\"}}",
     {"{\"a\":1,\"b\":\"\"}"},
     {"{\"b\":1}"}},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":true}", {"{\"b\":1}"}, {NULL}},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", {"\"a\"", "6"}, {"4"}},
    {"{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
     {"{\"a\":1}", "{\"b\":1}"},
     {"{}", "{\"a\":1,\"b\":1}"}},
    {"{\"not\":{\"type\":\"string\"}}", {"1"}, {"\"a\""}},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

Test(json_schema, says_what_fits_and_what_does_not)
{
    for (const struct sample *sample = samples; sample < samples + SAMPLES; sample++) {
        for (size_t i = 0; i < 8 && sample->fits[i] != NULL; i++)
            cr_assert_str_eq(faults(sample->schema, sample->fits[i]), "", "%s: %s", sample->schema,
                             sample->fits[i]);
        for (size_t i = 0; i < 8 && sample->does_not[i] != NULL; i++)
            cr_assert_str_neq(faults(sample->schema, sample->does_not[i]), "", "%s: %s",
                              sample->schema, sample->does_not[i]);
    }
}

Test(json_schema, names_the_part_that_does_not_fit_by_a_json_pointer)
{
    cr_assert_str_eq(faults("{\"properties\":{\"a/b~\":{\"items\":{\"type\":\"string\"}}}}",
                            "{\"a/b~\":[\"\",1]}"),
                     "/a~1b~0/1 must be of type string");
    cr_assert_str_eq(faults("{\"type\":[\"string\",\"null\"]}", "1"),
                     " must be of type string or null");
    cr_assert_str_eq(faults("{\"required\":[\"a\",\"b\"]}", "{}"),
                     " lacks the member a;  lacks the member b");
}

Test(json_schema, does_not_look_into_what_is_too_long)
{
    cr_assert_str_eq(faults("{\"maxItems\":1,\"items\":{\"type\":\"string\"}}", "[1,2]"),
                     " must have 1 items or less");
}

static void count(void *ctx, const char *path, const char *message)
{
    (void)path;
    (void)message;
    ++*(unsigned *)ctx;
}

Test(json_schema, tells_of_so_many_faults_and_of_no_more)
{
    json_t *schema = read_json("{\"items\":{\"type\":\"string\"}}"), *value = json_array();
    unsigned told = 0;

    for (int i = 0; i < 1000; i++)
        json_array_append_new(value, json_integer(i));
    cr_assert_not(json_schema_check(schema, value, count, &told));
    cr_assert_eq(told, JSON_SCHEMA_FAULTS_MAX);
    json_decref(schema);
    json_decref(value);
}

Test(json_schema, cuts_a_path_that_is_too_long)
{
    char value[2048];
    static const char schema[] = "{\"additionalProperties\":{\"type\":\"string\"}}";

    (void)snprintf(value, sizeof(value), "{\"%01000d\":1}", 0);
    cr_assert_eq(strlen(faults(schema, value)),
                 JSON_SCHEMA_PATH_MAX + strlen(" must be of type string"));
}

Test(json_schema, finds_what_it_does_not_understand_wherever_it_stands)
{
    static const char *const texts[] = {
        "{\"dependentRequired\":{}}", "{\"items\":{\"$ref\":\"#/x\"}}",
        "{\"properties\":{\"a\":{\"allOf\":[]}}}", "{\"anyOf\":[{},{\"contains\":{}}]}"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *schema = read_json(texts[i]);
        cr_assert_not_null(json_schema_unknown(schema), "%s", texts[i]);
        json_decref(schema);
    }
}

/* As text; owned by the caller. NULL: it cannot be. */
static char *resolved(const char *schema_text, const char *definitions_text)
{
    json_t *schema = read_json(schema_text), *definitions = read_json(definitions_text);
    json_t *all = json_schema_resolve(schema, definitions);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);

    json_decref(all);
    json_decref(schema);
    json_decref(definitions);
    return text;
}

#define REF(name) "{\"$ref\":\"" JSON_SCHEMA_REF name "\"}"

Test(json_schema, puts_definitions_in_place_of_references)
{
    char *text = resolved("{\"items\":[" REF("a") "],\"x\":1}",
                          "{\"a\":{\"not\":" REF("b") "},\"b\":{\"const\":2}}");

    cr_assert_str_eq(text, "{\"items\":[{\"not\":{\"const\":2}}],\"x\":1}");
    free(text);
}

Test(json_schema, refuses_references_to_nothing_and_in_circles)
{
    cr_assert_null(resolved(REF("c"), "{}"));
    cr_assert_null(resolved("{\"items\":" REF("c") "}", "{}"));
    cr_assert_null(resolved(REF("a"), "{\"a\":{\"not\":" REF("a") "}}"));
    cr_assert_null(resolved("{\"$ref\":\"http://elsewhere\"}", "{}"));
}
