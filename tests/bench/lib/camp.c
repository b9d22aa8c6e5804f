/* camp -- a crowd in a process of its own; see camp.h. */
#include "camp.h"

#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"

enum order_kind { ORDER_CONNECT, ORDER_DROP, ORDER_SEND, ORDER_ASK, ORDER_TELL };

struct order {
    enum order_kind kind;
    uint32_t command;
    uint64_t count, window;
};

struct camp {
    struct camp_server server;
    uint32_t clients;
    const struct resp_text *commands; /* borrowed */
    struct child child;
};

/* ---- in the child */

struct worker {
    const struct camp *camp; /* a copy of what the parent had */
    struct crowd crowd;
    bool has_order;
};

/* Only marks it: the crowd may not be worked with from within its own poll. */
static void on_order(void *ctx)
{
    struct worker *worker = ctx;

    worker->has_order = true;
}

static void obey_connect(struct worker *worker, const struct order *order,
                         struct camp_report *report)
{
    struct proc_memory before = proc_memory_of(worker->camp->server.pid);
    uint64_t received = crowd_received_bytes(&worker->crowd);

    (void)order;
    report->wall_ns = crowd_connect(&worker->crowd);
    received = crowd_received_bytes(&worker->crowd) - received;
    report->frame_bytes = (double)received / worker->crowd.clients;
    crowd_wait_following(&worker->crowd);
    struct proc_memory after = proc_memory_of(worker->camp->server.pid);
    report->grown_by = (struct proc_memory){after.private_dirty_bytes - before.private_dirty_bytes,
                                            after.rss_bytes - before.rss_bytes};
}

static void obey_drop(struct worker *worker, const struct order *order, struct camp_report *report)
{
    (void)order;
    (void)report;
    crowd_drop(&worker->crowd);
}

static void obey_send(struct worker *worker, const struct order *order, struct camp_report *report)
{
    struct crowd *crowd = &worker->crowd;
    uint64_t received = crowd_received_bytes(crowd), started = bench_now_ns();

    crowd_broadcast(crowd, &worker->camp->commands[order->command], order->count, order->window);
    report->wall_ns = bench_now_ns() - started;
    received = crowd_received_bytes(crowd) - received;
    report->frame_bytes = (double)received / ((double)order->count * crowd->clients);
    crowd_check(crowd, "camp");
}

static void obey_ask(struct worker *worker, const struct order *order, struct camp_report *report)
{
    uint64_t started = bench_now_ns();

    crowd_ask(&worker->crowd, order->count);
    report->wall_ns = bench_now_ns() - started;
}

static void obey_tell(struct worker *worker, const struct order *order, struct camp_report *report)
{
    (void)worker;
    (void)order;
    (void)report;
}

static void (*const obey[])(struct worker *worker, const struct order *order,
                            struct camp_report *report) = {
    [ORDER_CONNECT] = obey_connect, [ORDER_DROP] = obey_drop, [ORDER_SEND] = obey_send,
    [ORDER_ASK] = obey_ask,         [ORDER_TELL] = obey_tell,
};

static uint64_t answered_polls(const struct worker *worker)
{
    return worker->crowd.pollers == NULL ? 0 : pollers_answered(worker->crowd.pollers);
}

static void handle_order(struct worker *worker, int control)
{
    struct order order;
    struct camp_report report = {.wall_ns = 0};
    pid_t server = worker->camp->server.pid;

    worker->has_order = false;
    child_read(control, &order, sizeof(order));
    pid_t redis = worker->camp->server.redis_pid;
    uint64_t server_ns = proc_cpu_ns(server), own_ns = proc_cpu_ns(getpid());
    uint64_t redis_ns = proc_cpu_ns(redis), answered = answered_polls(worker);
    obey[order.kind](worker, &order, &report);
    report.server_ns = proc_cpu_ns(server) - server_ns;
    report.redis_ns = proc_cpu_ns(redis) - redis_ns;
    report.polls = answered_polls(worker) - answered;
    report.generator_ns = proc_cpu_ns(getpid()) - own_ns;
    report.heartbeats = worker->crowd.heartbeats;
    child_write(control, &report, sizeof(report));
}

static void run_camp(void *ctx, int control)
{
    struct worker worker = {.camp = ctx};
    const struct camp_server *server = &worker.camp->server;

    crowd_init_over(server->speech, &worker.crowd, worker.camp->clients, server->port, server->pid,
                    server->redis_port);
    worker.crowd.channels = server->channels;
    crowd_watch(&worker.crowd, control, on_order, &worker);
    child_ready(control);
    for (;;) {
        while (!worker.has_order)
            crowd_poll_once(&worker.crowd, -1);
        handle_order(&worker, control);
    }
}

/* ---- in the parent */

struct camp *camp_new(const struct camp_server *server, uint32_t clients, int core,
                      const struct resp_text *commands)
{
    struct camp *camp = bench_alloc(sizeof(*camp));

    *camp = (struct camp){.server = *server, .clients = clients, .commands = commands};
    camp->child = child_start(core, run_camp, camp);
    child_await(&camp->child);
    return camp;
}

void camp_free(struct camp *camp)
{
    if (camp == NULL)
        return;
    child_stop(&camp->child);
    free(camp);
}

static struct camp_report give_order(struct camp *camp, const struct order *order)
{
    struct camp_report report;

    child_write(camp->child.control, order, sizeof(*order));
    child_read(camp->child.control, &report, sizeof(report));
    return report;
}

struct camp_report camp_connect(struct camp *camp)
{
    return give_order(camp, &(struct order){.kind = ORDER_CONNECT});
}

struct camp_report camp_drop(struct camp *camp)
{
    return give_order(camp, &(struct order){.kind = ORDER_DROP});
}

struct camp_report camp_send(struct camp *camp, uint32_t command, uint64_t count, uint64_t window)
{
    return give_order(camp, &(struct order){ORDER_SEND, command, count, window});
}

struct camp_report camp_ask(struct camp *camp, uint64_t count)
{
    return give_order(camp, &(struct order){.kind = ORDER_ASK, .count = count});
}

uint64_t camp_heartbeats(struct camp *camp)
{
    return give_order(camp, &(struct order){.kind = ORDER_TELL}).heartbeats;
}
