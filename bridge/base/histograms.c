#include "base/histograms.h"

#include <assert.h>

static_assert(HISTOGRAMS * HISTOGRAM_VALUES <= COUNTERS_ROOM, "a row has room for all of them");

#define MS UINT64_C(1000)
#define S (1000 * MS)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Redis says when in whole milliseconds: finer ones would be made up. */
static const uint64_t delivery_bounds[] = {1 * MS,    2 * MS,   5 * MS,   10 * MS,  25 * MS,
                                           50 * MS,   100 * MS, 250 * MS, 500 * MS, 1 * S,
                                           2500 * MS, 5 * S,    10 * S};
static const uint64_t round_trip_bounds[] = {100,      250,      500,     1 * MS,    2500,
                                             5 * MS,   10 * MS,  25 * MS, 50 * MS,   100 * MS,
                                             250 * MS, 500 * MS, 1 * S,   2500 * MS, 10 * S};
static const uint64_t turn_bounds[] = {50,       100,      250,      500,     1 * MS,
                                       2500,     5 * MS,   10 * MS,  25 * MS, 50 * MS,
                                       100 * MS, 250 * MS, 500 * MS, 1 * S};
/* People. */
static const uint64_t human_bounds[] = {1 * S,      5 * S,       15 * S,   1 * MINUTE,
                                        5 * MINUTE, 15 * MINUTE, 1 * HOUR, 6 * HOUR,
                                        1 * DAY,    3 * DAY,     7 * DAY,  30 * DAY};

#define BOUNDS(array) .bounds = (array), .len = sizeof(array) / sizeof((array)[0])

const struct histogram_info histogram_infos[HISTOGRAMS] = {
    [HISTOGRAM_DELIVERY] =
        {"notify_delivery_seconds", BOUNDS(delivery_bounds),
         "From the time in the id of a stored event to the end of the turn in which a connection "
         "took it, by two clocks: that of Redis and our own. Without what is read anew."},
    [HISTOGRAM_ROUND_TRIP] =
        {"notify_redis_round_trip_seconds", BOUNDS(round_trip_bounds),
         "From a command to its reply, over all links to Redis, of one at a time on each."},
    [HISTOGRAM_TURN] = {"notify_loop_turn_seconds", BOUNDS(turn_bounds),
                        "How long a turn of the event loop took, without its waiting."},
    [HISTOGRAM_SEEN] = {"notify_notification_seen_seconds", BOUNDS(human_bounds),
                        "From the newest of the notifications that a client of this bridge marked "
                        "as seen to that: "
                        "once each time."},
    [HISTOGRAM_READ] =
        {"notify_notification_read_seconds", BOUNDS(human_bounds),
         "From a notification to when a client of this bridge marked it as read, where the bridge "
         "knows which one it was."},
};

void histogram_add(enum histogram histogram, uint64_t us, uint64_t n)
{
    const struct histogram_info *info = &histogram_infos[histogram];
    uint64_t *values = counter_values + COUNTERS + (size_t)histogram * HISTOGRAM_VALUES;
    size_t bucket = 0;

    while (bucket < info->len && us > info->bounds[bucket])
        bucket++;
    values[bucket] += n;
    values[HISTOGRAM_SUM] += us * n;
}
