#include "base/log_once.h"

#include <string.h>

bool log_once(struct log_once *once, uint64_t now_ms, const char *text, unsigned *ret_skipped)
{
    bool same = once->written_ms != 0 && now_ms - once->written_ms < LOG_ONCE_MS &&
                strncmp(once->text, text, LOG_ONCE_TEXT_MAX - 1) == 0;

    *ret_skipped = once->skipped;
    once->skipped = same ? once->skipped + 1 : 0;
    if (same)
        return false;
    once->written_ms = now_ms;
    strncpy(once->text, text, LOG_ONCE_TEXT_MAX - 1);
    return true;
}

void log_once_forget(struct log_once *once)
{
    once->written_ms = 0;
}
