#include "requests/metrics_page.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/histograms.h"

#define PREFIX "notify_" /* of all names; of each worker they begin otherwise, */
#define WORKER_PREFIX "notify_worker_"
#define TOTAL "_total"
#define NAME_MAX_BYTES 96
#define LABELS_MAX_BYTES 128
#define US_PER_S 1000000

struct page {
    FILE *out; /* borrowed */
    enum metrics_format format;
    bool each; /* of each worker, and not the sums */
    unsigned rows;
    const uint64_t *values; /* of each row, one behind the other */
};

#define PAGE_ROW (COUNTERS + COUNTERS_ROOM)

/* All that is on one page was so at one time: the sum of the workers is the sum. The caller frees
 * it; NULL: out of memory. */
static uint64_t *take_snapshot(void)
{
    unsigned rows = counters_rows();
    uint64_t *values = calloc(rows, PAGE_ROW * sizeof(uint64_t));

    for (unsigned row = 0; values != NULL && row < rows; row++)
        memcpy(values + (size_t)row * PAGE_ROW, counters_row(row), PAGE_ROW * sizeof(uint64_t));
    return values;
}

static uint64_t value_of(const struct page *page, unsigned row, size_t i)
{
    return page->values[(size_t)row * PAGE_ROW + i];
}

/* Over the workers. What is the same in all of them is in those that are there. */
static uint64_t total_of(const struct page *page, size_t i, bool same)
{
    uint64_t total = 0;

    for (unsigned row = 0; row < page->rows; row++) {
        uint64_t value = value_of(page, row, i);
        total = !same ? total + value : value > total ? value : total;
    }
    return total;
}

/* Heads. */

static bool ends_with(const char *text, size_t len, const char *end)
{
    return len > strlen(end) && memcmp(text + len - strlen(end), end, strlen(end)) == 0;
}

/* The unit that a name says, which is its last word (OpenMetrics, "Unit"); or NULL. */
static const char *unit_of(const char *name, size_t len)
{
    static const char *const units[] = {"_seconds", "_bytes"};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (ends_with(name, len, units[i]))
            return units[i] + 1;
    return NULL;
}

static void print_head(const struct page *page, const char *name, const char *type,
                       const char *help)
{
    size_t len = strlen(name);
    int shown;
    const char *unit;

    if (page->format == METRICS_OPENMETRICS && ends_with(name, len, TOTAL))
        len -= strlen(TOTAL);
    if (page->format == METRICS_OPENMETRICS && strcmp(type, "info") == 0)
        len -= strlen("_info");
    shown = (int)len;
    (void)fprintf(page->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", shown, name, help, shown, name,
                  type);
    unit = unit_of(name, len);
    if (page->format == METRICS_OPENMETRICS && unit != NULL)
        (void)fprintf(page->out, "# UNIT %.*s %s\n", shown, name, unit);
}

static void name_for(const struct page *page, const char *name, char out[NAME_MAX_BYTES])
{
    (void)snprintf(out, NAME_MAX_BYTES, "%s%s", page->each ? WORKER_PREFIX : PREFIX,
                   name + strlen(PREFIX));
}

/* labels, behind that of the worker if this is of one. */
static void labels_for(const struct page *page, unsigned row, const char *labels,
                       char out[LABELS_MAX_BYTES])
{
    if (page->each)
        (void)snprintf(out, LABELS_MAX_BYTES, "worker=\"%u\"%s%s", row,
                       labels[0] == '\0' ? "" : ",", labels);
    else
        (void)snprintf(out, LABELS_MAX_BYTES, "%s", labels);
}

/* Values. */

/* value / per_unit, with all of its digits. */
static void print_number(FILE *out, uint64_t value, uint32_t per_unit)
{
    int digits = 0;

    if (per_unit <= 1) {
        (void)fprintf(out, "%" PRIu64, value);
        return;
    }
    for (uint32_t unit = per_unit; unit > 1; unit /= 10)
        digits++;
    (void)fprintf(out, "%" PRIu64 ".%0*" PRIu64, value / per_unit, digits, value % per_unit);
}

static void print_sample(const struct page *page, const char *name, const char *labels,
                         uint64_t value, uint32_t per_unit)
{
    const char *open = labels[0] == '\0' ? "" : "{", *end = open[0] == '\0' ? "" : "}";

    (void)fprintf(page->out, "%s%s%s%s ", name, open, labels, end);
    print_number(page->out, value, per_unit);
    (void)fputc('\n', page->out);
}

/* Counters and gauges. */

static void print_counter(const struct page *page, const char *name, size_t i)
{
    const struct counter_info *info = &counter_infos[i];
    char labels[LABELS_MAX_BYTES];

    for (unsigned row = 0; row < (page->each ? page->rows : 1); row++) {
        uint64_t value =
            page->each ? value_of(page, row, i) : total_of(page, i, info->kind == COUNTER_SAME);
        labels_for(page, row, info->labels, labels);
        print_sample(page, name, labels, value, info->kind == COUNTER_GROWS_US ? US_PER_S : 1);
    }
}

static const char *type_of(const struct page *page, const struct counter_info *info)
{
    if (info->kind == COUNTER_GROWS || info->kind == COUNTER_GROWS_US)
        return "counter";
    return page->format == METRICS_OPENMETRICS && ends_with(info->name, strlen(info->name), "_info")
               ? "info"
               : "gauge";
}

/* The rows of one name, which the format wants together. */
static void print_family(const struct page *page, size_t first)
{
    const struct counter_info *info = &counter_infos[first];
    char name[NAME_MAX_BYTES];

    if (page->each && info->kind == COUNTER_SAME)
        return;
    name_for(page, info->name, name);
    print_head(page, name, type_of(page, info), info->help);
    for (size_t i = first; i < COUNTERS; i++)
        if (strcmp(counter_infos[i].name, info->name) == 0)
            print_counter(page, name, i);
}

static bool is_first_of_its_name(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(counter_infos[k].name, counter_infos[i].name) == 0)
            return false;
    return true;
}

/* Histograms. */

/* One for one series: row, or all rows. */
static uint64_t histogram_value(const struct page *page, unsigned row, enum histogram histogram,
                                size_t k)
{
    size_t i = COUNTERS + (size_t)histogram * HISTOGRAM_VALUES + k;

    return page->each ? value_of(page, row, i) : total_of(page, i, false);
}

/* A bound in seconds, as a float that both formats write alike: "0.005", "10.0". */
static void bound_text(uint64_t us, char out[32])
{
    int len = snprintf(out, 32, "%" PRIu64 ".%06" PRIu64, us / US_PER_S, us % US_PER_S);

    while (out[len - 1] == '0' && out[len - 2] != '.')
        out[--len] = '\0';
}

static void print_bucket(const struct page *page, const char *name, const char *labels,
                         const char *bound, uint64_t count)
{
    (void)fprintf(page->out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels,
                  labels[0] == '\0' ? "" : ",", bound, count);
}

static void print_series(const struct page *page, const char *name, enum histogram histogram,
                         unsigned row)
{
    const struct histogram_info *info = &histogram_infos[histogram];
    char labels[LABELS_MAX_BYTES], text[NAME_MAX_BYTES + 8], bound[32];
    uint64_t count = 0;

    labels_for(page, row, "", labels);
    for (size_t k = 0; k < info->len; k++) {
        count += histogram_value(page, row, histogram, k);
        bound_text(info->bounds[k], bound);
        print_bucket(page, name, labels, bound, count);
    }
    count += histogram_value(page, row, histogram, info->len);
    print_bucket(page, name, labels, "+Inf", count);
    (void)snprintf(text, sizeof(text), "%s_count", name);
    print_sample(page, text, labels, count, 1);
    (void)snprintf(text, sizeof(text), "%s_sum", name);
    print_sample(page, text, labels, histogram_value(page, row, histogram, HISTOGRAM_SUM),
                 US_PER_S);
}

static void print_histogram(const struct page *page, enum histogram histogram)
{
    const struct histogram_info *info = &histogram_infos[histogram];
    char name[NAME_MAX_BYTES];

    name_for(page, info->name, name);
    print_head(page, name, "histogram", info->help);
    for (unsigned row = 0; row < (page->each ? page->rows : 1); row++)
        print_series(page, name, histogram, row);
}

/* The page. */

static void print_families(const struct page *page)
{
    for (size_t i = 0; i < COUNTERS; i++)
        if (is_first_of_its_name(i))
            print_family(page, i);
    for (size_t i = 0; i < HISTOGRAMS; i++)
        print_histogram(page, (enum histogram)i);
}

static void print_page(struct page *page)
{
    print_families(page);
    page->each = page->rows > 1;
    if (page->each)
        print_families(page);
    if (page->format == METRICS_OPENMETRICS)
        (void)fputs("# EOF\n", page->out);
}

char *metrics_page(enum metrics_format format, size_t *ret_len)
{
    struct page page = {.format = format, .rows = counters_rows()};
    char *text = NULL;
    uint64_t *values;

    counters_set_gauges();
    values = take_snapshot();
    page.values = values;
    page.out = values == NULL ? NULL : open_memstream(&text, ret_len);
    if (page.out != NULL) {
        print_page(&page);
        if (fclose(page.out) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(values);
    return text;
}

/* docs/metrics.md. */

/* The names of labels, and the values that they have: "limit=outbox-bytes". */
static void print_labels_of(FILE *out, size_t first)
{
    const char *between = "";

    for (size_t i = first; i < COUNTERS; i++) {
        if (strcmp(counter_infos[i].name, counter_infos[first].name) != 0)
            continue;
        for (const char *at = counter_infos[i].labels; *at != '\0'; at++) {
            if (at == counter_infos[i].labels)
                (void)fprintf(out, "%s`", between);
            if (*at != '"')
                (void)fputc(*at, out);
            if (at[1] == '\0')
                (void)fputc('`', out);
            between = " ";
        }
    }
}

/* Limits are in docs/limits.md, a version is another one with each release. */
static bool labels_are_shown(const struct counter_info *info)
{
    return strcmp(info->name, "notify_limit_hits_total") != 0 && info->kind != COUNTER_SAME;
}

static void print_bounds(FILE *out, const struct histogram_info *info)
{
    char bound[32];

    (void)fputs("`le` in seconds:", out);
    for (size_t k = 0; k < info->len; k++) {
        bound_text(info->bounds[k], bound);
        (void)fprintf(out, " %s", bound);
    }
}

void metrics_print_markdown(FILE *out)
{
    static const char *const kinds[] = {[COUNTER_GROWS] = "counter",
                                        [COUNTER_GROWS_US] = "counter",
                                        [COUNTER_GAUGE] = "gauge",
                                        [COUNTER_SAME] = "gauge, not added up"};

    (void)fputs("| name | kind | labels | meaning |\n| --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < COUNTERS; i++) {
        const struct counter_info *info = &counter_infos[i];
        if (!is_first_of_its_name(i))
            continue;
        (void)fprintf(out, "| `%s` | %s | ", info->name, kinds[info->kind]);
        if (labels_are_shown(info))
            print_labels_of(out, i);
        (void)fprintf(out, " | %s |\n", info->help);
    }
    for (size_t i = 0; i < HISTOGRAMS; i++) {
        (void)fprintf(out, "| `%s` | histogram | ", histogram_infos[i].name);
        print_bounds(out, &histogram_infos[i]);
        (void)fprintf(out, " | %s |\n", histogram_infos[i].help);
    }
}
