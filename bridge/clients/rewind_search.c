#include "clients/rewind_search.h"

#include <string.h>

#include "redis/resp.h"

bool rewind_instant(const struct since *since, uint64_t now_ms, uint64_t *ret_ms)
{
    if (since->is_span && since->ms > now_ms)
        return false;
    *ret_ms = since->is_span ? now_ms - since->ms : since->ms;
    return *ret_ms + REWIND_SINCE_MAX_MS >= now_ms;
}

void rewind_search_begin(struct rewind_search *search, const struct rewind_wish *wish)
{
    *search = (struct rewind_search){.wish = *wish};
}

/* Where the box ends now. What comes while the rest is found out stands behind that, and so is had,
 * too. */
static size_t words_for_end(struct notify_str key, struct notify_str out[REWIND_WORDS_MAX])
{
    out[0] = NOTIFY_STR("NOTIFY.SINCE");
    out[1] = key;
    out[2] = NOTIFY_STR("$");
    return 3;
}

/* The newest ones before; all, as who follows gets them. */
static size_t words_for_portion(struct rewind_search *search, struct notify_str key,
                                struct notify_str out[REWIND_WORDS_MAX])
{
    size_t lacking = search->wish.last - search->found;

    search->asked = lacking < TURNS_ENTRIES ? lacking : TURNS_ENTRIES;
    out[0] = NOTIFY_STR("NOTIFY.REVRANGE");
    out[1] = key;
    out[2] = notify_str_z(search->before);
    out[3] = NOTIFY_STR("-");
    out[4] = NOTIFY_STR("COUNT");
    out[5] = number_text(search->asked_text, (int64_t)search->asked);
    out[6] = NOTIFY_STR("ALL");
    return 7;
}

size_t rewind_search_words(struct rewind_search *search, struct notify_str key,
                           struct notify_str out[REWIND_WORDS_MAX])
{
    return search->begun ? words_for_portion(search, key, out) : words_for_end(key, out);
}

/* Nothing from this instant on stands before it. */
static struct notify_id before_instant(uint64_t ms)
{
    return notify_id_before((struct notify_id){ms, 0});
}

static enum rewind_step take_end(struct rewind_search *search, const struct resp *boxes)
{
    const struct resp *box = boxes->kind == RESP_ARRAY && boxes->len > 0 ? boxes->items[0] : NULL;
    struct notify_id last, since = before_instant(search->wish.since_ms);

    if (!notify_id_parse(resp_str(resp_member(box, "last")), 0, &last))
        return REWIND_STRANGE;
    search->begun = true;
    search->from.id = last;
    search->from.epoch = (uint32_t)resp_integer(resp_member(box, "epoch"), 0);
    notify_id_format(search->before, last);
    if (search->wish.last > 0)
        return REWIND_ON;
    if (notify_id_cmp(since, last) < 0)
        search->from.id = since;
    return REWIND_FOUND;
}

/* The id of an entry as the command replies it; false: it is none. */
static bool id_of(const struct resp *entry, struct notify_id *ret)
{
    return entry->kind == RESP_ARRAY && entry->len > 0 &&
           notify_id_parse(resp_str(entry->items[0]), 0, ret);
}

static enum rewind_step take_portion(struct rewind_search *search, const struct resp *portion)
{
    struct notify_id id;

    if (portion->kind != RESP_ARRAY)
        return REWIND_STRANGE;
    if (portion->len > 0) {
        if (!id_of(portion->items[portion->len - 1], &id))
            return REWIND_STRANGE;
        search->from.id = notify_id_before(id);
        search->found += portion->len;
        search->before[0] = '(';
        notify_id_format(search->before + 1, id);
    }
    return portion->len < search->asked || search->found >= search->wish.last ? REWIND_FOUND
                                                                              : REWIND_ON;
}

enum rewind_step rewind_search_take(struct rewind_search *search, const struct resp *reply)
{
    return search->begun ? take_portion(search, reply) : take_end(search, reply);
}
