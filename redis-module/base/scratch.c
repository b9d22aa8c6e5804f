/* scratch -- see scratch.h. */
#include "base/scratch.h"

enum { KEEP_BYTES = 256 * 1024 };

static struct text_buf body, message, id_text;

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

struct notify_str scratch_id(struct notify_id id)
{
    text_buf_clear(&id_text);
    text_buf_add_id(&id_text, id);
    return text_buf_str(&id_text);
}

void scratch_shrink(void)
{
    if (body.cap > KEEP_BYTES)
        text_buf_release(&body);
    if (message.cap > KEEP_BYTES)
        text_buf_release(&message);
}
