/* far_mark -- MARK of entries of a log in another slot: the log is asked which of them there are,
 * since the inbox takes ids at their word. */
#include <stdlib.h>

#include "requests/far_private.h"

#define ENTRY_BYTES (TURNS_ENTRIES_BYTES / TURNS_ENTRIES)

struct mark {
    bool *there;       /* owned: one for each id, whether it can be marked */
    size_t count;      /* of those that can */
    struct resp *read; /* up to there all is read: in the arena, or NULL */
    bool tidies, tidied;
};

/* The ids stand behind the state. */
static size_t ids_len(const struct far *far)
{
    return far->words.args_len - 1;
}

static struct notify_str id_at(const struct far *far, size_t which)
{
    return far->words.args[1 + which];
}

static bool init(struct far *far)
{
    struct mark *mark = far->state;

    mark->there = calloc(ids_len(far) + 1, sizeof(*mark->there));
    return mark->there != NULL;
}

static void release(struct far *far)
{
    free(((struct mark *)far->state)->there);
}

static bool is_about_archive(const struct far *far)
{
    return notify_str_eq(far->words.args[0], NOTIFY_STR("ARCHIVED")) ||
           notify_str_eq(far->words.args[0], NOTIFY_STR("UNARCHIVED"));
}

/* An event can be put away, and nothing else. */
static bool can_be_marked(const struct far *far, const struct resp *entry)
{
    struct notify_str kind = {NULL, 0};

    if (entry->kind == RESP_ARRAY && entry->len == 2)
        kind = resp_str(resp_member(entry->items[1], "kind"));
    return is_about_archive(far) || notify_str_eq(kind, NOTIFY_STR("notification"));
}

static bool on_entry(struct far *far, size_t which, const struct resp *reply)
{
    const struct resp *entries = resp_member(reply, "entries"), *read = resp_member(reply, "read");
    struct mark *mark = far->state;

    if (entries == NULL || entries->kind != RESP_ARRAY || read == NULL)
        return false;
    mark->there[which] = entries->len > 0 && can_be_marked(far, entries->items[0]);
    mark->count += mark->there[which];
    if (mark->read == NULL)
        mark->read = resp_arena_copy(&far->arena, read);
    return true;
}

static void ask_entry(struct far *far, size_t i, size_t which)
{
    char text[NOTIFY_ID_TEXT_MAX + 1];
    struct words words;

    if (far_view_entry(far, i, id_at(far, which), text, &words))
        far_send(far, on_entry, which, &words, ENTRY_BYTES);
}

static void ask_log(struct far *far, size_t i)
{
    for (size_t which = 0; far_follows(far, i) && which < ids_len(far); which++)
        ask_entry(far, i, which);
}

/* Marking. */

static bool on_marked(struct far *far, size_t which, const struct resp *reply)
{
    struct mark *mark = far->state;

    (void)which;
    if (resp_is_error(reply, "LIMIT") && !mark->tidied && mark->read != NULL) {
        mark->tidies = true;
        return true;
    }
    if (reply->kind != RESP_INTEGER)
        return false;
    far_answer(far, resp_arena_copy(&far->arena, reply));
    return true;
}

static void send_mark(struct far *far)
{
    const struct mark *mark = far->state;
    struct words words = {.len = 3, .at = {far->words.name, far->words.inbox, far->words.args[0]}};

    for (size_t which = 0; which < ids_len(far); which++)
        if (mark->there[which])
            words_add(&words, id_at(far, which));
    words_add_option(&words, NOTIFY_STR("LOG"), far->words.logs[0]);
    words_add(&words, NOTIFY_STR("BYNAME"));
    far_send(far, on_marked, 0, &words, FAR_COUNTS_BYTES);
}

static bool on_tidied(struct far *far, size_t which, const struct resp *reply)
{
    (void)far;
    (void)which;
    return reply->kind == RESP_INTEGER;
}

/* The inbox cannot know that all up to there is read, so that what it notes of these single ones is
 * needed no more. */
static void tidy(struct far *far)
{
    struct mark *mark = far->state;
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.READALL"), far->words.inbox}};

    words_add_option(&words, NOTIFY_STR("UPTO"), resp_str(mark->read));
    words_add_option(&words, NOTIFY_STR("LOG"), far->words.logs[0]);
    words_add(&words, NOTIFY_STR("BYNAME"));
    mark->tidies = false;
    mark->tidied = true;
    far_send(far, on_tidied, 0, &words, FAR_COUNTS_BYTES);
}

static void end(struct far *far)
{
    const struct mark *mark = far->state;

    if (mark->count == 0)
        far_answer(far, resp_arena_integer(&far->arena, 0));
    else if (mark->tidies)
        tidy(far);
    else
        send_mark(far);
}

const struct far_kind far_mark = {.name = NOTIFY_STR_INIT("NOTIFY.MARK"),
                                  .fixed = 1,
                                  .state_bytes = sizeof(struct mark),
                                  .init = init,
                                  .release = release,
                                  .ask_log = ask_log,
                                  .end = end};
