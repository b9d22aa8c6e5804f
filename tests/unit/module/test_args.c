/* The cursor over a command's arguments: what it takes, and what it says when it does not. */
#include "server/args.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/versions.h"
#include "mem_testing.h"
#include "server/replay.h"

struct rm_string {
    struct notify_str text;
};

static const char *string_ptr_len(const struct rm_string *string, size_t *len)
{
    *len = string->text.len;
    return string->text.ptr;
}

#define ARGS_MAX 16
static struct rm_string strings[ARGS_MAX];
static struct rm_string *argv[ARGS_MAX];
static struct args args;

/* Splits words at blanks; the cursor stands at the first. */
static void given(const char *words)
{
    int argc = 0;

    while (*words != '\0' && argc < ARGS_MAX) {
        size_t len = strcspn(words, " ");
        strings[argc].text = notify_str_of(words, len);
        argv[argc] = &strings[argc];
        argc++;
        words += len + (words[len] == ' ');
    }
    args_init(&args, argv, argc, 0);
}

static void set_up(void)
{
    rm_StringPtrLen = string_ptr_len;
}

TestSuite(args, .init = set_up);

Test(args, takes_values_in_order_until_none_is_left)
{
    struct notify_str value;

    given("one two");
    cr_assert(args_take_str(&args, "A", &value));
    cr_assert(notify_str_eq(value, NOTIFY_STR("one")));
    cr_assert(args_take_str(&args, "B", &value));
    cr_assert(args_done(&args));
    cr_assert_not(args_take_str(&args, "C", &value));
    cr_assert_str_eq(args.error, "ERR syntax error: C lacks its value");
}

Test(args, keywords_match_in_any_case_and_only_whole)
{
    given("json jso jsonx");
    cr_assert(args_take_keyword(&args, "JSON"));
    cr_assert_not(args_take_keyword(&args, "JSON"));
    args.pos++;
    cr_assert_not(args_take_keyword(&args, "JSON"));
}

Test(args, a_number_is_digits_within_its_range)
{
    static const char *const wrong[] = {"0",  "11", "-1", "+1",
                                        "1x", "",   " 1", "18446744073709551616"};
    uint64_t value = 0;

    given("10");
    cr_assert(args_take_number(&args, "COUNT", 1, 10, &value));
    cr_assert_eq(value, 10);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        strings[0].text = notify_str_z(wrong[i]);
        argv[0] = &strings[0];
        args_init(&args, argv, 1, 0);
        cr_assert_not(args_take_number(&args, "COUNT", 1, 10, &value), "%s", wrong[i]);
        cr_assert_eq(strncmp(args.error, "ERR COUNT must be an integer from 1 to 10", 41), 0);
    }
    cr_assert_eq(value, 10, "a failure must not touch the result");
}

Test(args, an_error_repeats_only_short_plain_values)
{
    char line_feed[] = "a\r\n+OK", longer[64];

    given("x");
    args_fail_value(&args, "LEVEL", "info", notify_str_z("loud"));
    cr_assert_str_eq(args.error, "ERR LEVEL must be info, not 'loud'");
    args_fail_value(&args, "LEVEL", "info", notify_str_of(line_feed, sizeof line_feed - 1));
    cr_assert_str_eq(args.error, "ERR LEVEL must be info");
    memset(longer, 'a', sizeof longer);
    args_fail_value(&args, "LEVEL", "info", notify_str_of(longer, sizeof longer));
    cr_assert_str_eq(args.error, "ERR LEVEL must be info");
}

static void assert_start(const char *text, uint64_t ms, uint64_t seq)
{
    struct notify_id id;

    given(text);
    cr_assert(args_take_range_start(&args, &id), "%s", text);
    cr_assert(id.ms == ms && id.seq == seq, "%s: %" PRIu64 "-%" PRIu64, text, id.ms, id.seq);
}

static void assert_end(const char *text, uint64_t ms, uint64_t seq)
{
    struct notify_id id;

    given(text);
    cr_assert(args_take_range_end(&args, &id), "%s", text);
    cr_assert(id.ms == ms && id.seq == seq, "%s: %" PRIu64 "-%" PRIu64, text, id.ms, id.seq);
}

Test(args, range_ends_are_those_of_xrange)
{
    assert_start("-", 0, 0);
    assert_start("+", UINT64_MAX, UINT64_MAX);
    assert_start("5", 5, 0);
    assert_start("5-3", 5, 3);
    assert_start("(5-3", 5, 4);
    assert_start("(5-18446744073709551615", 6, 0);
    assert_end("+", UINT64_MAX, UINT64_MAX);
    assert_end("-", 0, 0);
    assert_end("5", 5, UINT64_MAX);
    assert_end("5-3", 5, 3);
    assert_end("(5-3", 5, 2);
    assert_end("(5-0", 4, UINT64_MAX);
}

Test(args, an_id_beyond_all_that_can_exist_is_the_end_of_a_range)
{
    assert_start("253402300799999-7", 253402300799999, 7);
    assert_start("253402300800000", UINT64_MAX, UINT64_MAX);
    assert_start("(18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX);
    assert_end("253402300800000-1", UINT64_MAX, UINT64_MAX);
    assert_end("18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX);
    assert_end("(18446744073709551615", UINT64_MAX, UINT64_MAX - 1);
}

Test(args, arguments_that_must_differ_are_compared_whole)
{
    mem_testing_install(1);
    given("c b a bb ab a");
    cr_assert(args_check_distinct(&args, 0, 5, "key"));
    cr_assert(args_check_distinct(&args, 3, 1, "key"));
    cr_assert_not(args_check_distinct(&args, 0, 6, "key"));
    cr_assert_str_eq(args.error, "ERR key must be named once");
    mem_testing_fail_at(1);
    cr_assert_not(args_check_distinct(&args, 0, 5, "key"));
    cr_assert_str_eq(args.error, "ERR not enough memory; nothing was changed");
}

Test(args, wrong_range_ends_are_refused)
{
    static const char *const wrong[] = {"(-",
                                        "(+",
                                        "x",
                                        "5-",
                                        "5-x",
                                        "(",
                                        "-5",
                                        "5-1-1",
                                        "18446744073709551616",
                                        "253402300800000-",
                                        "253402300800000-x",
                                        "253402300800000x1"};
    struct notify_id id;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        given(wrong[i]);
        cr_assert_not(args_take_range_start(&args, &id), "%s", wrong[i]);
        given(wrong[i]);
        cr_assert_not(args_take_range_end(&args, &id), "%s", wrong[i]);
    }
    given("(0-0");
    cr_assert_not(args_take_range_end(&args, &id));
}

static bool take_word(struct args *cursor, void *into)
{
    return args_take_str(cursor, "WORD", into);
}

static const struct arg_option options[] = {
    ARG_OPTION("FLAG", NULL),
    ARG_OPTION("WORD", take_word),
    ARG_OPTION_MANY("AGAIN", NULL),
};

Test(args, options_come_in_any_order_and_case)
{
    struct notify_str word = {NULL, 0};
    uint32_t seen = 0;

    given("word FLAG again AGAIN flag");
    cr_assert(args_take_options(&args, options, 3, &word, &seen));
    cr_assert(notify_str_eq(word, NOTIFY_STR("FLAG")));
    cr_assert_eq(seen, 7);
}

Test(args, an_option_given_twice_or_unknown_is_refused)
{
    struct notify_str word;
    uint32_t seen;

    given("FLAG FLAG");
    cr_assert_not(args_take_options(&args, options, 3, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: FLAG is given twice");
    given("FLAG OTHER");
    cr_assert_not(args_take_options(&args, options, 3, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: unknown option 'OTHER'");
    given("WORD");
    cr_assert_not(args_take_options(&args, options, 3, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: WORD lacks its value");
}

Test(args, an_unknown_option_behind_free_text_reminds_of_quotes)
{
    static const struct arg_option texts[] = {ARG_OPTION_TEXT("TEXT", take_word),
                                              ARG_OPTION("FLAG", NULL)};
    struct notify_str word;
    uint32_t seen;

    given("build finished");
    cr_assert(args_take_text(&args, "title", &word));
    cr_assert_not(args_take_options(&args, texts, 2, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: unknown option 'finished' (quote the title?)");
    given("build FINISHED");
    cr_assert(args_take_text(&args, "title", &word));
    cr_assert_not(args_take_options(&args, texts, 2, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: unknown option 'FINISHED'");
    given("FLAG TEXT a b");
    cr_assert_not(args_take_options(&args, texts, 2, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: unknown option 'b' (quote the TEXT?)");
    given("TEXT a FLAG b");
    cr_assert_not(args_take_options(&args, texts, 2, &word, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: unknown option 'b'");
}

Test(args, a_count_that_was_forgotten_is_told)
{
    uint64_t count = 0;

    given("3 a");
    cr_assert(args_take_count(&args, "numkeys", "keys", 3, &count));
    cr_assert_eq(count, 3);
    given("4 a");
    cr_assert_not(args_take_count(&args, "numkeys", "keys", 3, &count));
    cr_assert_str_eq(args.error, "ERR numkeys must be an integer from 1 to 3, not '4'");
    given("a 3");
    cr_assert_not(args_take_count(&args, "numkeys", "keys", 3, &count));
    cr_assert_str_eq(args.error, "ERR the number of keys comes first: numkeys must be an integer "
                                 "from 1 to 3, not 'a'");
}

Test(args, levels_have_five_names)
{
    enum entry_level level = LEVEL_INFO;

    given("Critical");
    cr_assert(args_take_level(&args, &level));
    cr_assert_eq(level, LEVEL_CRITICAL);
    given("fatal");
    cr_assert_not(args_take_level(&args, &level));
    cr_assert_str_eq(args.error,
                     "ERR LEVEL must be info, success, warning, error or critical, not 'fatal'");
}

/* ---- what an older module may skip ---- */

struct rm_ctx {
    int flags;
};

static int get_flags(struct rm_ctx *ctx)
{
    return ctx->flags;
}

static int ask_for_keys(struct rm_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static bool take_size(struct args *a, void *into)
{
    return args_take_number(a, "SIZE", 1, 9, into);
}

static const struct arg_option parts[] = {ARG_OPTION("SIZE", take_size), ARG_OPTION("PLAIN", NULL)};

/* What comes of the options when they are replayed, or come from a client. */
static bool take_parts(const char *words, bool is_replayed, uint64_t *size, uint32_t *seen)
{
    struct rm_ctx ctx = {is_replayed ? RM_FLAG_REPLICATED : 0};
    bool taken;

    rm_GetContextFlags = get_flags;
    rm_IsKeysPositionRequest = ask_for_keys;
    *size = 0;
    given(words);
    replay_begin(&ctx, argv, args.argc);
    taken = args_take_options(&args, parts, 2, size, seen);
    replay_end();
    return taken;
}

#define MAY VERSIONS_MAY

Test(args, a_part_of_a_later_version_is_passed_over_and_a_known_one_taken)
{
    uint64_t size;
    uint32_t seen;

    cr_assert(take_parts(MAY " 3 NEWER 7 x PLAIN", true, &size, &seen), "%s", args.error);
    cr_assert(size == 0 && seen == 2);
    cr_assert(take_parts("PLAIN " MAY " 2 SIZE 7", true, &size, &seen), "%s", args.error);
    cr_assert(size == 7 && seen == 3);
    cr_assert(take_parts(MAY " 1 " MAY " " MAY " 2 size 8", true, &size, &seen), "%s", args.error);
    cr_assert(size == 8 && seen == 1);
}

Test(args, a_part_that_is_wrong_is_an_error)
{
    static const char *const wrong[] = {
        MAY,
        MAY " 0",
        MAY " x NEWER",
        MAY " 2 NEWER",
        MAY " 1 SIZE",     /* lacks its value */
        MAY " 3 SIZE 5 5", /* more than an option */
        MAY " 2 SIZE 0",   /* out of range */
        "SIZE 1 " MAY " 2 SIZE 1",
        "NEWER", /* may not be skipped */
    };
    uint64_t size;
    uint32_t seen;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_not(take_parts(wrong[i], true, &size, &seen), "%zu", i);
        cr_assert_eq(strncmp(args.error, "ERR ", 4), 0, "%zu", i);
    }
}

Test(args, clients_have_no_parts)
{
    uint64_t size;
    uint32_t seen;

    cr_assert_not(take_parts(MAY " 2 SIZE 7", false, &size, &seen));
    cr_assert_str_eq(args.error, "ERR syntax error: unknown option");
}

Test(args, a_list_of_names_ends_where_a_part_begins)
{
    given("a b " MAY " 1 x");
    cr_assert(args_take_names(&args, "name", parts, 2));
    cr_assert_eq(args.pos, 2);
}
