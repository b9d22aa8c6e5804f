/* camp -- a crowd in a process of its own, before one server.
 *
 * Several servers so are measured in turns while the clients of all of them stay connected: what
 * the machine does meanwhile meets each of them, and no process needs more descriptors than one
 * crowd has. A camp of which nothing is asked answers pings and does nothing else. */
#ifndef CAMP_H
#define CAMP_H

#include <stdint.h>
#include <sys/types.h>

#include "crowd.h"
#include "proc.h"
#include "resp.h"

struct camp;

struct camp_server {
    enum crowd_speech speech;
    int port;
    pid_t pid;
    int redis_port; /* of a Redis of its own: what is sent there reaches nobody else's clients */
    pid_t redis_pid;
    uint32_t channels; /* that Redis knows once everybody has been subscribed */
};

struct camp_report {
    /* CPU time of what was asked for, user and system. */
    uint64_t server_ns, redis_ns, generator_ns;
    uint64_t polls; /* that were answered meanwhile */
    uint64_t wall_ns;
    uint64_t heartbeats;         /* answered since the camp was made */
    double frame_bytes;          /* mean of what came in per delivery, or per greeting */
    struct proc_memory grown_by; /* the server while all connected */
};

/* commands: what can be sent, each one message to the log; they must live while the camp does. */
struct camp *camp_new(const struct camp_server *server, uint32_t clients, int core,
                      const struct resp_text *commands);
void camp_free(struct camp *camp);

/* Connects all, until everything is subscribed and the server has come to rest; wall_ns counts
 * until the last has been greeted. */
struct camp_report camp_connect(struct camp *camp);
/* Cuts all connections, and waits until the server has come to rest. */
struct camp_report camp_drop(struct camp *camp);
/* Sends a command count times, window at a time; everybody has to get all of it, once and in order.
 */
struct camp_report camp_send(struct camp *camp, uint32_t command, uint64_t count, uint64_t window);
/* Every client of Socket.IO emits an event with an ack, count times one after the other. */
struct camp_report camp_ask(struct camp *camp, uint64_t count);
/* How many heartbeats there were so far. */
uint64_t camp_heartbeats(struct camp *camp);

#endif
