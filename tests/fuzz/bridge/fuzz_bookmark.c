/* Any bytes as a bookmark: it is one, which is written in exactly that way, or none. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "wire/bookmark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bookmark bookmark;
    static char text[BOOKMARK_TEXT_MAX];
    size_t len;

    if (!bookmark_parse(notify_str_of((const char *)data, size), &bookmark))
        return 0;
    assert(bookmark.len <= BOOKMARK_KEYS_MAX);
    for (size_t i = 0; i < bookmark.len; i++) {
        const struct bookmark_key *key = &bookmark.keys[i];
        assert(i == 0 || bookmark.keys[i - 1].hash < key->hash);
        assert(key->position.id.ms <= NOTIFY_ID_MAX_MS);
        assert(key->position.epoch <= POSITION_EPOCH_MAX);
        assert(bookmark_find(&bookmark, key->hash) == &key->position);
    }
    len = bookmark_format(text, bookmark.user, bookmark.keys, bookmark.len);
    assert(len == size && memcmp(text, data, size) == 0);
    return 0;
}
