/* unseen: what a client without a position is sent of its inbox, what is marked as seen, and when.
 * The test plays Redis and the sender. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "channels/follow.h"
#include "clients/client.h"
#include "clients/inbox_start.h"
#include "clients/unseen.h"
#include "conn_testing.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "wire/event.h"

#define ENTRIES_MAX 300

/* Redis: entries that nobody has seen, oldest first. */
static struct {
    int entries[ENTRIES_MAX];
    size_t len, bytes; /* bytes: of each entry, beside the rest of it */
    int last;
    bool away, breaks; /* breaks: the reply to a portion is an error */
} redis;

static struct client client;
static struct conn conn;
static struct follow inbox_follow;
static bool has_follow, sender_full;
static int room = ENTRIES_MAX; /* entries that the sender takes */
static int sent[ENTRIES_MAX];  /* to the client */
static size_t sent_len, portions;
static int seen_upto[8];
static size_t seen_len;
static unsigned calls, ended, gone_on; /* gone_on: calls of the unseen_fn */
static bool from_now;
static struct notify_id from;

/* In place of client.c, sender.c, turns.c. */

bool client_is_closed(const struct client *of)
{
    return of->sender.state == SENDER_CLOSED;
}

struct notify_str client_session(const struct client *of)
{
    (void)of;
    return NOTIFY_STR("mine");
}

struct notify_str client_inbox(const struct client *of, struct key_buffer *buffer)
{
    (void)of;
    buffer->bytes[0] = 'k';
    return notify_str_of(buffer->bytes, 1);
}

struct follow *client_find_follow(const struct client *of, struct notify_str key)
{
    (void)of;
    cr_assert(notify_str_eq(key, NOTIFY_STR("k")));
    return has_follow ? &inbox_follow : NULL;
}

void client_call_end(struct client *of, size_t bytes)
{
    (void)of;
    (void)bytes;
    ended++;
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

bool sender_is_idle(const struct sender *sender)
{
    (void)sender;
    return !sender_full;
}

bool sender_enqueue(struct sender *sender, struct follow *source, struct event *event)
{
    (void)sender;
    cr_assert_null(source);
    if (room == 0)
        return false;
    room--;
    sent[sent_len++] = (int)event->id.ms;
    return true;
}

static struct resp string_of(const char *text)
{
    return (struct resp){.kind = RESP_STRING, .str = notify_str_z(text)};
}

static void answer_badge(const struct turn *turn)
{
    char id[32] = "";
    struct resp parts[4] = {string_of("last"),
                            string_of(id),
                            string_of("unseen"),
                            {.kind = RESP_INTEGER, .integer = (int64_t)redis.len}};
    struct resp *items[4] = {&parts[0], &parts[1], &parts[2], &parts[3]};
    struct resp map = {.kind = RESP_MAP, .len = 4, .items = items};

    (void)snprintf(id, sizeof(id), "%d-0", redis.last);
    parts[1].str.len = strlen(id);
    turn->fn(turn->ctx, &map);
}

/* Entry 7 of ten excludes this session. */
static char *message_of(int entry)
{
    size_t cap = redis.bytes + 300;
    char *text = malloc(cap);
    int len = snprintf(text, cap,
                       "{\"type\":\"notification\",\"key\":\"k\",\"id\":\"%d-0\",\"prev\":\"0-0\","
                       "\"rev\":1,%s\"data\":{\"title\":\"t\",\"content\":\"",
                       entry, entry % 10 == 7 ? "\"exclude\":\"mine\"," : "");

    memset(text + len, 'x', redis.bytes);
    memcpy(text + (size_t)len + redis.bytes, "\"}}", 4);
    return text;
}

static void answer_portion(const struct turn *turn)
{
    static const struct resp error = {.kind = RESP_ERROR, .str = {"ERR so", 6}};
    struct resp parts[ENTRIES_MAX], *items[ENTRIES_MAX];
    struct resp array = {.kind = RESP_ARRAY, .items = items};
    char end[32];
    int before = ENTRIES_MAX + 1;

    portions++;
    if (redis.breaks) {
        turn->fn(turn->ctx, &error);
        return;
    }
    (void)snprintf(end, sizeof(end), "%.*s", (int)turn->argv[2].len, turn->argv[2].ptr);
    if (end[0] == '(')
        before = atoi(end + 1);
    for (size_t i = redis.len; i-- > 0 && array.len < (size_t)atoi(turn->argv[5].ptr);)
        if (redis.entries[i] < before) {
            parts[array.len] = string_of(message_of(redis.entries[i]));
            items[array.len] = &parts[array.len];
            array.len++;
        }
    turn->fn(turn->ctx, &array);
    for (size_t i = 0; i < array.len; i++)
        free((void *)(uintptr_t)parts[i].str.ptr);
}

int turns_command(struct turns *turns, const struct turn *turn)
{
    (void)turns;
    if (redis.away)
        return -ENOTCONN;
    if (notify_str_eq(turn->argv[0], NOTIFY_STR("NOTIFY.SEEN"))) {
        cr_assert(notify_str_eq(turn->argv[2], NOTIFY_STR("UPTO")));
        seen_upto[seen_len++] = atoi(turn->argv[3].ptr);
        turn->fn(turn->ctx, NULL);
    } else if (notify_str_eq(turn->argv[0], NOTIFY_STR("NOTIFY.BADGE"))) {
        answer_badge(turn);
    } else {
        answer_portion(turn);
    }
    return 0;
}

/* The client. */

static void go_on(struct client *of, const struct notify_id *where)
{
    cr_assert_eq(of, &client);
    gone_on++;
    from_now = where == NULL;
    if (where != NULL)
        from = *where;
}

static void fill(size_t count, size_t bytes)
{
    redis.len = count;
    redis.bytes = bytes;
    for (size_t i = 0; i < count; i++)
        redis.entries[i] = (int)i + 1;
    redis.last = (int)count;
}

static void begin(void)
{
    static struct client_shared shared;

    log_setup(LOG_ERROR, LOG_LOGFMT);
    client.shared = &shared;
    client.sender.conn = &conn;
}

static void arrive(void)
{
    unseen_ask(&client, go_on);
    cr_assert_eq(calls, ended, "no question is left");
}

/* All of it is out, and the peer goes. */
static void go(int code, int pos)
{
    client.sender.state = SENDER_READY;
    has_follow = true;
    inbox_follow.state = FOLLOW_LIVE;
    inbox_follow.pos = (struct notify_id){(uint64_t)pos, 0};
    unseen_end(&client, code);
    cr_assert_null(client.inbox_start);
}

static bool had(int entry)
{
    return inbox_start_has(client.inbox_start, (struct notify_id){(uint64_t)entry, 0});
}

TestSuite(unseen, .init = begin);

Test(unseen, an_empty_inbox_is_followed_from_its_end)
{
    redis.last = 9;
    arrive();
    cr_assert(gone_on == 1 && !from_now && from.ms == 9);
    cr_assert_eq(sent_len, 0);
    unseen_on_greeted(&client);
    cr_assert_eq(seen_len, 0, "there is nothing to mark");
    go(CONN_CLOSE_NORMAL, 9);
    cr_assert_eq(seen_len, 0);
}

Test(unseen, what_nobody_has_seen_comes_oldest_first_and_is_seen_once_greeted)
{
    fill(5, 0);
    arrive();
    cr_assert_eq(sent_len, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(sent[i], i + 1);
    cr_assert(from.ms == 5 && had(1) && had(5));
    cr_assert_eq(seen_len, 0, "it may still be refused");
    unseen_on_greeted(&client);
    cr_assert(seen_len == 1 && seen_upto[0] == 5);
    unseen_on_greeted(&client);
    cr_assert_eq(seen_len, 1, "once");
    go(CONN_CLOSE_GOING_AWAY, 5);
    cr_assert_eq(seen_len, 1);
}

Test(unseen, at_most_a_hundred_come_the_newest)
{
    fill(250, 0);
    arrive();
    cr_assert_eq(from.ms, 250);
    /* Of each ten one excludes this session; it counts all the same. */
    cr_assert_eq(sent_len, 90);
    cr_assert_eq(sent[0], 151);
    cr_assert_eq(sent[89], 250);
    cr_assert_geq(portions, 4, "never more than TURNS_ENTRIES at once");
    unseen_on_greeted(&client);
    cr_assert_eq(seen_upto[0], 250);
    go(CONN_CLOSE_NORMAL, 250);
}

Test(unseen, large_ones_are_fewer)
{
    fill(100, 60000);
    arrive();
    cr_assert_leq(sent_len, UNSEEN_BYTES / 60000 + 1);
    cr_assert_geq(sent_len, 2);
    cr_assert_eq(sent[sent_len - 1], 100);
    go(CONN_CLOSE_ABNORMAL, 100);
}

Test(unseen, what_finds_no_room_is_brought_by_following_from_before_it)
{
    fill(10, 0);
    room = 3;
    arrive();
    cr_assert_eq(sent_len, 3);
    cr_assert(from.ms == 3 && from.seq == UINT64_MAX, "right before the fourth");
    cr_assert(had(3) && !had(4));
    unseen_on_greeted(&client);
    cr_assert(seen_len == 1 && seen_upto[0] == 3);
    go(CONN_CLOSE_ABNORMAL, 10);
}

Test(unseen, what_came_live_is_seen_when_the_peer_says_that_it_goes)
{
    fill(2, 0);
    arrive();
    unseen_on_greeted(&client);
    go(CONN_CLOSE_NORMAL, 7);
    cr_assert(seen_len == 2 && seen_upto[1] == 7);
}

Test(unseen, of_a_connection_that_breaks_nothing_more_is_seen)
{
    fill(2, 0);
    arrive();
    sender_full = true;
    unseen_on_greeted(&client);
    cr_assert_eq(seen_len, 0, "it is not out yet");
    go(CONN_CLOSE_ABNORMAL, 7);
    cr_assert_eq(seen_len, 0);
}

Test(unseen, what_was_not_out_when_it_was_greeted_is_seen_at_an_orderly_end)
{
    fill(2, 0);
    arrive();
    sender_full = true;
    unseen_on_greeted(&client);
    sender_full = false;
    go(CONN_CLOSE_NORMAL, 2);
    cr_assert(seen_len == 1 && seen_upto[0] == 2);
}

Test(unseen, while_redis_is_away_it_is_followed_from_now_on)
{
    fill(2, 0);
    redis.away = true;
    arrive();
    cr_assert(gone_on == 1 && from_now && sent_len == 0);
    unseen_on_greeted(&client);
    go(CONN_CLOSE_NORMAL, 2);
    cr_assert_eq(seen_len, 0);
}

Test(unseen, a_reply_that_is_an_error_marks_nothing_as_seen)
{
    fill(2, 0);
    redis.breaks = true;
    arrive();
    cr_assert(gone_on == 1 && !from_now && from.ms == 2 && sent_len == 0);
    unseen_on_greeted(&client);
    cr_assert_eq(seen_len, 0);
    go(CONN_CLOSE_ABNORMAL, 2);
}

Test(unseen, whoever_has_gone_meanwhile_is_sent_nothing)
{
    fill(2, 0);
    client.sender.state = SENDER_CLOSED;
    arrive();
    cr_assert(gone_on == 0 && sent_len == 0 && client.inbox_start == NULL);
    unseen_end(&client, CONN_CLOSE_ABNORMAL);
}
