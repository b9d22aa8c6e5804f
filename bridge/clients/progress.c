#include "clients/progress.h"

#include <stdlib.h>
#include <string.h>

#include "channels/channel.h"
#include "channels/follow.h"

/* One followed key. */
struct step {
    const struct follow *follow; /* borrowed */
    struct bookmark_key key;     /* where it stands, */
    struct position begin;       /* and stood first, */
    bool known;                  /* if it stands anywhere yet */
};

struct progress {
    uint32_t user;
    uint8_t brought; /* enum progress_brought */
    bool moved;      /* since the last text */
    uint32_t len, cap;
    struct step *steps;        /* owned; in the order of their hashes */
    struct bookmark *bookmark; /* owned: what was brought; or NULL */
};

struct progress *progress_new(void)
{
    struct progress *progress = calloc(1, sizeof(*progress));

    if (progress != NULL)
        progress->moved = true;
    return progress;
}

void progress_free(struct progress *progress)
{
    if (progress == NULL)
        return;
    free(progress->steps);
    free(progress->bookmark);
    free(progress);
}

/* What was brought. */

static struct bookmark *make_bookmark(struct progress *progress)
{
    if (progress->bookmark == NULL)
        progress->bookmark = calloc(1, sizeof(*progress->bookmark));
    return progress->bookmark;
}

void progress_bring_bookmark(struct progress *progress, struct notify_str text)
{
    struct bookmark *bookmark = make_bookmark(progress);

    progress->brought =
        bookmark != NULL && bookmark_parse(text, bookmark) ? PROGRESS_BOOKMARK : PROGRESS_MALFORMED;
}

static struct notify_str text_of_member(const json_t *value)
{
    return notify_str_of(json_string_value(value), json_string_length(value));
}

bool progress_bring_positions(struct progress *progress, const json_t *positions)
{
    struct bookmark *bookmark = make_bookmark(progress);
    const char *key;
    const json_t *value;

    if (bookmark == NULL || !json_is_object(positions))
        return false;
    bookmark->len = 0;
    json_object_foreach((json_t *)positions, key, value)
    {
        struct bookmark_key one = {.hash = bookmark_hash_key(notify_str_z(key))};
        if (!position_parse(text_of_member(value), &one.position) || !bookmark_put(bookmark, one))
            return false;
    }
    progress->brought = PROGRESS_POSITIONS;
    return true;
}

bool progress_bring_found(struct progress *progress, const struct bookmark *found)
{
    struct bookmark *bookmark = make_bookmark(progress);

    if (bookmark == NULL)
        return false;
    *bookmark = *found;
    return true;
}

bool progress_has_begin(const struct progress *progress)
{
    return progress->bookmark != NULL;
}

enum progress_brought progress_brought(const struct progress *progress)
{
    return progress->brought;
}

void progress_forget_brought(struct progress *progress)
{
    free(progress->bookmark);
    progress->bookmark = NULL;
}

bool progress_is_of(struct progress *progress, struct notify_str user)
{
    progress->user = bookmark_hash_user(user);
    if (progress->brought == PROGRESS_MALFORMED)
        progress_forget_brought(progress);
    if (progress->brought != PROGRESS_BOOKMARK || progress->bookmark->user == progress->user)
        return true;
    progress_forget_brought(progress);
    return false;
}

bool progress_find(const struct progress *progress, struct notify_str key,
                   struct position *ret_position)
{
    const struct position *found = progress->bookmark == NULL
                                       ? NULL
                                       : bookmark_find(progress->bookmark, bookmark_hash_key(key));

    if (found != NULL)
        *ret_position = *found;
    return found != NULL;
}

/* What is followed. */

static bool make_room(struct progress *progress)
{
    uint32_t cap = progress->cap == 0 ? 4 : progress->cap * 2;
    struct step *steps;

    if (progress->len < progress->cap)
        return true;
    steps = realloc(progress->steps, cap * sizeof(struct step));
    if (steps == NULL)
        return false;
    progress->steps = steps;
    progress->cap = cap;
    return true;
}

bool progress_add(struct progress *progress, struct follow *follow, struct notify_str key,
                  const struct position *from)
{
    struct step step = {
        .follow = follow, .key = {.hash = bookmark_hash_key(key)}, .known = from != NULL};
    uint32_t at = 0;

    while (at < progress->len && progress->steps[at].key.hash < step.key.hash)
        at++;
    if (progress->len == BOOKMARK_KEYS_MAX ||
        (at < progress->len && progress->steps[at].key.hash == step.key.hash) ||
        !make_room(progress))
        return false;
    if (from != NULL)
        step.key.position = step.begin = *from;
    memmove(&progress->steps[at + 1], &progress->steps[at],
            (progress->len - at) * sizeof(struct step));
    progress->steps[at] = step;
    progress->len++;
    progress->moved = true;
    return true;
}

/* len: there is none. follow NULL: the inbox. */
static uint32_t find_step(const struct progress *progress, const struct follow *follow)
{
    uint32_t at = 0;

    while (at < progress->len && (follow == NULL ? !progress->steps[at].follow->whole
                                                 : progress->steps[at].follow != follow))
        at++;
    return at;
}

void progress_remove(struct progress *progress, const struct follow *follow)
{
    uint32_t at = find_step(progress, follow);

    if (at == progress->len)
        return;
    progress->len--;
    memmove(&progress->steps[at], &progress->steps[at + 1],
            (progress->len - at) * sizeof(struct step));
    progress->moved = true;
}

/* What goes out. */

static void move_to(struct progress *progress, uint32_t at, struct notify_id id, uint32_t epoch)
{
    struct position *position = &progress->steps[at].key.position;

    if (progress->steps[at].known && notify_id_cmp(position->id, id) == 0 &&
        position->epoch == epoch)
        return;
    *position = (struct position){.id = id, .epoch = epoch};
    if (!progress->steps[at].known)
        progress->steps[at].begin = *position;
    progress->steps[at].known = true;
    progress->moved = true;
}

void progress_had(struct progress *progress, const struct follow *source, struct notify_id id,
                  uint32_t epoch)
{
    uint32_t at = notify_id_is_zero(id) ? progress->len : find_step(progress, source);

    if (at < progress->len)
        move_to(progress, at, id, epoch);
}

bool progress_begin(const struct progress *progress, const struct follow *follow,
                    struct position *ret_position)
{
    uint32_t at = find_step(progress, follow);

    if (at == progress->len || !progress->steps[at].known)
        return false;
    *ret_position = progress->steps[at].begin;
    return true;
}

void progress_on_live(struct progress *progress, const struct follow *follow)
{
    uint32_t at = find_step(progress, follow);

    if (at < progress->len && !progress->steps[at].known)
        move_to(progress, at, follow->pos, follow_epoch(follow));
}

/* Behind a gap nothing shows it any more. */
static bool may_settle(const struct follow *follow)
{
    return !follow->from_now && follow->channel != NULL && !follow_owes_gap(follow);
}

void progress_settle(struct progress *progress)
{
    for (uint32_t at = 0; at < progress->len; at++)
        if (may_settle(progress->steps[at].follow))
            move_to(progress, at, progress->steps[at].follow->pos,
                    follow_epoch(progress->steps[at].follow));
}

/* The bookmark. */

size_t progress_text_max(const struct progress *progress)
{
    return BOOKMARK_TEXT_LEN(progress->len);
}

struct notify_str progress_text(struct progress *progress)
{
    static char text[BOOKMARK_TEXT_MAX]; /* one thread */
    struct bookmark_key known[BOOKMARK_KEYS_MAX];
    size_t len = 0;

    if (!progress->moved)
        return (struct notify_str){NULL, 0};
    progress->moved = false;
    for (uint32_t at = 0; at < progress->len; at++)
        if (progress->steps[at].known)
            known[len++] = progress->steps[at].key;
    return notify_str_of(text, bookmark_format(text, progress->user, known, len));
}

static json_t *position_text(const struct position *position)
{
    char text[POSITION_TEXT_MAX + 1];

    return json_stringn(text, position_format(text, position));
}

json_t *progress_positions(const struct progress *progress)
{
    json_t *positions = json_object();

    for (uint32_t at = 0; at < progress->len; at++) {
        struct notify_str key = follow_key(progress->steps[at].follow);
        /* A key that is no UTF-8 is left out. */
        if (progress->steps[at].known)
            (void)json_object_setn_new(positions, key.ptr, key.len,
                                       position_text(&progress->steps[at].key.position));
    }
    return positions;
}
