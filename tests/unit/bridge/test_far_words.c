/* Commands about logs, taken apart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "requests/far_words.h"
#include "requests/words.h"

#define WORDS 64

static char text[1024];
static struct notify_str argv[WORDS], kept[WORDS];
static struct far_words words;

static size_t split(const char *line)
{
    size_t argc = 0;

    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = notify_str_z(word);
    return argc;
}

static void take(size_t fixed, const char *line)
{
    far_words_read(&words, fixed, split(line), argv, kept);
}

static void check(const struct notify_str *at, size_t len, const char *wanted)
{
    char all[512] = "";

    for (size_t i = 0; i < len; i++)
        (void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%.*s", i > 0 ? " " : "",
                       (int)at[i].len, at[i].ptr);
    cr_assert_str_eq(all, wanted);
}

#define CHECK(what, wanted) check(words.what, words.what##_len, wanted)
#define CHECK_VALUE(what, wanted) check(&words.what, 1, wanted)

Test(far_words, a_feed_has_logs_a_page_and_filters)
{
    take(0, "NOTIFY.FEED inbox LOGS 2 a b BEFORE 5-0:a COUNT 10 TOTAL UNREAD TYPE t "
            "CATEGORY c JSON");
    CHECK_VALUE(name, "NOTIFY.FEED");
    CHECK_VALUE(inbox, "inbox");
    CHECK(args, "");
    CHECK(logs, "a b");
    CHECK(filters, "UNREAD TYPE t CATEGORY c");
    CHECK_VALUE(before, "5-0:a");
    CHECK_VALUE(count, "10");
    cr_assert(words.many && words.total && words.json);
}

Test(far_words, values_may_be_called_like_options)
{
    take(0, "NOTIFY.BADGE LOG CATEGORY LOGS CATEGORY LOG CATEGORY JSON LOGS 3 COUNT LOG LOGS");
    CHECK_VALUE(inbox, "LOG");
    CHECK(filters, "CATEGORY LOGS CATEGORY LOG CATEGORY JSON");
    CHECK(logs, "COUNT LOG LOGS");
    cr_assert_not(words.json);
    take(1, "NOTIFY.MARK inbox READ 1 2-0 LOG READ");
    CHECK(args, "READ 1 2-0");
    CHECK(logs, "READ");
    cr_assert_not(words.many);
    take(2, "NOTIFY.RANGE inbox - + COUNT 5 NOTIFICATIONS LOG BY JSON");
    CHECK(args, "- +");
    CHECK(logs, "BY");
    CHECK(filters, "NOTIFICATIONS");
}

Test(far_words, what_is_cut_off_is_not_read_beyond)
{
    static const char *const lines[] = {"NOTIFY.BADGE i LOGS", "NOTIFY.BADGE i LOGS 9 a",
                                        "NOTIFY.BADGE i LOG",  "NOTIFY.BADGE i CATEGORY",
                                        "NOTIFY.BADGE i",      "NOTIFY.BADGE i x LOGS 0"};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t first = 0;
        take(0, lines[i]);
        cr_assert_leq(words.logs_len, 1, "%s", lines[i]);
        cr_assert_eq(far_words_logs(0, split(lines[i]), argv, &first), words.logs_len);
    }
}

Test(far_words, filters_go_on_as_they_stand)
{
    struct words out = {.len = 0};

    take(0, "NOTIFY.READALL inbox UPTO 7 CATEGORY c LOG l");
    far_words_add_filters(&out, &words);
    check(out.at, out.len, "CATEGORY c");
    CHECK_VALUE(upto, "7");
}
