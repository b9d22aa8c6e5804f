/* log_once -- keeps what happens again and again from filling the log: the same text is written
 * once, and again when a minute has passed. */
#ifndef LOG_ONCE_H
#define LOG_ONCE_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_ONCE_MS 60000
#define LOG_ONCE_TEXT_MAX 160 /* of a longer text only so much is compared */

/* All zero: nothing was written yet. */
struct log_once {
    char text[LOG_ONCE_TEXT_MAX];
    uint64_t written_ms; /* loop clock; 0: never */
    unsigned skipped;    /* since then */
};

/* Whether text is to be written now. *ret_skipped: how often it was not, until then. */
bool log_once(struct log_once *once, uint64_t now_ms, const char *text, unsigned *ret_skipped);
/* What comes next is written in any case. */
void log_once_forget(struct log_once *once);

#endif
