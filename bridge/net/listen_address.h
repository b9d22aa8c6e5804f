/* listen_address -- where clients connect, as text: "host:port", "[::1]:port", ":port" (every
 * address), "unix:/path", or "systemd:NAME", the sockets of that name that are handed over
 * (handed.h), and behind a comma what connections begin with. Port 0 lets the kernel choose. */
#ifndef LISTEN_ADDRESS_H
#define LISTEN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_UNIX_PREFIX "unix:"
#define LISTEN_SYSTEMD_PREFIX "systemd:"
#define LISTEN_ADDRESS_BYTES 320 /* longest host name, brackets, port */
#define LISTEN_HOST_BYTES (LISTEN_ADDRESS_BYTES - 16)

/* Who connects there, which is not said behind the address: those who run the bridge have places
 * that no client can take (bound.h). */
enum listen_door {
    LISTEN_CLIENTS,
    LISTEN_METRICS, /* whoever watches */
    LISTEN_ADMIN,   /* whoever may do all */
    LISTEN_DOORS,
};

/* What its connections begin with: said behind the address, "[::]:8443,tls,proxy". */
struct listen_kind {
    bool tls;
    bool proxy; /* the header of the PROXY protocol, before all else */
    enum listen_door door;
};

/* What stands behind the first comma of address. False: an unknown word. */
bool listen_address_kind(const char *address, struct listen_kind *ret);
/* Why an address has not the form of one (static text); NULL: it has. */
const char *listen_address_check(const char *address);
/* Can it be reached from this machine alone? A name counts only if it is localhost: what others
 * stand for may change. address: checked. */
bool listen_address_is_local(const char *address);
/* Splits "host:port" and "[v6]:port", with nothing behind it; host is "" for every address. */
bool listen_address_split(const char *address, char *host, size_t host_cap, int *ret_port);

#endif
