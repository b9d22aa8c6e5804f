/* metrics_format: which of the two formats whoever asks wants. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "requests/metrics_format.h"
#include "wire/http_head.h"

static enum metrics_format for_accept(const char *accept)
{
    struct http_scan scan = {0};
    struct http_head head;
    char text[1024];
    int len = snprintf(text, sizeof(text), "GET /metrics HTTP/1.1\r\nHost: a\r\n%s%s%s\r\n",
                       accept == NULL ? "" : "Accept: ", accept == NULL ? "" : accept,
                       accept == NULL ? "" : "\r\n");

    cr_assert_eq(http_scan(&scan, text, (size_t)len), 0);
    cr_assert_eq(http_head_parse(&head, text, scan.end), 0);
    return metrics_format_for(&head);
}

#define PROMETHEUS_2_53                                                                            \
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0."   \
    "1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

Test(metrics_format, who_says_nothing_or_anything_gets_the_format_of_prometheus)
{
    static const char *const those[] = {
        NULL,
        "*/*",
        "text/plain",
        "text/*;q=0.1, application/json",
        "application/json",
        "",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"};

    for (size_t i = 0; i < sizeof(those) / sizeof(those[0]); i++)
        cr_expect_eq(for_accept(those[i]), METRICS_PROMETHEUS, "%s", those[i]);
}

Test(metrics_format, who_names_openmetrics_gets_that)
{
    static const char *const those[] = {
        "application/openmetrics-text; version=1.0.0",
        "application/openmetrics-text",
        "Application/OpenMetrics-Text;version=\"1.0.0\";q=1",
        PROMETHEUS_2_53,
        "text/plain;q=0.5, application/openmetrics-text;q=0.5;version=1.0.0",
        "application/openmetrics-text;version=1.0.0;charset=utf-8;q=0.001",
    };

    for (size_t i = 0; i < sizeof(those) / sizeof(those[0]); i++)
        cr_expect_eq(for_accept(those[i]), METRICS_OPENMETRICS, "%s", those[i]);
}

Test(metrics_format, who_wants_it_less_or_in_another_version_does_not_get_it)
{
    static const char *const those[] = {
        "application/openmetrics-text;version=1.0.0;q=0.3, text/plain;q=0.4",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.000, */*",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=",
        "application/openmetrics-text;q=0.1234",
        "application/openmetrics-textual",
        "application/openmetrics",
    };

    for (size_t i = 0; i < sizeof(those) / sizeof(those[0]); i++)
        cr_expect_eq(for_accept(those[i]), METRICS_PROMETHEUS, "%s", those[i]);
}

Test(metrics_format, each_says_its_version)
{
    cr_expect_not_null(strstr(metrics_content_type(METRICS_PROMETHEUS), "version=0.0.4"));
    cr_expect_not_null(strstr(metrics_content_type(METRICS_OPENMETRICS), "version=1.0.0"));
}
