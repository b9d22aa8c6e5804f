/* server_memory -- the server's allocator behind mem.h: it may fail, but not for what is replayed
 * (replay.h). There the process ends as it does when the server lacks memory for a value of its
 * own.
 */
#ifndef SERVER_MEMORY_H
#define SERVER_MEMORY_H

/* Once, at load, before anything else is allocated. */
void server_memory_use(void);

#endif
