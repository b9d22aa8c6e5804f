#include "socketio/incoming.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static char *copy(struct notify_str bytes)
{
    char *ret = malloc(bytes.len + 1);

    if (ret != NULL && bytes.len > 0)
        memcpy(ret, bytes.ptr, bytes.len);
    return ret;
}

struct incoming *incoming_new(struct notify_str text)
{
    struct incoming *incoming = calloc(1, sizeof(*incoming));
    bool read;

    if (incoming == NULL)
        return NULL;
    incoming->text = copy(text);
    if (incoming->text == NULL) {
        free(incoming);
        return NULL;
    }
    incoming->text_len = incoming->bytes = text.len;
    read = socketio_read(notify_str_of(incoming->text, text.len), &incoming->packet);
    assert(read); /* as it was before */
    (void)read;
    return incoming;
}

void incoming_free(struct incoming *incoming)
{
    if (incoming == NULL)
        return;
    for (unsigned i = 0; i < incoming->have; i++)
        free((char *)incoming->attachments[i].ptr);
    free(incoming->text);
    free(incoming);
}

bool incoming_add(struct incoming *incoming, struct notify_str bytes)
{
    char *own = copy(bytes);

    if (own == NULL)
        return false;
    incoming->attachments[incoming->have++] = notify_str_of(own, bytes.len);
    incoming->bytes += bytes.len;
    return true;
}

bool incoming_is_whole(const struct incoming *incoming)
{
    return incoming->have == incoming->packet.attachments;
}
