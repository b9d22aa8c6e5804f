#include "identity/origins.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 255   /* longest name */
#define ORIGIN_MAX 512 /* longer than any with such a name */

/* The parts of an origin or, without a scheme, of a Host header. */
struct place {
    struct notify_str scheme, host, port; /* port: empty when none is given */
};

static bool is_same_text(struct notify_str a, struct notify_str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static struct notify_str behind(struct notify_str text, size_t len)
{
    return notify_str_of(text.ptr + len, text.len - len);
}

/* Letters and digits, and what stands between them in a name or an address. */
static bool is_host(struct notify_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr("-._:[]", c) == NULL))
            return false;
    }
    return host.len > 0 && host.len <= HOST_MAX;
}

static bool is_port(struct notify_str port)
{
    for (size_t i = 0; i < port.len; i++)
        if (port.ptr[i] < '0' || port.ptr[i] > '9')
            return false;
    return port.len > 0 && port.len <= 5;
}

/* "name", "name:port", "1.2.3.4:port", "[v6]:port" */
static bool split_host(struct notify_str text, struct place *ret)
{
    size_t colon = text.len;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ':')
            colon = i;
        else if (text.ptr[i] == ']')
            colon = text.len; /* those before it are in the address */
    }
    ret->host = notify_str_of(text.ptr, colon);
    ret->port = (struct notify_str){NULL, 0};
    if (colon < text.len) {
        ret->port = behind(text, colon + 1);
        if (!is_port(ret->port))
            return false;
    }
    return is_host(ret->host) &&
           (ret->host.ptr[0] == '[' || memchr(ret->host.ptr, ':', ret->host.len) == NULL);
}

static bool split_origin(struct notify_str text, struct place *ret)
{
    size_t len = 0;

    while (len < text.len && text.ptr[len] != ':')
        len++;
    if (len == 0 || text.len - len < 4 || memcmp(text.ptr + len, "://", 3) != 0)
        return false;
    ret->scheme = notify_str_of(text.ptr, len);
    return is_host(ret->scheme) && split_host(behind(text, len + 3), ret);
}

static struct notify_str default_port(struct notify_str scheme)
{
    if (is_same_text(scheme, NOTIFY_STR("http")))
        return NOTIFY_STR("80");
    if (is_same_text(scheme, NOTIFY_STR("https")))
        return NOTIFY_STR("443");
    return (struct notify_str){NULL, 0};
}

static struct notify_str port_of(struct notify_str port, struct notify_str scheme)
{
    return port.len > 0 ? port : default_port(scheme);
}

/* A Host header does not say over which scheme: what stands in front may have ended TLS. */
static bool is_same_origin(const struct place *origin, struct notify_str host)
{
    struct place place = {.scheme = origin->scheme};

    return default_port(origin->scheme).len > 0 && split_host(host, &place) &&
           is_same_text(origin->host, place.host) &&
           notify_str_eq(port_of(origin->port, origin->scheme),
                         port_of(place.port, origin->scheme));
}

static bool is_loopback_address(struct notify_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    bool in_brackets = host.len > 2 && host.ptr[0] == '[';

    if (in_brackets)
        host = notify_str_of(host.ptr + 1, host.len - 2);
    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (!in_brackets)
        return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127));
}

/* No name server answers for names under localhost (RFC 6761, 6.3). */
static bool is_loopback(struct notify_str host)
{
    struct notify_str domain = NOTIFY_STR(".localhost");

    if (is_same_text(host, NOTIFY_STR("localhost")) || is_loopback_address(host))
        return true;
    return host.len > domain.len && is_same_text(behind(host, host.len - domain.len), domain);
}

static bool is_allowed(const char *allowed, struct notify_str text, const struct place *origin)
{
    struct notify_str other = notify_str_z(allowed);
    struct place place;

    if (strcmp(allowed, "*") == 0)
        return true;
    if (origin == NULL || !split_origin(other, &place))
        return notify_str_eq(text, other);
    return is_same_text(origin->scheme, place.scheme) && is_same_text(origin->host, place.host) &&
           notify_str_eq(port_of(origin->port, origin->scheme), port_of(place.port, place.scheme));
}

/* It is repeated in an answer's head. */
static bool is_visible(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

bool origins_allow(const struct origins *origins, struct notify_str origin, struct notify_str host)
{
    struct place place;
    bool is_place;

    if (origin.len == 0)
        return true;
    if (origin.len > ORIGIN_MAX || !is_visible(origin))
        return false;
    is_place = split_origin(origin, &place);
    if (is_place && is_same_origin(&place, host))
        return true;
    if (is_place && origins->loopback_pages && default_port(place.scheme).len > 0 &&
        is_loopback(place.host))
        return true;
    for (const char *const *allowed = origins->allowed; *allowed != NULL; allowed++)
        if (is_allowed(*allowed, origin, is_place ? &place : NULL))
            return true;
    return false;
}

/* Where every page may come in by its own name, it need not pose as ours. */
static bool allow_all(const struct origins *origins)
{
    for (const char *const *allowed = origins->allowed; *allowed != NULL; allowed++)
        if (strcmp(*allowed, "*") == 0)
            return true;
    return false;
}

bool origins_know_host(const struct origins *origins, struct notify_str host)
{
    struct place place;

    if (!origins->guard_host || host.len == 0 || allow_all(origins))
        return true;
    if (!split_host(host, &place))
        return false;
    for (const char *const *name = origins->host_names; *name != NULL; name++)
        if (is_same_text(place.host, notify_str_z(*name)))
            return true;
    return is_loopback(place.host);
}

bool origin_is_valid(const char *text)
{
    struct place place;

    return strcmp(text, "*") == 0 || strcmp(text, "null") == 0 ||
           split_origin(notify_str_z(text), &place);
}

bool host_name_is_valid(const char *text)
{
    struct place place;

    return split_host(notify_str_z(text), &place) && place.port.len == 0;
}
