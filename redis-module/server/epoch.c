/* epoch -- see epoch.h. */
#include "server/epoch.h"

#include "box/box.h"
#include "server/events.h"

enum { GONE_BITS = 8, SEEN_MAX = 16 };
_Static_assert(BOX_EPOCH_MAX == (UINT32_C(1) << (16 + GONE_BITS)) - 1, "16 bits name the process");

static uint32_t term; /* 1 to 65535 */
static uint32_t gone; /* modulo 1 << GONE_BITS */

/* Terms that others have had, each once; the oldest is replaced first. */
static uint32_t seen[SEEN_MAX];
static size_t seen_next;

static bool was_seen(uint32_t wanted)
{
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (seen[i] == wanted)
            return true;
    return false;
}

static void note_term(uint32_t met)
{
    if (met == 0 || was_seen(met))
        return;
    seen[seen_next] = met;
    seen_next = (seen_next + 1) % SEEN_MAX;
}

static void begin(void)
{
    unsigned char bytes[2];
    uint32_t next;

    note_term(term);
    do {
        rm_GetRandomBytes(bytes, sizeof bytes);
        next = (uint32_t)bytes[0] << 8 | bytes[1];
    } while (next == 0 || was_seen(next));
    term = next;
    gone = 0;
}

static void on_role_changed(struct rm_ctx *ctx, struct rm_event event, uint64_t subevent,
                            void *data)
{
    (void)ctx, (void)event, (void)data;
    if (subevent == RM_ROLE_NOW_PRIMARY)
        begin();
}

bool epoch_init(struct rm_ctx *ctx)
{
    begin();
    return events_listen(ctx, RM_EVENT_ROLE_CHANGED, on_role_changed);
}

uint32_t epoch_now(void)
{
    return term << GONE_BITS | gone;
}

bool epoch_is_present(uint32_t epoch)
{
    return epoch >> GONE_BITS == term;
}

void epoch_note_seen(uint32_t epoch)
{
    if (!epoch_is_present(epoch))
        note_term(epoch >> GONE_BITS);
}

void epoch_note_gone(void)
{
    gone = (gone + 1) & ((UINT32_C(1) << GONE_BITS) - 1);
}
