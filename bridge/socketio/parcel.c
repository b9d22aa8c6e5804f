#include "socketio/parcel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256
#define DIGITS_MAX 20

void parcel_append(struct parcel *parcel, struct notify_str raw)
{
    size_t cap = parcel->cap == 0 ? FIRST_BYTES : parcel->cap;
    char *bytes = parcel->bytes;

    while (cap - parcel->len < raw.len)
        cap *= 2;
    if (cap != parcel->cap)
        bytes = realloc(parcel->bytes, cap);
    if (bytes == NULL) {
        parcel->failed = true;
        return;
    }
    parcel->bytes = bytes;
    parcel->cap = cap;
    if (raw.len > 0)
        memcpy(bytes + parcel->len, raw.ptr, raw.len);
    parcel->len += raw.len;
}

void parcel_add(struct parcel *parcel, struct notify_str item)
{
    char head[DIGITS_MAX + 2];
    int len = snprintf(head, sizeof(head), "%zu:", item.len);

    parcel_append(parcel, notify_str_of(head, (size_t)len));
    parcel_append(parcel, item);
}

void parcel_add_number(struct parcel *parcel, uint64_t number)
{
    char text[DIGITS_MAX + 1];
    int len = snprintf(text, sizeof(text), "%" PRIu64, number);

    parcel_add(parcel, notify_str_of(text, (size_t)len));
}

void parcel_release(struct parcel *parcel)
{
    free(parcel->bytes);
    *parcel = (struct parcel){0};
}

/* Digits at the beginning of text, at most DIGITS_MAX - 1 of them; returns how many. */
static size_t read_digits(struct notify_str text, uint64_t *ret)
{
    size_t at = 0;

    *ret = 0;
    while (at < text.len && at < DIGITS_MAX - 1 && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        *ret = *ret * 10 + (uint64_t)(text.ptr[at++] - '0');
    return at;
}

bool parcel_next(struct notify_str *rest, struct notify_str *ret_item)
{
    uint64_t len;
    size_t at = read_digits(*rest, &len);

    if (at == 0 || at == rest->len || rest->ptr[at] != ':' || len > rest->len - at - 1)
        return false;
    *ret_item = notify_str_of(rest->ptr + at + 1, (size_t)len);
    *rest = notify_str_of(ret_item->ptr + len, rest->len - at - 1 - (size_t)len);
    return true;
}

bool parcel_next_number(struct notify_str *rest, uint64_t *ret_number)
{
    struct notify_str item;

    return parcel_next(rest, &item) && item.len > 0 && read_digits(item, ret_number) == item.len;
}
