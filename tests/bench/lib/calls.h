/* calls -- how many system calls a process makes, as the kernel counts them: without stopping it at
 * each, as strace does, which would change how much it finds to do when it goes on. */
#ifndef CALLS_H
#define CALLS_H

#include <stdint.h>
#include <sys/types.h>

/* Begins to count those of the process's first thread. A descriptor, or -1: the kernel does not
 * count for us (it has no tracepoints, or we are not permitted to use them). */
int calls_open(pid_t pid);
/* So far. */
uint64_t calls_read(int fd);
void calls_close(int fd); /* -1 is fine */

#endif
