/* Where to begin so that the newest entries of a box are had again. The test plays Redis. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/rewind_search.h"
#include "notify_id.h"
#include "random_testing.h"
#include "redis/resp.h"

#define ENTRIES_MAX 200

/* A box: ids in their order, and where it ends, which may be behind the last one. */
static uint64_t entries[ENTRIES_MAX];
static size_t count;
static uint64_t end_ms;

static struct rewind_search search;

static struct resp text_of(const char *text)
{
    return (struct resp){.kind = RESP_STRING, .str = notify_str_z(text)};
}

static enum rewind_step answer_end(void)
{
    char id[32];
    struct resp parts[4] = {
        text_of("last"), {0}, text_of("epoch"), {.kind = RESP_INTEGER, .integer = 3}};
    struct resp *items[4] = {&parts[0], &parts[1], &parts[2], &parts[3]};
    struct resp box = {.kind = RESP_MAP, .len = 4, .items = items}, *boxes[1] = {&box};
    struct resp reply = {.kind = RESP_ARRAY, .len = 1, .items = boxes};

    (void)snprintf(id, sizeof(id), "%llu-0", (unsigned long long)end_ms);
    parts[1] = text_of(id);
    return rewind_search_take(&search, &reply);
}

static enum rewind_step answer_portion(struct notify_str from, size_t max)
{
    static char ids[ENTRIES_MAX][32];
    static struct resp id[ENTRIES_MAX], entry[ENTRIES_MAX], *id_at[ENTRIES_MAX],
        *entry_at[ENTRIES_MAX];
    struct resp reply = {.kind = RESP_ARRAY, .items = entry_at};
    uint64_t before = strtoull(from.ptr + (from.ptr[0] == '('), NULL, 10) + (from.ptr[0] != '(');

    for (size_t i = count; i-- > 0 && reply.len < max;) {
        if (entries[i] >= before)
            continue;
        (void)snprintf(ids[i], sizeof(ids[i]), "%llu-0", (unsigned long long)entries[i]);
        id[i] = text_of(ids[i]);
        id_at[i] = &id[i];
        entry[i] = (struct resp){.kind = RESP_ARRAY, .len = 1, .items = &id_at[i]};
        entry_at[reply.len++] = &entry[i];
    }
    return rewind_search_take(&search, &reply);
}

/* What Redis replies to the next command. */
static enum rewind_step answer(void)
{
    struct notify_str words[REWIND_WORDS_MAX];
    size_t len = rewind_search_words(&search, NOTIFY_STR("k"), words), asked;

    cr_assert(notify_str_eq(words[1], NOTIFY_STR("k")));
    if (notify_str_eq(words[0], NOTIFY_STR("NOTIFY.SINCE")))
        return answer_end();
    cr_assert_eq(len, 7);
    asked = strtoul(words[5].ptr, NULL, 10);
    cr_assert(asked > 0 && asked <= TURNS_ENTRIES, "a reply stays small");
    return answer_portion(words[2], asked);
}

static void find(size_t last, uint64_t since_ms)
{
    const struct rewind_wish wish = {.last = last, .since_ms = since_ms};
    enum rewind_step step = REWIND_ON;

    rewind_search_begin(&search, &wish);
    while (step == REWIND_ON)
        step = answer();
    cr_assert_eq(step, REWIND_FOUND);
    cr_assert_eq(search.from.epoch, 3);
}

/* Entries behind where it is to begin. */
static size_t behind(void)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += notify_id_cmp((struct notify_id){entries[i], 0}, search.from.id) > 0;
    return n;
}

static void fill(void)
{
    uint64_t at = 1000;

    count = below(ENTRIES_MAX + 1);
    for (size_t i = 0; i < count; i++)
        entries[i] = at += 1 + below(50);
    end_ms = at + below(2) * below(100);
    if (count == 0)
        end_ms = below(2) * 500;
}

Test(rewind_search, finds_the_newest_entries_of_any_box_and_no_more)
{
    random_begin(17);
    for (int i = 0; i < 2000; i++) {
        size_t last = 1 + below(REWIND_LAST_MAX);
        fill();
        find(last, 0);
        cr_assert_eq(behind(), last < count ? last : count);
        cr_assert_leq(search.from.id.ms, end_ms, "no position is of the future");
    }
}

Test(rewind_search, finds_what_is_younger_than_an_instant)
{
    random_begin(18);
    for (int i = 0; i < 2000; i++) {
        uint64_t since = 1 + below(8000);
        size_t wanted = 0;
        fill();
        for (size_t k = 0; k < count; k++)
            wanted += entries[k] >= since;
        find(0, since);
        cr_assert_eq(behind(), wanted);
        cr_assert_leq(search.from.id.ms, end_ms, "no position is of the future");
    }
}

Test(rewind_search, takes_nothing_else_for_a_reply)
{
    static const struct rewind_wish wish = {.last = 5};
    struct resp text = text_of("x"), *items[1] = {&text};
    struct resp array = {.kind = RESP_ARRAY, .len = 1, .items = items};
    const struct resp nothing = {.kind = RESP_ARRAY};

    rewind_search_begin(&search, &wish);
    cr_assert_eq(rewind_search_take(&search, &text), REWIND_STRANGE);
    cr_assert_eq(rewind_search_take(&search, &nothing), REWIND_STRANGE);
    cr_assert_eq(rewind_search_take(&search, &array), REWIND_STRANGE);
    cr_assert_eq(answer_end(), REWIND_ON);
    cr_assert_eq(rewind_search_take(&search, &text), REWIND_STRANGE);
    cr_assert_eq(rewind_search_take(&search, &array), REWIND_STRANGE);
}

Test(rewind_search, an_instant_is_a_week_ago_at_most)
{
    const uint64_t now = UINT64_C(1795208400123), week = REWIND_SINCE_MAX_MS;
    const struct {
        struct since since;
        bool good;
        uint64_t ms;
    } instants[] = {{{.ms = 5000, .is_span = true}, true, now - 5000},
                    {{.ms = week, .is_span = true}, true, now - week},
                    {{.ms = week + 1, .is_span = true}, false, 0},
                    {{.ms = now + 1, .is_span = true}, false, 0},
                    {{.ms = UINT64_MAX, .is_span = true}, false, 0},
                    {{.ms = now - week}, true, now - week},
                    {{.ms = now - week - 1}, false, 0},
                    {{.ms = NOTIFY_ID_MAX_MS}, true, NOTIFY_ID_MAX_MS}};
    uint64_t ms;

    for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
        cr_assert_eq(rewind_instant(&instants[i].since, now, &ms), instants[i].good, "%zu", i);
        cr_assert(!instants[i].good || ms == instants[i].ms, "%zu", i);
    }
}
