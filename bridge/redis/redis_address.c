#include "redis/redis_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/number.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies text[len] with %XX decoded; NULL: no memory, a malformed escape, or an escaped NUL. */
static char *decoded(const char *text, size_t len)
{
    char *out = malloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < len; i++) {
        int high, low;
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
        low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            goto fail;
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    if (out != NULL)
        out[n] = '\0';
    return out;
fail:
    free(out);
    return NULL;
}

static bool parse_number(const char *text, size_t len, long max, int *ret)
{
    long value = 0;

    if (len == 0 || len > 6)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value > max)
        return false;
    *ret = (int)value;
    return true;
}

/* "user:password@" or ":password@" or "password@" at the start of *text; at: the '@', or NULL. */
static const char *parse_credentials(struct redis_address *a, const char **text, const char *at)
{
    const char *colon;

    if (at == NULL)
        return NULL;
    colon = memchr(*text, ':', (size_t)(at - *text));
    if (colon != NULL && colon > *text) {
        a->user = decoded(*text, (size_t)(colon - *text));
        if (a->user == NULL)
            return "the user name is not well percent-encoded";
    }
    const char *password = colon == NULL ? *text : colon + 1;
    a->password = decoded(password, (size_t)(at - password));
    if (a->password == NULL)
        return "the password is not well percent-encoded";
    *text = at + 1;
    return NULL;
}

static const char *parse_host_and_port(struct redis_address *a, const char *text, size_t len)
{
    const char *host = text;
    const char *rest;
    size_t host_len;

    if (len > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', len);
        if (bracket == NULL)
            return "the IPv6 address has no ']'";
        host = text + 1;
        host_len = (size_t)(bracket - host);
        rest = bracket + 1;
    } else {
        const char *colon = memchr(text, ':', len);
        host_len = colon == NULL ? len : (size_t)(colon - text);
        rest = text + host_len;
    }
    if (host_len == 0)
        return "the host is missing";
    if (rest < text + len) {
        if (*rest != ':' ||
            !parse_number(rest + 1, (size_t)(text + len - rest - 1), 65535, &a->port) ||
            a->port == 0)
            return "the port must be a number from 1 to 65535";
    }
    a->host = strndup(host, host_len);
    return a->host == NULL ? "out of memory" : NULL;
}

static const char *parse_tcp(struct redis_address *a, const char *text)
{
    const char *why = parse_credentials(a, &text, strrchr(text, '@'));
    const char *slash;

    if (why != NULL)
        return why;
    slash = strchr(text, '/');
    if (slash != NULL && slash[1] != '\0' &&
        !parse_number(slash + 1, strlen(slash + 1), 9999, &a->db))
        return "the database must be a number";
    return parse_host_and_port(a, text, slash == NULL ? strlen(text) : (size_t)(slash - text));
}

static const char *parse_unix(struct redis_address *a, const char *text)
{
    /* In a path, too, there may be an '@'. */
    const char *at = text[0] == '/' ? NULL : strstr(text, "@/");
    const char *why = parse_credentials(a, &text, at);
    const char *query = strchr(text, '?');
    size_t len = query == NULL ? strlen(text) : (size_t)(query - text);

    if (why != NULL)
        return why;
    if (len == 0 || text[0] != '/')
        return "the path of the socket must be absolute: unix:///path";
    if (len >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return "the path of the socket must be shorter than 108 bytes";
    if (query != NULL && (strncmp(query, "?db=", 4) != 0 ||
                          !parse_number(query + 4, strlen(query + 4), 9999, &a->db)))
        return "after the path only ?db=<number> may stand";
    a->path = strndup(text, len);
    return a->path == NULL ? "out of memory" : NULL;
}

bool redis_address_is_tls(const char *url)
{
    return strncmp(url, "rediss://", 9) == 0;
}

bool redis_address_is_numeric(const char *host)
{
    unsigned char out[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, out) == 1 || inet_pton(AF_INET6, host, out) == 1;
}

int redis_address_parse(struct redis_address *ret, const char **ret_why, const char *url)
{
    struct redis_address a = {.port = REDIS_DEFAULT_PORT};
    const char *why = "a Redis URL begins with redis://, rediss:// (TLS) or unix://";

    a.tls = redis_address_is_tls(url);
    if (a.tls)
        why = parse_tcp(&a, url + 9);
    else if (strncmp(url, "redis://", 8) == 0)
        why = parse_tcp(&a, url + 8);
    else if (strncmp(url, "unix://", 7) == 0)
        why = parse_unix(&a, url + 7);
    if (why != NULL) {
        redis_address_release(&a);
        *ret_why = why;
        return -EINVAL;
    }
    *ret = a;
    return 0;
}

/* Several. Before the hosts: scheme, user and password; behind them: the database. */
struct url_parts {
    const char *hosts, *tail; /* from where on */
};

static struct url_parts parts_of(const char *url)
{
    const char *start = strstr(url, "://");
    const char *at = strrchr(url, '@');
    struct url_parts parts = {.hosts = at != NULL ? at + 1 : start == NULL ? url : start + 3};

    parts.tail = parts.hosts + strcspn(parts.hosts, "/");
    return parts;
}

size_t redis_address_count(const char *url)
{
    struct url_parts parts = parts_of(url);
    size_t count = 1;

    if (strncmp(url, "unix://", 7) == 0)
        return 0;
    for (const char *p = parts.hosts; p < parts.tail; p++)
        count += *p == ',';
    return count;
}

/* The URL with one of its hosts alone. */
static const char *parse_one(struct redis_address *ret, const char *url, struct url_parts parts,
                             const char *host, size_t len)
{
    const char *why = "out of memory";
    char *one;

    if (asprintf(&one, "%.*s%.*s%s", (int)(parts.hosts - url), url, (int)len, host, parts.tail) < 0)
        return why;
    (void)redis_address_parse(ret, &why, one);
    free(one);
    return ret->host == NULL ? why : NULL;
}

static bool says_port(const char *host, size_t len)
{
    const char *bracket = memchr(host, ']', len);
    const char *from = bracket == NULL ? host : bracket;

    return memchr(from, ':', len - (size_t)(from - host)) != NULL;
}

static const char *parse_hosts(struct redis_addresses *list, const char *url, int port)
{
    struct url_parts parts = parts_of(url);
    const char *why = NULL;

    for (const char *host = parts.hosts; why == NULL; host++) {
        size_t len = strcspn(host, ",/");
        struct redis_address *a = &list->items[list->len];
        if (list->len == REDIS_ADDRESSES_MAX)
            return "too many servers: at most " TEXT_OF(REDIS_ADDRESSES_MAX);
        why = parse_one(a, url, parts, host, len);
        if (why != NULL)
            break;
        list->len++;
        if (!says_port(host, len))
            a->port = port;
        host += len;
        if (*host != ',')
            break;
    }
    return why;
}

int redis_addresses_parse(struct redis_addresses *ret, const char **ret_why, const char *url,
                          int port)
{
    struct redis_addresses list = {.items = calloc(REDIS_ADDRESSES_MAX, sizeof(*list.items))};

    *ret_why = "out of memory";
    if (list.items == NULL)
        return -ENOMEM;
    if (redis_address_count(url) > 0)
        *ret_why = parse_hosts(&list, url, port);
    else if (redis_address_parse(list.items, ret_why, url) == 0) {
        list.len = 1;
        *ret_why = NULL;
    }
    if (*ret_why != NULL) {
        redis_addresses_release(&list);
        return -EINVAL;
    }
    *ret = list;
    return 0;
}

int redis_address_database(const char *url)
{
    struct redis_addresses list;
    const char *why;
    int db;

    if (redis_addresses_parse(&list, &why, url, REDIS_DEFAULT_PORT) != 0)
        return 0;
    db = list.items[0].db;
    redis_addresses_release(&list);
    return db;
}

void redis_addresses_release(struct redis_addresses *addresses)
{
    for (size_t i = 0; i < addresses->len; i++)
        redis_address_release(&addresses->items[i]);
    free(addresses->items);
    *addresses = (struct redis_addresses){0};
}

static int copy_text(char **ret, const char *text)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text != NULL && *ret == NULL ? -ENOMEM : 0;
}

int redis_address_copy(struct redis_address *ret, const struct redis_address *address)
{
    struct redis_address copy = {.port = address->port, .db = address->db, .tls = address->tls};

    if (copy_text(&copy.host, address->host) != 0 || copy_text(&copy.path, address->path) != 0 ||
        copy_text(&copy.user, address->user) != 0 ||
        copy_text(&copy.password, address->password) != 0) {
        redis_address_release(&copy);
        return -ENOMEM;
    }
    *ret = copy;
    return 0;
}

const char *redis_address_check(const char *url)
{
    struct redis_addresses list;
    const char *why = NULL;

    if (redis_addresses_parse(&list, &why, url, REDIS_DEFAULT_PORT) == 0)
        redis_addresses_release(&list);
    return why;
}

void redis_address_release(struct redis_address *address)
{
    free(address->host);
    free(address->path);
    free(address->user);
    free(address->password);
    *address = (struct redis_address){0};
}

const char *redis_address_text(const struct redis_address *address,
                               char out[REDIS_ADDRESS_TEXT_MAX])
{
    bool v6 = address->host != NULL && strchr(address->host, ':') != NULL;

    if (address->host == NULL)
        (void)snprintf(out, REDIS_ADDRESS_TEXT_MAX, "unix:%s", address->path);
    else
        (void)snprintf(out, REDIS_ADDRESS_TEXT_MAX, "%s%s%s:%d", v6 ? "[" : "", address->host,
                       v6 ? "]" : "", address->port);
    return out;
}
