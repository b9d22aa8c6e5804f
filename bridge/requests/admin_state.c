#include "requests/admin_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/counters.h"
#include "base/histograms.h"
#include "base/loop.h"
#include "channels/router.h"
#include "clients/client.h"
#include "clients/sessions.h"
#include "requests/admin_right.h"
#include "requests/answer.h"
#include "requests/readiness.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "requests/statistics.h"

#define TOPICS_MAX 50
#define TOPICS_LOOKED_AT 20000 /* as many as take a few ms, in which nobody else has his turn */
#define NAME_MAX_BYTES 256

/* Numbers, over all workers: {"notify_connections{transport=\"sse\"}":3, …}; what is the same in
 * all of them once. */
static json_t *counters(void)
{
    json_t *ret = json_object();
    char name[NAME_MAX_BYTES];

    for (size_t i = 0; i < COUNTERS; i++) {
        const struct counter_info *info = &counter_infos[i];
        uint64_t value =
            info->kind == COUNTER_SAME ? counters_row(0)[i] : counter_total((enum counter)i);
        (void)snprintf(name, sizeof(name), info->labels[0] == '\0' ? "%s%s" : "%s{%s}", info->name,
                       info->labels);
        (void)json_object_set_new(ret, name, json_integer((json_int_t)value));
    }
    return ret;
}

/* Microseconds: {"bounds":[…],"counts":[…],"sum":…}; the last count is of what passes all bounds.
 */
static json_t *histogram(enum histogram which)
{
    const struct histogram_info *info = &histogram_infos[which];
    json_t *bounds = json_array(), *counts = json_array();
    uint64_t sum = 0;

    for (size_t k = 0; k <= info->len; k++) {
        uint64_t count = 0;
        for (unsigned row = 0; row < counters_rows(); row++)
            count += histogram_values(counters_row(row), which)[k];
        (void)json_array_append_new(counts, json_integer((json_int_t)count));
        if (k < info->len)
            (void)json_array_append_new(bounds, json_integer((json_int_t)info->bounds[k]));
    }
    for (unsigned row = 0; row < counters_rows(); row++)
        sum += histogram_values(counters_row(row), which)[HISTOGRAM_SUM];
    return json_pack("{s:o, s:o, s:I}", "bounds", bounds, "counts", counts, "sum", (json_int_t)sum);
}

static json_t *histograms(void)
{
    json_t *ret = json_object();

    for (size_t i = 0; i < HISTOGRAMS; i++)
        (void)json_object_set_new(ret, histogram_infos[i].name, histogram((enum histogram)i));
    return ret;
}

/* What the page shows of each. */
static const struct {
    const char *name;
    enum counter counter;
} of_worker[] = {
    {"websockets", COUNTER_CONNECTIONS},
    {"streams", COUNTER_STREAMS},
    {"polling", COUNTER_POLLED},
    {"channels", COUNTER_CHANNELS},
    {"delivered", COUNTER_EVENTS_DELIVERED},
    {"resident_bytes", COUNTER_MEMORY_RESIDENT},
    {"cpu_us", COUNTER_CPU_US},
};

/* [{"worker","state", …}…] */
static json_t *workers(void)
{
    size_t len;
    char *text = readiness_health_text(&len);
    json_t *health = text == NULL ? NULL : json_loadb(text, len, 0, NULL), *row;
    json_t *list = json_incref(json_object_get(health, "workers"));
    size_t i;

    json_array_foreach(list, i, row)
    {
        for (size_t k = 0; k < sizeof(of_worker) / sizeof(of_worker[0]); k++)
            (void)json_object_set_new(
                row, of_worker[k].name,
                json_integer((json_int_t)counters_row((unsigned)i)[of_worker[k].counter]));
    }
    json_decref(health);
    free(text);
    return list;
}

static unsigned own_row(void)
{
    unsigned row = 0;

    while (row + 1 < counters_rows() && counters_row(row) != counter_values)
        row++;
    return row;
}

/* What is no UTF-8 cannot be shown. */
static json_t *topics(const struct client_shared *shared, bool *ret_whole)
{
    struct router_followed most[TOPICS_MAX];
    size_t len =
        router_most_followed(shared->router, most, TOPICS_MAX, TOPICS_LOOKED_AT, ret_whole);
    json_t *list = json_array();

    for (size_t i = 0; i < len; i++)
        (void)json_array_append_new(list, json_pack("{s:s%, s:I}", "key", most[i].key.ptr,
                                                    most[i].key.len, "followers",
                                                    (json_int_t)most[i].followers));
    return list;
}

static json_t *state(const struct client_shared *shared, bool list)
{
    const struct sessions *sessions = shared->sessions;
    bool whole;
    json_t *most, *ret;

    counters_set_gauges();
    most = topics(shared, &whole);
    ret = json_pack("{s:s, s:I, s:s?, s:i, s:o, s:o, s:o, s:o, s:b}", "type", "state", "time_ms",
                    (json_int_t)loop_wall_ms(shared->senders.loop), "node",
                    sessions == NULL ? NULL : sessions_node(sessions), "worker", (int)own_row(),
                    "workers", workers(), "counters", counters(), "histograms_us", histograms(),
                    "topics", most, "topics_whole", whole);
    if (ret != NULL && list)
        (void)json_object_set_new(ret, "statistics", statistics_of(shared, true));
    return ret;
}

void admin_handle_state(struct request *r)
{
    if (admin_may(r, "look"))
        answer_json(r, state(r->shared, request_value(r, "list")->flag));
}
