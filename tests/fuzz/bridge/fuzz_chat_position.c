/* Any bytes as how far the reader of an answer has come: it is such a text, which can be written
 * and read again, or none. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "wire/chat_position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char key[NOTIFY_KEY_MAX], key_again[NOTIFY_KEY_MAX], text[CHAT_POSITION_MAX];
    struct chat_position position, again;
    size_t len;

    if (!chat_position_parse(notify_str_of((const char *)data, size), &position, key))
        return 0;
    assert(position.key.len > 0 && position.key.len <= NOTIFY_KEY_MAX);
    assert(position.request.len == CHAT_REQUEST_LEN && position.id.ms <= NOTIFY_ID_MAX_MS);
    len = chat_position_format(text, &position);
    assert(len > 0 && len <= sizeof(text) && memchr(text, '\n', len) == NULL);
    assert(chat_position_parse(notify_str_of(text, len), &again, key_again));
    assert(notify_id_cmp(again.id, position.id) == 0 && again.seq == position.seq);
    assert(notify_str_eq(again.request, position.request));
    assert(notify_str_eq(again.key, position.key));
    return 0;
}
