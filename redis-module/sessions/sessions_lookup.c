/* sessions_lookup -- see sessions_lookup.h. */
#include "sessions/sessions_lookup.h"

#include <string.h>

#include "base/id_table.h"
#include "base/mem.h"
#include "sessions/sessions_store.h"

#define WALKS_WORTH_A_TABLE 4 /* questions; making a table takes about as long as so many walks */
#define COUNT_WORTH_A_TABLE 32

static void fill(struct sessions_lookup *lookup)
{
    for (uint32_t i = 0; i < lookup->set->count; i++) {
        uint32_t at = lookup->set->slots[i].connection_hash & lookup->mask;
        while (lookup->cells[at] != 0)
            at = (at + 1) & lookup->mask;
        lookup->cells[at] = i + 1;
    }
}

void sessions_lookup_init(struct sessions_lookup *lookup, const struct sessions *set,
                          size_t questions)
{
    uint32_t cap = COUNT_WORTH_A_TABLE;

    *lookup = (struct sessions_lookup){.set = set};
    if (questions <= WALKS_WORTH_A_TABLE || set->count < COUNT_WORTH_A_TABLE)
        return;
    while (cap < set->count * 2)
        cap *= 2;
    lookup->cells = mem_try_alloc(cap * sizeof(lookup->cells[0]));
    if (lookup->cells == NULL)
        return;
    memset(lookup->cells, 0, cap * sizeof(lookup->cells[0]));
    lookup->mask = cap - 1;
    fill(lookup);
}

void sessions_lookup_release(struct sessions_lookup *lookup)
{
    mem_free(lookup->cells);
    lookup->cells = NULL;
}

uint32_t sessions_lookup_find(const struct sessions_lookup *lookup, struct notify_str connection)
{
    uint32_t hash = id_table_hash(connection);
    uint32_t at = hash & lookup->mask;

    if (lookup->cells == NULL)
        return sessions_seek(lookup->set, connection);
    for (; lookup->cells[at] != 0; at = (at + 1) & lookup->mask)
        if (sessions_slot_is(&lookup->set->slots[lookup->cells[at] - 1], hash, connection))
            return lookup->cells[at] - 1;
    return SESSIONS_NOWHERE;
}
