/* box_feed -- see box_feed.h. */
#include "box/box_feed.h"

/* ---- a heap: no entry comes before that of its parent ---- */

static bool is_before(const struct feed *feed, size_t a, size_t b)
{
    const struct feed_source *x = &feed->sources[feed->heap[a]];
    const struct feed_source *y = &feed->sources[feed->heap[b]];
    int order = notify_id_cmp(y->entry.id, x->entry.id);

    return order != 0 ? order < 0 : notify_str_cmp(x->name, y->name) < 0;
}

static void swap(struct feed *feed, size_t a, size_t b)
{
    uint32_t index = feed->heap[a];

    feed->heap[a] = feed->heap[b];
    feed->heap[b] = index;
}

static void sink(struct feed *feed, size_t at)
{
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < feed->count; child++)
            if (is_before(feed, child, first))
                first = child;
        if (first == at)
            return;
        swap(feed, at, first);
        at = first;
    }
}

/* ---- the feed ---- */

/* The greatest id of this source that comes after the position. False: none can. */
static bool last_id_after(const struct feed_source *source, const struct feed_position *before,
                          struct notify_id *ret_id)
{
    *ret_id = NOTIFY_ID_GREATEST;
    if (before == NULL)
        return true;
    *ret_id = before->id;
    if (before->name.ptr != NULL && notify_str_cmp(source->name, before->name) > 0)
        return true;
    *ret_id = notify_id_before(before->id);
    return !notify_id_is_zero(before->id);
}

void feed_init(struct feed *feed, struct feed_source *sources, uint32_t *heap, size_t count,
               const struct box_filter *filter, const struct feed_position *before)
{
    *feed = (struct feed){sources, heap, 0, false};
    for (size_t i = 0; i < count; i++) {
        struct feed_source *source = &sources[i];
        struct box_range range = {.reverse = true, .now_ms = source->now_ms, .filter = *filter};
        if (!last_id_after(source, before, &range.to))
            continue;
        box_view_iter_init(&source->iter, source->view, &range);
        if (box_view_iter_next(&source->iter, &source->entry))
            heap[feed->count++] = (uint32_t)i;
    }
    for (size_t i = feed->count / 2; i-- > 0;)
        sink(feed, i);
}

/* Takes the entry that was handed out off the heap. */
static void advance(struct feed *feed)
{
    struct feed_source *first = &feed->sources[feed->heap[0]];

    if (!box_view_iter_next(&first->iter, &first->entry))
        feed->heap[0] = feed->heap[--feed->count];
    sink(feed, 0);
}

struct feed_source *feed_next(struct feed *feed)
{
    if (feed->is_out)
        advance(feed);
    feed->is_out = feed->count > 0;
    return feed->is_out ? &feed->sources[feed->heap[0]] : NULL;
}
