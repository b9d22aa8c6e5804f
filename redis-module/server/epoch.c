/* epoch -- see epoch.h. */
#include "server/epoch.h"

#include <string.h>

#include "box/box.h"
#include "server/events.h"

enum { GONE_BITS = 8, TERMS = 1 << 16, OWN_MAX = TERMS / 16 };
_Static_assert(BOX_EPOCH_MAX == (UINT32_C(1) << (16 + GONE_BITS)) - 1, "16 bits name the process");

static uint32_t term; /* 1 to 65535 */
static uint32_t gone; /* modulo 1 << GONE_BITS */

/* Terms under which boxes are written since the process began to be a primary, a bit for each. */
static unsigned char own[TERMS / 8];
static uint32_t own_count;

/* Terms that others have had, a bit for each. They are forgotten when there are so many (whoever
 * may RESTORE can bring them all) that it would take long to draw another one. */
static unsigned char seen[TERMS / 8];
static uint32_t seen_count;

static bool has(const unsigned char terms[TERMS / 8], uint32_t one)
{
    return (terms[one / 8] >> one % 8 & 1) != 0;
}

static void add(unsigned char terms[TERMS / 8], uint32_t *count, uint32_t one)
{
    terms[one / 8] |= (unsigned char)(1u << one % 8);
    (*count)++;
}

static void forget(unsigned char terms[TERMS / 8], uint32_t *count)
{
    memset(terms, 0, TERMS / 8);
    *count = 0;
}

static void note_term(uint32_t met)
{
    if (met == 0 || has(seen, met))
        return;
    if (seen_count == TERMS / 2)
        forget(seen, &seen_count);
    add(seen, &seen_count, met);
}

static void draw(void)
{
    unsigned char bytes[2];
    uint32_t next;

    note_term(term);
    do {
        rm_GetRandomBytes(bytes, sizeof bytes);
        next = (uint32_t)bytes[0] << 8 | bytes[1];
    } while (next == 0 || has(seen, next) || has(own, next));
    term = next;
    gone = 0;
}

static void begin(void)
{
    forget(own, &own_count);
    draw();
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

uint32_t epoch_give(void)
{
    if (!has(own, term))
        add(own, &own_count, term);
    return epoch_now();
}

void epoch_enter_database(int database)
{
    static int before;

    if (database != before)
        epoch_note_gone();
    before = database;
}

bool epoch_is_present(uint32_t epoch)
{
    return has(own, epoch >> GONE_BITS);
}

void epoch_note_seen(uint32_t epoch)
{
    uint32_t met = epoch >> GONE_BITS;

    if (met != 0 && met == term && !has(own, term))
        draw(); /* it was drawn before the data was there, and is one of former times */
    else if (met != term)
        note_term(met);
}

/* Where the numbers of a term are used up there is another term, as long as there are many. */
void epoch_note_gone(void)
{
    gone = (gone + 1) & ((UINT32_C(1) << GONE_BITS) - 1);
    if (gone == 0 && has(own, term) && own_count < OWN_MAX)
        draw();
}

void epoch_note_left(uint32_t epoch)
{
    if (epoch == epoch_now())
        epoch_note_gone();
}
