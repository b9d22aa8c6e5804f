/* short_time -- a time of the loop clock in half of its bytes, for what there is very often.
 *
 * It is told from what it was made of by the time that it is now: no more than 24 days apart, which
 * the longest of our intervals and time-outs does not come to. */
#ifndef SHORT_TIME_H
#define SHORT_TIME_H

#include <stdint.h>

static inline uint32_t short_time(uint64_t ms)
{
    return (uint32_t)ms;
}

static inline uint64_t short_time_ms(uint32_t time, uint64_t now_ms)
{
    return now_ms + (uint64_t)(int64_t)(int32_t)(time - (uint32_t)now_ms);
}

#endif
