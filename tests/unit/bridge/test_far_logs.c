/* Commands about logs in other slots, done in several. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link_testing.h"
#include "redis/slot.h"
#include "redis/turns.h"
#include "requests/far_logs.h"

static struct redis_link redis_link;
static struct turns *turns;
static char replied[4096];
static int replies;

static unsigned lane_of(const struct keyspace *keys, struct notify_str key)
{
    (void)keys;
    return slot_of_key(key) / (SLOTS / 3 + 1);
}

static const struct keyspace_kind split_kind = {.command = link_testing_command,
                                                .is_up = link_testing_is_up,
                                                .has = link_testing_has,
                                                .lane = lane_of};

static void setup(void)
{
    link_testing_init(&redis_link);
    redis_link.keys.kind = &split_kind;
    turns = turns_new(&redis_link.keys);
    replied[0] = '\0';
    replies = 0;
}

static void teardown(void)
{
    link_testing_go_down(&redis_link);
    turns_free(turns);
}

TestSuite(far_logs, .init = setup, .fini = teardown);

/* Replies as text: numbers, words, [arrays], {maps}, !errors. */

static void write_reply(const struct resp *reply, char *out, size_t cap)
{
    size_t len = strlen(out);
    bool is_list = reply != NULL && (reply->kind == RESP_ARRAY || reply->kind == RESP_MAP);

    if (reply == NULL)
        (void)snprintf(out + len, cap - len, "lost");
    else if (reply->kind == RESP_INTEGER)
        (void)snprintf(out + len, cap - len, "%d", (int)reply->integer);
    else if (reply->kind == RESP_NIL)
        (void)snprintf(out + len, cap - len, "nil");
    else if (!is_list)
        (void)snprintf(out + len, cap - len, "%s%.*s", reply->kind == RESP_ERROR ? "!" : "",
                       (int)reply->str.len, reply->str.ptr);
    for (size_t i = 0; is_list && i < reply->len; i++) {
        (void)strncat(out, i == 0 ? "[" : " ", cap - strlen(out) - 1);
        write_reply(reply->items[i], out, cap);
    }
    if (is_list)
        (void)strncat(out, reply->len == 0 ? "[]" : "]", cap - strlen(out) - 1);
}

static void on_reply(void *ctx, const struct resp *reply)
{
    (void)ctx;
    replies++;
    replied[0] = '\0';
    write_reply(reply, replied, sizeof(replied));
}

/* What is sent, and how it is answered, both as text. */

static size_t split(const char *line, char *text, size_t cap, struct notify_str argv[])
{
    size_t argc = 0;

    (void)snprintf(text, cap, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = notify_str_z(word);
    return argc;
}

static int begin(const char *line)
{
    static char text[1024];
    static struct notify_str argv[128];
    struct turn turn = {.argv = argv, .reply_bytes = 1000, .fn = on_reply};

    turn.argc = split(line, text, sizeof(text), argv);
    cr_assert(far_logs_are_named(&redis_link.keys, &turn));
    return far_logs_command(turns, &turn);
}

/* One reply: numbers and words, with lists between ( and ). */
static struct resp pool[256];
static struct resp *items[1024];
static size_t pool_len, items_len;

static struct resp *read_reply(char **words)
{
    struct resp *made = &pool[pool_len++];
    char *word = *words;
    struct resp *inner[32];

    *made = (struct resp){.kind = RESP_STRING};
    *words = word + strlen(word) + 1;
    if (strcmp(word, "(") != 0) {
        made->kind = word[0] == '#' ? RESP_INTEGER : word[0] == '!' ? RESP_ERROR : RESP_STRING;
        made->integer = made->kind == RESP_INTEGER ? atoi(word + 1) : 0;
        made->str = notify_str_z(word + (made->kind == RESP_ERROR));
        return made;
    }
    made->kind = RESP_ARRAY;
    while (strcmp(*words, ")") != 0)
        inner[made->len++] = read_reply(words);
    *words += 2;
    made->items = items + items_len;
    items_len += made->len;
    memcpy(made->items, inner, made->len * sizeof(inner[0]));
    return made;
}

static void answer_with(const char *wanted, const char *reply)
{
    struct link_testing_command *command = link_testing_take(&redis_link);
    char sent[2048] = "", text[2048], *words = text;

    cr_assert_not_null(command, "%s was not sent", wanted);
    for (size_t i = 0; i < command->argc; i++)
        (void)snprintf(sent + strlen(sent), sizeof(sent) - strlen(sent), "%s%.*s", i > 0 ? " " : "",
                       (int)command->argv[i].len, command->argv[i].ptr);
    cr_assert_str_eq(sent, wanted);
    pool_len = items_len = 0;
    if (reply == NULL) {
        link_testing_answer(command, NULL);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s", reply);
    if (text[0] != '!')
        for (char *at = text; *at != '\0'; at++)
            *at = *at == ' ' ? '\0' : *at;
    link_testing_answer(command, read_reply(&words));
}

#define SHARE "( unread #1 unseen #2 last 5-0 rev #3 epoch #4 next_expiry #0 read 3-0 )"

Test(far_logs, logs_of_the_inboxs_slot_need_nothing_of_it)
{
    struct notify_str argv[] = {NOTIFY_STR("NOTIFY.BADGE"), NOTIFY_STR("i{a}"),
                                NOTIFY_STR("LOGS"),         NOTIFY_STR("2"),
                                NOTIFY_STR("l{a}"),         NOTIFY_STR("m{a}")};
    struct turn turn = {.argc = 6, .argv = argv};

    cr_assert_not(far_logs_are_named(&redis_link.keys, &turn));
    argv[5] = NOTIFY_STR("m");
    cr_assert(far_logs_are_named(&redis_link.keys, &turn));
    argv[0] = NOTIFY_STR("NOTIFY.INFO");
    cr_assert_not(far_logs_are_named(&redis_link.keys, &turn));
}

Test(far_logs, a_badge_has_the_inbox_and_a_share_of_each_log_in_the_order_that_was_asked_for)
{
    cr_assert_eq(begin("NOTIFY.BADGE i CATEGORY c LOGS 3 a b c"), 0);
    answer_with("NOTIFY.BADGE i CATEGORY c", "( unread #7 by_category ( c #7 ) )");
    answer_with("NOTIFY.CURSORS i WORDS a b c", "( c word-c a word-a )");
    answer_with("NOTIFY.VIEW a word-a CATEGORY c", SHARE);
    answer_with("NOTIFY.BADGE b",
                "( unread #9 unseen #9 last 8-0 rev #1 epoch #0 next_expiry #0 )");
    cr_assert_eq(replies, 0);
    answer_with("NOTIFY.VIEW c word-c CATEGORY c", SHARE);
    cr_assert_str_eq(replied, "[unread 7 by_category [c 7] logs ["
                              "a [unread 1 unseen 2 last 5-0 rev 3 epoch 4 next_expiry 0] "
                              "b [unread 0 unseen 0 last 8-0 rev 1 epoch 0 next_expiry 0] "
                              "c [unread 1 unseen 2 last 5-0 rev 3 epoch 4 next_expiry 0]]]");
    cr_assert_eq(replies, 1);
}

Test(far_logs, one_log_that_does_not_answer_is_an_error_for_all)
{
    (void)begin("NOTIFY.UNREAD i LOGS 2 a b");
    answer_with("NOTIFY.UNREAD i", "#3");
    answer_with("NOTIFY.CURSORS i WORDS a b", "( a word-a b word-b )");
    answer_with("NOTIFY.VIEW a word-a", "!CLUSTERDOWN The cluster is down");
    cr_assert_eq(replies, 0, "the other one is on its way");
    answer_with("NOTIFY.VIEW b word-b", SHARE);
    cr_assert_str_eq(replied, "!CLUSTERDOWN The cluster is down");
    cr_assert_eq(replies, 1);
    cr_assert_null(redis_link.first);
}

Test(far_logs, what_was_lost_with_a_server_is_lost)
{
    (void)begin("NOTIFY.UNREAD i LOGS 2 a b");
    answer_with("NOTIFY.UNREAD i", "#3");
    answer_with("NOTIFY.CURSORS i WORDS a b", "( a word-a b word-b )");
    answer_with("NOTIFY.VIEW a word-a", NULL);
    answer_with("NOTIFY.VIEW b word-b", SHARE);
    cr_assert_str_eq(replied, "lost");
}

Test(far_logs, what_is_no_answer_is_an_error)
{
    (void)begin("NOTIFY.RANGE i - + LOG a");
    answer_with("NOTIFY.CURSORS i WORDS a", "( a word-a )");
    answer_with("NOTIFY.VIEW a word-a RANGE - +", "( unread #1 )");
    cr_assert_str_eq(replied, "!ERR a log was answered for otherwise");
}

Test(far_logs, nothing_is_told_of_what_could_not_be_sent)
{
    redis_link.up = false;
    cr_assert_eq(begin("NOTIFY.BADGE i LOGS 1 a"), -ENOTCONN);
    cr_assert_eq(replies, 0);
    redis_link.up = true;
    redis_link.refuses = true;
    cr_assert_lt(begin("NOTIFY.MARK i READ 5 LOG a"), 0);
    cr_assert_eq(replies, 0);
}

Test(far_logs, words_that_are_too_long_together_are_asked_for_one_by_one)
{
    (void)begin("NOTIFY.UNREAD i LOGS 2 a b");
    answer_with("NOTIFY.UNREAD i", "#3");
    answer_with("NOTIFY.CURSORS i WORDS a b", "!LIMIT the words have more than 4194304 bytes");
    answer_with("NOTIFY.CURSORS i WORDS a", "( a word-a )");
    answer_with("NOTIFY.VIEW a word-a", SHARE);
    answer_with("NOTIFY.CURSORS i WORDS b", "( )");
    cr_assert_str_eq(replied, "4");
}

Test(far_logs, sixteen_logs_are_asked_at_a_time)
{
    char line[512] = "NOTIFY.UNREAD i LOGS 20", wanted[512];

    for (int n = 0; n < 20; n++)
        (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), " l%02d", n);
    (void)begin(line);
    answer_with("NOTIFY.UNREAD i", "#0");
    (void)snprintf(wanted, sizeof(wanted), "NOTIFY.CURSORS i WORDS %.*s", 16 * 4 - 1,
                   line + strlen("NOTIFY.UNREAD i LOGS 20 "));
    answer_with(wanted, "( l00 w0 l15 w15 )");
    answer_with("NOTIFY.VIEW l00 w0", SHARE);
    answer_with("NOTIFY.VIEW l15 w15", SHARE);
    answer_with("NOTIFY.CURSORS i WORDS l16 l17 l18 l19", "( l19 w19 )");
    answer_with("NOTIFY.VIEW l19 w19", SHARE);
    cr_assert_str_eq(replied, "3");
}

Test(far_logs, an_inbox_is_told_only_of_entries_that_there_are)
{
    (void)begin("NOTIFY.MARK i READ 5 6 7-3 LOG a");
    answer_with("NOTIFY.CURSORS i WORDS a", "( a word-a )");
    answer_with("NOTIFY.VIEW a word-a RANGE 5-0 5-0 ALL",
                "( read 1-0 entries ( ( 5-0 ( kind notification ) ) ) )");
    answer_with("NOTIFY.VIEW a word-a RANGE 6-0 6-0 ALL",
                "( read 1-0 entries ( ( 6-0 ( kind event ) ) ) )");
    answer_with("NOTIFY.VIEW a word-a RANGE 7-3 7-3 ALL", "( read 1-0 entries ( ) )");
    answer_with("NOTIFY.MARK i READ 5 LOG a BYNAME", "#1");
    cr_assert_str_eq(replied, "1");
    (void)begin("NOTIFY.MARK i READ 5 LOG a");
    answer_with("NOTIFY.CURSORS i WORDS a", "( )");
    cr_assert_str_eq(replied, "0", "it is not followed");
}

Test(far_logs, an_inbox_that_has_no_room_for_single_marks_is_told_up_to_where_all_is_read)
{
    for (int refused = 0; refused < 2; refused++) {
        (void)begin("NOTIFY.MARK i READ 5 LOG a");
        answer_with("NOTIFY.CURSORS i WORDS a", "( a word-a )");
        answer_with("NOTIFY.VIEW a word-a RANGE 5-0 5-0 ALL",
                    "( read 4-0 entries ( ( 5-0 ( kind notification ) ) ) )");
        answer_with("NOTIFY.MARK i READ 5 LOG a BYNAME", "!LIMIT the read entries are scattered");
        answer_with("NOTIFY.READALL i UPTO 4-0 LOG a BYNAME", "#1");
        answer_with("NOTIFY.MARK i READ 5 LOG a BYNAME",
                    refused ? "!LIMIT the read entries are scattered" : "#1");
        cr_assert_str_eq(replied, refused ? "!LIMIT the read entries are scattered" : "1");
    }
}

Test(far_logs, nothing_is_read_unless_all_logs_have_answered)
{
    (void)begin("NOTIFY.READALL i UPTO 9 LOGS 2 a b");
    answer_with("NOTIFY.CURSORS i WORDS a b", "( a word-a b word-b )");
    answer_with("NOTIFY.VIEW a word-a RANGE - 9 UNREAD COUNT 0 TOTAL",
                "( total #2 last 5-0 read 1-0 )");
    answer_with("NOTIFY.VIEW b word-b RANGE - 9 UNREAD COUNT 0 TOTAL", NULL);
    cr_assert_str_eq(replied, "lost");
    cr_assert_null(redis_link.first);
}

Test(far_logs, all_is_read_up_to_where_the_logs_end_now)
{
    (void)begin("NOTIFY.READALL i UPTO 9 LOGS 3 a b c");
    answer_with("NOTIFY.CURSORS i WORDS a b c", "( a word-a b word-b c word-c )");
    answer_with("NOTIFY.VIEW a word-a RANGE - 9 UNREAD COUNT 0 TOTAL",
                "( total #2 last 5-0 read 1-0 )");
    answer_with("NOTIFY.VIEW b word-b RANGE - 9 UNREAD COUNT 0 TOTAL",
                "( total #3 last 20-0 read 1-0 )");
    answer_with("NOTIFY.VIEW c word-c RANGE - 9 UNREAD COUNT 0 TOTAL",
                "( total #0 last 8-0 read 8-0 )");
    answer_with("NOTIFY.READALL i UPTO 9", "#10");
    answer_with("NOTIFY.READALL i UPTO 5-0 LOG a BYNAME", "#1");
    answer_with("NOTIFY.READALL i UPTO 9-18446744073709551615 LOG b BYNAME", "#1");
    cr_assert_str_eq(replied, "15");
}

Test(far_logs, a_category_is_read_page_by_page_and_then_what_is_put_away)
{
    (void)begin("NOTIFY.READALL i CATEGORY x LOG a");
    answer_with("NOTIFY.CURSORS i WORDS a", "( a w1 )");
    answer_with(
        "NOTIFY.VIEW a w1 RANGE - + UNREAD CATEGORY x COUNT 26",
        "( read 1-0 entries ( ( 4-0 ( kind notification ) ) ( 9-0 ( kind notification ) ) ) )");
    answer_with("NOTIFY.MARK i READ 4-0 9-0 LOG a BYNAME", "#2");
    answer_with("NOTIFY.CURSORS i WORDS a", "( a w2 )");
    answer_with("NOTIFY.VIEW a w2 RANGE - + ARCHIVED CATEGORY x COUNT 26",
                "( read 1-0 entries ( ( 5-0 ( read #1 ) ) ( 6-0 ( kind notification ) ) ) )");
    answer_with("NOTIFY.MARK i READ 6-0 LOG a BYNAME", "#1");
    cr_assert_str_eq(replied, "3");
}

#define ENTRY(key, id)                                                                             \
    "{\"type\":\"notification\",\"key\":\"" key "\",\"id\":\"" id "\",\"data\":{}}"

Test(far_logs, a_feed_is_merged_by_ids_and_then_by_names)
{
    (void)begin("NOTIFY.FEED i LOGS 2 a z BEFORE 9-0:i COUNT 3 UNREAD JSON");
    answer_with("NOTIFY.FEED i BEFORE 9-0:i COUNT 3 UNREAD JSON",
                "( entries ( " ENTRY("i", "7-0") " " ENTRY("i", "2-0") " ) next x )");
    answer_with("NOTIFY.CURSORS i WORDS a z", "( a word-a z word-z )");
    answer_with("NOTIFY.VIEW a word-a REVRANGE (9-0 - COUNT 3 UNREAD JSON",
                "( entries ( " ENTRY("a", "7-0") " " ENTRY("a", "1-0") " ) )");
    answer_with("NOTIFY.VIEW z word-z REVRANGE 9-0 - COUNT 3 UNREAD JSON",
                "( entries ( " ENTRY("z", "9-0") " ) )");
    cr_assert_str_eq(replied, "[entries [" ENTRY("z", "9-0") " " ENTRY("a", "7-0") " " ENTRY(
                                  "i", "7-0") "] total 0]");
}

Test(far_logs, a_total_is_counted_apart_from_the_page)
{
    (void)begin("NOTIFY.FEED i LOGS 1 a COUNT 0 TOTAL");
    answer_with("NOTIFY.FEED i COUNT 0 TOTAL JSON", "( entries ( ) next x total #5 )");
    answer_with("NOTIFY.CURSORS i WORDS a", "( a word-a )");
    answer_with("NOTIFY.VIEW a word-a RANGE - + COUNT 0 TOTAL", "( entries ( ) total #4 )");
    cr_assert_str_eq(replied, "[entries [] total 9]");
}
