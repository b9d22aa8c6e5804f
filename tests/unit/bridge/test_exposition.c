/* exposition: reading what another process shows to Prometheus. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire/exposition.h"

static struct notify_str rest;

static void expect(const char *name, const char *labels, double value)
{
    struct exposition_sample sample;

    cr_assert(exposition_next(&rest, &sample), "%s", name);
    cr_expect(notify_str_eq(sample.name, notify_str_z(name)), "%s", name);
    cr_expect(notify_str_eq(sample.labels, notify_str_z(labels)), "%s: %.*s", name,
              (int)sample.labels.len, sample.labels.ptr);
    cr_expect(sample.value == value, "%s", name);
}

static void expect_end(void)
{
    struct exposition_sample sample;

    cr_expect_not(exposition_next(&rest, &sample));
}

Test(exposition, samples_are_read_with_or_without_labels_and_heads_are_passed_over)
{
    rest = NOTIFY_STR("# HELP a b\n# TYPE a counter\na_total 5\nb{c=\"d\",e=\"}\\\"{\"} 1.5\n"
                      "c{le=\"+Inf\"} 7 1795208400000\nd +Inf\n# EOF\n");
    expect("a_total", "", 5);
    expect("b", "c=\"d\",e=\"}\\\"{\"", 1.5);
    expect("c", "le=\"+Inf\"", 7);
    expect("d", "", INFINITY);
    expect_end();
}

Test(exposition, what_is_no_sample_is_passed_over)
{
    rest = NOTIFY_STR(
        "\n \n<html>\na\na \na{ 1\na{} 1\na{b=\"c} 1\na  1\na x\na 1x\na NaN\n{a=\"b\"} 1\n"
        "a 1111111111111111111111111111111111111111111111111111111111111111\nb 2");
    expect("b", "", 2);
    expect_end();
}

Test(exposition, a_text_without_an_end_is_read_to_where_it_ends)
{
    static const char *const texts[] = {
        "", "a", "a{", "a{b", "a{b=", "a{b=\"", "a{b=\"\\", "a{b=\"c\"}", "a{b=\"c\"} "};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *copy = strndup(texts[i], strlen(texts[i])); /* where a sanitizer sees its end */
        rest = notify_str_of(copy, strlen(copy));
        expect_end();
        free(copy);
    }
}

static void expect_label(const char *labels, const char *name, const char *value)
{
    struct notify_str found;
    char *copy = strndup(labels, strlen(labels)); /* as above */
    bool there = exposition_label(notify_str_of(copy, strlen(copy)), name, &found);

    cr_expect_eq(there, value != NULL, "%s of %s", name, labels);
    if (there && value != NULL)
        cr_expect(notify_str_eq(found, notify_str_z(value)), "%s of %s", name, labels);
    free(copy);
}

Test(exposition, labels_are_found_by_their_name)
{
    expect_label("a=\"b\",c=\"d\"", "a", "b");
    expect_label("a=\"b\",c=\"d\"", "c", "d");
    expect_label("a=\"b\",c=\"d\"", "b", NULL);
    expect_label("a=\"x,c=\\\"y\\\"\",c=\"d\"", "c", "d");
    expect_label("", "a", NULL);
    expect_label("a", "a", NULL);
    expect_label("a=", "a", "");
    expect_label("a=\"", "a", "");
    expect_label("a=\"b\\", "a", "b\\");
    expect_label("a=\"b\"", "b", NULL);
}
