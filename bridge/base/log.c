#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/iso_time.h"
#include "base/number.h"

#define LINE_MAX_BYTES 4096
#define VALUE_MAX_BYTES 256
#define VALUE_BUFFERS 8

static enum log_level max_level = LOG_INFO;
static enum log_format line_format = LOG_LOGFMT;
static int worker = -1;
static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    bool full; /* something did not fit */
};

void log_setup(enum log_level level, enum log_format format)
{
    max_level = level;
    line_format = format;
}

void log_name_worker(int number)
{
    worker = number;
}

bool log_enabled(enum log_level level)
{
    return level <= max_level;
}

/* What does not fit is left out; three bytes stay free for the end of the line. */
static void put(struct line *line, const char *ptr, size_t len)
{
    if (len > sizeof(line->text) - 3 - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, ptr, len);
    line->len += len;
}

static void put_z(struct line *line, const char *z)
{
    put(line, z, strlen(z));
}

static bool needs_quotes(const char *value)
{
    if (*value == '\0')
        return true;
    for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c >= 0x7f)
            return true;
    return false;
}

/* Both formats take the string syntax of JSON. Bytes above 0x7e are written as \u00xx one by one: a
 * peer's bytes need not be UTF-8, and a terminal must not obey them. */
static void put_quoted(struct line *line, const char *value)
{
    char escape[8];

    put(line, "\"", 1);
    for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            put(line, (char[]){'\\', (char)*c}, 2);
        } else if (*c < ' ' || *c >= 0x7f) {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", *c); /* always fits */
            put_z(line, escape);
        } else {
            put(line, (const char *)c, 1);
        }
    }
    put(line, "\"", 1);
}

/* A field that does not fit is left out as a whole: half of one would be no JSON. */
static void put_field(struct line *line, const char *key, const char *value)
{
    bool json = line_format == LOG_JSON;
    size_t start = line->len;

    line->full = false;
    if (line->len > 0)
        put(line, json ? "," : " ", 1);
    if (json)
        put_quoted(line, key);
    else
        put_z(line, key);
    put(line, json ? ":" : "=", 1);
    if (json || needs_quotes(value))
        put_quoted(line, value);
    else
        put_z(line, value);
    if (line->full)
        line->len = start;
}

static void format_now(char out[ISO_TIME_LEN + 1])
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    iso_time_format(out, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static void begin_line(struct line *line, enum log_level level, const char *event)
{
    char now[ISO_TIME_LEN + 1], number[NUMBER_TEXT_MAX + 1];

    line->len = 0;
    format_now(now);
    if (line_format == LOG_JSON)
        line->text[line->len++] = '{';
    /* Not put_field: the brace must not be followed by a comma. */
    put_z(line, line_format == LOG_JSON ? "\"ts\":\"" : "ts=");
    put_z(line, now);
    if (line_format == LOG_JSON)
        put(line, "\"", 1);
    put_field(line, "level", level_names[level]);
    put_field(line, "event", event);
    if (worker >= 0) {
        (void)number_text(number, worker);
        put_field(line, "worker", number);
    }
}

/* One write per line, so that lines of several workers do not mix. A log that cannot be written
 * must not stop the service. */
static void end_line(struct line *line)
{
    if (line_format == LOG_JSON)
        line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
    if (write(STDERR_FILENO, line->text, line->len) < 0)
        return;
}

void log_write(enum log_level level, const char *event, ...)
{
    struct line line;
    va_list args;
    const char *key, *value;

    if (!log_enabled(level))
        return;
    begin_line(&line, level, event);
    va_start(args, event);
    while ((key = va_arg(args, const char *)) != NULL) {
        value = va_arg(args, const char *);
        put_field(&line, key, value == NULL ? "" : value);
    }
    va_end(args);
    end_line(&line);
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t len)
{
    struct line line;

    if (!log_enabled(level))
        return;
    begin_line(&line, level, event);
    for (size_t i = 0; i < len; i++)
        if (fields[i].value != NULL)
            put_field(&line, fields[i].key, fields[i].value);
    end_line(&line);
}

/* A pipe is writable when PIPE_BUF bytes have room in it, and no line is longer. */
bool log_has_room(void)
{
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&log, 1, 0) > 0 && (log.revents & POLLOUT) != 0;
}

static char *next_buffer(void)
{
    static char buffers[VALUE_BUFFERS][VALUE_MAX_BYTES];
    static unsigned turn;

    return buffers[turn++ % VALUE_BUFFERS];
}

const char *log_int(int64_t value)
{
    char *out = next_buffer();

    (void)number_text(out, value);
    return out;
}

const char *log_bytes(const char *ptr, unsigned long len)
{
    char *out = next_buffer();

    if (len > VALUE_MAX_BYTES - 1)
        len = VALUE_MAX_BYTES - 1;
    if (len > 0)
        memcpy(out, ptr, len);
    out[len] = '\0';
    return out;
}
