#include "requests/metrics_format.h"

#include <stdbool.h>
#include <stddef.h>

#include "wire/http_head.h"

#define Q_ONE 1000 /* thousandths, of which a weight has three digits */

/* Ranges that ask for a format, and the version that they may name. */
static const struct {
    const char *range;
    enum metrics_format format;
} ranges[] = {
    {"application/openmetrics-text", METRICS_OPENMETRICS},
    {"text/plain", METRICS_PROMETHEUS},
    {"text/*", METRICS_PROMETHEUS},
    {"*/*", METRICS_PROMETHEUS},
};

static const char *const versions[] = {
    [METRICS_PROMETHEUS] = "0.0.4", [METRICS_OPENMETRICS] = "1.0.0"};

const char *metrics_content_type(enum metrics_format format)
{
    static const char *const types[] = {
        [METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
        [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8"};

    return types[format];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Up to the next ';' of *rest, which goes behind it, without the blanks around. */
static struct notify_str next_part(struct notify_str *rest)
{
    size_t len = 0, end;
    struct notify_str part;

    while (len < rest->len && rest->ptr[len] != ';')
        len++;
    part = notify_str_of(rest->ptr, len);
    end = len < rest->len ? len + 1 : len;
    *rest = notify_str_of(rest->ptr + end, rest->len - end);
    while (part.len > 0 && is_blank(part.ptr[part.len - 1]))
        part.len--;
    while (part.len > 0 && is_blank(part.ptr[0]))
        part = notify_str_of(part.ptr + 1, part.len - 1);
    return part;
}

/* "0.75" in thousandths. What is no weight asks for nothing. */
static unsigned weight_of(struct notify_str text)
{
    unsigned weight = 0, unit = Q_ONE;

    for (size_t i = 0; i < text.len; i++) {
        if (i == 1 && text.ptr[i] == '.')
            continue;
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || unit == 0)
            return 0;
        weight += (unsigned)(text.ptr[i] - '0') * unit;
        unit /= 10;
    }
    return text.len == 0 || weight > Q_ONE ? 0 : weight;
}

/* "version=1.0.0", perhaps in quotes: whether that is the one. Other parameters do not matter. */
static bool is_other_version(struct notify_str part, enum metrics_format format)
{
    static const struct notify_str name = NOTIFY_STR_INIT("version=");
    struct notify_str value;

    if (part.len < name.len || !http_equal(notify_str_of(part.ptr, name.len), name.ptr))
        return false;
    value = notify_str_of(part.ptr + name.len, part.len - name.len);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = notify_str_of(value.ptr + 1, value.len - 2);
    return !notify_str_eq(value, notify_str_z(versions[format]));
}

/* How much an element of the list wants that format, which its range stands for. */
static unsigned wanted_by(struct notify_str rest, enum metrics_format format)
{
    unsigned weight = Q_ONE;

    while (rest.len > 0) {
        struct notify_str part = next_part(&rest);
        if (part.len >= 2 && (part.ptr[0] | 0x20) == 'q' && part.ptr[1] == '=')
            weight = weight_of(notify_str_of(part.ptr + 2, part.len - 2));
        else if (is_other_version(part, format))
            return 0;
    }
    return weight;
}

static void note(unsigned best[2], struct notify_str element)
{
    struct notify_str rest = element, range = next_part(&rest);

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        unsigned weight;
        if (!http_equal(range, ranges[i].range))
            continue;
        weight = wanted_by(rest, ranges[i].format);
        if (weight > best[ranges[i].format])
            best[ranges[i].format] = weight;
    }
}

enum metrics_format metrics_format_for(const struct http_head *head)
{
    struct http_list_at at = {0};
    struct notify_str element;
    unsigned best[2] = {0, 0};

    while (head != NULL && http_list_next(head, "Accept", &at, &element))
        note(best, element);
    return best[METRICS_OPENMETRICS] > 0 && best[METRICS_OPENMETRICS] >= best[METRICS_PROMETHEUS]
               ? METRICS_OPENMETRICS
               : METRICS_PROMETHEUS;
}
