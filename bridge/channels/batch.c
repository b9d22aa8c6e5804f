#include "channels/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/filter.h"
#include "wire/frame.h"

/* Beside the payloads: what stands in memory for each event, and for all of them. */
#define EVENT_BYTES (sizeof(struct event) + 32)
#define BATCH_BYTES (sizeof(struct batch) + 96)

/* What a batch comes to for one filter. */
struct choice {
    struct filter *filter; /* owned reference */
    struct batch *events;  /* owned */
};

struct batch_choices {
    size_t len, next; /* next: is replaced when all are taken */
    struct choice at[BATCH_CHOICES_MAX];
};

/* What becomes of it. */

void batch_settle(struct batch *batch)
{
    for (size_t i = 0; batch->choices != NULL && i < batch->choices->len; i++)
        batch_settle(batch->choices->at[i].events);
    if (batch->uncounted != NULL)
        batch_settle(batch->uncounted);
    if (batch->placed != NULL)
        batch_settle(batch->placed);
    for (size_t i = 0; i < batch->len; i++)
        reach_add(&batch->events[i]->reach, &batch->reach);
    batch->reach = (struct reach){{0}};
}

static void choice_release(struct choice *choice)
{
    batch_settle(choice->events);
    filter_unref(choice->filter);
    batch_free(choice->events);
}

static void forget_choices(struct batch *batch)
{
    if (batch->choices == NULL)
        return;
    for (size_t i = 0; i < batch->choices->len; i++)
        choice_release(&batch->choices->at[i]);
    free(batch->choices);
    batch->choices = NULL;
}

/* What became of it counts all the same. */
static void forget_form(struct batch **form)
{
    if (*form != NULL)
        batch_settle(*form);
    *form = batch_free(*form);
}

static void forget_made(struct batch *batch)
{
    for (size_t i = 0; i < DIALECT_COUNT; i++)
        batch->joined[i] = frame_unref(batch->joined[i]);
    forget_choices(batch);
    forget_form(&batch->uncounted);
    forget_form(&batch->placed);
}

int batch_push(struct batch *batch, struct event *event)
{
    if (batch->len == batch->cap) {
        size_t cap = batch->cap == 0 ? 8 : batch->cap * 2;
        struct event **events = realloc(batch->events, cap * sizeof(struct event *));
        if (events == NULL)
            return -ENOMEM;
        batch->events = events;
        batch->cap = cap;
    }
    forget_made(batch);
    batch->events[batch->len++] = event_ref(event);
    batch->bytes += event->len;
    batch->epoch = event->epoch != 0 ? event->epoch : batch->epoch;
    batch->excludes |= event->exclude.len > 0 || event->request.len > 0;
    batch->ends_box |= event->whole_box != WHOLE_BOX_STAYS;
    batch->counts_log |= event->counts_log;
    return 0;
}

int batch_append(struct batch **batch, struct event *event)
{
    if (*batch == NULL)
        *batch = calloc(1, sizeof(**batch));
    return *batch == NULL ? -ENOMEM : batch_push(*batch, event);
}

void batch_drop_first(struct batch *batch, size_t n)
{
    forget_made(batch);
    for (size_t i = 0; i < n; i++) {
        batch->bytes -= batch->events[i]->len;
        event_unref(batch->events[i]);
    }
    batch->len -= n;
    batch->epoch = batch->len > 0 ? batch->epoch : 0; /* of the rest it may be so still, */
    batch->excludes &= batch->len > 0;                /* as this */
    batch->ends_box &= batch->len > 0;
    batch->counts_log &= batch->len > 0;
    if (batch->len > 0)
        memmove(batch->events, batch->events + n, batch->len * sizeof(struct event *));
}

void batch_clear(struct batch *batch)
{
    batch_drop_first(batch, batch->len);
}

void batch_release(struct batch *batch)
{
    batch_clear(batch);
    free(batch->events);
    *batch = (struct batch){0};
}

struct batch *batch_free(struct batch *batch)
{
    if (batch != NULL)
        batch_release(batch);
    free(batch);
    return NULL;
}

size_t batch_cost(const struct batch *batch)
{
    return batch == NULL ? 0 : BATCH_BYTES + batch->len * EVENT_BYTES + batch->bytes;
}

/* False, here and below: out of memory. */
static bool push_discreet(struct batch *batch, struct event *event)
{
    struct event *discreet = event == NULL ? NULL : event_discreet(event);

    return discreet != NULL && batch_push(batch, discreet) == 0;
}

/* The epoch that an entry says which is held back, the next one says. */
static bool choose_events(const struct batch *batch, const struct filter *filter,
                          struct batch *chosen)
{
    uint32_t untold = 0;

    for (size_t i = 0; i < batch->len; i++) {
        struct event *event = batch->events[i];
        bool tells = untold != 0 && event->kind == EVENT_ENTRY;
        if (!filter_passes(filter, event)) {
            untold = event->epoch != 0 ? event->epoch : untold;
            continue;
        }
        if (!push_discreet(chosen, tells ? event_with_epoch(event, untold) : event))
            return false;
        untold = tells ? 0 : untold;
    }
    return true;
}

static bool choose(const struct batch *batch, struct filter *filter, struct choice *ret)
{
    ret->events = calloc(1, sizeof(*ret->events));
    if (ret->events != NULL && !choose_events(batch, filter, ret->events))
        ret->events = batch_free(ret->events);
    if (ret->events == NULL)
        return false;
    ret->filter = filter_ref(filter);
    return true;
}

static const struct choice *find_choice(const struct batch *batch, const struct filter *filter)
{
    for (size_t i = 0; batch->choices != NULL && i < batch->choices->len; i++)
        if (batch->choices->at[i].filter == filter)
            return &batch->choices->at[i];
    return NULL;
}

static const struct choice *keep_choice(struct batch *batch, struct choice choice)
{
    struct batch_choices *choices = batch->choices;
    struct choice *at;

    if (choices->len < BATCH_CHOICES_MAX) {
        at = &choices->at[choices->len++];
    } else {
        at = &choices->at[choices->next];
        choices->next = (choices->next + 1) % BATCH_CHOICES_MAX;
        choice_release(at);
    }
    *at = choice;
    return at;
}

struct batch *batch_for(struct batch *batch, struct filter *filter)
{
    const struct choice *choice = find_choice(batch, filter);
    struct choice made;

    if (choice == NULL) {
        if (batch->choices == NULL)
            batch->choices = calloc(1, sizeof(*batch->choices));
        if (batch->choices == NULL || !choose(batch, filter, &made))
            return NULL;
        choice = keep_choice(batch, made);
    }
    return choice->events;
}

typedef struct event *form_fn(struct event *event, uint32_t epoch);

/* Of all its events. NULL: out of memory. */
static struct batch *make_form(const struct batch *batch, form_fn *form, uint32_t epoch)
{
    struct batch *made = calloc(1, sizeof(*made));

    for (size_t i = 0; made != NULL && i < batch->len; i++) {
        struct event *event = form(batch->events[i], epoch);
        if (event == NULL || batch_push(made, event) != 0)
            made = batch_free(made);
    }
    return made;
}

static struct event *uncount(struct event *event, uint32_t epoch)
{
    (void)epoch;
    return event_uncounted(event);
}

struct batch *batch_uncounted(struct batch *batch)
{
    if (!batch->counts_log)
        return batch;
    if (batch->uncounted == NULL)
        batch->uncounted = make_form(batch, uncount, 0);
    return batch->uncounted;
}

static struct event *place(struct event *event, uint32_t epoch)
{
    if (event->kind != EVENT_ENTRY)
        return event_without_epoch(event);
    return epoch == 0 ? event : event_with_epoch(event, epoch);
}

static bool is_placed(const struct batch *batch, uint32_t epoch)
{
    for (size_t i = 0; i < batch->len; i++) {
        const struct event *event = batch->events[i];
        if (event->kind == EVENT_ENTRY ? event->epoch == 0 && epoch != 0 : event->epoch != 0)
            return false;
    }
    return true;
}

struct batch *batch_placed(struct batch *batch, uint32_t epoch)
{
    if (batch->placed != NULL && batch->placed_epoch == epoch)
        return batch->placed;
    if (is_placed(batch, epoch))
        return batch;
    forget_form(&batch->placed);
    batch->placed = make_form(batch, place, epoch);
    batch->placed_epoch = epoch;
    return batch->placed;
}

/* NULL: out of memory. */
static struct frame *join_frames(const struct batch *batch, enum dialect dialect, bool deflated)
{
    struct frame **frames = malloc((batch->len + 1) * sizeof(struct frame *));
    struct frame *joined = NULL;

    if (frames == NULL)
        return NULL;
    for (size_t i = 0; i < batch->len; i++) {
        frames[i] = event_frame(batch->events[i], dialect);
        if (frames[i] == NULL)
            goto out;
        if (deflated)
            frames[i] = frame_deflated(frames[i]);
    }
    joined = frame_join(batch->len, frames);
out:
    free(frames);
    return joined;
}

/* A batch of one needs no joining: the event's own frame serves. */
struct frame *batch_frame(struct batch *batch, enum dialect dialect)
{
    if (batch->joined[dialect] != NULL)
        return batch->joined[dialect];
    if (batch->len == 1)
        return event_frame(batch->events[0], dialect);
    batch->joined[dialect] = join_frames(batch, dialect, false);
    return batch->joined[dialect];
}

struct frame *batch_deflated(struct batch *batch, enum dialect dialect)
{
    struct frame *frame = batch_frame(batch, dialect);

    if (frame == NULL)
        return NULL;
    if (batch->len != 1 && !frame->deflate_tried)
        frame_set_deflated(frame, join_frames(batch, dialect, true));
    return frame_deflated(frame);
}

struct notify_id batch_last_id(const struct batch *batch)
{
    for (size_t i = batch->len; i-- > 0;)
        if (batch->events[i]->kind == EVENT_ENTRY)
            return batch->events[i]->id;
    return (struct notify_id){0, 0};
}

size_t batch_after(const struct batch *batch, struct notify_id pos)
{
    for (size_t i = batch->len; i-- > 0;)
        if (batch->events[i]->kind == EVENT_ENTRY && notify_id_cmp(batch->events[i]->id, pos) <= 0)
            return i + 1;
    return 0;
}

bool batch_has(const struct batch *batch, struct notify_id id)
{
    size_t behind = batch_after(batch, id);

    return behind > 0 && notify_id_cmp(batch->events[behind - 1]->id, id) == 0;
}
