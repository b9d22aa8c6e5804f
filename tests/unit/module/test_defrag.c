/* The callbacks of active defragmentation, with a server that moves every allocation it is shown.
 */
#include "server/defrag.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>

#include "box_testing.h"
#include "mem_testing.h"
#include "sessions_testing.h"

/* What a server would pass: the mock's state. */
struct rm_defrag {
    bool has_cursor;
    bool stop;
    unsigned long cursor;
    size_t moved;
};

static struct text_buf body_buf = TEXT_BUF_INIT;

static void *alloc_elsewhere(struct rm_defrag *ctx, void *ptr)
{
    size_t size = malloc_usable_size(ptr);
    void *moved = malloc(size);

    memcpy(moved, ptr, size);
    free(ptr); /* whoever still looks there is found by AddressSanitizer */
    ctx->moved++;
    return moved;
}

static int alloc_is_over(struct rm_defrag *ctx)
{
    return ctx->stop;
}

static int get_cursor(struct rm_defrag *ctx, unsigned long *cursor)
{
    if (!ctx->has_cursor)
        return RM_ERR;
    *cursor = ctx->cursor;
    return RM_OK;
}

static int set_cursor(struct rm_defrag *ctx, unsigned long cursor)
{
    cr_assert(ctx->has_cursor);
    ctx->cursor = cursor;
    return RM_OK;
}

static void set_up(void)
{
    mem_testing_install(1);
    rm_DefragAlloc = alloc_elsewhere;
    rm_DefragShouldStop = alloc_is_over;
    rm_DefragCursorGet = get_cursor;
    rm_DefragCursorSet = set_cursor;
    (void)test_body(&body_buf, "title", "content");
}

static void tear_down(void)
{
    text_buf_release(&body_buf);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(defrag, .init = set_up, .fini = tear_down);

/* A box with n entries, some of them marked, and one of everything that only some boxes have. */
static struct box *make_box(uint64_t n)
{
    struct box *box = box_new();
    struct cursors *cursors;
    struct token token = {.text = NOTIFY_STR("token"), .at_ms = 5, .id = {1, 0}};

    cr_assert_not_null(box);
    for (uint64_t i = 1; i <= n; i++) {
        struct box_entry entry = {
            .id = {i, 0}, .category = CATEGORY_NONE, .body = text_buf_str(&body_buf)};
        cr_assert_eq(box_append(&box, &entry), 0);
    }
    cr_assert_geq(
        box_mark_upto(&box, (struct notify_id){n / 2, 0}, CATEGORY_NONE, BOX_MARK_READ, 9, 0), 0);
    cr_assert_eq(box_remember(&box, &token, 1000), 0);
    cr_assert_not_null(box_need_extra(&box));
    cursors = box_extra(box)->cursors;
    cr_assert_eq(cursors_add(&cursors, NOTIFY_STR("topic:all"), (struct notify_id){1, 1}), 1);
    cr_assert_eq(cursors_add(&cursors, NOTIFY_STR("topic:b"), (struct notify_id){1, 1}), 1);
    box_extra(box)->cursors = cursors;
    return box;
}

static void check_moved(struct rm_defrag *ctx, uint64_t n)
{
    struct box *box = make_box(n);
    struct box *copy = box_copy(box);
    struct box_audit audit;
    void *value = box;
    int calls = 1;

    for (; defrag_box(ctx, NULL, &value) != 0; calls++)
        cr_assert(ctx->has_cursor && calls < 1000);
    cr_assert_eq(calls > 1, ctx->has_cursor && n > 1000);
    cr_assert_neq(value, (void *)box);
    box = value;
    cr_assert_geq(ctx->moved, box_allocations(box));
    cr_assert(test_boxes_equal(box, copy));
    cr_assert(box_verify(box, &audit) == 0 && audit.sound);
    box_free(copy);
    box_free(box);
}

Test(defrag, a_small_box_moves_with_all_that_belongs_to_it)
{
    check_moved(&(struct rm_defrag){.has_cursor = false}, 3);
    check_moved(&(struct rm_defrag){.has_cursor = true, .stop = true}, 3);
}

Test(defrag, a_large_box_moves_at_once_when_it_is_not_asked_again)
{
    check_moved(&(struct rm_defrag){.has_cursor = false, .stop = true}, 20000);
}

Test(defrag, a_large_box_moves_in_steps_when_the_time_is_over)
{
    check_moved(&(struct rm_defrag){.has_cursor = true, .stop = true}, 20000);
}

static void *refuse(struct rm_defrag *ctx, void *ptr)
{
    (void)ctx, (void)ptr;
    return NULL;
}

Test(defrag, what_lies_well_stays)
{
    struct rm_defrag ctx = {.has_cursor = false};
    struct box *box = make_box(1000);
    struct sessions *set = sessions_new();
    void *value = box;

    rm_DefragAlloc = refuse;
    cr_assert_eq(defrag_box(&ctx, NULL, &value), 0);
    cr_assert_eq(value, (void *)box);
    box_free(box);
    value = set;
    cr_assert_eq(defrag_sessions(&ctx, NULL, &value), 0);
    cr_assert_eq(value, (void *)set);
    sessions_free(set);
}

static struct sessions *make_set(int n)
{
    struct sessions *set = sessions_new();
    char id[16];

    for (int i = 0; i < n; i++) {
        struct sessions_connection c;
        snprintf(id, sizeof(id), "c%d", i);
        c = test_connection("session", id, 9);
        cr_assert_eq(sessions_put(&set, &c), 0);
    }
    return set;
}

static void check_set_moved(struct rm_defrag *ctx, int n)
{
    struct sessions *set = make_set(n);
    struct sessions *copy = sessions_copy(set);
    void *value = set;
    int calls = 1;

    for (; defrag_sessions(ctx, NULL, &value) != 0; calls++)
        cr_assert(ctx->has_cursor && calls <= n);
    cr_assert_eq(calls > 1, ctx->has_cursor && n > 1);
    cr_assert_neq(value, (void *)set);
    cr_assert_eq(ctx->moved, sessions_allocations(value));
    cr_assert(sessions_verify(value) && test_sessions_equal(value, copy));
    sessions_free(copy);
    sessions_free(value);
}

Test(defrag, a_session_set_moves_with_its_connections)
{
    check_set_moved(&(struct rm_defrag){.has_cursor = false, .stop = true}, 1);
    check_set_moved(&(struct rm_defrag){.has_cursor = true, .stop = true}, 1);
    check_set_moved(&(struct rm_defrag){.has_cursor = false, .stop = true}, 100);
    check_set_moved(&(struct rm_defrag){.has_cursor = true, .stop = true}, 100);
}
