/* Any bytes as a saved box. Input: blocks, each with a length of two bytes (low first) before it;
 * the last may be cut short. What is accepted must be sound, render as JSON and load again from its
 * own payload. */
#include <stdint.h>
#include <stdlib.h>

#include "box_testing.h"
#include "message/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

static bool read_block(void *ctx, struct notify_str *ret_block)
{
    struct input *input = ctx;
    size_t len;

    if (input->left < 2)
        return false;
    len = (size_t)(input->data[0] | input->data[1] << 8);
    input->data += 2;
    input->left -= 2;
    if (len > input->left)
        len = input->left;
    *ret_block = notify_str_of((const char *)input->data, len);
    input->data += len;
    input->left -= len;
    return true;
}

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_box(const struct box *box)
{
    static struct text_buf out;
    struct box_range range = {
        .to = {UINT64_MAX, UINT64_MAX}, .reverse = true, .filter = BOX_FILTER_ALL};
    struct render_box rb = {
        .key = NOTIFY_STR("key"), .rev = box_rev(box), .unread = box_unread(box, BOX_NEVER_EXPIRE)};
    struct test_payload payload;
    struct box_audit audit;
    struct box_iter iter;
    struct box_entry entry;
    struct box *again;

    require(box_verify(box, &audit) == 0 && audit.sound);
    box_iter_init(&iter, box, &range);
    while (box_iter_next(&iter, &entry)) {
        text_buf_clear(&out);
        render_entry(&out, &rb, &entry, (struct notify_id){0, 0}, (struct notify_id){0, 0});
        require(json_text_is_minified(text_buf_str(&out)));
    }
    require(test_payload_save(&payload, box) == 0);
    again = test_payload_load(&payload, NULL);
    require(again != NULL && test_boxes_equal(box, again));
    box_free(again);
    free(payload.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct box_source source = {read_block, &input};
    struct box *box = box_load(&source, NULL);

    if (box != NULL) {
        struct notify_id ids[8];
        check_box(box);
        (void)box_mark_upto(&box, box_last_id(box), CATEGORY_NONE, BOX_MARK_READ, 1, 0);
        (void)box_sweep_expired(&box, NOTIFY_ID_MAX_MS, ids, 8);
        (void)box_trim_maxlen(&box, 2, BOX_NEVER_EXPIRE, NULL);
        check_box(box);
        box_free(box);
    }
    return 0;
}
