/* Objects that are copied member by member. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/json_copy.h"
#include "wire/json_scan.h"

static struct json_copy copy;

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    if (!notify_str_eq(name, notify_str_z(ctx)))
        json_copy_add(&copy, name, value);
}

/* In exactly as much room as there has to be. */
static void check(const char *object, const char *without, const char *expected)
{
    size_t room = strlen(object) + JSON_COPY_MORE;
    struct notify_str copied;

    copy = (struct json_copy){.text = malloc(room)};
    cr_assert(json_scan_object(notify_str_z(object), on_member, (void *)without));
    copied = json_copy_end(&copy);
    cr_assert(notify_str_eq(copied, notify_str_z(expected)), "%.*s", (int)copied.len, copied.ptr);
    free(copy.text);
}

Test(json_copy, what_is_not_left_out_is_as_it_was_written)
{
    check("{\"a\":0.10,\"b\":{\"a\":[1, 2]},\"c\":\"\\u0061\"}", "a",
          "{\"b\":{\"a\":[1, 2]},\"c\":\"\\u0061\"}");
    check("{\"a\":1,\"b\":2,\"a\":3}", "a", "{\"b\":2}");
    check("{ \"a\" : 1 , \"b\" : null }", "x", "{\"a\":1,\"b\":null}");
    check("{\"\":1,\"\\u0061\":2}", "a", "{\"\":1,\"\\u0061\":2}");
}

Test(json_copy, nothing_at_all_is_an_empty_object)
{
    check("{}", "a", "{}");
    check("{\"a\":1}", "a", "{}");
    check("{\"a\":1}", "", "{\"a\":1}");
}
