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

/* Sleeps until the process has used less than a tenth of a core for 200 ms: what it had to do
 * after an event is done. Ends the program after timeout_ms. idle, if not NULL, is called every
 * 10 ms meanwhile. */
void proc_wait_idle(pid_t pid, int timeout_ms, void (*idle)(void *ctx), void *ctx);

#endif
