/* metrics_page: the text format of Prometheus, made of the table of counters. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/histograms.h"
#include "requests/metrics_page.h"

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

Test(metrics_page, each_counter_is_told_once_with_its_value)
{
    size_t len;
    char *page;

    counter_add(COUNTER_CONTROL_FLOODS, 3);
    counter_set(COUNTER_CHANNELS, 7);
    page = metrics_page(METRICS_PROMETHEUS, &len);
    cr_assert_not_null(page);
    cr_assert_eq(strlen(page), len);
    cr_expect_not_null(strstr(page, "\nnotify_limit_hits_total{limit=\"max-control-frames\"} 3\n"));
    cr_expect_not_null(strstr(page, "\nnotify_channels 7\n"));
    cr_expect_not_null(strstr(page, "# TYPE notify_channels gauge\n"));
    free(page);
}

Test(metrics_page, rows_of_one_name_stand_together_under_one_head)
{
    size_t len;
    char *page = metrics_page(METRICS_PROMETHEUS, &len), *line, *save = NULL, family[128] = "";
    unsigned rows = 0;

    cr_assert_eq(count_of(page, "# TYPE notify_limit_hits_total"), 1);
    for (line = strtok_r(page, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (sscanf(line, "# TYPE %127s", family) == 1 || line[0] == '#')
            continue;
        cr_expect_eq(strncmp(line, family, strlen(family)), 0, "%s under %s", line, family);
        rows++;
    }
    for (size_t i = 0; i < HISTOGRAMS; i++)
        rows -= (unsigned)histogram_infos[i].len + 3; /* and +Inf, the count, the sum */
    cr_expect_eq(rows, COUNTERS);
    free(page);
}

Test(metrics_page, a_histogram_adds_its_buckets_up_and_has_a_count_and_a_sum)
{
    size_t len;
    char *page;

    histogram_add(HISTOGRAM_DELIVERY, 700, 3);
    histogram_add(HISTOGRAM_DELIVERY, 1000, 1);    /* a bound is in its bucket */
    histogram_add(HISTOGRAM_DELIVERY, 2000000, 2); /* in seconds: 2 */
    histogram_add(HISTOGRAM_DELIVERY, 99000000, 1);
    page = metrics_page(METRICS_PROMETHEUS, &len);
    cr_expect_not_null(strstr(page, "# TYPE notify_delivery_seconds histogram\n"
                                    "notify_delivery_seconds_bucket{le=\"0.001\"} 4\n"
                                    "notify_delivery_seconds_bucket{le=\"0.002\"} 4\n"));
    cr_expect_not_null(strstr(page, "notify_delivery_seconds_bucket{le=\"1.0\"} 4\n"
                                    "notify_delivery_seconds_bucket{le=\"2.5\"} 6\n"));
    cr_expect_not_null(strstr(page, "notify_delivery_seconds_bucket{le=\"10.0\"} 6\n"
                                    "notify_delivery_seconds_bucket{le=\"+Inf\"} 7\n"
                                    "notify_delivery_seconds_count 7\n"
                                    "notify_delivery_seconds_sum 103.003100\n"));
    free(page);
}

Test(metrics_page, openmetrics_names_counters_without_total_at_their_head_says_units_and_ends)
{
    static const char end[] = "\n# EOF\n";
    size_t len;
    char *page;

    counter_add(COUNTER_CPU_US, 1500000);
    page = metrics_page(METRICS_OPENMETRICS, &len);
    cr_expect_not_null(strstr(page, "# TYPE notify_cpu_seconds counter\n"
                                    "# UNIT notify_cpu_seconds seconds\n"
                                    "notify_cpu_seconds_total "));
    cr_expect_not_null(strstr(page, "# UNIT notify_memory_resident_bytes bytes\n"));
    cr_expect_not_null(strstr(page, "# TYPE notify_build info\n"
                                    "notify_build_info{version=\"" NOTIFY_VERSION "\"} "));
    cr_expect_str_eq(page + len - strlen(end), end);
    free(page);
    page = metrics_page(METRICS_PROMETHEUS, &len);
    cr_expect_null(strstr(page, "# UNIT"));
    cr_expect_null(strstr(page, "# EOF"));
    cr_expect_not_null(strstr(page, "# TYPE notify_cpu_seconds_total counter\n"));
    cr_expect_not_null(strstr(page, "# TYPE notify_build_info gauge\n"));
    free(page);
}

Test(metrics_page, of_several_workers_there_is_the_sum_and_each_of_them)
{
    size_t len;
    char *page;

    cr_assert_eq(counters_share(3), 0);
    for (unsigned row = 0; row < 3; row++) {
        counters_take_row(row);
        counter_add(COUNTER_CONTROL_FLOODS, row + 1);
        counter_set(COUNTER_CHANNELS, 10 * (row + 1));
        counter_set(COUNTER_WORKERS, 3);
        histogram_add(HISTOGRAM_DELIVERY, 3000, 1);
    }
    counters_clear_gauges(1);
    page = metrics_page(METRICS_PROMETHEUS, &len);
    cr_expect_not_null(strstr(page, "\nnotify_limit_hits_total{limit=\"max-control-frames\"} 6\n"));
    cr_expect_not_null(strstr(page, "\nnotify_worker_limit_hits_total{worker=\"1\",limit=\"max-"
                                    "control-frames\"} 2\n"));
    cr_expect_not_null(strstr(page, "\nnotify_channels 40\n"));
    cr_expect_not_null(strstr(page, "\nnotify_worker_channels{worker=\"1\"} 0\n"));
    cr_expect_eq(count_of(page, "# TYPE notify_worker_limit_hits_total counter"), 1);
    cr_expect_not_null(strstr(page, "\nnotify_delivery_seconds_count 3\n"));
    cr_expect_not_null(strstr(page, "\nnotify_worker_delivery_seconds_count{worker=\"2\"} 1\n"));
    cr_expect_not_null(
        strstr(page, "\nnotify_worker_delivery_seconds_bucket{worker=\"1\",le=\"0.005\"} 1\n"));
    cr_expect_not_null(strstr(page, "\nnotify_workers 3\n"), "said by each, and not added up");
    cr_expect_null(strstr(page, "notify_worker_workers"));
    cr_expect_not(counter_is_set_in_all(COUNTER_CHANNELS));
    free(page);
}

/* openmetrics.io: what promtool would complain about. */
Test(metrics_page, names_are_those_of_the_format)
{
    for (size_t i = 0; i < COUNTERS; i++) {
        const struct counter_info *info = &counter_infos[i];
        size_t len;

        cr_assert_not_null(info->name, "row %zu", i);
        len = strlen(info->name);
        cr_expect_eq(strncmp(info->name, "notify_", 7), 0);
        cr_expect_eq(strspn(info->name, "abcdefghijklmnopqrstuvwxyz_"), len, "%s", info->name);
        cr_expect_eq(len > 6 && strcmp(info->name + len - 6, "_total") == 0,
                     info->kind == COUNTER_GROWS || info->kind == COUNTER_GROWS_US, "%s",
                     info->name);
        cr_expect_gt(strlen(info->help), 10);
    }
}

Test(metrics_page, names_of_histograms_are_those_of_the_format_and_their_bounds_rise)
{
    for (size_t i = 0; i < HISTOGRAMS; i++) {
        const struct histogram_info *info = &histogram_infos[i];
        size_t len = strlen(info->name);

        cr_expect(len > 8 && strcmp(info->name + len - 8, "_seconds") == 0, "%s", info->name);
        cr_expect(info->len > 3 && info->len <= HISTOGRAM_BOUNDS_MAX);
        for (size_t k = 1; k < info->len; k++)
            cr_expect_gt(info->bounds[k], info->bounds[k - 1], "%s", info->name);
    }
}

static char *read_file(const char *name)
{
    FILE *file = fopen(name, "re"); /* ctest starts in the project's folder */
    size_t len = 0, cap = 1 << 20;
    char *text = malloc(cap);

    cr_assert_not_null(file);
    cr_assert_not_null(text);
    len = fread(text, 1, cap - 1, file);
    text[len] = '\0';
    cr_assert_eq(fclose(file), 0);
    return text;
}

Test(metrics_page, the_docs_have_the_table_that_the_program_runs_on)
{
    char *docs = read_file("docs/metrics.md"), *table = NULL;
    size_t len;
    FILE *out = open_memstream(&table, &len);

    cr_assert_not_null(out);
    metrics_print_markdown(out);
    cr_assert_eq(fclose(out), 0);
    cr_expect_not_null(strstr(docs, table), "put what notify-bridge --metrics-markdown prints "
                                            "into docs/metrics.md");
    free(table);
    free(docs);
}
