/* peer_address -- whose connection is it? Addresses of peers, those that a proxy in front tells of,
 * and the keys that limits per address are counted by. Pure.
 *
 * Nothing is guessed: a listener speaks the PROXY protocol or it does not, and one header of a
 * request is believed, from proxies that are trusted, or none. */
#ifndef PEER_ADDRESS_H
#define PEER_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "notify_str.h"

enum peer_family { PEER_UNIX, PEER_V4, PEER_V6 };

struct peer_address {
    uint8_t family;    /* enum peer_family; an IPv4-mapped address is PEER_V4 */
    uint8_t bytes[16]; /* 4 of PEER_V4, 16 of PEER_V6, in network order */
};

#define PEER_TEXT_MAX INET6_ADDRSTRLEN

struct peer_address peer_address_of(const struct sockaddr *addr);
/* An address without port, brackets or zone. False: it is none. */
bool peer_address_parse(struct notify_str text, struct peer_address *ret);
/* "127.0.0.1", "::1", "unix"; returns out. */
const char *peer_address_format(const struct peer_address *addr, char out[PEER_TEXT_MAX]);
bool peer_address_is_loopback(const struct peer_address *addr);
/* What limits count by: the address of PEER_V4, the first 64 bits of PEER_V6, which one subscriber
 * usually has whole; different for the two families. 0: PEER_UNIX, which is not limited. */
uint64_t peer_address_key(const struct peer_address *addr);
/* The first of those that have this key. */
struct peer_address peer_address_of_key(uint64_t key);

/* A network, "10.0.0.0/8", "::1", or "unix". */
struct peer_network {
    struct peer_address base;
    uint8_t bits;
};

bool peer_network_parse(struct notify_str text, struct peer_network *ret);
bool peer_network_has(const struct peer_network *network, const struct peer_address *addr);

/* The proxies that are believed. */
struct peer_trust {
    const struct peer_network *networks;
    size_t len;
};

bool peer_is_trusted(const struct peer_trust *trust, const struct peer_address *addr);

#define PEER_HOPS_MAX 20

/* Of a list such as that of X-Forwarded-For or Forwarded (RFC 7239), the nearest address that is no
 * trusted proxy's, walking from the right, where each proxy adds the peer that it has seen; when
 * all are trusted, the leftmost. addr: the peer itself, which must be trusted, and the result. An
 * entry that is no address ends the walk: what stands left of it nobody vouches for. next gives the
 * list's elements from right to left, false at its end. */
struct peer_hops {
    bool (*next)(void *ctx, struct notify_str *ret_element);
    void *ctx;
};
void peer_forwarded(const struct peer_trust *trust, const struct peer_hops *hops, bool rfc7239,
                    struct peer_address *addr);

/* The PROXY protocol (proxy-protocol.txt, HAProxy), versions 1 and 2. */
#define PROXY_HEADER_MAX 1024
enum { PROXY_MORE = 0, PROXY_MALFORMED = -1 };
/* bytes: what has come so far. The length of the header when it is whole, PROXY_MORE, or
 * PROXY_MALFORMED. *addr is replaced by what it says, and left alone when it says nothing (LOCAL,
 * UNKNOWN). */
int proxy_header_read(const void *bytes, size_t len, struct peer_address *addr);

#endif
