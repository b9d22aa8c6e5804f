#include "redis/replication_info.h"

#include <stdlib.h>
#include <string.h>

/* Lines. */

/* The one that begins at *at, which is then behind it. Without its end. */
static bool next_line(struct notify_str text, size_t *at, struct notify_str *ret)
{
    const char *begin = text.ptr + *at, *end;
    size_t left;

    if (*at >= text.len)
        return false;
    left = text.len - *at;
    end = memchr(begin, '\n', left);
    *ret = notify_str_of(begin, end == NULL ? left : (size_t)(end - begin));
    *at += ret->len + 1;
    if (ret->len > 0 && ret->ptr[ret->len - 1] == '\r')
        ret->len--;
    return true;
}

/* What stands behind name and sep, if line begins with them. */
static bool skip_name(struct notify_str *line, const char *name, char sep)
{
    size_t len = strlen(name);

    if (line->len <= len || memcmp(line->ptr, name, len) != 0 || line->ptr[len] != sep)
        return false;
    *line = notify_str_of(line->ptr + len + 1, line->len - len - 1);
    return true;
}

struct notify_str info_field(struct notify_str text, const char *name)
{
    struct notify_str line;
    size_t at = 0;

    while (next_line(text, &at, &line))
        if (skip_name(&line, name, ':'))
            return line;
    return (struct notify_str){NULL, 0};
}

/* Numbers. */

#define DIGITS_MAX 19 /* which fit */

static bool read_number(struct notify_str text, uint64_t *ret)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret = number;
    return true;
}

bool replication_info_read(struct replication_info *ret, struct notify_str text)
{
    struct notify_str role = info_field(text, "role");
    bool is_replica = notify_str_eq(role, NOTIFY_STR("slave"));

    *ret = (struct replication_info){.text = text, .is_replica = is_replica};
    if (!is_replica && !notify_str_eq(role, NOTIFY_STR("master")))
        return false;
    ret->stream = info_field(text, "master_replid");
    ret->follows = is_replica &&
                   notify_str_eq(info_field(text, "master_link_status"), NOTIFY_STR("up")) &&
                   notify_str_eq(info_field(text, "master_sync_in_progress"), NOTIFY_STR("0"));
    return read_number(info_field(text, is_replica ? "slave_repl_offset" : "master_repl_offset"),
                       &ret->offset);
}

bool replica_places_equal(const struct replica_place *a, const struct replica_place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Replicas: "slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=0". */

static struct notify_str next_part(struct notify_str *line)
{
    const char *comma = memchr(line->ptr, ',', line->len);
    size_t len = comma == NULL ? line->len : (size_t)(comma - line->ptr);
    struct notify_str part = notify_str_of(line->ptr, len);

    *line = notify_str_of(line->ptr + len, line->len - len);
    if (comma != NULL)
        *line = notify_str_of(line->ptr + 1, line->len - 1);
    return part;
}

static bool set_host(struct replica_place *place, struct notify_str host)
{
    if (host.len == 0 || host.len >= sizeof(place->host) ||
        memchr(host.ptr, '\0', host.len) != NULL)
        return false;
    memcpy(place->host, host.ptr, host.len);
    place->host[host.len] = '\0';
    return true;
}

static bool read_replica(struct notify_str line, struct replica_place *ret)
{
    bool has_host = false, is_online = false;
    uint64_t port = 0; /* none */

    while (line.len > 0) {
        struct notify_str part = next_part(&line);
        if (skip_name(&part, "ip", '='))
            has_host = set_host(ret, part);
        else if (skip_name(&part, "port", '='))
            port = read_number(part, &port) ? port : 0;
        else if (skip_name(&part, "state", '='))
            is_online = notify_str_eq(part, NOTIFY_STR("online"));
    }
    if (!has_host || !is_online || port == 0 || port > 65535)
        return false;
    ret->port = (int)port;
    return true;
}

/* "slave" and a number. */
static bool skip_replica_name(struct notify_str *line)
{
    static const char name[] = "slave";
    size_t len = sizeof(name) - 1;
    uint64_t number;
    const char *colon;

    if (line->len <= len || memcmp(line->ptr, name, len) != 0)
        return false;
    colon = memchr(line->ptr, ':', line->len);
    if (colon == NULL ||
        !read_number(notify_str_of(line->ptr + len, (size_t)(colon - line->ptr) - len), &number))
        return false;
    *line = notify_str_of(colon + 1, line->len - (size_t)(colon - line->ptr) - 1);
    return true;
}

bool replication_info_next(const struct replication_info *info, size_t *at,
                           struct replica_place *ret)
{
    struct notify_str line;

    while (next_line(info->text, at, &line))
        if (skip_replica_name(&line) && read_replica(line, ret))
            return true;
    return false;
}
