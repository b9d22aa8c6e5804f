/* Looking into replies. */
#include <criterion/criterion.h>

#include "redis/resp.h"

static struct resp key = {.kind = RESP_STRING, .str = {"last", 4}};
static struct resp number = {.kind = RESP_INTEGER, .integer = -7};
static struct resp other = {.kind = RESP_STRING, .str = {"rev", 3}};
static struct resp error = {.kind = RESP_ERROR, .str = {"last", 4}};

Test(resp, a_map_finds_its_members)
{
    struct resp *items[] = {&other, &key, &key, &number};
    struct resp map = {.kind = RESP_MAP, .len = 4, .items = items};

    cr_assert_eq(resp_member(&map, "last"), &number);
    cr_assert_eq(resp_member(&map, "rev"), &key);
    cr_assert_null(resp_member(&map, "las"));
    cr_assert_null(resp_member(&map, ""));
    map.kind = RESP_ARRAY;
    cr_assert_eq(resp_member(&map, "last"), &number);
}

Test(resp, what_is_no_map_has_no_members)
{
    struct resp *items[] = {&key, &number, &error, &number, &other};
    struct resp odd = {.kind = RESP_ARRAY, .len = 5, .items = items};

    cr_assert_null(resp_member(NULL, "last"));
    cr_assert_null(resp_member(&number, "last"));
    cr_assert_null(resp_member(&odd, "rev"), "a name without a value");
    odd.items += 2;
    odd.len = 2;
    cr_assert_null(resp_member(&odd, "last"), "an error is no name");
}

Test(resp, the_wrong_kind_reads_as_missing)
{
    cr_assert(notify_str_eq(resp_str(&key), NOTIFY_STR("last")));
    cr_assert_eq(resp_str(&error).len, 0);
    cr_assert_eq(resp_str(&number).len, 0);
    cr_assert_eq(resp_str(NULL).len, 0);
    cr_assert_eq(resp_integer(&number, 3), -7);
    cr_assert_eq(resp_integer(&key, 3), 3);
    cr_assert_eq(resp_integer(NULL, 3), 3);
}
