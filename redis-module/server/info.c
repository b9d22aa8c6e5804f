/* info -- see info.h. */
#include "server/info.h"

#include <stdatomic.h>

#include "server/config.h"
#include "server/epoch.h"

static uint64_t counters[INFO_COUNTERS];
static long long boxes_added, entries_added;
static atomic_llong boxes_dropped, entries_dropped;

static const char *const counter_names[INFO_COUNTERS] = {
    [INFO_SENDS] = "sends",
    [INFO_EVENTS] = "events",
    [INFO_PUBLISHES] = "publishes",
    [INFO_RECEIVERS] = "publish_receivers",
    [INFO_PUBLISHES_DENIED] = "publishes_denied",
    [INFO_STATE_CHANGES] = "state_changes",
    [INFO_DELETED] = "entries_deleted",
    [INFO_TRIMMED] = "entries_trimmed",
    [INFO_EXPIRED] = "entries_expired",
    [INFO_COLLAPSED] = "entries_collapsed",
    [INFO_DUPLICATES] = "duplicates",
    [INFO_LOADS_REFUSED] = "loads_refused",
    [INFO_SESSIONS_OPENED] = "sessions_opened",
    [INFO_SESSIONS_EXPIRED] = "sessions_expired",
    [INFO_OPENS_REFUSED] = "session_opens_refused",
    [INFO_KEYS_GONE] = "keys_gone_told",
    [INFO_KEYS_CHANGED] = "keys_changed_told",
    [INFO_FLUSHES] = "flushes_told",
};

void info_count(enum info_counter counter, uint64_t times)
{
    counters[counter] += times;
}

void info_add_box(void)
{
    boxes_added++;
}

void info_add_entries(long long entries)
{
    entries_added += entries;
}

void info_drop_box(long long entries)
{
    atomic_fetch_add_explicit(&boxes_dropped, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&entries_dropped, entries, memory_order_relaxed);
}

static void report_total(struct rm_info *info, const char *name, long long added,
                         const atomic_llong *dropped)
{
    long long total = added - atomic_load_explicit(dropped, memory_order_relaxed);

    rm_InfoAddFieldULongLong(info, name, total < 0 ? 0 : (unsigned long long)total);
}

void info_report(struct rm_info *info, int for_crash_report)
{
    (void)for_crash_report;
    if (rm_InfoAddSection(info, "") != RM_OK)
        return; /* this section was not asked for */
    rm_InfoAddFieldCString(info, "version", NOTIFY_VERSION);
    rm_InfoAddFieldULongLong(info, "database", (unsigned long long)config_get()->database);
    rm_InfoAddFieldULongLong(info, "epoch", epoch_now());
    report_total(info, "boxes", boxes_added, &boxes_dropped);
    report_total(info, "entries", entries_added, &entries_dropped);
    for (int i = 0; i < INFO_COUNTERS; i++)
        rm_InfoAddFieldULongLong(info, counter_names[i], counters[i]);
}
