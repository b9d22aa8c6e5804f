#include "top/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "top/readings.h"

#define NUMBER_BYTES 24
#define LIST_MAX 6 /* names of a list that are shown: those that grow most */
#define CLEAR_TO_END "\x1b[K"

/* Numbers: three digits or four, and what they are thousands of. */

static const char *scaled(double value, double step, const char *const units[],
                          char out[NUMBER_BYTES])
{
    size_t i = 0;

    while (value >= step && units[i + 1] != NULL) {
        value /= step;
        i++;
    }
    (void)snprintf(out, NUMBER_BYTES, value < 10 && value != floor(value) ? "%.1f%s" : "%.0f%s",
                   value, units[i]);
    return out;
}

static const char *count(double value, char out[NUMBER_BYTES])
{
    static const char *const units[] = {"", "k", "M", "G", NULL};

    if (value < 100000) {
        (void)snprintf(out, NUMBER_BYTES, value < 10 && value != floor(value) ? "%.1f" : "%.0f",
                       value);
        return out;
    }
    return scaled(value, 1000, units, out);
}

static const char *bytes(double value, char out[NUMBER_BYTES])
{
    static const char *const units[] = {" B", " KB", " MB", " GB", " TB", NULL};

    return scaled(value, 1024, units, out);
}

static const char *seconds(double value, char out[NUMBER_BYTES])
{
    if (value < 0)
        (void)snprintf(out, NUMBER_BYTES, "-");
    else if (value < 1e-3)
        (void)snprintf(out, NUMBER_BYTES, "%.0f us", value * 1e6);
    else if (value < 1)
        (void)snprintf(out, NUMBER_BYTES, value < 0.01 ? "%.1f ms" : "%.0f ms", value * 1e3);
    else
        (void)snprintf(out, NUMBER_BYTES, "%.1f s", value);
    return out;
}

/* Pieces of lines. */

static void put(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "  %s %s", name, value);
}

static void put_value(FILE *out, const struct screen *screen, const char *name, enum reading which)
{
    char text[NUMBER_BYTES];

    put(out, name, screen->now->known[which] ? count(screen->now->values[which], text) : "-");
}

static void put_bytes(FILE *out, const struct screen *screen, const char *name, enum reading which)
{
    char text[NUMBER_BYTES];

    put(out, name, screen->now->known[which] ? bytes(screen->now->values[which], text) : "-");
}

static double rate(const struct screen *screen, enum reading which)
{
    return readings_rate(screen->before, screen->now, which);
}

static void put_rate(FILE *out, const struct screen *screen, const char *name, enum reading which)
{
    char text[NUMBER_BYTES];

    put(out, name, screen->before == NULL ? "-" : count(rate(screen, which), text));
}

static void put_byte_rate(FILE *out, const struct screen *screen, const char *name,
                          enum reading which)
{
    char text[NUMBER_BYTES];

    put(out, name, screen->before == NULL ? "-" : bytes(rate(screen, which), text));
}

static void put_quantiles(FILE *out, const struct screen *screen, enum buckets_of which)
{
    static const struct {
        const char *name;
        double part;
    } parts[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    char text[NUMBER_BYTES];

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        put(out, parts[i].name,
            seconds(readings_quantile(screen->before, screen->now, which, parts[i].part), text));
}

static void begin(FILE *out, const char *title)
{
    (void)fprintf(out, "%-12s", title);
}

static void end(FILE *out)
{
    (void)fputc('\n', out);
}

/* Lines. */

/* What whoever asks has typed goes to his own terminal. */
static void print_title(FILE *out, const struct screen *screen)
{
    const struct readings *now = screen->now;

    (void)fprintf(out, "notify-bridge %s at %s", now == NULL ? "" : now->version, screen->where);
    if (now != NULL && now->known[READING_READY])
        (void)fprintf(out, ": %.0f of %.0f ready%s", now->values[READING_READY],
                      now->known[READING_WORKERS] ? now->values[READING_WORKERS] : 1,
                      now->values[READING_LEAVING] > 0 ? ", leaving" : "");
    if (screen->failure != NULL)
        (void)fprintf(out, ": no numbers just now (%s)", screen->failure);
    end(out);
}

static void print_connections(FILE *out, const struct screen *screen)
{
    begin(out, "connections");
    put_value(out, screen, "websocket", READING_WEBSOCKETS);
    put_value(out, screen, "sse", READING_STREAMS);
    put_value(out, screen, "polling", READING_POLLS);
    put_value(out, screen, "sockets", READING_SOCKETS);
    put_value(out, screen, "of", READING_SOCKETS_MAX);
    put_rate(out, screen, "new/s", READING_OPENED);
    end(out);
    begin(out, "follows");
    put_value(out, screen, "subscriptions", READING_SUBSCRIPTIONS);
    put_value(out, screen, "channels", READING_CHANNELS);
    end(out);
}

static void print_traffic(FILE *out, const struct screen *screen)
{
    begin(out, "each second");
    put_rate(out, screen, "messages in", READING_MESSAGES);
    put_rate(out, screen, "events out", READING_EVENTS);
    put_rate(out, screen, "answers", READING_ANSWERS);
    put_byte_rate(out, screen, "bytes in", READING_BYTES_IN);
    put_byte_rate(out, screen, "out", READING_BYTES_OUT);
    end(out);
    begin(out, "");
    put_rate(out, screen, "notifications", READING_NOTIFICATIONS);
    put_rate(out, screen, "seen", READING_SEEN);
    put_rate(out, screen, "read", READING_READ);
    end(out);
}

static void print_times(FILE *out, const struct screen *screen)
{
    begin(out, "delivery");
    put_quantiles(out, screen, BUCKETS_DELIVERY);
    end(out);
    begin(out, "redis");
    put_value(out, screen, "subscribers up", READING_SUBSCRIBER_UP);
    put_value(out, screen, "commands up", READING_COMMANDS_UP);
    put_value(out, screen, "module up", READING_MODULE_UP);
    put_value(out, screen, "in line", READING_IN_LINE);
    put_quantiles(out, screen, BUCKETS_ROUND_TRIP);
    end(out);
}

static void print_machine(FILE *out, const struct screen *screen)
{
    begin(out, "loop");
    if (screen->before != NULL)
        (void)fprintf(out, "  cpu %.1f %%", 100 * rate(screen, READING_CPU));
    put_quantiles(out, screen, BUCKETS_TURN);
    end(out);
    begin(out, "memory");
    put_bytes(out, screen, "resident", READING_RESIDENT);
    put_bytes(out, screen, "recent", READING_RECENT);
    put_bytes(out, screen, "stashed", READING_STASHED);
    end(out);
}

static void print_trouble(FILE *out, const struct screen *screen)
{
    begin(out, "so far");
    put_value(out, screen, "gaps repaired", READING_GAPS);
    put_value(out, screen, "fallen behind", READING_DROPPED_BEHIND);
    put_value(out, screen, "refills", READING_REFILLS);
    put_value(out, screen, "lost", READING_LOST);
    put_value(out, screen, "restarts", READING_RESTARTS);
    end(out);
}

/* Those of a list that have grown, then those that are largest. */

struct shown {
    const struct named *named;
    double growth;
};

static int compare(const void *left, const void *right)
{
    const struct shown *a = left, *b = right;

    if (a->growth != b->growth)
        return a->growth < b->growth ? 1 : -1;
    return a->named->value < b->named->value ? 1 : -(a->named->value > b->named->value);
}

static void print_named(FILE *out, const struct screen *screen, const char *title,
                        enum named_of which)
{
    const struct named_list *list = &screen->now->named[which];
    struct shown all[READINGS_NAMED_MAX];
    char text[NUMBER_BYTES];
    size_t len = 0;

    for (size_t i = 0; i < list->len; i++)
        if (list->at[i].value > 0)
            all[len++] = (struct shown){
                &list->at[i], screen->before == NULL
                                  ? 0
                                  : readings_named_growth(screen->before, &list->at[i], which)};
    if (len == 0)
        return;
    qsort(all, len, sizeof(all[0]), compare);
    begin(out, title);
    for (size_t i = 0; i < len && i < LIST_MAX; i++) {
        put(out, all[i].named->name, count(all[i].named->value, text));
        if (all[i].growth > 0)
            (void)fprintf(out, " (+%s)", count(all[i].growth, text));
    }
    end(out);
}

static void print_worker(FILE *out, const struct screen *screen, size_t i)
{
    const struct worker_reading *now = &screen->now->workers[i];
    struct worker_rates rates = {.known = false};
    char connections[NUMBER_BYTES], events[NUMBER_BYTES], resident[NUMBER_BYTES];

    if (screen->before != NULL)
        rates = readings_worker_rates(screen->before, screen->now, i);
    (void)fprintf(out, "%-12zu  %11s %10s %7.1f %10s  %s\n", i,
                  count(now->connections, connections),
                  rates.known ? count(rates.events, events) : "-", 100 * rates.cpu,
                  bytes(now->resident, resident), now->ready > 0 ? "ready" : "not ready");
}

static void print_workers(FILE *out, const struct screen *screen)
{
    bool titled = false;

    for (size_t i = 0; i < READINGS_WORKERS_MAX; i++) {
        if (!screen->now->workers[i].known)
            continue;
        if (!titled)
            (void)fprintf(out, "\n%-12s  %11s %10s %7s %10s\n", "worker", "connections", "events/s",
                          "cpu %", "resident");
        titled = true;
        print_worker(out, screen, i);
    }
}

void screen_print(FILE *out, const struct screen *screen)
{
    print_title(out, screen);
    if (screen->now == NULL)
        return;
    print_connections(out, screen);
    print_traffic(out, screen);
    print_times(out, screen);
    print_machine(out, screen);
    print_trouble(out, screen);
    print_named(out, screen, "limits", NAMED_LIMITS);
    print_named(out, screen, "errors", NAMED_ERRORS);
    print_named(out, screen, "slow turns", NAMED_SLOW);
    print_workers(out, screen);
}

/* All of it is ASCII, but for what was typed: a byte is a column, or more than one is. */
static void print_cut(FILE *out, const char *text, size_t rows, size_t columns)
{
    while (*text != '\0' && rows-- > 0) {
        size_t len = strcspn(text, "\n");
        (void)fprintf(out, "%.*s" CLEAR_TO_END, (int)(len < columns ? len : columns), text);
        text += len + (text[len] == '\n');
        if (*text != '\0' && rows > 0)
            (void)fputc('\n', out);
    }
}

void screen_print_sized(FILE *out, const struct screen *screen, size_t rows, size_t columns)
{
    char *text = NULL;
    size_t len;
    FILE *whole = open_memstream(&text, &len);

    if (whole == NULL)
        return;
    screen_print(whole, screen);
    if (fclose(whole) == 0)
        print_cut(out, text, rows, columns);
    free(text);
}
