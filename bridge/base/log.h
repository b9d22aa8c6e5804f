/* log -- structured lines on standard error: one event with named fields per line.
 *
 *     log_info("closed", "client", log_int(id), "reason", "too slow");
 *
 * gives, in logfmt, `ts=2026-11-20T21:00:00.123Z level=info event=closed client=17 reason="too
 * slow"`, and the same members as one object in JSON. Values are escaped, so that what a peer sent
 * cannot forge a line. Event names and keys are literals of [a-z_]. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Sets what is written from now on. The default is LOG_INFO as LOG_LOGFMT. */
void log_setup(enum log_level level, enum log_format format);
/* Each line names it from now on: which of several processes has written it. */
void log_name_worker(int number);
bool log_enabled(enum log_level level);

/* key, value pairs of const char *, then a null pointer, which the macros add. A NULL value is
 * written as "". */
void log_write(enum log_level level, const char *event, ...) __attribute__((sentinel));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__, (const char *)NULL)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__, (const char *)NULL)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__, (const char *)NULL)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_enabled(LOG_DEBUG))                                                                \
            log_write(LOG_DEBUG, __VA_ARGS__, (const char *)NULL);                                 \
    } while (0)

/* The same of fields that are not known before; those without a value are left out. */
struct log_field {
    const char *key, *value;
};
void log_fields(enum log_level level, const char *event, const struct log_field *fields,
                size_t len);
/* Could a line be written without waiting for whoever reads the log? For lines that others can
 * cause as often as they like. */
bool log_has_room(void);

/* A number or a run of bytes as a value. The text lives in one of 8 buffers used in turn, so it is
 * good for the log call that it stands in. Longer text is cut at 255 bytes. */
const char *log_int(int64_t value);
const char *log_bytes(const char *ptr, unsigned long len);

#endif
