/* The JSON scanner on any bytes: members lie within the text, what is well-formed for jansson is so
 * for the scanner, and each member's value scans when it is an object. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>

#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(void *ctx, struct notify_str name, struct notify_str value)
{
    const struct notify_str *text = ctx;

    assert(name.ptr > text->ptr && name.ptr + name.len < text->ptr + text->len);
    assert(value.len > 0);
    assert(value.ptr > name.ptr && value.ptr + value.len <= text->ptr + text->len);
}

static void ignore_member(void *ctx, struct notify_str name, struct notify_str value)
{
    (void)ctx;
    (void)name;
    (void)value;
}

static void check_inner(void *ctx, struct notify_str name, struct notify_str value)
{
    (void)ctx;
    (void)name;
    if (value.ptr[0] == '{') {
        bool well_formed = json_scan_object(value, ignore_member, NULL);
        assert(well_formed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str text = notify_str_of((const char *)data, size);
    bool accepted = json_scan_object(text, check_member, &text);
    json_t *value = json_loadb(text.ptr, size, JSON_ALLOW_NUL, NULL);

    /* jansson lets a NUL byte behind a number pass. */
    assert(accepted || !json_is_object(value) || memchr(text.ptr, '\0', size) != NULL);
    json_decref(value);
    if (accepted)
        (void)json_scan_object(text, check_inner, NULL);
    return 0;
}
