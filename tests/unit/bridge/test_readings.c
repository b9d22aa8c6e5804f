/* readings, screen: what --top makes of a bridge's numbers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top/readings.h"
#include "top/screen.h"

static struct readings before, now;

static const char earlier[] = "notify_connections{transport=\"websocket\"} 10\n"
                              "notify_events_delivered_total 1000\n"
                              "notify_delivery_seconds_bucket{le=\"0.001\"} 100\n"
                              "notify_delivery_seconds_bucket{le=\"0.01\"} 100\n"
                              "notify_delivery_seconds_bucket{le=\"+Inf\"} 100\n"
                              "notify_limit_hits_total{limit=\"outbox-bytes\"} 3\n"
                              "notify_worker_cpu_seconds_total{worker=\"1\"} 1.0\n";

static const char later[] = "notify_build_info{version=\"1.2.3\"} 1\n"
                            "notify_connections{transport=\"websocket\"} 12345\n"
                            "notify_events_delivered_total 6000\n"
                            "notify_ready 2\nnotify_workers 2\n"
                            "notify_delivery_seconds_bucket{le=\"0.001\"} 100\n"
                            "notify_delivery_seconds_bucket{le=\"0.01\"} 200\n"
                            "notify_delivery_seconds_bucket{le=\"+Inf\"} 200\n"
                            "notify_limit_hits_total{limit=\"outbox-bytes\"} 8\n"
                            "notify_limit_hits_total{limit=\"message-rate\"} 900\n"
                            "notify_limit_hits_total{limit=\"unmet\"} 0\n"
                            "notify_worker_connections{worker=\"1\",transport=\"websocket\"} 5\n"
                            "notify_worker_connections{worker=\"1\",transport=\"sse\"} 2\n"
                            "notify_worker_cpu_seconds_total{worker=\"1\"} 1.5\n"
                            "notify_worker_ready{worker=\"1\"} 1\n";

static void read_both(const char *first, const char *second)
{
    cr_assert(readings_read(&before, notify_str_z(first), 1000000));
    cr_assert(readings_read(&now, notify_str_z(second), 3000000));
}

static char *screen(const struct readings *first, size_t rows, size_t columns)
{
    const struct screen of = {.where = "there", .before = first, .now = &now};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    if (rows == 0)
        screen_print(out, &of);
    else
        screen_print_sized(out, &of, rows, columns);
    cr_assert_eq(fclose(out), 0);
    return text;
}

Test(readings, numbers_that_grow_have_a_rate)
{
    read_both(earlier, later);
    cr_expect_eq(now.values[READING_WEBSOCKETS], 12345);
    cr_expect_eq(readings_rate(&before, &now, READING_EVENTS), 2500);
    cr_expect_eq(readings_rate(&now, &before, READING_EVENTS), 0, "another process has begun");
    cr_expect_eq(readings_rate(&before, &now, READING_GAPS), 0, "it is not known");
}

Test(readings, a_worker_that_has_begun_anew_has_no_rate_below_zero)
{
    read_both(earlier, later);
    cr_expect_eq(readings_worker_rates(&before, &now, 1).cpu, 0.25);
    cr_expect(readings_worker_rates(&now, &before, 1).known);
    cr_expect_eq(readings_worker_rates(&now, &before, 1).cpu, 0, "another process has begun");
    cr_expect_eq(readings_worker_rates(&now, &now, 1).cpu, 0, "no time has passed");
    cr_expect_not(readings_worker_rates(&before, &now, 0).known, "there is none");
}

Test(readings, quantiles_are_of_what_came_since)
{
    read_both(earlier, later);
    cr_expect_eq(readings_count(&before, &now, BUCKETS_DELIVERY), 100);
    cr_expect_float_eq(readings_quantile(&before, &now, BUCKETS_DELIVERY, 0.5), 0.0055, 1e-9);
    cr_expect_float_eq(readings_quantile(NULL, &now, BUCKETS_DELIVERY, 0.5), 0.001, 1e-9);
    cr_expect_lt(readings_quantile(&now, &now, BUCKETS_DELIVERY, 0.5), 0, "nothing came");
    cr_expect_lt(readings_quantile(&before, &now, BUCKETS_TURN, 0.5), 0);
}

Test(readings, what_passes_all_bounds_is_told_as_the_last_of_them)
{
    read_both(earlier, "notify_delivery_seconds_bucket{le=\"0.5\"} 0\n"
                       "notify_delivery_seconds_bucket{le=\"+Inf\"} 10\n");
    cr_expect_float_eq(readings_quantile(NULL, &now, BUCKETS_DELIVERY, 0.5), 0.5, 1e-9);
}

Test(readings, a_page_without_our_numbers_is_none)
{
    cr_expect_not(readings_read(&now, notify_str_z("other_total 1\n<html>\n"), 1));
    cr_expect_not(readings_read(&now, notify_str_z(""), 1));
}

Test(readings, more_of_everything_than_there_is_room_for_is_left_out)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    for (int i = 0; i < 2000; i++)
        (void)fprintf(out,
                      "notify_limit_hits_total{limit=\"l%d\"} 1\n"
                      "notify_delivery_seconds_bucket{le=\"%d\"} 1\n"
                      "notify_worker_ready{worker=\"%d\"} 1\n"
                      "notify_worker_ready{worker=\"99999999999999999999\"} 1\n"
                      "notify_worker_ready{worker=\"-1\"} 1\nnotify_worker_ready{worker=\"\"} 1\n",
                      i, i, i);
    cr_assert_eq(fclose(out), 0);
    cr_assert(readings_read(&now, notify_str_of(text, len), 1));
    cr_expect_eq(now.named[NAMED_LIMITS].len, READINGS_NAMED_MAX);
    cr_expect_eq(now.buckets[BUCKETS_DELIVERY].len, READINGS_BUCKETS_MAX);
    free(text);
}

Test(screen, what_is_known_is_shown_with_rates_and_workers)
{
    char *text;

    read_both(earlier, later);
    text = screen(&before, 0, 0);
    cr_expect_not_null(strstr(text, "notify-bridge 1.2.3 at there: 2 of 2 ready\n"), "%s", text);
    cr_expect_not_null(strstr(text, "websocket 12345  sse -"), "%s", text);
    cr_expect_not_null(strstr(text, "events out 2500"), "%s", text);
    cr_expect_not_null(strstr(text, "delivery      p50 5.5 ms"), "%s", text);
    cr_expect_not_null(strstr(text, "message-rate 900 (+900)  outbox-bytes 8 (+5)\n"), "%s", text);
    cr_expect_null(strstr(text, "unmet"), "%s", text);
    cr_expect_not_null(strstr(text, "\n1                       7"), "%s", text);
    cr_expect_not_null(strstr(text, "25.0"), "cpu %%: %s", text);
    free(text);
}

Test(screen, rates_of_one_reading_alone_are_not_known)
{
    char *text;

    read_both(earlier, later);
    text = screen(NULL, 0, 0);
    cr_expect_not_null(strstr(text, "events out -"), "%s", text);
    free(text);
}

Test(screen, a_terminal_gets_no_more_than_it_has_room_for)
{
    char *text, *at;
    size_t rows = 0;

    read_both(earlier, later);
    text = screen(&before, 5, 20);
    for (at = text; at != NULL; at = strchr(at, '\n'), at = at == NULL ? NULL : at + 1) {
        cr_expect_leq(strcspn(at, "\x1b"), 20, "%s", at);
        rows++;
    }
    cr_expect_eq(rows, 5);
    free(text);
}

Test(screen, what_another_program_says_cannot_reach_the_terminal_as_anything_but_letters)
{
    char *text;

    read_both(earlier, "notify_build_info{version=\"\x1b]0;evil\x07\"} 1\n"
                       "notify_limit_hits_total{limit=\"\x1b[2J\x9b\xff\"} 5\n"
                       "notify_errors_total{code=\"a\\nb c\"} 5\n");
    text = screen(&before, 0, 0);
    for (const char *c = text; *c != '\0'; c++)
        cr_expect(*c == '\n' || (*c >= ' ' && *c <= '~'), "%d", *c);
    cr_expect_not_null(strstr(text, "?\?0?evil?"), "%s", text);
    free(text);
}

Test(screen, numbers_beyond_all_measure_are_still_lines)
{
    char *text;

    read_both(earlier, "notify_connections{transport=\"websocket\"} 1e308\nnotify_sockets -5\n"
                       "notify_memory_resident_bytes +Inf\nnotify_commands_in_line -Inf\n"
                       "notify_delivery_seconds_bucket{le=\"x\"} 1e300\n"
                       "notify_delivery_seconds_bucket{le=\"+Inf\"} +Inf\n"
                       "notify_worker_cpu_seconds_total{worker=\"1\"} 1e308\n");
    text = screen(&before, 0, 0);
    cr_expect_not_null(strstr(text, "connections"));
    free(text);
}
