/* far_page -- entries of one log in another slot, as an inbox sees them: RANGE, REVRANGE and GET
 * with LOG. */
#include "requests/far_private.h"

/* RANGE, REVRANGE: the page that the log gives; none, if it is not followed. */

struct page {
    const struct resp *entries;
};

static bool on_page(struct far *far, size_t which, const struct resp *reply)
{
    const struct resp *entries = resp_member(reply, "entries");

    (void)which;
    if (entries == NULL || entries->kind != RESP_ARRAY)
        return false;
    ((struct page *)far->state)->entries = resp_arena_copy(&far->arena, entries);
    return true;
}

static void ask_page(struct far *far, size_t i)
{
    struct words words = far_view(far, i);

    if (!far_follows(far, i))
        return;
    words_add(&words, far->kind == &far_range ? NOTIFY_STR("RANGE") : NOTIFY_STR("REVRANGE"));
    words_add(&words, far->words.args[0]);
    words_add(&words, far->words.args[1]);
    words_add_option(&words, NOTIFY_STR("COUNT"), far->words.count);
    far_words_add_filters(&words, &far->words);
    if (far->words.json)
        words_add(&words, NOTIFY_STR("JSON"));
    far_send(far, on_page, i, &words, far->turn.reply_bytes);
}

static void end_page(struct far *far)
{
    const struct resp *entries = ((struct page *)far->state)->entries;

    far_answer(far, entries != NULL ? entries : resp_arena_list(&far->arena, RESP_ARRAY, 0));
}

#define RANGE_KIND(of)                                                                             \
    {                                                                                              \
        .name = NOTIFY_STR_INIT(of), .fixed = 2, .state_bytes = sizeof(struct page),               \
        .ask_log = ask_page, .end = end_page                                                       \
    }

const struct far_kind far_range = RANGE_KIND("NOTIFY.RANGE");
const struct far_kind far_revrange = RANGE_KIND("NOTIFY.REVRANGE");

/* GET: the entries with these ids, nil for those that are not there. */

struct got {
    struct resp *list;
};

static bool init_got(struct far *far)
{
    struct got *got = far->state;

    got->list = resp_arena_list(&far->arena, RESP_ARRAY, far->words.args_len);
    for (size_t i = 0; got->list != NULL && i < far->words.args_len; i++)
        got->list->items[i] = resp_arena_text(&far->arena, RESP_NIL, NOTIFY_STR(""));
    return !far->arena.failed;
}

static bool on_entry(struct far *far, size_t which, const struct resp *reply)
{
    const struct resp *entries = resp_member(reply, "entries");

    if (entries == NULL || entries->kind != RESP_ARRAY)
        return false;
    if (entries->len > 0)
        ((struct got *)far->state)->list->items[which] =
            resp_arena_copy(&far->arena, entries->items[0]);
    return true;
}

static void ask_entry(struct far *far, size_t i, size_t which)
{
    char text[NOTIFY_ID_TEXT_MAX + 1];
    struct words words;

    if (!far_view_entry(far, i, far->words.args[which], text, &words))
        return;
    if (far->words.json)
        words_add(&words, NOTIFY_STR("JSON"));
    far_send(far, on_entry, which, &words, far->turn.reply_bytes / far->words.args_len);
}

static void ask_entries(struct far *far, size_t i)
{
    for (size_t which = 0; far_follows(far, i) && which < far->words.args_len; which++)
        ask_entry(far, i, which);
}

static void end_got(struct far *far)
{
    far_answer(far, ((struct got *)far->state)->list);
}

const struct far_kind far_get = {.name = NOTIFY_STR_INIT("NOTIFY.GET"),
                                 .state_bytes = sizeof(struct got),
                                 .init = init_got,
                                 .ask_log = ask_entries,
                                 .end = end_got};
