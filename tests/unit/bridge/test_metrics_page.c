/* metrics_page: the text format of Prometheus, made of the table of counters. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
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
    page = metrics_page(&len);
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
    char *page = metrics_page(&len), *line, *save = NULL, family[128] = "";
    unsigned rows = 0;

    cr_assert_eq(count_of(page, "# TYPE notify_limit_hits_total"), 1);
    for (line = strtok_r(page, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (sscanf(line, "# TYPE %127s", family) == 1 || line[0] == '#')
            continue;
        cr_expect_eq(strncmp(line, family, strlen(family)), 0, "%s under %s", line, family);
        rows++;
    }
    cr_expect_eq(rows, COUNTERS);
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
                     info->kind == COUNTER_GROWS, "%s", info->name);
        cr_expect_gt(strlen(info->help), 10);
    }
}
