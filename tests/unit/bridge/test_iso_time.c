/* Times as text. */
#include <criterion/criterion.h>

#include "base/iso_time.h"
#include "notify_id.h"

struct time_case {
    uint64_t ms;
    const char *text;
};

static const struct time_case times[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {86399999, "1970-01-01T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {951868800000, "2000-03-01T00:00:00.000Z"},
    {1795208400123, "2026-11-20T21:00:00.123Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {NOTIFY_ID_MAX_MS, "9999-12-31T23:59:59.999Z"},
};

Test(iso_time, writes_utc_with_milliseconds)
{
    char out[ISO_TIME_LEN + 1];

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        memset(out, 'x', sizeof(out));
        iso_time_format(out, times[i].ms);
        cr_assert_str_eq(out, times[i].text);
    }
}

Test(iso_time, never_writes_more_than_its_length)
{
    char out[ISO_TIME_LEN + 2];

    out[ISO_TIME_LEN + 1] = 'x';
    iso_time_format(out, UINT64_C(400000000000000000)); /* a year of more digits */
    cr_assert_leq(strlen(out), ISO_TIME_LEN);
    cr_assert_eq(out[ISO_TIME_LEN + 1], 'x');
}
