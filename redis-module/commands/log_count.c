/* log_count -- see log_count.h. */
#include "commands/log_count.h"

struct cursor *log_cursor(const struct box *box, const struct rm_string *log)
{
    struct notify_str name;

    name.ptr = rm_StringPtrLen(log, &name.len);
    return cursors_find(box_cursors(box), name);
}

void log_choice_init(struct log_choice *choice, const struct box *box,
                     const struct filter_categories *categories)
{
    choice->choice = (struct category_choice){NULL, NULL};
    if (categories != NULL && categories->count > 0) {
        category_set_init(&choice->only);
        for (size_t i = 0; i < categories->count; i++)
            category_set_add(&choice->only, categories->list[i]);
        choice->choice.only = &choice->only;
    }
    if (box == NULL || box_category_slots(box) == 0)
        return;
    category_set_init(&choice->muted);
    if (box_tally_muted(box, &choice->muted) > 0)
        choice->choice.without = &choice->muted;
}

struct cursor_counts log_count(const struct cursor *cursor, const struct box_key *log,
                               const struct log_choice *choice)
{
    if (cursor == NULL || log->box == NULL)
        return (struct cursor_counts){0, 0};
    return cursor_count(cursor, log->box, &choice->choice, box_key_now(log));
}
