#include "wire/since.h"

#include <stddef.h>

#include "notify_id.h"

bool since_parse_time(struct notify_str text, struct since *ret)
{
    uint64_t ms;

    if (!notify_id_take_number(&text, &ms) || text.len > 0 || ms == 0 || ms > NOTIFY_ID_MAX_MS)
        return false;
    *ret = (struct since){.ms = ms};
    return true;
}

bool since_parse_span(struct notify_str text, struct since *ret)
{
    static const struct {
        struct notify_str name;
        uint64_t ms;
    } units[] = {{NOTIFY_STR_INIT("ms"), 1},
                 {NOTIFY_STR_INIT("s"), 1000},
                 {NOTIFY_STR_INIT("m"), 60000},
                 {NOTIFY_STR_INIT("h"), 3600000},
                 {NOTIFY_STR_INIT("d"), 86400000}};
    uint64_t count;

    if (!notify_id_take_number(&text, &count) || count == 0)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!notify_str_eq(text, units[i].name) || count > UINT64_MAX / units[i].ms)
            continue;
        *ret = (struct since){.ms = count * units[i].ms, .is_span = true};
        return true;
    }
    return false;
}
