/* proc -- what the operating system says of a process: its CPU time, its memory, its core. */
#ifndef PROC_H
#define PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CPU time used so far, user and system, of all threads, in nanoseconds: the same account as in
 * /proc/PID/stat, but not rounded to ticks of 10 ms. Ends the program if there is no such process.
 */
uint64_t proc_cpu_ns(pid_t pid);

/* The processes that it has started and that are still there; at most max of them. */
size_t proc_children_of(pid_t pid, pid_t *ret, size_t max);
/* The same of a process and of its children: a bridge of several processes. */
#define PROC_CHILDREN_MAX 64
uint64_t proc_family_cpu_ns(pid_t pid);

/* User-space memory: what only this process has and has written to (heap, stack, data), and all
 * that is resident. From /proc/PID/smaps_rollup. Kernel memory, as of sockets, is in neither. */
struct proc_memory {
    size_t private_dirty_bytes;
    size_t rss_bytes;
};
struct proc_memory proc_memory_of(pid_t pid);

/* Binds the calling process to one core. */
void proc_pin_self(int core);

/* Raises the limit of open descriptors to what the system allows, and ends the program if that is
 * less than needed. */
void proc_need_descriptors(size_t needed);
/* How many another process has open, and it with its children. */
uint64_t proc_descriptors_of(pid_t pid);
uint64_t proc_family_descriptors(pid_t pid);
/* Sleeps until it and its children have hardly more open than it had: a server that others keep
 * from its core looks as one that is done (proc_wait_idle()), and still has what was cut. Ends the
 * program after timeout_ms. */
void proc_wait_closed(pid_t pid, uint64_t descriptors, int timeout_ms);

/* Sleeps until the process with its children has used less than a tenth of a core for 200 ms: what
 * it had to do after an event is done. Ends the program after timeout_ms. idle, if not NULL, is
 * called every 10 ms meanwhile. */
void proc_wait_idle(pid_t pid, int timeout_ms, void (*idle)(void *ctx), void *ctx);

#endif
