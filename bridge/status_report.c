#include "status_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/client.h"
#include "clients/sessions.h"
#include "identity/key_names.h"
#include "net/transport.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/statistics.h"

#define REPLY_BYTES 512
#define KEPT_INTERVALS 3 /* so long the last one is kept; nobody speaks any more then */

static void on_reply(void *ctx, const struct resp *reply)
{
    (void)ctx;
    if (reply != NULL && reply->kind == RESP_ERROR)
        log_warn("status_failed", "text", log_bytes(reply->str.ptr, reply->str.len));
}

/* What is said, and how it stands in the box of its topic. */
struct report_kind {
    const char *subject; /* the topic's name, and the event's */
    /* The data, JSON that the caller frees; NULL: out of memory. */
    char *(*data)(const struct status_report *report);
    bool once; /* whichever bridge says it */
};

/* Of all workers. */
static char *status_data(const struct status_report *report)
{
    char *data;
    int len;

    counters_set_gauges();
    len = asprintf(
        &data,
        "{\"status\":\"%s\",\"metrics\":{\"connections\":%" PRIu64 ",\"subscriptions\":%" PRIu64
        ",\"events_lost\":%" PRIu64 ",\"clients_too_slow\":%" PRIu64 "}}",
        backend_is_ready(report->backend) ? "healthy" : "degraded",
        counter_total(COUNTER_CONNECTIONS) + counter_total(COUNTER_STREAMS),
        counter_total(COUNTER_SUBSCRIPTIONS), counter_total(COUNTER_EVENTS_LOST_VOLATILE),
        counter_total(COUNTER_CLIENTS_TOO_SLOW));
    return len < 0 ? NULL : data;
}

static char *statistics_data(const struct status_report *report)
{
    return statistics_text(report->clients);
}

const struct report_kind report_of_status = {"system_status", status_data, true};
const struct report_kind report_of_statistics = {"statistics", statistics_data, false};

/* Which bridge this is, where each speaks for itself. */
static const char *node_of(const struct status_report *report)
{
    return report->clients->sessions == NULL ? "" : sessions_node(report->clients->sessions);
}

/* The texts of a command. */
struct texts {
    char *data; /* owned */
    char token[64], place[128], kept[24];
};

static struct texts texts_of(const struct status_report *report, uint64_t number)
{
    const struct report_kind *kind = report->kind;
    struct texts ret = {.data = kind->data(report)};

    (void)snprintf(ret.token, sizeof(ret.token), "%s:%" PRIu64 ":%" PRIu64, kind->subject,
                   report->interval_ms, number); /* there is room, here and below */
    (void)snprintf(ret.place, sizeof(ret.place), "%s%s%s", kind->subject, kind->once ? "" : ":",
                   kind->once ? "" : node_of(report));
    (void)snprintf(ret.kept, sizeof(ret.kept), "%" PRIu64, KEPT_INTERVALS * report->interval_ms);
    return ret;
}

/* Where there is no way to Redis nobody can be told of that. */
static void say(const struct status_report *report, uint64_t number)
{
    struct key_buffer buffer;
    struct texts texts = texts_of(report, number);
    struct notify_str subject = notify_str_z(report->kind->subject);
    const struct notify_str argv[] = {
        NOTIFY_STR("NOTIFY.EVENT"),
        key_of(report->keys, KEY_TOPIC, subject, &buffer),
        subject,
        NOTIFY_STR("DATA"),
        notify_str_z(texts.data),
        NOTIFY_STR("COLLAPSE"),
        notify_str_z(texts.place),
        NOTIFY_STR("PX"),
        notify_str_z(texts.kept),
        NOTIFY_STR("IDEMPOTENT"),
        notify_str_z(texts.token),
    };
    size_t argc = sizeof(argv) / sizeof(argv[0]) - (report->kind->once ? 0 : 2);
    const struct turn turn = {
        .argc = argc, .argv = argv, .reply_bytes = REPLY_BYTES, .fn = on_reply};

    if (texts.data == NULL)
        log_error("out_of_memory", "at", report->kind->subject);
    else
        (void)turns_command(report->backend->turns, &turn);
    free(texts.data);
}

/* Until the next interval begins; then some time of it has passed, be it for a clock that is set.
 */
static void wait_for_next(struct status_report *report)
{
    uint64_t into = loop_wall_ms(report->loop) % report->interval_ms;

    loop_timer_set(report->timer, report->interval_ms - into);
}

static void on_timer(void *ctx)
{
    struct status_report *self = ctx;

    say(self, loop_wall_ms(self->loop) / self->interval_ms);
    wait_for_next(self);
}

int status_report_start(struct status_report *report)
{
    if (report->interval_ms == 0)
        return 0;
    report->timer = loop_timer_new(report->loop, on_timer, report);
    if (report->timer == NULL)
        return -ENOMEM;
    wait_for_next(report);
    return 0;
}

void status_report_release(struct status_report *report)
{
    if (report->timer != NULL)
        loop_timer_free(report->timer);
    report->timer = NULL;
}
