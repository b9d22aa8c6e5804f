/* child -- the measuring programs' own processes, for what is measured beside the servers: each on
 * a core of its own choice, told what to do through a socket. They end with the one that started
 * them. */
#ifndef CHILD_H
#define CHILD_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/types.h>

/* What a child does until it is killed. control: its end of the socket to its parent. */
typedef void (*child_fn)(void *ctx, int control);

struct child {
    pid_t pid;
    int control; /* the parent's end */
};

/* Forks a child on core that calls fn with a copy of all there is at this moment, ctx included. fn
 * must not return. */
struct child child_start(int core, child_fn fn, void *ctx);
/* Waits until the child has called child_ready(). */
void child_await(const struct child *child);
void child_ready(int control);
/* Kills it. */
void child_stop(const struct child *child);

/* All len bytes, or the program ends: so it does too when the other side has ended. Blocking. */
void child_read(int fd, void *out, size_t len);
/* Sends len bytes, which are few enough to be taken at once or be waited for. */
void child_write(int fd, const void *bytes, size_t len);

/* TCP over the loopback interface, without Nagle's delays. The listener's port is any free one. */
int child_listen(struct sockaddr_in *ret_address);
int child_connect(const struct sockaddr_in *address);
int child_accept(int listener);

#endif
