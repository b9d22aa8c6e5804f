/* rewinding: the boxes that a client is to follow are asked about one after the other. The test
 * plays Redis and the sender. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/client.h"
#include "clients/progress.h"
#include "clients/rewinding.h"
#include "conn_testing.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "wire/close_code.h"

/* In place of client.c, sender.c, turns.c, channel.c. */

static struct client client;
static struct conn conn;
static struct turn under_way; /* fn NULL: nothing is */
static char asked[4][16], told[16];
static size_t asked_len;
static unsigned calls, ended, told_len, gone_on;
static bool away;

bool client_is_closed(const struct client *of)
{
    return of->sender.state == SENDER_CLOSED;
}

void client_call_end(struct client *of, size_t bytes)
{
    (void)of;
    (void)bytes;
    ended++;
}

void client_tell_error(struct client *of, struct notify_str key, const char *code, const char *why)
{
    (void)of;
    (void)code;
    (void)why;
    told_len++;
    (void)snprintf(told, sizeof(told), "%.*s", (int)key.len, key.ptr);
}

void sender_close(struct sender *sender, int code, const char *reason)
{
    conn_close(sender->conn, code, reason);
}

void sender_call_begin(struct sender *sender, size_t bytes)
{
    (void)sender;
    (void)bytes;
    calls++;
}

void sender_call_waits(struct sender *sender)
{
    (void)sender;
}

void sender_call_goes_on(struct sender *sender)
{
    (void)sender;
}

struct notify_str follow_key(const struct follow *follow)
{
    (void)follow;
    return NOTIFY_STR("");
}

uint32_t follow_box_epoch(const struct follow *follow)
{
    (void)follow;
    return 0;
}

int turns_command(struct turns *turns, const struct turn *turn)
{
    (void)turns;
    cr_assert_null(under_way.fn, "one at a time");
    if (away)
        return -ENOTCONN;
    (void)snprintf(asked[asked_len++], sizeof(asked[0]), "%.*s", (int)turn->argv[1].len,
                   turn->argv[1].ptr);
    under_way = *turn;
    return 0;
}

/* Redis replies. */

static void reply_with(const struct resp *reply)
{
    struct turn turn = under_way;

    cr_assert_not_null(turn.fn);
    under_way.fn = NULL;
    turn.fn(turn.ctx, reply);
}

static void reply_error(const char *text)
{
    const struct resp error = {.kind = RESP_ERROR, .str = notify_str_z(text)};

    reply_with(&error);
}

/* Where the box ends. */
static void reply_end(const char *id)
{
    struct resp parts[2] = {{.kind = RESP_STRING, .str = NOTIFY_STR("last")},
                            {.kind = RESP_STRING, .str = notify_str_z(id)}};
    struct resp *items[2] = {&parts[0], &parts[1]};
    struct resp box = {.kind = RESP_MAP, .len = 2, .items = items}, *boxes[1] = {&box};
    const struct resp reply = {.kind = RESP_ARRAY, .len = 1, .items = boxes};

    reply_with(&reply);
}

/* The client. */

static struct rewinding *rewinding;

static void go_on(struct client *of)
{
    cr_assert_eq(of, &client);
    gone_on++;
}

static void begin(void)
{
    static struct client_shared shared;
    static const struct rewind_wish wish = {.since_ms = 5000};

    log_setup(LOG_ERROR, LOG_LOGFMT);
    client.shared = &shared;
    client.sender.conn = &conn;
    client.sender.progress = progress_new();
    cr_assert(progress_is_of(client.sender.progress, NOTIFY_STR("u")));
    rewinding = rewinding_new(&client, &wish);
}

static void end(void)
{
    progress_free(client.sender.progress);
    cr_assert_eq(calls, ended, "nothing is left");
    cr_assert_leq(gone_on, 1);
}

TestSuite(rewinding, .init = begin, .fini = end);

static void run(const char *a, const char *b)
{
    cr_assert(rewinding_add(rewinding, notify_str_z(a)));
    cr_assert(rewinding_add(rewinding, notify_str_z(b)));
    cr_assert(rewinding_add(rewinding, notify_str_z(a)), "which counts once");
    rewinding_run(rewinding, go_on);
}

/* Where key is to begin; 0: now. */
static uint64_t begin_of(const char *key)
{
    struct position position;

    return progress_find(client.sender.progress, notify_str_z(key), &position) ? position.id.ms : 0;
}

static void bring(const char *key, const char *position)
{
    json_t *positions = json_pack("{s:s}", key, position);

    cr_assert(progress_bring_positions(client.sender.progress, positions));
    json_decref(positions);
}

Test(rewinding, asks_about_each_box_once)
{
    run("a", "b");
    reply_end("9000-1");
    cr_assert_eq(gone_on, 0);
    reply_end("3000-1");
    cr_assert(gone_on == 1 && asked_len == 2);
    cr_assert_eq(begin_of("a"), 4999, "right before the instant");
    cr_assert_eq(begin_of("b"), 3000, "at the end of what is older");
}

Test(rewinding, a_position_that_was_brought_wins)
{
    bring("a", "77-1");
    run("a", "b");
    cr_assert_str_eq(asked[0], "b");
    reply_end("9000-1");
    cr_assert(gone_on == 1 && asked_len == 1);
    cr_assert_eq(begin_of("a"), 77);
    cr_assert_eq(begin_of("b"), 4999);
}

/* One that has brought as many as there is room for, of other keys. */
Test(rewinding, what_was_brought_of_other_boxes_takes_nobodys_place)
{
    json_t *positions = json_object();
    char name[16];

    for (int i = 0; i < BOOKMARK_KEYS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        (void)json_object_set_new(positions, name, json_string("7-7"));
    }
    cr_assert(progress_bring_positions(client.sender.progress, positions));
    json_decref(positions);
    run("k5", "b");
    reply_end("9000-1");
    cr_assert(begin_of("k5") == 7 && begin_of("b") == 4999 && begin_of("k6") == 0);
}

Test(rewinding, of_whom_all_is_known_nothing_is_asked)
{
    away = true;
    bring("a", "77-1");
    run("a", "a");
    cr_assert(gone_on == 1 && begin_of("a") == 77);
}

Test(rewinding, a_box_that_cannot_be_read_begins_now_and_that_is_told)
{
    run("a", "b");
    reply_error("WRONGTYPE Operation against a key holding the wrong kind of value");
    reply_end("9000-1");
    cr_assert(gone_on == 1 && told_len == 1);
    cr_assert_str_eq(told, "a");
    cr_assert(begin_of("a") == 0 && begin_of("b") == 4999);
}

Test(rewinding, what_is_no_reply_is_told_too)
{
    static const struct resp nil = {.kind = RESP_NIL};

    run("a", "b");
    reply_end("9000-1");
    reply_with(&nil);
    cr_assert(gone_on == 1 && told_len == 1);
    cr_assert_str_eq(told, "b");
}

static void expect_try_again(void)
{
    cr_assert(gone_on == 0 && told_len == 0);
    cr_assert_eq(conn.close_code, CONN_CLOSE_TRY_AGAIN);
}

Test(rewinding, whoever_comes_while_redis_is_away_is_to_come_again)
{
    away = true;
    run("a", "b");
    expect_try_again();
}

Test(rewinding, so_is_who_meets_its_end_in_the_middle)
{
    run("a", "b");
    reply_end("9000-1");
    reply_with(NULL);
    expect_try_again();
}

Test(rewinding, and_who_meets_it_between_two_commands)
{
    run("a", "b");
    away = true;
    reply_end("9000-1");
    expect_try_again();
}

Test(rewinding, and_who_is_told_not_now)
{
    run("a", "b");
    reply_error("LOADING Redis is loading the dataset in memory");
    expect_try_again();
}

Test(rewinding, nothing_more_is_asked_for_who_has_gone)
{
    run("a", "b");
    client.sender.state = SENDER_CLOSED;
    cr_assert_not(under_way.on_turn(under_way.ctx));
    reply_end("9000-1");
    cr_assert(gone_on == 0 && asked_len == 1);
}
