#include "clients/opening.h"

#include <string.h>

#include <jansson.h>

#include "net/transport.h"

/* The part of /ws/{client_id} behind the second slash; empty for /ws and /ws/. */
static struct notify_str id_of_path(struct notify_str path)
{
    struct notify_str prefix = NOTIFY_STR("/ws/");

    if (path.len <= prefix.len)
        return (struct notify_str){NULL, 0};
    return notify_str_of(path.ptr + prefix.len, path.len - prefix.len);
}

/* Names become parts of keys and of JSON. */
static bool is_utf8(struct notify_str text)
{
    json_t *string = json_stringn(text.ptr == NULL ? "" : text.ptr, text.len);
    bool valid = string != NULL;

    json_decref(string);
    return valid;
}

/* An argument that is there must be one; out is empty when it is not there. */
static bool read_arg(const struct conn_request *req, const char *name, char *out, size_t cap)
{
    out[0] = '\0';
    return !conn_request_has(req, name) || conn_request_arg(req, name, out, cap) >= 0;
}

static bool read_user(struct opening *ret, const struct conn_request *req)
{
    if (!read_arg(req, "user", ret->user, sizeof(ret->user)) || !is_utf8(notify_str_z(ret->user)))
        return false;
    return ret->user[0] != '\0' || !conn_request_has(req, "user"); /* nobody has no name */
}

/* Those that a client could not name in a request either are refused; empty ones are not. */
static bool read_topics(struct opening *ret, const struct conn_request *req)
{
    const char *rest = ret->topics;
    struct notify_str topic;

    if (!read_arg(req, "topics", ret->topics, sizeof(ret->topics)))
        return false;
    while (opening_next_topic(&rest, &topic))
        if (topic.len > KEY_NAME_MAX || !is_utf8(topic))
            return false;
    return true;
}

static bool read_last_id(struct opening *ret, const struct conn_request *req)
{
    char text[NOTIFY_ID_TEXT_MAX + 1];

    ret->has_last_id = conn_request_has(req, "last_event_id");
    if (!ret->has_last_id)
        return true;
    return conn_request_arg(req, "last_event_id", text, sizeof(text)) >= 0 &&
           notify_id_parse(notify_str_z(text), 0, &ret->last_id);
}

int opening_read(struct opening *ret, const struct conn_request *req)
{
    struct notify_str id = id_of_path(req->path);

    if (id.len > 0 && memchr(id.ptr, '/', id.len) != NULL)
        return 404;
    ret->client_id = id;
    if (id.len > KEY_NAME_MAX || !is_utf8(id) || !read_user(ret, req) || !read_topics(ret, req) ||
        !read_last_id(ret, req))
        return 400;
    return 0;
}

bool opening_next_topic(const char **topics, struct notify_str *ret_topic)
{
    size_t len = strcspn(*topics, ",");

    if (**topics == '\0')
        return false;
    *ret_topic = notify_str_of(*topics, len);
    *topics += len + ((*topics)[len] == ',');
    return true;
}

size_t opening_topic_count(const struct opening *opening)
{
    const char *rest = opening->topics;
    struct notify_str topic;
    size_t count = 0;

    while (opening_next_topic(&rest, &topic))
        count++;
    return count;
}
