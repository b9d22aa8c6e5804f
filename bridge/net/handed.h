/* handed -- sockets that listen already when this process begins, from whoever has started it: a
 * service manager (socket activation, sd_listen_fds(3)), or the bridge that it takes over from.
 *
 * Descriptors from 3 on are such sockets. LISTEN_PID is our process, LISTEN_FDS how many they are,
 * LISTEN_FDNAMES what they are called, with colons between the names. From a bridge that is taken
 * over there is LISTEN_TAKEOVER besides: the descriptor of a pipe in which it waits for a byte, a
 * colon, and for each socket whose it is, m (the service manager's) or b (the bridge's). */
#ifndef HANDED_H
#define HANDED_H

#include <stdbool.h>
#include <stddef.h>

#include "net/listen_address.h"

#define HANDED_ERROR_MAX 256
#define HANDED_FIRST_FD 3
#define HANDED_MAX 4096 /* sockets */
#define HANDED_PIPE_VARIABLE "LISTEN_TAKEOVER"

struct handed_socket {
    int fd;           /* listens; non-blocking, closed on exec */
    const char *name; /* "" if it has none */
    bool foreign;     /* the service manager's: what is in the file system is not ours */
    bool taken;       /* somebody else closes it */
};

struct handed {
    int pipe;    /* owned; -1: nobody is taken over from, or it has been told */
    char *names; /* owned */
    size_t len;
    struct handed_socket at[]; /* owned unless taken */
};

/* Reads and removes the variables. *ret: owned, NULL: nothing was handed over. -EINVAL with a
 * sentence in error, or -ENOMEM. */
int handed_read(struct handed **ret, char error[HANDED_ERROR_MAX]);
/* Closes what nobody has taken. NULL is fine, here and below. */
void handed_free(struct handed *handed);

/* For a process that has inherited it: whoever is taken over from is told by another one. */
void handed_forget(struct handed *handed);

bool handed_is_takeover(const struct handed *handed);
/* Tells the bridge that is taken over that it may go. */
void handed_tell_ready(struct handed *handed);
/* The first that nobody has taken, or NULL. */
const struct handed_socket *handed_left(const struct handed *handed);
/* Closes those now. */
void handed_close_left(struct handed *handed);

/* What a socket of an address is called: NAME for "systemd:NAME", else the address with bars for
 * its colons, which cannot stand in a name. */
void handed_name(const char *address, char out[LISTEN_ADDRESS_BYTES]);

#endif
