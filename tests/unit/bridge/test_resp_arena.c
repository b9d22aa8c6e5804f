/* Replies that are kept and put together. */
#include <criterion/criterion.h>

#include "redis/resp_arena.h"

static struct resp text = {.kind = RESP_STRING, .str = {"last\0x", 6}};
static struct resp number = {.kind = RESP_INTEGER, .integer = -7};
static struct resp nil = {.kind = RESP_NIL};
static struct resp error = {.kind = RESP_ERROR, .str = {"ERR no", 6}};

Test(resp_arena, a_copy_outlives_what_it_is_of)
{
    struct resp *inner[] = {&text, &number, &nil, &error};
    struct resp list = {.kind = RESP_ARRAY, .len = 4, .items = inner};
    struct resp *outer[] = {&text, &list};
    struct resp map = {.kind = RESP_MAP, .len = 2, .items = outer};
    struct resp_arena arena = {0};
    const struct resp *copy = resp_arena_copy(&arena, &map);

    inner[0] = inner[1] = outer[1] = NULL;
    cr_assert_eq(copy->kind, RESP_MAP);
    const struct resp *copied = copy->items[1];
    cr_assert_eq(copied->len, 4);
    cr_assert(notify_str_eq(copied->items[0]->str, text.str));
    cr_assert_eq(copied->items[0]->str.ptr[6], '\0', "text ends with a NUL");
    cr_assert_eq(copied->items[1]->integer, -7);
    cr_assert_eq(copied->items[2]->kind, RESP_NIL);
    cr_assert_eq(copied->items[3]->kind, RESP_ERROR);
    cr_assert_str_eq(copied->items[3]->str.ptr, "ERR no");
    resp_arena_release(&arena);
}

Test(resp_arena, things_of_any_size_have_room)
{
    static char large[100000];
    struct resp_arena arena = {0};

    for (size_t len = 1; len < sizeof(large); len *= 3) {
        struct resp *list = resp_arena_list(&arena, RESP_ARRAY, len / 100);
        const struct resp *one = resp_arena_text(&arena, RESP_STRING, notify_str_of(large, len));
        cr_assert_eq(one->str.len, len);
        cr_assert_eq(list->len, len / 100);
        for (size_t i = 0; i < list->len; i++)
            cr_assert_null(list->items[i]);
    }
    cr_assert_eq(resp_arena_str(&arena, (struct notify_str){NULL, 0}).len, 0);
    cr_assert_not(arena.failed);
    resp_arena_release(&arena);
    cr_assert_eq(resp_arena_integer(&arena, 5)->integer, 5, "it can be used again");
    resp_arena_release(&arena);
}
