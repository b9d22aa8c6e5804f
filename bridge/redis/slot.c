#include "redis/slot.h"

#include <stdint.h>
#include <string.h>

/* CRC16 of each byte: polynomial 0x1021, most significant bit first. */
static uint16_t crc_of_byte(unsigned byte)
{
    unsigned crc = byte << 8;

    for (int bit = 0; bit < 8; bit++)
        crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    return (uint16_t)crc;
}

static uint16_t table[256];

static void fill_table(void)
{
    for (unsigned byte = 0; byte < 256; byte++)
        table[byte] = crc_of_byte(byte);
}

static unsigned crc16(struct notify_str text)
{
    unsigned crc = 0;

    if (table[1] == 0)
        fill_table();
    for (size_t i = 0; i < text.len; i++)
        crc = (crc << 8 ^ table[(crc >> 8 ^ (unsigned char)text.ptr[i]) & 0xff]) & 0xffff;
    return crc;
}

/* What counts of a key: all of it, unless there is something in braces. */
static struct notify_str tag_of(struct notify_str key)
{
    const char *end = key.ptr + key.len, *open, *close;

    open = key.len == 0 ? NULL : memchr(key.ptr, '{', key.len);
    close = open == NULL ? NULL : memchr(open + 1, '}', (size_t)(end - open - 1));
    if (close == NULL || close == open + 1)
        return key;
    return notify_str_of(open + 1, (size_t)(close - open - 1));
}

unsigned slot_of_key(struct notify_str key)
{
    return crc16(tag_of(key)) % SLOTS;
}

/* Slots of tags that are alike are so, too, in their last bits: slot % shares puts all that one of
 * six primaries has of the 64 into one of two. This factor is one of those that serve them best,
 * whether one to eight primaries have them. */
#define MIXER UINT32_C(3784870617)

unsigned slot_share(unsigned slot, unsigned shares)
{
    uint32_t mixed = (uint32_t)slot * MIXER;

    return (unsigned)((uint64_t)mixed * shares >> 32);
}
