#include "clients/opening.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/number.h"
#include "clients/credentials.h"
#include "clients/rewind_search.h"
#include "net/conn.h"

#define CANONICAL "notify.v1"

/* The doors: what stands before a client's id in a path, and what is spoken there. */
struct door {
    struct notify_str path;
    enum dialect dialect;
    bool session; /* the id is a session's, and must be there */
    bool closed;  /* no id stands behind it: a parameter may say it */
};

static const struct door doors[] = {
    {.path = NOTIFY_STR_INIT("/api/v1/ws"), .dialect = DIALECT_SESSION, .session = true},
    {.path = NOTIFY_STR_INIT("/api/v1/notifications/stream"),
     .dialect = DIALECT_EVENTS, /* whose words are canonical, framed otherwise */
     .closed = true},
    {.path = NOTIFY_STR_INIT("/ws"), .dialect = DIALECT_TOPIC},
};
#define DOORS (sizeof(doors) / sizeof(doors[0]))

static bool leads_to(struct notify_str path, const struct door *door)
{
    struct notify_str begin = notify_str_of(path.ptr, door->path.len);

    return path.len >= begin.len && notify_str_eq(begin, door->path) &&
           (path.len == begin.len || path.ptr[begin.len] == '/');
}

/* The routes lead nowhere else. */
static const struct door *door_of(struct notify_str path)
{
    size_t i = 0;

    while (i + 1 < DOORS && !leads_to(path, &doors[i]))
        i++;
    return &doors[i];
}

static bool is_stream(struct notify_str path)
{
    return door_of(path)->closed;
}

/* The part behind a door and a slash; empty if there is none. */
static struct notify_str id_of_path(struct notify_str path)
{
    size_t before = door_of(path)->path.len + 1;

    if (path.len <= before || is_stream(path))
        return (struct notify_str){NULL, 0};
    return notify_str_of(path.ptr + before, path.len - before);
}

static bool is_ascii(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] > 0x7F)
            return false;
    return true;
}

/* Names become parts of keys and of JSON: those that a client could not name in a request either
 * are refused. */
static bool is_name(struct notify_str text)
{
    json_t *string;

    if (!key_name_is_valid(text) || is_ascii(text))
        return key_name_is_valid(text);
    string = json_stringn(text.ptr, text.len);
    json_decref(string);
    return string != NULL;
}

/* An argument that is there must be one; out is empty when it is not there. */
static bool read_arg(const struct http_request *req, const char *name, char *out, size_t cap)
{
    out[0] = '\0';
    return !http_request_has(req, name) || http_request_arg(req, name, out, cap) >= 0;
}

/* A stream's stands in the query. */
static bool read_id(struct opening *ret, struct opening_room *room, const struct http_request *req)
{
    ret->client_id = id_of_path(req->path);
    if (is_stream(req->path)) {
        if (!read_arg(req, "session_id", room->session, sizeof(room->session)))
            return false;
        ret->client_id = notify_str_z(room->session);
    }
    return ret->client_id.len == 0 || is_name(ret->client_id);
}

/* Nobody has no name. */
bool opening_read_user(char out[KEY_NAME_MAX + 1], const struct http_request *req)
{
    return read_arg(req, "user", out, KEY_NAME_MAX + 1) &&
           (!http_request_has(req, "user") || is_name(notify_str_z(out)));
}

/* Empty ones are passed over. */
static bool read_names(char out[OPENING_TOPICS_MAX + 1], const char *arg,
                       const struct http_request *req)
{
    const char *rest = out;
    struct notify_str name;

    if (!read_arg(req, arg, out, OPENING_TOPICS_MAX + 1))
        return false;
    while (opening_next_name(&rest, &name))
        if (name.len > 0 && !is_name(name))
            return false;
    return true;
}

/* An empty one is none: what a page has that was never sent an id. */
static bool read_last_id(struct opening *ret, const struct http_request *req)
{
    char text[POSITION_TEXT_MAX + 1];

    ret->knows_positions = http_request_has(req, "last_event_id") ||
                           (is_stream(req->path) && http_request_has(req, "positions"));
    ret->has_last_id = false;
    if (is_stream(req->path))
        return true;
    if (!read_arg(req, "last_event_id", text, sizeof(text)))
        return false;
    ret->has_last_id = text[0] != '\0';
    return !ret->has_last_id || position_parse(notify_str_z(text), &ret->last_id);
}

static bool read_last(struct opening *ret, const struct http_request *req)
{
    char text[NUMBER_TEXT_MAX + 1];
    struct notify_str rest;
    uint64_t number;
    int len;

    ret->last = 0;
    if (!is_stream(req->path) || !http_request_has(req, "last"))
        return true;
    len = http_request_arg(req, "last", text, sizeof(text));
    rest = notify_str_of(text, len < 0 ? 0 : (size_t)len);
    if (!notify_id_take_number(&rest, &number) || rest.len > 0 || number == 0 ||
        number > REWIND_LAST_MAX)
        return false;
    ret->last = (size_t)number;
    ret->knows_positions = true;
    return true;
}

static bool read_since(struct opening *ret, const struct http_request *req)
{
    char text[NUMBER_TEXT_MAX + 1];
    struct notify_str since;
    int len;

    ret->since = (struct since){.ms = 0};
    if (!is_stream(req->path) || !http_request_has(req, "since"))
        return true;
    len = http_request_arg(req, "since", text, sizeof(text));
    since = notify_str_of(text, len < 0 ? 0 : (size_t)len);
    ret->knows_positions = true;
    return since_parse_time(since, &ret->since) || since_parse_span(since, &ret->since);
}

/* Behind "bearer" a token stands, whatever it looks like. */
static bool offers_canonical(const struct http_head *head)
{
    struct http_list_at at = {0};
    struct notify_str one;

    while (http_list_next(head, "Sec-WebSocket-Protocol", &at, &one)) {
        if (notify_str_eq(one, NOTIFY_STR(CANONICAL)))
            return true;
        if (notify_str_eq(one, NOTIFY_STR(CREDENTIALS_PROTOCOL)))
            (void)http_list_next(head, "Sec-WebSocket-Protocol", &at, &one);
    }
    return false;
}

const char *opening_protocol(const struct http_request *req)
{
    return offers_canonical(req->head) ? CANONICAL : credentials_protocol(req);
}

/* The path has its dialect (docs/protocol.md), unless the canonical one is asked for. */
static bool read_dialect(struct opening *ret, const struct http_request *req)
{
    char text[sizeof(CANONICAL)];
    bool asked = http_request_has(req, "protocol");

    if (!read_arg(req, "protocol", text, sizeof(text)) || (asked && strcmp(text, CANONICAL) != 0))
        return false;
    asked |= req->head != NULL && offers_canonical(req->head);
    if (asked && !is_stream(req->path))
        ret->dialect = DIALECT_CANONICAL;
    return true;
}

bool opening_is_path(struct notify_str path)
{
    struct notify_str id = id_of_path(path);

    return id.len == 0 ? !door_of(path)->session : memchr(id.ptr, '/', id.len) == NULL;
}

#define A_NAME "1 to " TEXT_OF(KEY_NAME_MAX) " bytes of UTF-8 without control characters"

#define IN_ALL ", at most " TEXT_OF(OPENING_TOPICS_MAX) " bytes in all"

/* What every door has. */
static const char *read_wishes(struct opening *ret, struct opening_room *room,
                               const struct http_request *req)
{
    ret->user = room->user;
    ret->topics = room->topics;
    ret->channels = room->channels;
    if (!opening_read_user(room->user, req))
        return "user must have " A_NAME;
    if (!read_names(room->topics, "topics", req))
        return "topics must be names of " A_NAME IN_ALL;
    if (!read_names(room->channels, "channels", req))
        return "channels must be names of " A_NAME IN_ALL;
    return NULL;
}

/* What only those have that lead to a path of their own. */
static const char *read_beginning(struct opening *ret, const struct http_request *req)
{
    if (!read_last_id(ret, req))
        return "last_event_id must be an id such as 1795208400123-0";
    if (!read_dialect(ret, req))
        return "protocol must be " CANONICAL;
    if (!read_last(ret, req))
        return "last must be a number from 1 to " TEXT_OF(REWIND_LAST_MAX);
    if (!read_since(ret, req))
        return "since must be " SINCE_EXPECTED;
    if (ret->last > 0 && ret->since.ms > 0)
        return "last and since exclude each other";
    return NULL;
}

const char *opening_read(struct opening *ret, struct opening_room *room,
                         const struct http_request *req)
{
    const struct door *door = door_of(req->path);
    const char *why;

    *ret = (struct opening){.dialect = door->dialect, .in_session = door->session};
    if (!read_id(ret, room, req))
        return is_stream(req->path) ? "session_id must have " A_NAME
                                    : "the client id in the path must have " A_NAME;
    if (notify_str_eq(ret->client_id, NOTIFY_STR("*"))) /* by that KICK means every one */
        return "the client id must not be *";
    why = read_wishes(ret, room, req);
    return why != NULL ? why : read_beginning(ret, req);
}

const char *opening_read_socket(struct opening *ret, struct opening_room *room,
                                const struct http_request *req)
{
    *ret = (struct opening){.dialect = DIALECT_SOCKETIO};
    return read_wishes(ret, room, req);
}

/* Appends text with its NUL. */
static const char *put(char **end, struct notify_str text)
{
    char *begin = *end;

    if (text.len > 0)
        memcpy(begin, text.ptr, text.len);
    begin[text.len] = '\0';
    *end += text.len + 1;
    return begin;
}

struct opening *opening_copy(const struct opening *opening)
{
    struct notify_str user = notify_str_z(opening->user), topics = notify_str_z(opening->topics),
                      channels = notify_str_z(opening->channels);
    struct opening *copy = malloc(sizeof(*copy) + opening->client_id.len + opening->pid.len +
                                  user.len + topics.len + channels.len + 5);
    char *end;

    if (copy == NULL)
        return NULL;
    *copy = *opening;
    end = (char *)(copy + 1);
    copy->client_id.ptr = put(&end, opening->client_id);
    copy->pid.ptr = put(&end, opening->pid);
    copy->user = put(&end, user);
    copy->topics = put(&end, topics);
    copy->channels = put(&end, channels);
    (void)json_incref(copy->state.json);
    return copy;
}

void opening_free(struct opening *opening)
{
    if (opening == NULL)
        return;
    client_state_release(&opening->state);
    free(opening);
}

bool opening_next_name(const char **names, struct notify_str *ret_name)
{
    size_t len = strcspn(*names, ",");

    if (**names == '\0')
        return false;
    *ret_name = notify_str_of(*names, len);
    *names += len + ((*names)[len] == ',');
    return true;
}

static size_t count_names(const char *names)
{
    struct notify_str name;
    size_t count = 0;

    while (opening_next_name(&names, &name))
        count++;
    return count;
}

size_t opening_name_count(const struct opening *opening)
{
    return count_names(opening->topics) + count_names(opening->channels);
}
