/* sessions_gone -- see sessions_gone.h. */
#include "server/sessions_gone.h"

/* The greatest revision that was told of the sets that are gone: one more than their own. A greater
 * one than a time was made up by somebody, and others are not to suffer from it. */
static uint64_t gone_rev;

void sessions_gone_note(const struct sessions *set)
{
    uint64_t rev = sessions_rev(set);

    if (rev >= gone_rev && rev < SESSIONS_TIME_MAX)
        gone_rev = rev + 1;
}

uint64_t sessions_gone_first_rev(uint64_t now_ms)
{
    return now_ms > gone_rev ? now_ms : gone_rev + 1;
}
