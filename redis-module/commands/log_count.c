/* log_count -- see log_count.h. */
#include "commands/log_count.h"

#include "box/box_extra.h"

struct cursor *log_cursor(const struct box *box, const struct rm_string *log)
{
    return cursors_find(box_cursors(box), rm_str(log));
}

static struct category_wish last_wish;

const struct muted_set *log_muted(const struct box *box)
{
    muted_set_init(&last_wish.muted, box);
    return &last_wish.muted;
}

struct category_wish *log_wish(const struct box *box, const struct filter_categories *categories)
{
    last_wish.only = categories == NULL ? NULL : categories->list;
    last_wish.only_count = categories == NULL ? 0 : categories->count;
    muted_set_init(&last_wish.muted, box);
    return &last_wish;
}

struct cursor_counts log_count(const struct cursor *cursor, const struct box_key *log,
                               struct category_wish *wish)
{
    struct category_choice choice;

    if (cursor == NULL || log->box == NULL)
        return (struct cursor_counts){0, 0};
    choice = category_wish_for(wish, log->box);
    return cursor_count(cursor, log->box, &choice, box_key_now(log));
}
