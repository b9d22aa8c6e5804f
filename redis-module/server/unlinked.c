/* unlinked -- see unlinked.h. */
#include "server/unlinked.h"

#include "notify_str.h"
#include "server/config.h"

/* The last one is the newest. */
static struct unlinked notes[UNLINKED_MAX];
static size_t note_count;

static bool too_many;

/* The place of a key's note, or note_count. */
static size_t find_note(const struct rm_string *key)
{
    struct notify_str wanted = rm_str(key);

    for (size_t i = note_count; i-- > 0;)
        if (notify_str_eq(rm_str(notes[i].key), wanted))
            return i;
    return note_count;
}

bool unlinked_take(const struct rm_string *key, struct unlinked *ret)
{
    size_t i = find_note(key);

    if (i == note_count)
        return false;
    *ret = notes[i];
    rm_FreeString(NULL, notes[i].key);
    notes[i] = notes[--note_count];
    return true;
}

void unlinked_forget(const struct rm_string *key)
{
    struct unlinked note;

    (void)unlinked_take(key, &note);
}

bool unlinked_pop(struct unlinked *ret)
{
    if (note_count == 0)
        return false;
    *ret = notes[--note_count];
    return true;
}

bool unlinked_is_empty(void)
{
    return note_count == 0 && !too_many;
}

bool unlinked_were_too_many(void)
{
    return too_many;
}

void unlinked_drop(void)
{
    while (note_count > 0)
        rm_FreeString(NULL, notes[--note_count].key);
    too_many = false;
}

void unlinked_note(struct rm_optctx *ctx, enum unlinked_kind kind, uint64_t rev)
{
    const struct rm_string *key = rm_GetKeyNameFromOptCtx(ctx);
    struct notify_str name = rm_str(key);

    if (config_get()->publish == CONFIG_PUBLISH_OFF ||
        rm_GetDbIdFromOptCtx(ctx) != config_get()->database)
        return;
    unlinked_forget(key);
    if (note_count == UNLINKED_MAX) {
        unlinked_drop();
        too_many = true;
    }
    notes[note_count++] = (struct unlinked){rm_CreateString(NULL, name.ptr, name.len), kind, rev};
}
