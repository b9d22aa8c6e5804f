/* scratch -- see scratch.h. */
#include "scratch.h"

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

void scratch_shrink(void)
{
    if (body.cap > KEEP_BYTES)
        text_buf_release(&body);
    if (message.cap > KEEP_BYTES)
        text_buf_release(&message);
}
