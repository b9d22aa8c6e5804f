#include "requests/demo_kill.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/http.h"

#define STATUS_ACCEPTED 202
#define STATUS_CONFLICT 409

/* The supervisor has no other children than workers; this one is the last. */
static void on_due(void *ctx)
{
    char path[64];
    long pid;
    FILE *children;

    (void)ctx;
    (void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)getppid(),
                   (long)getppid());
    children = fopen(path, "re");
    while (children != NULL && fscanf(children, "%ld", &pid) == 1)
        if (pid != (long)getpid())
            (void)kill((pid_t)pid, SIGKILL); /* it may have gone by itself */
    (void)raise(SIGKILL);
}

void demo_kill(struct loop *loop, struct exchange *exchange)
{
    char body[64];
    struct http_response response = {.status = STATUS_ACCEPTED, .body = body};

    if (counters_rows() < 2) {
        exchange_refuse(exchange, STATUS_CONFLICT, NULL);
        return;
    }
    log_warn("demo_kill", "workers", log_int(counters_rows()));
    response.len = (size_t)snprintf(body, sizeof(body), "{\"killed\":%u}\n", counters_rows());
    exchange_answer(exchange, &response);
    loop_defer(loop, on_due, NULL); /* the answer is out by then */
}
