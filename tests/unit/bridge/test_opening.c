/* The address that a client connects to: what is read from it, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clients/opening.h"
#include "net/conn.h"

static struct opening opening;
static struct opening_room room;

static const char *read_address(const char *path, const char *query)
{
    const struct http_request req = {.path = notify_str_z(path), .query = notify_str_z(query)};

    memset(&opening, 'x', sizeof(opening)); /* nothing of it may stay */
    memset(&room, 'x', sizeof(room));
    return opening_read(&opening, &room, &req);
}

Test(opening, says_nothing_on_the_bare_path)
{
    static const char *const paths[] = {"/ws", "/ws/"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        cr_assert_null(read_address(paths[i], ""));
        cr_assert_eq(opening.client_id.len, 0);
        cr_assert_str_empty(opening.user);
        cr_assert_str_empty(opening.topics);
        cr_assert_not(opening.has_last_id);
    }
}

Test(opening, names_a_client_a_user_topics_and_a_position)
{
    cr_assert_null(
        read_address("/ws/t\xc3\xa4 1", "topics=a%2Cb&user=al%20ice&last_event_id=17-4"));
    cr_assert(notify_str_eq(opening.client_id, NOTIFY_STR("t\xc3\xa4 1")));
    cr_assert_str_eq(opening.user, "al ice");
    cr_assert_str_eq(opening.topics, "a,b");
    cr_assert(opening.has_last_id);
    cr_assert_eq(opening.last_id.id.ms, 17);
    cr_assert_eq(opening.last_id.id.seq, 4);
}

Test(opening, an_empty_position_is_none)
{
    static const char *const queries[] = {"last_event_id=", "last_event_id",
                                          "last_event_id=&user=a"};

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        cr_assert_null(read_address("/ws", queries[i]), "%s", queries[i]);
        cr_assert_not(opening.has_last_id);
    }
}

Test(opening, a_path_has_one_part_behind_ws)
{
    static const char *const paths[] = {"/ws", "/ws/", "/ws/a", "/ws/a b", "/ws/\xff", "/ws/..."};
    static const char *const others[] = {"/ws/a/b", "/ws//", "/ws/a/", "/ws//a"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        cr_assert(opening_is_path(notify_str_z(paths[i])), "%s", paths[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(opening_is_path(notify_str_z(others[i])), "%s", others[i]);
}

/* What a client offers, what is chosen, and what it is spoken to in. */
struct offer {
    const char *offered, *chosen;
    enum dialect dialect;
};

static const struct offer offers[] = {
    {"", NULL, DIALECT_TOPIC},
    {"chat, graphql-ws", NULL, DIALECT_TOPIC},
    {"bearer, abc", "bearer", DIALECT_TOPIC},
    {"notify.v1", "notify.v1", DIALECT_CANONICAL},
    {"x, notify.v1, bearer, abc", "notify.v1", DIALECT_CANONICAL},
    {"bearer, abc, notify.v1", "notify.v1", DIALECT_CANONICAL},
    {"bearer, notify.v1", "bearer", DIALECT_TOPIC}, /* a token, if a bad one */
    {"NOTIFY.V1", NULL, DIALECT_TOPIC},
};

Test(opening, a_client_is_spoken_to_in_what_it_offers)
{
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        const struct http_head head = {.field_count = 1,
                                       .fields = {{NOTIFY_STR_INIT("Sec-WebSocket-Protocol"),
                                                   notify_str_z(offers[i].offered)}}};
        const struct http_request req = {.path = NOTIFY_STR("/ws"), .head = &head};
        const char *chosen = opening_protocol(&req);
        cr_assert_null(opening_read(&opening, &room, &req));
        cr_assert_eq(opening.dialect, offers[i].dialect, "%s", offers[i].offered);
        cr_assert_eq(chosen == NULL, offers[i].chosen == NULL, "%s", offers[i].offered);
        if (chosen != NULL)
            cr_assert_str_eq(chosen, offers[i].chosen);
    }
}

Test(opening, the_canonical_dialect_may_be_asked_for_in_the_address)
{
    cr_assert_null(read_address("/ws/a", "user=b"));
    cr_assert_eq(opening.dialect, DIALECT_TOPIC);
    cr_assert_null(read_address("/ws/a", "user=b&protocol=notify.v1"));
    cr_assert_eq(opening.dialect, DIALECT_CANONICAL);
}

#define STREAM "/api/v1/notifications/stream"

Test(opening, a_stream_may_say_how_far_back_it_begins)
{
    cr_assert_null(read_address(STREAM, "topics=a"));
    cr_assert(opening.last == 0 && opening.since.ms == 0 && !opening.knows_positions);
    cr_assert_null(read_address(STREAM, "last=100"));
    cr_assert(opening.last == 100 && opening.since.ms == 0 && opening.knows_positions);
    cr_assert_null(read_address(STREAM, "since=1795208400123"));
    cr_assert(opening.since.ms == 1795208400123 && !opening.since.is_span);
    cr_assert_null(read_address(STREAM, "since=2h"));
    cr_assert(opening.since.ms == 7200000 && opening.since.is_span && opening.knows_positions);
    cr_assert(opening.last == 0);
    cr_assert_null(read_address("/ws", "last=no&since=never"), "which says it by a message");
    cr_assert(opening.last == 0 && opening.since.ms == 0);
}

/* What is refused, and what the reason begins with. */
struct refused {
    const char *path, *query, *why;
};

static const struct refused refused[] = {
    {"/ws/\xff", "", "the client id"},
    {"/ws/a\n", "", "the client id"},
    {"/ws/\x7f", "", "the client id"},
    {"/ws", "user=", "user"},
    {"/ws", "user", "user"},
    {"/ws", "user=%ff", "user"},
    {"/ws", "user=a%00b", "user"},
    {"/ws", "user=a%0Ab", "user"},
    {"/ws", "user=%4", "user"},
    {"/ws", "user=100%", "user"},
    {"/ws", "topics=%", "topics"},
    {"/ws", "topics=a%00", "topics"},
    {"/ws", "topics=a,%09", "topics"},
    {"/ws", "topics=a,%ff", "topics"},
    {"/ws", "topics=%c3,%a4", "topics"},
    {"/ws", "protocol", "protocol"},
    {"/ws", "protocol=notify.v2", "protocol"},
    {"/ws", "protocol=notify.v10", "protocol"},
    {"/ws", "protocol=notify.v1%00", "protocol"},
    {"/ws", "last_event_id=yesterday", "last_event_id"},
    {"/ws", "last_event_id=%20", "last_event_id"},
    {"/ws", "last_event_id=1-2-3", "last_event_id"},
    {"/ws", "last_event_id=99999999999999999999-0", "last_event_id"},
    {"/ws", "last_event_id=1111111111111111111111111111111111111111-0", "last_event_id"},
    {STREAM, "last", "last must"},
    {STREAM, "last=", "last must"},
    {STREAM, "last=0", "last must"},
    {STREAM, "last=101", "last must"},
    {STREAM, "last=-1", "last must"},
    {STREAM, "last=5x", "last must"},
    {STREAM, "last=5%00", "last must"},
    {STREAM, "last=18446744073709551617", "last must"},
    {STREAM, "last=0000000000000000000000000000000000000001", "last must"},
    {STREAM, "since", "since must"},
    {STREAM, "since=", "since must"},
    {STREAM, "since=0", "since must"},
    {STREAM, "since=5y", "since must"},
    {STREAM, "since=-5m", "since must"},
    {STREAM, "since=253402300800000", "since must"},
    {STREAM, "since=1111111111111111111111111111111111111111", "since must"},
    {STREAM, "last=1&since=5m", "last and since"},
};

/* The reason of a Close frame has at most 123 bytes. */
static void check_refused(const char *path, const char *query, const char *why)
{
    const char *reason = read_address(path, query);

    cr_assert_not_null(reason, "%s?%s", path, query);
    cr_assert_eq(strncmp(reason, why, strlen(why)), 0, "%s?%s: %s", path, query, reason);
    cr_assert_leq(strlen(reason), 123, "%s", reason);
}

Test(opening, is_refused_when_it_cannot_be_understood)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        check_refused(refused[i].path, refused[i].query, refused[i].why);
}

/* A text of len letters behind a prefix. The next call overwrites it. */
static char *long_text(const char *prefix, size_t len)
{
    static char text[OPENING_TOPICS_MAX + 16];

    (void)snprintf(text, sizeof(text), "%s", prefix); /* fits */
    memset(text + strlen(prefix), 'n', len);
    text[strlen(prefix) + len] = '\0';
    return text;
}

/* So many bytes of short topics. */
static char *many_topics(size_t len)
{
    char *text = long_text("topics=", len);

    for (size_t i = strlen("topics=") + 1; i + 1 < strlen("topics=") + len; i += 2)
        text[i] = ',';
    return text;
}

Test(opening, is_refused_when_a_part_of_it_is_too_long)
{
    cr_assert_null(read_address(long_text("/ws/", KEY_NAME_MAX), ""));
    cr_assert_eq(opening.client_id.len, KEY_NAME_MAX);
    check_refused(long_text("/ws/", KEY_NAME_MAX + 1), "", "the client id");
    cr_assert_null(read_address("/ws", long_text("user=", KEY_NAME_MAX)));
    cr_assert_eq(strlen(opening.user), KEY_NAME_MAX);
    check_refused("/ws", long_text("user=", KEY_NAME_MAX + 1), "user");
    cr_assert_null(read_address("/ws", long_text("topics=a,", KEY_NAME_MAX)));
    check_refused("/ws", long_text("topics=a,", KEY_NAME_MAX + 1), "topics");
    cr_assert_null(read_address("/ws", many_topics(OPENING_TOPICS_MAX)));
    cr_assert_eq(strlen(opening.topics), OPENING_TOPICS_MAX);
    check_refused("/ws", many_topics(OPENING_TOPICS_MAX + 1), "topics");
}

struct listed {
    const char *query;
    size_t count;
    const char *topics[4];
};

static const struct listed listed[] = {
    {"", 0, {NULL}},
    {"topics=", 0, {NULL}},
    {"topics=a", 1, {"a"}},
    {"topics=a,b%2Cc", 3, {"a", "b", "c"}},
    {"topics=a,,b,", 3, {"a", "", "b"}},
    {"topics=,", 1, {""}},
};

Test(opening, lists_topics_between_commas)
{
    for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
        struct notify_str topic;
        const char *rest;
        cr_assert_null(read_address("/ws", listed[i].query));
        rest = opening.topics;
        cr_assert_eq(opening_name_count(&opening), listed[i].count, "%s", listed[i].query);
        for (size_t n = 0; n < listed[i].count; n++) {
            cr_assert(opening_next_name(&rest, &topic));
            cr_assert(notify_str_eq(topic, notify_str_z(listed[i].topics[n])), "%s",
                      listed[i].query);
        }
        cr_assert_not(opening_next_name(&rest, &topic));
    }
}

#define STREAM "/api/v1/notifications/stream"

Test(opening, a_stream_names_its_client_in_the_query_and_speaks_of_events)
{
    cr_assert_null(read_address(STREAM, "session_id=s%201&user=a&topics=b"));
    cr_assert(notify_str_eq(opening.client_id, NOTIFY_STR("s 1")));
    cr_assert_eq(opening.dialect, DIALECT_EVENTS);
    cr_assert_not(opening.knows_positions);
    cr_assert_null(read_address(STREAM, ""));
    cr_assert_eq(opening.client_id.len, 0);
    cr_assert_not_null(read_address(STREAM, "session_id=*"));
    cr_assert_not_null(read_address(STREAM, "session_id=%01"));
    cr_assert_null(read_address("/ws", "session_id=s"));
    cr_assert_eq(opening.client_id.len, 0, "a WebSocket names it in its path");
}

Test(opening, what_a_stream_goes_on_from_is_no_position_of_the_inbox)
{
    cr_assert_null(read_address(STREAM, "last_event_id=AQAAAAcA"));
    cr_assert(opening.knows_positions);
    cr_assert_not(opening.has_last_id);
    cr_assert_null(read_address(STREAM, "positions=x"));
    cr_assert(opening.knows_positions);
    cr_assert_null(read_address("/ws", "positions=x"));
    cr_assert_not(opening.knows_positions);
}
