/* The members of a call over HTTP, wherever they stand. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "net/http.h"
#include "requests/http_call.h"
#include "requests/http_members.h"

static void nothing(struct request *r)
{
    (void)r;
}

static const struct member members[] = {
    {"id", MEMBER_WORD, MEMBER_OPTIONAL},     {"page", MEMBER_PAGE, MEMBER_OPTIONAL},
    {"limit", MEMBER_LIMIT, MEMBER_OPTIONAL}, {"flag", MEMBER_FLAG, MEMBER_OPTIONAL},
    {"text", MEMBER_TEXT, MEMBER_OPTIONAL},   {0}};
static struct http_call call = {.type = {.name = "it", .handle = nothing, .members = members},
                                .pattern = "/a/{id}"};
static struct http_head head;
static struct notify_str origin;
static struct json_fault fault;
static char all[1024];

static enum http_members_answer gather(const char *path, const char *query, const char *body)
{
    struct http_request req = {.path = notify_str_z(path),
                               .query = notify_str_z(query),
                               .body = notify_str_z(body),
                               .origin = origin,
                               .head = &head};
    struct http_members gathered;
    enum http_members_answer answer = http_members_gather(&gathered, &call, &req, &fault);
    size_t len = 0;

    all[0] = '\0';
    for (size_t i = 0; answer == HTTP_MEMBERS_GOOD && i < gathered.inbound.len; i++) {
        const struct inbound_member *member = &gathered.inbound.at[i];
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%.*s=%.*s;", (int)member->name.len,
                                member->name.ptr, (int)member->value.len, member->value.ptr);
    }
    cr_assert_leq(gathered.len, gathered.cap);
    http_members_release(&gathered);
    return answer;
}

static void type(const char *value)
{
    head.field_count = value == NULL ? 0 : 1;
    head.fields[0] = (struct http_field){NOTIFY_STR("content-type"), notify_str_z(value)};
}

#define GATHERED(path, query, body, expected)                                                      \
    do {                                                                                           \
        cr_assert_eq(gather(path, query, body), HTTP_MEMBERS_GOOD, "%s?%s", path, query);          \
        cr_assert_str_eq(all, expected);                                                           \
    } while (false)

Test(http_members, come_from_the_path_the_query_and_the_body)
{
    type("application/json");
    GATHERED("/a/7-0", "text=x", "{\"flag\":true}", "id=\"7-0\";text=\"x\";flag=true;");
    GATHERED("/a/7-0", "", "", "id=\"7-0\";");
    GATHERED("/a/7-0", "id=8", "{\"id\":9}", "id=\"7-0\";id=\"8\";id=9;");
}

Test(http_members, of_a_query_are_json_of_their_kind)
{
    GATHERED("/a/x", "page=7&limit=20", "", "id=\"x\";page=7;limit=20;");
    GATHERED("/a/x", "text=7", "", "id=\"x\";text=\"7\";");
    GATHERED("/a/x", "text=null", "", "id=\"x\";text=\"null\";");
    GATHERED("/a/x", "page=null", "", "id=\"x\";page=\"null\";");
    GATHERED("/a/x", "page=x&limit=&page=01&page=7,8", "",
             "id=\"x\";page=\"x\";limit=\"\";page=\"01\";page=\"7,8\";");
    GATHERED("/a/x", "flag=True&flag=0&flag=on&flag=maybe", "",
             "id=\"x\";flag=true;flag=false;flag=true;flag=\"maybe\";");
    GATHERED("/a/x", "other=1", "", "id=\"x\";other=\"1\";");
}

Test(http_members, of_a_query_are_escaped_as_json_and_stay_what_they_were)
{
    GATHERED("/a/x", "text=%22%5C%0A%01", "", "id=\"x\";text=\"\\u0022\\u005c\\u000a\\u0001\";");
    GATHERED("/a/x", "text=%C3%A4+%26", "", "id=\"x\";text=\"\xc3\xa4 &\";");
    GATHERED("/a/x", "te%22xt=1", "", "id=\"x\";te\\u0022xt=\"1\";");
}

Test(http_members, who_asks_is_none)
{
    GATHERED("/a/x", "token=a.b.c&user=alice", "", "id=\"x\";");
}

Test(http_members, what_is_no_utf8_or_no_escape_is_none)
{
    cr_assert_eq(gather("/a/x", "text=%FF", ""), HTTP_MEMBERS_BAD_QUERY);
    cr_assert_eq(gather("/a/x", "%FF=1", ""), HTTP_MEMBERS_BAD_QUERY);
    cr_assert_eq(gather("/a/x", "text=%0", ""), HTTP_MEMBERS_BAD_QUERY);
    cr_assert_eq(gather("/a/\xff", "", ""), HTTP_MEMBERS_BAD_PATH);
}

Test(http_members, of_a_body_must_be_said_to_be_json)
{
    static const char *const good[] = {"application/json", "application/json; charset=utf-8",
                                       "Application/JSON;x"};
    static const char *const bad[] = {"", "text/plain", "application/jsonx",
                                      "application/x-www-form-urlencoded"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        type(good[i]);
        cr_assert_eq(gather("/a/x", "", "{}"), HTTP_MEMBERS_GOOD, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        type(bad[i]);
        cr_assert_eq(gather("/a/x", "", "{}"), HTTP_MEMBERS_BAD_TYPE);
        cr_assert_eq(gather("/a/x", "", ""), HTTP_MEMBERS_GOOD, "there is none");
    }
}

Test(http_members, of_a_body_of_which_nothing_is_said_are_taken_from_programs_and_not_from_pages)
{
    type(NULL);
    cr_assert_eq(gather("/a/x", "", "{}"), HTTP_MEMBERS_GOOD);
    origin = NOTIFY_STR("http://here.example");
    cr_assert_eq(gather("/a/x", "", "{}"), HTTP_MEMBERS_BAD_TYPE);
    cr_assert_eq(gather("/a/x", "", ""), HTTP_MEMBERS_GOOD, "there is none");
}

Test(http_members, of_a_body_must_be_one_object)
{
    type("application/json");
    cr_assert_eq(gather("/a/x", "", "{\"a\":1} x"), HTTP_MEMBERS_BAD_BODY);
    cr_assert_eq(fault.at, 8);
    cr_assert_eq(gather("/a/x", "", "[]"), HTTP_MEMBERS_BAD_BODY);
    GATHERED("/a/x", "", "{\"type\":\"a\",\"request_id\":7}", "id=\"x\";type=\"a\";request_id=7;");
}

Test(http_members, a_body_that_is_the_handlers_is_not_looked_at)
{
    call.raw_body = true;
    type("application/json");
    GATHERED("/a/x", "", "[not looked at", "id=\"x\";");
    type("text/plain");
    cr_assert_eq(gather("/a/x", "", "x"), HTTP_MEMBERS_BAD_TYPE);
}

Test(http_members, that_a_call_always_has_are_there_besides)
{
    call.given = "flag=true&limit=5";
    GATHERED("/a/x", "page=1", "", "id=\"x\";page=1;flag=true;limit=5;");
}

Test(http_members, have_room_whatever_the_query_is_made_of)
{
    char query[2001];

    memset(query, '\x01', sizeof(query) - 1);
    query[sizeof(query) - 1] = '\0';
    cr_assert_eq(gather("/a/x", query, ""), HTTP_MEMBERS_GOOD);
    for (size_t i = 1; i < sizeof(query) - 1; i += 2)
        query[i] = '&';
    cr_assert_eq(gather("/a/x", query, ""), HTTP_MEMBERS_GOOD);
}
