/* poll_memory -- boxes in a table. Each call is done, and told, in the next turn of the loop, as if
 * somebody else had to be asked. */
#include "socketio/poll_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/heartbeat.h"
#include "base/loop.h"
#include "socketio/parcel.h"

#define TICK_MS 50
#define NEVER UINT64_MAX
#define NOT_LOST POLL_DONE

struct box {
    struct hash_node node; /* first */
    struct heartbeat_node deadline;
    struct poll_memory *memory; /* borrowed */
    char *sid;                  /* owned, as all of these */
    struct parcel state, input, t, answer;
    size_t looked; /* bytes of input that the holder has */
    uint64_t ping_ms, dead_ms;
    struct poll_hold *hold; /* owned by the holder; or NULL */
    bool probed, upgraded;
};

struct poll_hold {
    struct box *box;       /* NULL: lost */
    enum poll_result lost; /* why */
    struct parcel t;
    void (*on_wake)(void *ctx);
    void *ctx;
};

struct job {
    struct poll_memory *memory;
    TAILQ_ENTRY(job) link;
    void (*run)(struct job *job);
    poll_fn fn; /* NULL: nobody minds */
    void *ctx;
    struct parcel sid, a, b; /* what the call was given */
    struct poll_hold *hold;
    void (*on_wake)(void *ctx);
    enum poll_taker taker;
    unsigned flags;
    bool pinged;
};

struct poll_memory {
    struct loop *loop; /* borrowed */
    struct poll_memory_config config;
    struct hash_table boxes;
    struct heartbeat *deadlines;     /* owned */
    TAILQ_HEAD(job_queue, job) jobs; /* owned */
};

/* Boxes. */

static struct notify_str sid_of(const struct box *box)
{
    return notify_str_z(box->sid);
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, sid_of((const struct box *)node));
}

static struct box *find(struct poll_memory *memory, struct notify_str sid)
{
    struct hash_node *node = hash_table_chain(&memory->boxes, hash_bytes(&memory->boxes.key, sid));

    while (node != NULL && !notify_str_eq(sid_of((struct box *)node), sid))
        node = node->next;
    if (node != NULL && loop_now_ms(memory->loop) >= ((struct box *)node)->dead_ms)
        return NULL; /* its deadline is about to be noticed */
    return (struct box *)node;
}

static void set_deadline(struct box *box)
{
    uint64_t now = loop_now_ms(box->memory->loop);

    heartbeat_set(box->memory->deadlines, &box->deadline,
                  box->dead_ms > now ? box->dead_ms - now : 0);
}

static void note_pong(struct box *box)
{
    const struct poll_memory_config *config = &box->memory->config;

    box->ping_ms = loop_now_ms(box->memory->loop) + config->ping_interval_ms;
    box->dead_ms = box->ping_ms + config->ping_timeout_ms;
    set_deadline(box);
}

static void wake(const struct poll_hold *hold)
{
    if (hold != NULL)
        hold->on_wake(hold->ctx);
}

static void box_free(struct box *box)
{
    hash_table_remove(&box->memory->boxes, &box->node);
    heartbeat_cancel(box->memory->deadlines, &box->deadline);
    parcel_release(&box->state);
    parcel_release(&box->input);
    parcel_release(&box->t);
    parcel_release(&box->answer);
    free(box->sid);
    free(box);
}

/* The session is over; whoever holds it is told why. */
static void box_end(struct box *box, enum poll_result why)
{
    struct poll_hold *hold = box->hold;

    box_free(box);
    if (hold == NULL)
        return;
    hold->box = NULL;
    hold->lost = why;
    wake(hold);
}

static void on_dead(struct heartbeat_node *node)
{
    box_end((void *)((char *)node - offsetof(struct box, deadline)), POLL_UNKNOWN);
}

static void replace(struct parcel *parcel, struct notify_str text)
{
    parcel->len = 0;
    parcel_append(parcel, text);
}

static int64_t in_ms(const struct box *box, uint64_t at_ms)
{
    return at_ms == NEVER ? POLL_NEVER : (int64_t)(at_ms - loop_now_ms(box->memory->loop));
}

/* What the holder has not seen yet. */
static struct poll_taken look_into(struct box *box)
{
    struct notify_str input = {NULL, 0};
    size_t from = box->looked;

    box->looked = box->input.len;
    if (from > 0 && from < box->input.len)
        from++; /* the separator */
    if (from < box->input.len)
        input = notify_str_of(box->input.bytes + from, box->input.len - from);
    return (struct poll_taken){.hold = box->hold,
                               .state = parcel_text(&box->state),
                               .input = input,
                               .probed = box->probed,
                               .ping_in_ms = in_ms(box, box->ping_ms),
                               .dead_in_ms = in_ms(box, box->dead_ms)};
}

static void hold_free(struct poll_hold *hold)
{
    if (hold->box != NULL)
        hold->box->hold = NULL;
    parcel_release(&hold->t);
    free(hold);
}

/* Jobs. */

static void tell(const struct job *job, enum poll_result result, const struct poll_taken *taken)
{
    static const struct poll_taken nothing;

    if (job->fn != NULL)
        job->fn(job->ctx, result, taken == NULL ? &nothing : taken);
}

static void run_open(struct job *job)
{
    struct poll_memory *memory = job->memory;
    struct box *box = calloc(1, sizeof(*box));

    if (box != NULL)
        box->sid = strndup(job->sid.bytes, job->sid.len);
    if (box == NULL || box->sid == NULL || memory->boxes.count >= memory->config.boxes_max) {
        if (box != NULL)
            free(box->sid);
        free(box);
        tell(job, POLL_AWAY, NULL);
        return;
    }
    box->memory = memory;
    hash_table_add(&memory->boxes, &box->node);
    note_pong(box);
    tell(job, POLL_DONE, NULL);
}

static void take_for_good(struct job *job, struct box *box)
{
    struct poll_taken taken = look_into(box);

    box->upgraded = true;
    tell(job, POLL_DONE, &taken);
    if (box->hold != NULL) {
        box->hold->lost = POLL_UPGRADED;
        box->hold->box = NULL;
        wake(box->hold);
        box->hold = NULL;
    }
}

static void hold_it(struct job *job, struct box *box, struct notify_str t)
{
    struct poll_hold *hold = calloc(1, sizeof(*hold));
    struct poll_taken taken;

    if (hold == NULL) {
        tell(job, POLL_AWAY, NULL);
        return;
    }
    *hold = (struct poll_hold){.box = box, .on_wake = job->on_wake, .ctx = job->ctx};
    parcel_append(&hold->t, t);
    box->hold = hold;
    box->looked = 0;
    taken = look_into(box);
    tell(job, POLL_DONE, &taken);
}

static bool was_answered(const struct box *box, const struct job *job)
{
    return job->a.len > 0 && notify_str_eq(parcel_text(&box->t), parcel_text(&job->a));
}

static void run_take(struct job *job)
{
    struct box *box = find(job->memory, parcel_text(&job->sid));
    struct poll_taken again = {.again = true};

    if (box == NULL) {
        tell(job, POLL_UNKNOWN, NULL);
    } else if (box->upgraded) {
        tell(job, POLL_UPGRADED, NULL);
    } else if (job->taker == POLL_FOR_UPGRADE) {
        take_for_good(job, box);
    } else if (box->hold != NULL) {
        box_end(box, POLL_OVERLAP);
        tell(job, POLL_OVERLAP, NULL);
    } else if (was_answered(box, job)) {
        again.answer = parcel_text(&box->answer);
        tell(job, POLL_DONE, &again);
    } else if (box->probed) {
        tell(job, POLL_PROBED, NULL);
    } else {
        hold_it(job, box, parcel_text(&job->a));
    }
}

static void run_look(struct job *job)
{
    struct poll_hold *hold = job->hold;
    enum poll_result lost = hold->lost;
    struct poll_taken taken;

    if (hold->box == NULL) {
        hold_free(hold);
        tell(job, lost, NULL);
        return;
    }
    taken = look_into(hold->box);
    tell(job, POLL_DONE, &taken);
}

static void forget_looked(struct box *box)
{
    bool more = box->looked > 0 && box->looked < box->input.len;
    size_t used = more ? box->looked + 1 : box->looked; /* with the separator */

    if (box->input.len > used)
        memmove(box->input.bytes, box->input.bytes + used, box->input.len - used);
    box->input.len -= used;
    box->looked = 0;
}

static void run_give_back(struct job *job)
{
    struct poll_hold *hold = job->hold;
    enum poll_result lost = hold->lost;
    struct box *box = hold->box;

    if (box != NULL) {
        replace(&box->state, parcel_text(&job->a));
        replace(&box->answer, parcel_text(&job->b));
        replace(&box->t, parcel_text(&hold->t));
        if (job->pinged)
            box->ping_ms = NEVER;
        forget_looked(box);
    }
    hold_free(hold);
    tell(job, box == NULL ? lost : POLL_DONE, NULL);
}

static void add_input(struct box *box, struct notify_str payload)
{
    if (box->input.len > 0)
        parcel_append(&box->input, NOTIFY_STR("\x1e"));
    parcel_append(&box->input, payload);
}

/* The box that a POST is for, with what it brought; NULL: there is none to be had, which is told.
 */
static struct box *post_to(struct job *job)
{
    struct box *box = find(job->memory, parcel_text(&job->sid));

    if (box == NULL) {
        tell(job, POLL_UNKNOWN, NULL);
    } else if (box->upgraded) {
        tell(job, POLL_UPGRADED, NULL);
        box = NULL;
    } else if (box->input.len + job->a.len > job->memory->config.input_max) {
        box_end(box, POLL_LOST);
        tell(job, POLL_FULL, NULL);
        box = NULL;
    } else {
        add_input(box, parcel_text(&job->a));
    }
    return box;
}

static void run_push(struct job *job)
{
    struct box *box = post_to(job);

    if (box == NULL)
        return;
    if ((job->flags & POLL_PONG) != 0)
        note_pong(box);
    tell(job, POLL_DONE, NULL);
    wake(box->hold);
}

static void run_close(struct job *job)
{
    static const struct notify_str no_name = {NULL, 0};
    struct box *box = post_to(job);

    if (box == NULL)
        return;
    if (box->hold == NULL) {
        hold_it(job, box, no_name);
        return;
    }
    tell(job, POLL_DONE, NULL);
    wake(box->hold);
}

static void run_check(struct job *job)
{
    struct box *box = find(job->memory, parcel_text(&job->sid));

    tell(job, box == NULL ? POLL_UNKNOWN : box->upgraded ? POLL_UPGRADED : POLL_DONE, NULL);
}

static void run_probe(struct job *job)
{
    struct box *box = find(job->memory, parcel_text(&job->sid));
    bool probed = box != NULL && box->probed;

    if (box == NULL || box->upgraded || probed) {
        tell(job, probed ? POLL_PROBED : POLL_UNKNOWN, NULL);
        return;
    }
    box->probed = true;
    tell(job, POLL_DONE, NULL);
    wake(box->hold);
}

static void run_unprobe(struct job *job)
{
    struct box *box = find(job->memory, parcel_text(&job->sid));

    if (box != NULL)
        box->probed = false;
}

/* Of a holder: only what it holds still. */
static void run_drop(struct job *job)
{
    struct box *box =
        job->hold != NULL ? job->hold->box : find(job->memory, parcel_text(&job->sid));

    if (job->hold != NULL)
        hold_free(job->hold);
    if (box != NULL && !box->upgraded)
        box_end(box, POLL_LOST);
}

static void job_free(struct job *job)
{
    TAILQ_REMOVE(&job->memory->jobs, job, link);
    parcel_release(&job->sid);
    parcel_release(&job->a);
    parcel_release(&job->b);
    free(job);
}

static void on_job(void *ctx)
{
    struct job *job = ctx;

    job->run(job);
    job_free(job);
}

static const struct notify_str nothing = {NULL, 0};

/* Never fails: it dies for lack of memory, as loop_defer() does. */
static struct job *add_job(void *store, void (*run)(struct job *job), struct notify_str sid,
                           poll_fn fn, void *ctx)
{
    struct poll_memory *memory = store;
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        abort();
    job->memory = memory;
    job->run = run;
    job->fn = fn;
    job->ctx = ctx;
    parcel_append(&job->sid, sid);
    TAILQ_INSERT_TAIL(&memory->jobs, job, link);
    loop_defer(memory->loop, on_job, job);
    return job;
}

/* The calls. */

static void ignore(void *ctx)
{
    (void)ctx;
}

static void store_open(void *store, struct notify_str sid, poll_fn fn, void *ctx)
{
    (void)add_job(store, run_open, sid, fn, ctx);
}

static void store_take(void *store, const struct poll_taking *taking, poll_fn fn)
{
    struct job *job = add_job(store, run_take, taking->sid, fn, taking->ctx);

    parcel_append(&job->a, taking->t);
    job->taker = taking->taker;
    job->on_wake = taking->on_wake;
}

static void store_look(void *store, struct poll_hold *hold, poll_fn fn, void *ctx)
{
    add_job(store, run_look, nothing, fn, ctx)->hold = hold;
}

static void store_give_back(void *store, struct poll_hold *hold, const struct poll_giving *giving,
                            poll_fn fn, void *ctx)
{
    struct job *job = add_job(store, run_give_back, nothing, fn, ctx);

    job->hold = hold;
    hold->on_wake = ignore; /* it is over with the call */
    job->pinged = giving->pinged;
    parcel_append(&job->a, giving->state);
    parcel_append(&job->b, giving->answer);
}

static void store_push(void *store, struct notify_str sid, struct notify_str payload,
                       unsigned flags, poll_fn fn, void *ctx)
{
    struct job *job = add_job(store, run_push, sid, fn, ctx);

    job->flags = flags;
    parcel_append(&job->a, payload);
}

static void store_close(void *store, const struct poll_taking *taking, struct notify_str payload,
                        poll_fn fn)
{
    struct job *job = add_job(store, run_close, taking->sid, fn, taking->ctx);

    parcel_append(&job->a, payload);
    job->on_wake = taking->on_wake;
}

static void store_check(void *store, struct notify_str sid, poll_fn fn, void *ctx)
{
    (void)add_job(store, run_check, sid, fn, ctx);
}

static void store_probe(void *store, struct notify_str sid, poll_fn fn, void *ctx)
{
    (void)add_job(store, run_probe, sid, fn, ctx);
}

static void store_unprobe(void *store, struct notify_str sid)
{
    (void)add_job(store, run_unprobe, sid, NULL, NULL);
}

static void store_drop(void *store, struct notify_str sid, struct poll_hold *hold)
{
    if (hold != NULL)
        hold->on_wake = ignore;
    add_job(store, run_drop, sid, NULL, NULL)->hold = hold;
}

static void run_others(struct job *job)
{
    tell(job, POLL_UNKNOWN, NULL);
}

static void store_others(void *store, poll_fn fn, void *ctx)
{
    (void)add_job(store, run_others, nothing, fn, ctx);
}

static void store_forget(void *store, struct poll_hold *hold)
{
    (void)store;
    hold_free(hold);
}

static const struct poll_store_ops ops = {.open = store_open,
                                          .take = store_take,
                                          .look = store_look,
                                          .give_back = store_give_back,
                                          .push = store_push,
                                          .close = store_close,
                                          .check = store_check,
                                          .probe = store_probe,
                                          .unprobe = store_unprobe,
                                          .drop = store_drop,
                                          .others = store_others,
                                          .forget = store_forget};

/* The whole. */

struct poll_memory *poll_memory_new(struct loop *loop, const struct poll_memory_config *config)
{
    struct poll_memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL)
        return NULL;
    memory->loop = loop;
    memory->config = *config;
    TAILQ_INIT(&memory->jobs);
    memory->deadlines = heartbeat_new(loop, TICK_MS, HEARTBEAT_AT_ONCE, on_dead);
    if (memory->deadlines != NULL && hash_table_init(&memory->boxes, hash_of) == 0)
        return memory;
    heartbeat_free(memory->deadlines);
    free(memory);
    return NULL;
}

void poll_memory_free(struct poll_memory *memory)
{
    struct hash_node *node, *next;
    struct job *job, *next_job;

    if (memory == NULL)
        return;
    for (job = TAILQ_FIRST(&memory->jobs); job != NULL; job = next_job) {
        next_job = TAILQ_NEXT(job, link);
        loop_undefer(memory->loop, on_job, job);
        if (job->hold != NULL)
            hold_free(job->hold);
        job_free(job);
    }
    HASH_TABLE_FOREACH(node, next, &memory->boxes)
    {
        if (((struct box *)node)->hold != NULL)
            hold_free(((struct box *)node)->hold);
        box_free((struct box *)node);
    }
    hash_table_release(&memory->boxes);
    heartbeat_free(memory->deadlines);
    free(memory);
}

struct poll_store poll_memory_store(struct poll_memory *memory)
{
    return (struct poll_store){.ops = &ops, .store = memory};
}
