/* scratch -- see scratch.h. */
#include "base/scratch.h"

enum { KEEP_BYTES = 256 * 1024 };

static struct text_buf body, message;

struct text_buf *scratch_body(void)
{
    text_buf_clear(&body);
    return &body;
}

struct text_buf *scratch_message(void)
{
    text_buf_clear(&message);
    return &message;
}

/* A command names the id that it is about several times. */
struct notify_str scratch_id(struct notify_id id)
{
    static char text[NOTIFY_ID_TEXT_MAX + 1];
    static struct notify_id last;
    static size_t len;

    if (len == 0 || notify_id_cmp(id, last) != 0) {
        len = notify_id_format(text, id);
        last = id;
    }
    return notify_str_of(text, len);
}

void scratch_shrink(void)
{
    if (body.cap > KEEP_BYTES)
        text_buf_release(&body);
    if (message.cap > KEEP_BYTES)
        text_buf_release(&message);
}
