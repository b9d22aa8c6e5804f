/* inbox -- see inbox.h. */
#include "commands/inbox.h"

#include "base/mem.h"
#include "commands/log_count.h"
#include "server/reply.h"

static bool reserve(struct inbox *inbox, size_t count)
{
    inbox->parts = mem_try_alloc(count * sizeof inbox->parts[0]);
    inbox->sources = mem_try_alloc(count * sizeof inbox->sources[0]);
    inbox->heap = mem_try_alloc(count * sizeof inbox->heap[0]);
    return inbox->parts != NULL && inbox->sources != NULL && inbox->heap != NULL;
}

/* Opens the next part. False: WRONGTYPE, or no memory; replied. */
static bool open_part_or_reply(struct inbox *inbox, struct rm_string *name,
                               const struct muted_set *muted)
{
    struct inbox_part *part = &inbox->parts[inbox->count];
    int rc = 0;

    *part = (struct inbox_part){.has_box = false};
    if (!box_key_open_or_reply(&part->bk, inbox->ctx, name, RM_READ))
        return false;
    if (inbox->count == 0)
        box_view_own(&part->view, part->bk.box);
    else
        rc = box_view_follow(&part->view, part->bk.box, log_cursor(inbox->parts[0].bk.box, name),
                             muted);
    inbox->sources[inbox->count++] = (struct feed_source){
        .name = box_key_name(&part->bk), .view = &part->view, .now_ms = box_key_now(&part->bk)};
    if (rc != 0)
        (void)reply_no_memory(inbox->ctx);
    return rc == 0;
}

bool inbox_open_or_reply(struct inbox *inbox, struct rm_ctx *ctx, struct rm_string *key,
                         const struct log_args *logs)
{
    const struct muted_set *muted;
    bool is_open;

    *inbox = (struct inbox){.ctx = ctx};
    if (!reserve(inbox, logs->count + 1)) {
        inbox_close(inbox);
        (void)reply_no_memory(ctx);
        return false;
    }
    is_open = open_part_or_reply(inbox, key, NULL);
    muted = is_open ? log_muted(inbox->parts[0].bk.box) : NULL;
    for (size_t i = 0; is_open && i < logs->count; i++)
        is_open = open_part_or_reply(inbox, logs->names[i], muted);
    if (!is_open)
        inbox_close(inbox);
    return is_open;
}

void inbox_close(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->count; i++) {
        box_view_release(&inbox->parts[i].view);
        box_key_close(&inbox->parts[i].bk);
    }
    mem_free(inbox->parts);
    mem_free(inbox->sources);
    mem_free(inbox->heap);
}

void inbox_feed(struct inbox *inbox, struct feed *feed, const struct box_filter *filter,
                const struct feed_position *before)
{
    feed_init(feed, inbox->sources, inbox->heap, inbox->count, filter, before);
}

const struct render_box *inbox_box(struct inbox *inbox, const struct feed_source *source)
{
    struct inbox_part *part = &inbox->parts[source - inbox->sources];
    const struct box *own = inbox->parts[0].bk.box;

    if (part->has_box)
        return &part->box;
    part->has_box = true;
    part->box = (struct render_box){.key = source->name, .rev = box_rev(part->bk.box)};
    if (part == inbox->parts)
        part->box.unread = box_unread(own, source->now_ms);
    else
        part->box.unread =
            log_count(part->view.sight.cursor, &part->bk, log_wish(own, NULL)).unread;
    return &part->box;
}
