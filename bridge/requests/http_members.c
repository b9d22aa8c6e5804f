#include "requests/http_members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http.h"
#include "requests/http_call.h"
#include "requests/http_pattern.h"

/* What a query says besides: who asks (clients/caller.h). */
static const char *const not_members[] = {"token", "user"};

/* A byte takes six at most ("\u001f"); and there are quotes. */
static size_t room_for(size_t bytes)
{
    return 6 * bytes + 2;
}

static bool needs_escape(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* text as a JSON string; there is room. What is no UTF-8 stays so. */
static struct notify_str put_string(struct http_members *members, struct notify_str text)
{
    char *begin = members->text + members->len, *at = begin;

    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (needs_escape(text.ptr[i]))
            at += sprintf(at, "\\u%04x", (unsigned char)text.ptr[i]); /* there is room */
        else
            *at++ = text.ptr[i];
    }
    *at++ = '"';
    members->len += (size_t)(at - begin);
    return notify_str_of(begin, (size_t)(at - begin));
}

static struct notify_str put_raw(struct http_members *members, struct notify_str text)
{
    char *begin = members->text + members->len;

    if (text.len > 0)
        memcpy(begin, text.ptr, text.len);
    members->len += text.len;
    return notify_str_of(begin, text.len);
}

static void add(struct inbound *inbound, struct notify_str name, struct notify_str value)
{
    if (inbound->len <= INBOUND_MEMBERS_MAX)
        inbound->at[inbound->len++] = (struct inbound_member){name, value};
}

static const struct member *find_member(const struct http_call *call, struct notify_str name)
{
    for (const struct member *m = call->type.members; m->name != NULL; m++)
        if (notify_str_eq(name, notify_str_z(m->name)))
            return m;
    return NULL;
}

/* As programs write it: True, 1. */
static struct notify_str flag_text(struct notify_str text)
{
    static const struct {
        const char *word;
        struct notify_str value;
    } words[] = {
        {"true", NOTIFY_STR_INIT("true")},   {"1", NOTIFY_STR_INIT("true")},
        {"yes", NOTIFY_STR_INIT("true")},    {"on", NOTIFY_STR_INIT("true")},
        {"false", NOTIFY_STR_INIT("false")}, {"0", NOTIFY_STR_INIT("false")},
        {"no", NOTIFY_STR_INIT("false")},    {"off", NOTIFY_STR_INIT("false")},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text.len == strlen(words[i].word) &&
            strncasecmp(text.ptr, words[i].word, text.len) == 0)
            return words[i].value;
    return text;
}

/* Numbers, flags and JSON stand as they are; everything else is a text. */
static struct notify_str put_value(struct http_members *members, const struct member *member,
                                   struct notify_str text)
{
    struct notify_str raw = text;

    if (member == NULL || (member->kind != MEMBER_LIMIT && member->kind != MEMBER_PAGE &&
                           member->kind != MEMBER_FLAG))
        return put_string(members, text);
    if (member->kind == MEMBER_FLAG)
        raw = flag_text(text);
    /* What is none of its kind is still JSON, and null is none that was left out. */
    if (!json_scan_value(raw) || notify_str_eq(raw, NOTIFY_STR("null")))
        return put_string(members, text);
    return put_raw(members, raw);
}

/* The name without its quotes. */
static bool add_text(struct http_members *members, struct notify_str name, struct notify_str text)
{
    struct notify_str raw_name = put_string(members, name);
    struct notify_str value = put_value(members, find_member(members->call, name), text);

    if (!json_scan_value(raw_name) || !json_scan_value(value))
        return false;
    add(&members->inbound, notify_str_of(raw_name.ptr + 1, raw_name.len - 2), value);
    return true;
}

/* The query. */

static bool is_member(struct notify_str name)
{
    for (size_t i = 0; i < sizeof(not_members) / sizeof(not_members[0]); i++)
        if (notify_str_eq(name, notify_str_z(not_members[i])))
            return false;
    return true;
}

static bool add_query(struct http_members *members, struct notify_str query, char *scratch)
{
    struct notify_str name, value;
    int step;

    while ((step = http_query_next(&query, scratch, &name, &value)) > 0)
        if (is_member(name) && !add_text(members, name, value))
            return false;
    return step == 0;
}

/* The path. */

struct path_parts {
    struct http_members *members;
    bool bad;
};

static void on_part(void *ctx, struct notify_str name, struct notify_str value)
{
    struct path_parts *parts = ctx;

    parts->bad |= !add_text(parts->members, name, value);
}

static bool add_path(struct http_members *members, struct notify_str path)
{
    struct path_parts parts = {.members = members};

    (void)http_pattern_fits(notify_str_z(members->call->pattern), path, on_part, &parts);
    return !parts.bad;
}

/* The body. */

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    add(ctx, name, value);
}

/* "application/json", whatever stands behind a semicolon: it is UTF-8, or no JSON (RFC 8259, 8.1).
 * A page of another origin cannot say so without asking first; programs, which are no pages and
 * send no Origin, often say nothing. */
static bool is_json(const struct http_request *req)
{
    static const char json[] = "application/json";
    unsigned count;
    struct notify_str type = http_field(req->head, "Content-Type", &count);
    size_t len = sizeof(json) - 1;

    if (count == 0)
        return req->origin.len == 0;
    return type.len >= len && strncasecmp(type.ptr, json, len) == 0 &&
           (type.len == len || strchr("; \t", type.ptr[len]) != NULL);
}

static enum http_members_answer
add_body(struct http_members *members, const struct http_request *req, struct json_fault *ret_fault)
{
    if (req->body.len == 0 && !members->call->raw_body)
        return HTTP_MEMBERS_GOOD;
    if (!is_json(req))
        return HTTP_MEMBERS_BAD_TYPE;
    if (members->call->raw_body ||
        json_scan_message(req->body, on_member, &members->inbound, ret_fault))
        return HTTP_MEMBERS_GOOD;
    return HTTP_MEMBERS_BAD_BODY;
}

enum http_members_answer http_members_gather(struct http_members *ret, const struct http_call *call,
                                             const struct http_request *req,
                                             struct json_fault *ret_fault)
{
    struct notify_str given = notify_str_z(call->given);
    size_t bytes = strlen(call->pattern) + req->path.len + req->query.len + given.len;
    size_t scratch = HTTP_QUERY_ROOM(req->query.len + given.len); /* for one that is decoded */

    *ret = (struct http_members){.call = call};
    /* Each name and each value has quotes, and takes a byte of its own at least but for the last.
     */
    ret->cap = room_for(bytes) + 4 * bytes + 16;
    ret->text = malloc(ret->cap + scratch);
    if (ret->text == NULL)
        return HTTP_MEMBERS_NO_MEMORY;
    if (!add_path(ret, req->path))
        return HTTP_MEMBERS_BAD_PATH;
    if (!add_query(ret, req->query, ret->text + ret->cap) ||
        !add_query(ret, given, ret->text + ret->cap))
        return HTTP_MEMBERS_BAD_QUERY;
    return add_body(ret, req, ret_fault);
}

void http_members_release(struct http_members *members)
{
    free(members->text);
    members->text = NULL;
}
