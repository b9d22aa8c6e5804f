/* Lines of the log, as they leave the process. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define OUT_MAX 8192

static int saved_stderr, ends[2];

/* What is written to standard error goes into a pipe, which takes far more than a line. */
static void setup(void)
{
    saved_stderr = dup(STDERR_FILENO);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
}

static void teardown(void)
{
    close(ends[0]);
    close(saved_stderr);
}

TestSuite(log, .init = setup, .fini = teardown);

/* All that was written. */
static char *written(void)
{
    static char out[OUT_MAX];
    ssize_t len;

    (void)dup2(saved_stderr, STDERR_FILENO);
    len = read(ends[0], out, sizeof(out) - 1);
    out[len < 0 ? 0 : len] = '\0';
    return out;
}

/* The line behind the time stamp. */
static char *behind_time(char *line)
{
    cr_assert_eq(strncmp(line, "ts=20", 5), 0, "%s", line);
    cr_assert_eq(line[3 + 24], ' ', "%s", line);
    return line + 3 + 24 + 1;
}

Test(log, a_line_has_time_level_event_and_fields)
{
    log_info("client_closed", "client", log_int(17), "reason", "too slow", "at", NULL, "n",
             log_int(INT64_MIN), NULL);
    cr_assert_str_eq(behind_time(written()),
                     "level=info event=client_closed client=17 reason=\"too slow\" at=\"\" "
                     "n=-9223372036854775808\n");
}

Test(log, only_what_is_wanted_is_written)
{
    log_setup(LOG_WARN, LOG_LOGFMT);
    log_debug("debug", NULL);
    log_info("info", NULL);
    log_warn("warn", NULL);
    log_error("error", NULL);
    char *out = written();
    cr_assert(log_enabled(LOG_WARN) && !log_enabled(LOG_INFO));
    cr_assert_null(strstr(out, "event=debug"));
    cr_assert_null(strstr(out, "event=info"));
    cr_assert_not_null(strstr(out, "level=warn event=warn\n"));
    cr_assert_not_null(strstr(out, "level=error event=error\n"));
}

Test(log, fields_that_are_not_known_before_are_left_out_without_a_value)
{
    const struct log_field fields[] = {{"a", "1"}, {"b", NULL}, {"c", "x y"}};

    log_fields(LOG_DEBUG, "hidden", fields, 3);
    log_fields(LOG_INFO, "shown", fields, 3);
    cr_assert_str_eq(behind_time(written()), "level=info event=shown a=1 c=\"x y\"\n");
}

Test(log, a_log_that_nobody_reads_has_no_room_for_another_line_before_it_is_full)
{
    size_t lines = 0;

    while (log_has_room() && lines < 100000) {
        log_info("line", "text", "0123456789", NULL);
        lines++;
    }
    cr_assert(lines > 100 && lines < 100000, "%zu", lines);
    cr_assert_gt(read(ends[0], (char[OUT_MAX]){0}, OUT_MAX), 0);
    cr_assert(log_has_room());
}

Test(log, debug_lines_can_be_had)
{
    log_setup(LOG_DEBUG, LOG_LOGFMT);
    log_debug("detail", "a", "b", NULL);
    cr_assert_str_eq(behind_time(written()), "level=debug event=detail a=b\n");
}

static const char *const forgeries[] = {
    "a\nts=2026-11-20T21:00:00.000Z level=error event=forged",
    "a\r\nb",
    "a\"b",
    "a\\",
    "\\\"",
    "a=b",
    " ",
    "\x1b[31mred",
    "\x7f",
    "\xe2\x80\xa8",
    "\xff\xfe",
    "\t",
    "{\"a\":1}",
};

static const size_t forgery_count = sizeof(forgeries) / sizeof(forgeries[0]);

static size_t count_of(const char *text, char c)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == c;
    return n;
}

Test(log, a_value_stays_within_its_quotes)
{
    for (size_t i = 0; i < forgery_count; i++)
        log_info("x", "v", forgeries[i], "after", "1", NULL);
    char *line = written();
    for (size_t i = 0; i < forgery_count; i++) {
        char *end = strchr(line, '\n');
        cr_assert_not_null(end, "one line for each value");
        *end = '\0';
        char *value = strstr(line, " v=\"");
        cr_assert_not_null(value, "%s", line);
        value += 4;
        while (*value != '"') {
            value += *value == '\\' ? 2 : 1;
            cr_assert(*value >= ' ' && *value < 0x7f, "%s", line);
        }
        cr_assert_str_eq(value, "\" after=1");
        line = end + 1;
    }
    cr_assert_str_eq(line, "");
}

Test(log, a_plain_value_needs_no_quotes)
{
    log_info("x", "v", "redis://h:6379/0", NULL);
    cr_assert_not_null(strstr(written(), " v=redis://h:6379/0\n"));
}

Test(log, json_lines_are_json)
{
    log_setup(LOG_INFO, LOG_JSON);
    for (size_t i = 0; i < forgery_count; i++)
        log_info("x", "v", forgeries[i], "n", log_int(5), NULL);
    char *line = written();
    cr_assert_eq(count_of(line, '\n'), forgery_count);
    for (size_t i = 0; i < forgery_count; i++) {
        char *end = strchr(line, '\n');
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        cr_assert(json_is_object(object), "%.*s", (int)(end - line), line);
        cr_assert_eq(json_object_size(object), 5);
        cr_assert_eq(json_string_length(json_object_get(object, "ts")), 24);
        cr_assert_str_eq(json_string_value(json_object_get(object, "level")), "info");
        cr_assert_str_eq(json_string_value(json_object_get(object, "event")), "x");
        cr_assert_not_null(json_object_get(object, "v"));
        cr_assert_str_eq(json_string_value(json_object_get(object, "n")), "5");
        json_decref(object);
        line = end + 1;
    }
}

Test(log, ascii_comes_back_out_of_a_json_line_as_it_was)
{
    log_setup(LOG_INFO, LOG_JSON);
    log_info("x", "v", "a\"b\\c\nd\te", NULL);
    json_t *object = json_loads(written(), 0, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(object, "v")), "a\"b\\c\nd\te");
    json_decref(object);
}

Test(log, a_run_of_bytes_is_cut_at_255)
{
    static char bytes[400];

    memset(bytes, 'b', sizeof(bytes));
    cr_assert_eq(strlen(log_bytes(bytes, 400)), 255);
    cr_assert_eq(strlen(log_bytes(bytes, 255)), 255);
    cr_assert_eq(strlen(log_bytes(bytes, 254)), 254);
    cr_assert_eq(strlen(log_bytes(NULL, 0)), 0);
    (void)written();
}

Test(log, eight_values_fit_into_one_line)
{
    log_info("x", "a", log_int(1), "b", log_int(2), "c", log_int(3), "d", log_int(4), "e",
             log_int(5), "f", log_int(6), "g", log_int(7), "h", log_int(8), NULL);
    cr_assert_not_null(strstr(written(), "a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8\n"));
}

static void log_too_much(void)
{
    static char huge[10000];

    memset(huge, '"', sizeof(huge) - 1);
    log_info("x", "v", huge, "after", "1", NULL);
}

Test(log, a_field_that_does_not_fit_is_left_out)
{
    log_too_much();
    cr_assert_str_eq(behind_time(written()), "level=info event=x after=1\n");
}

Test(log, a_json_line_without_the_field_that_does_not_fit_is_json)
{
    log_setup(LOG_INFO, LOG_JSON);
    log_too_much();
    char *out = written();
    json_error_t error;
    json_t *object = json_loads(out, 0, &error);
    cr_assert(json_is_object(object), "%s: …%s", error.text, out + strlen(out) - 20);
    json_decref(object);
}
