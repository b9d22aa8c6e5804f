/* Any bytes as a UUID: what is one of an entry says the same when it is written again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "wire/entry_uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct notify_str text)
{
    char again[ENTRY_UUID_LEN + 1];
    struct entry_uuid uuid, same;
    enum entry_uuid_kind kind = entry_uuid_parse(text, &uuid);
    bool written;

    if (kind != ENTRY_UUID_ENTRY)
        return;
    written = entry_uuid_format(again, &uuid);
    assert(written);
    for (size_t i = 0; i < ENTRY_UUID_LEN; i++)
        assert((text.ptr[i] | 0x20) == (again[i] | 0x20));
    kind = entry_uuid_parse(notify_str_z(again), &same);
    assert(kind == ENTRY_UUID_ENTRY && notify_id_cmp(uuid.id, same.id) == 0 &&
           uuid.tag == same.tag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str text = notify_str_of((const char *)data, size);
    char mended[ENTRY_UUID_LEN + 1] = "01a1fac2-4cfb-4abc-8000-000000000005";

    check(text);
    for (size_t i = 0; i < size && i < ENTRY_UUID_LEN; i++) /* one that is nearly good */
        if (strchr("-0123456789abcdefABCDEF", data[i]) != NULL && data[i] != '\0')
            mended[i] = (char)data[i];
    check(notify_str_z(mended));
    (void)entry_uuid_tag(text);
    return 0;
}
