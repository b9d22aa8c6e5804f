/* Which paths fit which patterns, and what their named parts stand for. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "requests/http_pattern.h"

static char parts[256];

static void note(void *ctx, struct notify_str name, struct notify_str value)
{
    size_t len = strlen(parts);

    (void)ctx;
    (void)snprintf(parts + len, sizeof(parts) - len, "%.*s=%.*s;", (int)name.len, name.ptr,
                   (int)value.len, value.ptr);
}

static bool fits(const char *pattern, const char *path)
{
    parts[0] = '\0';
    return http_pattern_fits(notify_str_z(pattern), notify_str_z(path), note, NULL);
}

Test(http_pattern, a_named_part_stands_for_one_part_that_is_not_empty)
{
    cr_assert(fits("/a/{id}/read", "/a/7-0/read"));
    cr_assert_str_eq(parts, "id=7-0;");
    cr_assert(fits("/{a}/{b}", "/x/{y}"));
    cr_assert_str_eq(parts, "a=x;b={y};");
    cr_assert_not(fits("/a/{id}/read", "/a//read"));
    cr_assert_not(fits("/a/{id}", "/a/"));
    cr_assert_not(fits("/a/{id}", "/a/b/c"));
    cr_assert_not(fits("/a/{id}/read", "/a/b"));
}

Test(http_pattern, everything_else_stands_for_itself)
{
    cr_assert(fits("/", "/"));
    cr_assert(fits("*", "*"));
    cr_assert_not(fits("/", ""));
    cr_assert_not(fits("/a", "/a/"));
    cr_assert_not(fits("/a", "a"));
    cr_assert_not(fits("/a/b", "/a"));
    cr_assert_not(fits("/a", "/a/b"));
    cr_assert_not(fits("/a", "/A"));
    cr_assert(http_pattern_fits(NOTIFY_STR("/{id}"), NOTIFY_STR("/x"), NULL, NULL));
}
