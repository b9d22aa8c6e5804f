#include "top/readings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire/exposition.h"

#define WORKER_PREFIX "notify_worker_"
#define PREFIX "notify_"

static const struct {
    const char *name, *labels;
} sources[READINGS] = {
    [READING_WEBSOCKETS] = {"connections", "transport=\"websocket\""},
    [READING_STREAMS] = {"connections", "transport=\"sse\""},
    [READING_POLLS] = {"connections", "transport=\"polling\""},
    [READING_SOCKETS] = {"sockets", ""},
    [READING_SOCKETS_MAX] = {"sockets_max", ""},
    [READING_SUBSCRIPTIONS] = {"subscriptions", ""},
    [READING_CHANNELS] = {"channels", ""},
    [READING_OPENED] = {"clients_opened_total", ""},
    [READING_MESSAGES] = {"messages_received_total", ""},
    [READING_ANSWERS] = {"answers_sent_total", ""},
    [READING_EVENTS] = {"events_delivered_total", ""},
    [READING_NOTIFICATIONS] = {"notifications_heard_total", ""},
    [READING_SEEN] = {"notifications_marked_total", "state=\"seen\""},
    [READING_READ] = {"notifications_marked_total", "state=\"read\""},
    [READING_BYTES_IN] = {"received_bytes_total", ""},
    [READING_BYTES_OUT] = {"sent_bytes_total", ""},
    [READING_SUBSCRIBER_UP] = {"redis_link_up", "link=\"subscriber\""},
    [READING_COMMANDS_UP] = {"redis_link_up", "link=\"commands\""},
    [READING_MODULE_UP] = {"module_up", ""},
    [READING_IN_LINE] = {"commands_in_line", ""},
    [READING_CPU] = {"cpu_seconds_total", ""},
    [READING_RESIDENT] = {"memory_resident_bytes", ""},
    [READING_RECENT] = {"memory_held_bytes", "what=\"recent\""},
    [READING_STASHED] = {"memory_held_bytes", "what=\"stashed\""},
    [READING_WORKERS] = {"workers", ""},
    [READING_READY] = {"ready", ""},
    [READING_LEAVING] = {"leaving", ""},
    [READING_RESTARTS] = {"restarts_total", ""},
    [READING_GAPS] = {"gaps_repaired_total", ""},
    [READING_REFILLS] = {"refills_total", ""},
    [READING_LOST] = {"events_lost_total", ""},
    [READING_DROPPED_BEHIND] = {"events_dropped_total", "reason=\"behind\""},
};

static const char *const bucket_names[BUCKETS_OF] = {
    [BUCKETS_DELIVERY] = "delivery_seconds_bucket",
    [BUCKETS_ROUND_TRIP] = "redis_round_trip_seconds_bucket",
    [BUCKETS_TURN] = "loop_turn_seconds_bucket",
};

static const struct {
    const char *name, *label;
} named_sources[NAMED_OF] = {
    [NAMED_LIMITS] = {"limit_hits_total", "limit"},
    [NAMED_ERRORS] = {"errors_total", "code"},
    [NAMED_SLOW] = {"loop_slow_turns_total", "cause"},
};

static const struct {
    const char *name;
    size_t at; /* in struct worker_reading */
} worker_sources[] = {
    {"connections", offsetof(struct worker_reading, connections)}, /* of all transports */
    {"events_delivered_total", offsetof(struct worker_reading, events)},
    {"cpu_seconds_total", offsetof(struct worker_reading, cpu)},
    {"memory_resident_bytes", offsetof(struct worker_reading, resident)},
    {"ready", offsetof(struct worker_reading, ready)},
};

static bool begins_with(struct notify_str text, const char *begin)
{
    size_t len = strlen(begin);

    return text.len >= len && memcmp(text.ptr, begin, len) == 0;
}

static bool is(struct notify_str text, const char *other)
{
    return notify_str_eq(text, notify_str_z(other));
}

/* What a terminal could take for more than a name is none of ours. */
static void copy_name(char out[READINGS_NAME_BYTES], struct notify_str name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = name.len < READINGS_NAME_BYTES - 1 ? name.len : READINGS_NAME_BYTES - 1;

    for (size_t i = 0; i < len; i++)
        out[i] = name.ptr[i] != '\0' && strchr(plain, name.ptr[i]) != NULL ? name.ptr[i] : '?';
    out[len] = '\0';
}

static void take_value(struct readings *to, struct notify_str name, struct notify_str labels,
                       double value)
{
    for (size_t i = 0; i < READINGS; i++)
        if (is(name, sources[i].name) && is(labels, sources[i].labels)) {
            to->values[i] = value;
            to->known[i] = true;
        }
}

static void take_bucket(struct readings *to, struct notify_str name, struct notify_str labels,
                        double value)
{
    struct notify_str bound;

    for (size_t i = 0; i < BUCKETS_OF; i++) {
        struct buckets *buckets = &to->buckets[i];
        char text[32];
        if (!is(name, bucket_names[i]) || buckets->len == READINGS_BUCKETS_MAX ||
            !exposition_label(labels, "le", &bound) || bound.len >= sizeof(text))
            continue;
        memcpy(text, bound.ptr, bound.len);
        text[bound.len] = '\0';
        buckets->bounds[buckets->len] = strtod(text, NULL);
        buckets->counts[buckets->len++] = value;
    }
}

static void take_named(struct readings *to, struct notify_str name, struct notify_str labels,
                       double value)
{
    struct notify_str label;

    for (size_t i = 0; i < NAMED_OF; i++) {
        struct named_list *list = &to->named[i];
        if (!is(name, named_sources[i].name) || list->len == READINGS_NAMED_MAX ||
            !exposition_label(labels, named_sources[i].label, &label))
            continue;
        copy_name(list->at[list->len].name, label);
        list->at[list->len++].value = value;
    }
}

/* READINGS_WORKERS_MAX: none, or one more than there are. */
static size_t number_of(struct notify_str text)
{
    size_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return READINGS_WORKERS_MAX;
        number = number * 10 + (size_t)(text.ptr[i] - '0');
        if (number >= READINGS_WORKERS_MAX)
            return READINGS_WORKERS_MAX;
    }
    return text.len == 0 ? READINGS_WORKERS_MAX : number;
}

static void take_of_worker(struct readings *to, struct notify_str name, struct notify_str labels,
                           double value)
{
    struct notify_str worker;
    size_t number =
        exposition_label(labels, "worker", &worker) ? number_of(worker) : READINGS_WORKERS_MAX;

    if (number == READINGS_WORKERS_MAX)
        return;
    for (size_t i = 0; i < sizeof(worker_sources) / sizeof(worker_sources[0]); i++) {
        struct worker_reading *reading = &to->workers[number];
        if (!is(name, worker_sources[i].name))
            continue;
        *(double *)(void *)((char *)reading + worker_sources[i].at) += value;
        reading->known = true;
    }
}

static struct notify_str behind(struct notify_str name, const char *prefix)
{
    size_t len = strlen(prefix);

    return notify_str_of(name.ptr + len, name.len - len);
}

static void take_sample(struct readings *to, const struct exposition_sample *sample)
{
    struct notify_str name = behind(sample->name, PREFIX), version;

    if (begins_with(sample->name, WORKER_PREFIX)) {
        take_of_worker(to, behind(sample->name, WORKER_PREFIX), sample->labels, sample->value);
        return;
    }
    take_value(to, name, sample->labels, sample->value);
    take_bucket(to, name, sample->labels, sample->value);
    take_named(to, name, sample->labels, sample->value);
    if (is(name, "build_info") && exposition_label(sample->labels, "version", &version))
        copy_name(to->version, version);
}

bool readings_read(struct readings *ret, struct notify_str text, uint64_t at_us)
{
    struct exposition_sample sample;
    bool any = false;

    memset(ret, 0, sizeof(*ret));
    ret->at_us = at_us;
    while (exposition_next(&text, &sample)) {
        if (!begins_with(sample.name, PREFIX))
            continue;
        take_sample(ret, &sample);
        any = true;
    }
    return any;
}

static double per_second(const struct readings *before, const struct readings *now, double grown)
{
    double seconds = (double)(now->at_us - before->at_us) / 1e6;

    return seconds > 0 && grown > 0 ? grown / seconds : 0;
}

double readings_rate(const struct readings *before, const struct readings *now, enum reading which)
{
    return now->known[which] && before->known[which]
               ? per_second(before, now, now->values[which] - before->values[which])
               : 0;
}

struct worker_rates readings_worker_rates(const struct readings *before, const struct readings *now,
                                          size_t i)
{
    const struct worker_reading *then = &before->workers[i], *is = &now->workers[i];

    if (!then->known || !is->known)
        return (struct worker_rates){.known = false};
    return (struct worker_rates){.known = true,
                                 .events = per_second(before, now, is->events - then->events),
                                 .cpu = per_second(before, now, is->cpu - then->cpu)};
}

/* Of the buckets up to i, since before. */
static double grown(const struct buckets *before, const struct buckets *now, size_t i)
{
    double more =
        before != NULL && i < before->len ? now->counts[i] - before->counts[i] : now->counts[i];

    return more > 0 ? more : 0;
}

double readings_count(const struct readings *before, const struct readings *now,
                      enum buckets_of which)
{
    const struct buckets *old = before == NULL ? NULL : &before->buckets[which];

    return now->buckets[which].len == 0
               ? 0
               : grown(old, &now->buckets[which], now->buckets[which].len - 1);
}

double readings_quantile(const struct readings *before, const struct readings *now,
                         enum buckets_of which, double part)
{
    const struct buckets *old = before == NULL ? NULL : &before->buckets[which];
    const struct buckets *buckets = &now->buckets[which];
    double wanted = part * readings_count(before, now, which), below = 0, from = 0;

    if (!(wanted > 0))
        return -1;
    for (size_t i = 0; i < buckets->len; i++) {
        double upto = grown(old, buckets, i);
        if (upto >= wanted)
            return isinf(buckets->bounds[i])
                       ? from /* more than that: nobody knows how much */
                       : from + (buckets->bounds[i] - from) * (wanted - below) / (upto - below);
        below = upto;
        from = buckets->bounds[i];
    }
    return from;
}

double readings_named_growth(const struct readings *before, const struct named *now,
                             enum named_of which)
{
    const struct named_list *list = &before->named[which];

    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->at[i].name, now->name) == 0)
            return now->value > list->at[i].value ? now->value - list->at[i].value : 0;
    return now->value;
}
