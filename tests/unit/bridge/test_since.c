/* Instants as clients name them. */
#include <criterion/criterion.h>

#include "wire/since.h"

struct named {
    const char *text;
    uint64_t ms; /* 0: it is none */
};

typedef bool parse_fn(struct notify_str text, struct since *ret);

static void check(parse_fn *parse, const struct named *named, bool is_span)
{
    struct since since = {.ms = 77};
    bool good = parse(notify_str_z(named->text), &since);

    cr_assert_eq(good, named->ms > 0, "%s", named->text);
    cr_assert_eq(since.ms, good ? named->ms : 77, "%s", named->text);
    cr_assert_eq(since.is_span, good && is_span, "%s", named->text);
}

Test(since, a_time_is_a_number_of_milliseconds)
{
    static const struct named times[] = {{"1", 1},
                                         {"1795208400123", 1795208400123},
                                         {"253402300799999", 253402300799999},
                                         {"", 0},
                                         {"0", 0},
                                         {"253402300800000", 0},
                                         {"-1", 0},
                                         {"+1", 0},
                                         {" 1", 0},
                                         {"1 ", 0},
                                         {"1.5", 0},
                                         {"5m", 0},
                                         {"1e3", 0},
                                         {"18446744073709551617", 0},
                                         {"\"5\"", 0},
                                         {"1795208400s", 0}};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        check(since_parse_time, &times[i], false);
}

Test(since, a_span_has_a_unit)
{
    static const struct named spans[] = {{"500ms", 500},
                                         {"90s", 90000},
                                         {"5m", 300000},
                                         {"2h", 7200000},
                                         {"7d", 604800000},
                                         {"213503982334d", 213503982334 * UINT64_C(86400000)},
                                         {"213503982335d", 0}, /* more than fits */
                                         {"18446744073709551615ms", UINT64_MAX},
                                         {"18446744073709551616ms", 0},
                                         {"", 0},
                                         {"5", 0},
                                         {"m", 0},
                                         {"0s", 0},
                                         {"5 m", 0},
                                         {"5M", 0},
                                         {"5mm", 0},
                                         {"-5m", 0},
                                         {"1.5h", 0},
                                         {"5y", 0}};

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        check(since_parse_span, &spans[i], true);
}
