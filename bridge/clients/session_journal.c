#include "clients/session_journal.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/counters.h"
#include "notify_wire.h"

#define UNIT 16 /* bytes; entries take some of them each, and are called by the first */
#define ENTRY_HEAD 4
#define CLASSES ((ENTRY_HEAD + NOTIFY_KEY_MAX + UNIT - 1) / UNIT + 1)

struct entry {
    uint16_t units; /* that it takes, also while it is free */
    uint16_t len;   /* 0: it is free, and the next one of its size is in key */
    char key[UNIT - ENTRY_HEAD];
};

struct session_journal {
    char node[SESSION_JOURNAL_NODE_MAX];
    uint32_t used;          /* units, this head among them */
    uint32_t free[CLASSES]; /* the first entry of so many units; 0: none */
};

#define HEAD_UNITS ((sizeof(struct session_journal) + UNIT - 1) / UNIT)
#define ALL_UNITS (SESSION_JOURNAL_BYTES / UNIT)

static struct entry *entry_at(const struct session_journal *journal, uint32_t unit)
{
    return (struct entry *)(void *)((char *)(uintptr_t)journal + (size_t)unit * UNIT);
}

struct session_journal *session_journal_new(void)
{
    struct session_journal *journal = mmap(NULL, SESSION_JOURNAL_BYTES, PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (journal == MAP_FAILED)
        return NULL;
    session_journal_begin(journal, "");
    return journal;
}

void session_journal_free(struct session_journal *journal)
{
    if (journal != NULL)
        (void)munmap(journal, SESSION_JOURNAL_BYTES); /* cannot fail for what was mapped */
}

void session_journal_begin(struct session_journal *journal, const char *node)
{
    memset(journal, 0, sizeof(*journal));
    (void)snprintf(journal->node, sizeof(journal->node), "%s", node);
    journal->used = HEAD_UNITS;
}

static uint32_t take_free(struct session_journal *journal, uint32_t units)
{
    uint32_t found = journal->free[units];

    if (found != 0)
        memcpy(&journal->free[units], entry_at(journal, found)->key, sizeof(uint32_t));
    return found;
}

/* Whoever reads finds each entry's size before it finds the entry. */
static uint32_t take_new(struct session_journal *journal, uint32_t units)
{
    uint32_t found = journal->used;

    if (units > ALL_UNITS - found) {
        counter_add(COUNTER_SESSION_JOURNAL, 1);
        return 0;
    }
    *entry_at(journal, found) = (struct entry){.units = (uint16_t)units};
    __atomic_store_n(&journal->used, found + units, __ATOMIC_RELEASE);
    return found;
}

uint32_t session_journal_add(struct session_journal *journal, struct notify_str key)
{
    uint32_t units = (uint32_t)((ENTRY_HEAD + key.len + UNIT - 1) / UNIT), found;

    if (journal == NULL || key.len == 0 || units >= CLASSES)
        return 0;
    found = take_free(journal, units);
    if (found == 0)
        found = take_new(journal, units);
    if (found == 0)
        return 0;
    memcpy((char *)entry_at(journal, found) + ENTRY_HEAD, key.ptr, key.len);
    __atomic_store_n(&entry_at(journal, found)->len, (uint16_t)key.len, __ATOMIC_RELEASE);
    return found;
}

void session_journal_remove(struct session_journal *journal, uint32_t entry)
{
    struct entry *at;

    if (journal == NULL || entry == 0)
        return;
    at = entry_at(journal, entry);
    __atomic_store_n(&at->len, 0, __ATOMIC_RELEASE);
    memcpy(at->key, &journal->free[at->units], sizeof(uint32_t));
    journal->free[at->units] = entry;
}

const char *session_journal_node(const struct session_journal *journal)
{
    return journal->node;
}

/* Can an entry stand there that lies within what is used? Who wrote it may have been anybody. */
static bool is_whole(const struct session_journal *journal, uint32_t at)
{
    const struct entry *entry = entry_at(journal, at);

    return entry->units != 0 && entry->units <= journal->used - at &&
           ENTRY_HEAD + (size_t)entry->len <= (size_t)entry->units * UNIT;
}

struct notify_str session_journal_next(const struct session_journal *journal, uint32_t *at)
{
    uint32_t unit = *at < HEAD_UNITS ? (uint32_t)HEAD_UNITS : *at;
    const struct entry *entry;

    while (journal->used <= ALL_UNITS && unit < journal->used && is_whole(journal, unit)) {
        entry = entry_at(journal, unit);
        unit += entry->units;
        *at = unit;
        if (entry->len > 0)
            return notify_str_of((const char *)entry + ENTRY_HEAD, entry->len);
    }
    return notify_str_of("", 0);
}
