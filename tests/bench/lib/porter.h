/* porter -- the least that letting somebody in can cost: a process that does nothing but accept a
 * connection and write to it once, while another connects to it. */
#ifndef PORTER_H
#define PORTER_H

#include <stddef.h>
#include <stdint.h>

struct porter;

struct porter_result {
    double server_ns, client_ns; /* CPU time per connection, user and system, */
    double wall_ns;              /* and how long it took, per connection */
};

/* So many connections a round, each process on its own core. */
struct porter *porter_new(uint32_t connections, int server_core, int client_core);
void porter_free(struct porter *porter); /* NULL is fine */

/* All connect, a limited number at a time, and each is written so many bytes. Then they end. */
struct porter_result porter_run(struct porter *porter, size_t bytes);

#endif
