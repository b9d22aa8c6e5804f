/* far_feed -- FEED of an inbox and of logs in other slots: a page of each of them, merged as one
 * server does it, newest first, and of those with one id in the order of their boxes' names.
 *
 * No more is kept than the page: what a log has that lies behind all of it is not even asked for,
 * once the page is full. */
#include <stdlib.h>
#include <string.h>

#include "notify_id.h"
#include "requests/far_private.h"
#include "requests/item.h"

struct entry {
    struct notify_id id;
    struct notify_str name; /* of its box; borrowed */
    char *text;             /* owned */
    size_t len;
};

struct feed {
    struct entry *page; /* owned, in the order of the page */
    size_t len, max;
    int64_t total;
    bool own_goes_on; /* the inbox has more than it has said, behind this: */
    struct notify_id own_end;
    bool has_before; /* where the page begins: behind this id, or of those that have it, behind */
    struct notify_id before;
    struct notify_str before_name; /* this box; empty: before all of them */
};

static size_t number_of(struct notify_str word)
{
    uint64_t number = 0;

    return notify_id_take_number(&word, &number) ? (size_t)number : 0;
}

static void read_before(struct feed *feed, struct notify_str before)
{
    const char *colon = before.len == 0 ? NULL : memchr(before.ptr, ':', before.len);
    size_t id_len = colon == NULL ? before.len : (size_t)(colon - before.ptr);

    feed->has_before = notify_id_parse(notify_str_of(before.ptr, id_len), 0, &feed->before);
    if (colon != NULL)
        feed->before_name = notify_str_of(colon + 1, before.len - id_len - 1);
}

static bool init(struct far *far)
{
    struct feed *feed = far->state;

    feed->max = number_of(far->words.count);
    feed->page = calloc(feed->max + 1, sizeof(*feed->page));
    read_before(feed, far->words.before);
    return feed->page != NULL;
}

static void drop_last(struct feed *feed)
{
    free(feed->page[--feed->len].text);
}

static void release(struct far *far)
{
    struct feed *feed = far->state;

    while (feed->len > 0)
        drop_last(feed);
    free(feed->page);
}

static bool is_before(const struct entry *a, const struct entry *b)
{
    int order = notify_id_cmp(b->id, a->id);

    return order != 0 ? order < 0 : notify_str_cmp(a->name, b->name) < 0;
}

/* False: out of memory. */
static bool insert(struct feed *feed, struct entry entry, struct notify_str text)
{
    size_t at = feed->len;

    while (at > 0 && is_before(&entry, &feed->page[at - 1]))
        at--;
    if (at == feed->max)
        return true;
    entry.text = malloc(text.len + 1);
    if (entry.text == NULL)
        return false;
    memcpy(entry.text, text.ptr, text.len);
    entry.text[text.len] = '\0';
    entry.len = text.len;
    memmove(&feed->page[at + 1], &feed->page[at], (feed->len - at) * sizeof(feed->page[0]));
    feed->page[at] = entry;
    if (++feed->len > feed->max)
        drop_last(feed);
    return true;
}

/* False: that is no page of such a box. */
static bool take_entries(struct far *far, const struct resp *reply, struct notify_str name,
                         struct notify_id *ret_last)
{
    const struct resp *entries = resp_member(reply, "entries");
    struct item item;

    if (entries == NULL || entries->kind != RESP_ARRAY)
        return false;
    for (size_t i = 0; i < entries->len; i++) {
        if (!item_read(entries->items[i], far->words.inbox, &item) ||
            !insert(far->state, (struct entry){.id = item.id, .name = name}, item.message))
            return false;
        *ret_last = item.id;
    }
    return true;
}

/* The inbox itself. */

static bool on_own(struct far *far, size_t which, const struct resp *reply)
{
    struct feed *feed = far->state;

    (void)which;
    feed->total += resp_count(resp_member(reply, "total"));
    feed->own_goes_on = resp_str(resp_member(reply, "next")).len > 0;
    return take_entries(far, reply, far->words.inbox, &feed->own_end);
}

static void ask_own(struct far *far)
{
    struct words words = {.len = 2, .at = {far->words.name, far->words.inbox}};

    words_add_option(&words, NOTIFY_STR("BEFORE"), far->words.before);
    words_add_option(&words, NOTIFY_STR("COUNT"), far->words.count);
    if (far->words.total)
        words_add(&words, NOTIFY_STR("TOTAL"));
    far_words_add_filters(&words, &far->words);
    words_add(&words, NOTIFY_STR("JSON"));
    far_send(far, on_own, 0, &words, far->turn.reply_bytes);
}

/* The logs. */

static bool on_total(struct far *far, size_t i, const struct resp *reply)
{
    const struct resp *total = resp_member(reply, "total");

    (void)i;
    ((struct feed *)far->state)->total += resp_count(total);
    return total != NULL && total->kind == RESP_INTEGER;
}

static void ask_total(struct far *far, size_t i)
{
    struct words words = far_view(far, i);

    words_add(&words, NOTIFY_STR("RANGE"));
    words_add(&words, NOTIFY_STR("-"));
    words_add(&words, NOTIFY_STR("+"));
    words_add_option(&words, NOTIFY_STR("COUNT"), NOTIFY_STR("0"));
    words_add(&words, NOTIFY_STR("TOTAL"));
    far_words_add_filters(&words, &far->words);
    far_send(far, on_total, i, &words, FAR_COUNTS_BYTES);
}

static bool on_page(struct far *far, size_t i, const struct resp *reply)
{
    struct notify_id last;

    return take_entries(far, reply, far->words.logs[i], &last);
}

#define BOUND_TEXT (NOTIFY_ID_TEXT_MAX + 2) /* of an id, and '(' before it */

/* The newest entry that may stand on the page. */
static struct notify_str newest(char out[BOUND_TEXT], const struct feed *feed,
                                struct notify_str log)
{
    bool with_it = feed->before_name.len > 0 && notify_str_cmp(log, feed->before_name) > 0;

    if (!feed->has_before)
        return NOTIFY_STR("+");
    out[0] = '(';
    notify_id_format(out + 1, feed->before);
    return notify_str_z(with_it ? out + 1 : out);
}

/* And the oldest. */
static struct notify_str oldest(char out[BOUND_TEXT], const struct feed *feed)
{
    if (feed->len < feed->max)
        return NOTIFY_STR("-");
    notify_id_format(out, feed->page[feed->len - 1].id);
    return notify_str_z(out);
}

static void ask_page(struct far *far, size_t i)
{
    const struct feed *feed = far->state;
    struct words words = far_view(far, i);
    char from[BOUND_TEXT], to[BOUND_TEXT];

    words_add(&words, NOTIFY_STR("REVRANGE"));
    words_add(&words, newest(from, feed, far->words.logs[i]));
    words_add(&words, oldest(to, feed));
    words_add_option(&words, NOTIFY_STR("COUNT"), far->words.count);
    far_words_add_filters(&words, &far->words);
    words_add(&words, NOTIFY_STR("JSON"));
    far_send(far, on_page, i, &words, far->turn.reply_bytes);
}

static void ask_log(struct far *far, size_t i)
{
    if (!far_follows(far, i))
        return; /* it has no entries */
    if (far->words.total)
        ask_total(far, i);
    if (((struct feed *)far->state)->max > 0)
        ask_page(far, i);
}

/* The page. */

static const struct resp *page_reply(struct far *far)
{
    const struct feed *feed = far->state;
    struct resp_arena *arena = &far->arena;
    struct resp *entries = resp_arena_list(arena, RESP_ARRAY, feed->len);
    struct resp *map = resp_arena_list(arena, RESP_MAP, 4);

    if (arena->failed)
        return NULL;
    for (size_t i = 0; i < feed->len; i++)
        entries->items[i] = resp_arena_text(arena, RESP_STRING,
                                            notify_str_of(feed->page[i].text, feed->page[i].len));
    map->items[0] = resp_arena_text(arena, RESP_STRING, NOTIFY_STR("entries"));
    map->items[1] = entries;
    map->items[2] = resp_arena_text(arena, RESP_STRING, NOTIFY_STR("total"));
    map->items[3] = resp_arena_integer(arena, feed->total);
    return map;
}

/* What the inbox had no room for in its reply comes before what is older in logs. */
static void end(struct far *far)
{
    struct feed *feed = far->state;
    const struct entry own_end = {.id = feed->own_end, .name = far->words.inbox};

    while (feed->own_goes_on && feed->len > 0 && is_before(&own_end, &feed->page[feed->len - 1]))
        drop_last(feed);
    far_answer(far, page_reply(far));
}

const struct far_kind far_feed = {.name = NOTIFY_STR_INIT("NOTIFY.FEED"),
                                  .state_bytes = sizeof(struct feed),
                                  .init = init,
                                  .release = release,
                                  .ask_own = ask_own,
                                  .ask_log = ask_log,
                                  .end = end};
