#include "requests/request_id.h"

#include <stddef.h>

#include "base/number.h"
#include "requests/answer.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"

static bool is_integer(struct notify_str value)
{
    size_t at = value.len > 0 && value.ptr[0] == '-';

    for (size_t i = at; i < value.len; i++)
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
    return value.len > at;
}

/* Can it be repeated? */
static bool is_id(struct notify_str value)
{
    return value.len > 0 && (value.ptr[0] == '"' || is_integer(value)) && json_scan_value(value);
}

struct notify_str request_id_of(const struct inbound *inbound)
{
    static const struct notify_str no_id = {NULL, 0};

    return is_id(inbound->id.value) ? inbound->id.value : no_id;
}

bool request_id_check(struct request *r, struct notify_str raw)
{
    if (raw.len == 0 || notify_str_eq(raw, NOTIFY_STR("null")) ||
        (is_id(raw) && raw.len <= REQUEST_ID_MAX))
        return true;
    answer_error(
        r, ANSWER_INVALID_FIELD, "request_id",
        "request_id must be an integer, or a string of at most " TEXT_OF(REQUEST_ID_MAX) " bytes");
    return false;
}
