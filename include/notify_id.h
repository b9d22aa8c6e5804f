/* notify_id -- the id of an entry in a box: <ms>-<seq>, strictly increasing within the box.
 *
 * The shape and the order are those of Redis stream ids (Redis documentation, XADD). ms is Unix
 * time in milliseconds and must lie before the year 10000, so that every id has an ISO 8601 time of
 * four-digit years; 0-0 stands before the first entry and is never the id of one. */
#ifndef NOTIFY_ID_H
#define NOTIFY_ID_H

#include <inttypes.h> /* and, with it, stdint.h */
#include <stdbool.h>

#include "notify_str.h"

#define NOTIFY_ID_MAX_MS UINT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define NOTIFY_ID_TEXT_MAX 41                      /* 20 digits, '-', 20 digits */

struct notify_id {
    uint64_t ms;
    uint64_t seq;
};

/* Behind every id that can be one of an entry. */
#define NOTIFY_ID_GREATEST ((struct notify_id){UINT64_MAX, UINT64_MAX})

static inline int notify_id_cmp(struct notify_id a, struct notify_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}

static inline struct notify_id notify_id_later(struct notify_id a, struct notify_id b)
{
    return notify_id_cmp(a, b) > 0 ? a : b;
}

static inline bool notify_id_is_zero(struct notify_id id)
{
    return id.ms == 0 && id.seq == 0;
}

/* The greatest id that is smaller than id; 0-0 for 0-0. */
static inline struct notify_id notify_id_before(struct notify_id id)
{
    if (id.seq > 0)
        return (struct notify_id){id.ms, id.seq - 1};
    if (id.ms > 0)
        return (struct notify_id){id.ms - 1, UINT64_MAX};
    return id;
}

/* The smallest id greater than id; the greatest possible id gives itself. */
static inline struct notify_id notify_id_after(struct notify_id id)
{
    if (id.seq < UINT64_MAX)
        return (struct notify_id){id.ms, id.seq + 1};
    if (id.ms < UINT64_MAX)
        return (struct notify_id){id.ms + 1, 0};
    return id;
}

/* Digits of *text up to a '-' or the end; false for none, for leading '+' or blanks, for overflow.
 */
static inline bool notify_id_take_number(struct notify_str *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t n = 0;

    for (; n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(text->ptr[n] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (n == 0)
        return false;
    *text = notify_str_of(text->ptr + n, text->len - n);
    *ret_value = value;
    return true;
}

/* Parses "<ms>-<seq>" or "<ms>", which gets missing_seq. False, and *ret_id untouched, for anything
 * else and for an ms beyond NOTIFY_ID_MAX_MS. */
static inline bool notify_id_parse(struct notify_str text, uint64_t missing_seq,
                                   struct notify_id *ret_id)
{
    struct notify_id id = {0, missing_seq};

    if (!notify_id_take_number(&text, &id.ms) || id.ms > NOTIFY_ID_MAX_MS)
        return false;
    if (text.len > 0) {
        if (text.ptr[0] != '-')
            return false;
        text = notify_str_of(text.ptr + 1, text.len - 1);
        if (!notify_id_take_number(&text, &id.seq) || text.len > 0)
            return false;
    }
    *ret_id = id;
    return true;
}

/* Writes the digits of value so that they end before end; returns where they begin. Two at a time,
 * as they stand in a table: it is dividing that takes long. */
static inline char *notify_id_put_number(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";

    for (; value >= 100; value /= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (value % 100), 2);
    }
    *--end = pairs[2 * value + 1];
    if (value >= 10)
        *--end = pairs[2 * value];
    return end;
}

/* Writes the text of id and a NUL into out; returns its length without the NUL. By hand: it is done
 * for every entry that is sent or delivered, and printf costs as much as storing the entry. */
static inline size_t notify_id_format(char out[NOTIFY_ID_TEXT_MAX + 1], struct notify_id id)
{
    char text[NOTIFY_ID_TEXT_MAX];
    char *end = text + sizeof(text);
    char *at = notify_id_put_number(end, id.seq);
    size_t len;

    *--at = '-';
    at = notify_id_put_number(at, id.ms);
    len = (size_t)(end - at);
    memcpy(out, at, len);
    out[len] = '\0';
    return len;
}

#endif
