#include "net/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool is_unix(const char *address)
{
    return strncmp(address, LISTEN_UNIX_PREFIX, strlen(LISTEN_UNIX_PREFIX)) == 0;
}

static bool is_handed(const char *address)
{
    return strncmp(address, LISTEN_SYSTEMD_PREFIX, strlen(LISTEN_SYSTEMD_PREFIX)) == 0;
}

bool listen_address_split(const char *address, char *host, size_t host_cap, int *ret_port)
{
    const char *colon = strrchr(address, ':');
    size_t len;
    char *end;
    long port;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port > UINT16_MAX)
        return false;
    len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return false; /* an IPv6 address without brackets */
    }
    if (len == 1 && address[0] == '*')
        len = 0;
    if (len >= host_cap)
        return false;
    memcpy(host, address, len);
    host[len] = '\0';
    *ret_port = (int)port;
    return true;
}

/* A literal address of the loopback? */
static bool is_loopback_text(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool listen_address_is_local(const char *address)
{
    char bare[LISTEN_HOST_BYTES], host[LISTEN_HOST_BYTES];
    int port;

    if (is_unix(address))
        return true;
    if (is_handed(address))
        return false; /* whoever hands it over knows */
    (void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(address, ","), address);
    return listen_address_split(bare, host, sizeof(host), &port) &&
           (strcmp(host, "localhost") == 0 || is_loopback_text(host));
}

bool listen_address_kind(const char *address, struct listen_kind *ret)
{
    const char *at = address + strcspn(address, ",");

    *ret = (struct listen_kind){.tls = false};
    while (*at == ',') {
        size_t len = strcspn(++at, ",");
        if (len == 3 && memcmp(at, "tls", 3) == 0)
            ret->tls = true;
        else if (len == 5 && memcmp(at, "proxy", 5) == 0)
            ret->proxy = true;
        else
            return false;
        at += len;
    }
    return true;
}

/* For an address without the words behind it. */
static const char *check_bare(const char *address)
{
    char host[LISTEN_HOST_BYTES];
    int port;

    if (is_handed(address))
        return address[strlen(LISTEN_SYSTEMD_PREFIX)] != '\0' &&
                       strchr(address + strlen(LISTEN_SYSTEMD_PREFIX), ':') == NULL
                   ? NULL
                   : "must be systemd:NAME, as FileDescriptorName= of the socket says";
    if (!is_unix(address))
        return listen_address_split(address, host, sizeof(host), &port)
                   ? NULL
                   : "not of the form host:port, [address]:port, unix:/path or systemd:NAME";
    address += strlen(LISTEN_UNIX_PREFIX);
    return address[0] == '/' && strlen(address) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
               ? NULL
               : "the path of a unix socket must be absolute and shorter than 108 bytes";
}

const char *listen_address_check(const char *address)
{
    size_t len = strcspn(address, ",");
    struct listen_kind kind;
    char bare[LISTEN_ADDRESS_BYTES];

    if (!listen_address_kind(address, &kind))
        return "behind the address only ,tls and ,proxy may stand";
    if (len >= sizeof(bare))
        return "is too long";
    memcpy(bare, address, len);
    bare[len] = '\0';
    return check_bare(bare);
}
