#include "clients/inquiries.h"

#include <errno.h>
#include <stddef.h>

#include "base/loop.h"
#include "base/random_uuid.h"
#include "channels/batch.h"
#include "wire/agent_answer.h"
#include "wire/agent_event.h"
#include "wire/event.h"

static size_t count_of(const struct inquiry_list *of_client)
{
    const struct inquiry *inquiry;
    size_t count = 0;

    LIST_FOREACH(inquiry, of_client, of_client)
    {
        count++;
    }
    return count;
}

/* All wait equally long, so who comes last is due last. */
static void await(struct inquiries *all, struct inquiry *inquiry)
{
    inquiry->due_ms = loop_now_ms(all->loop) + all->timeout_ms;
    if (TAILQ_EMPTY(&all->open))
        loop_timer_set(all->timer, all->timeout_ms);
    TAILQ_INSERT_TAIL(&all->open, inquiry, link);
}

int inquiry_open(struct inquiry *inquiry, const struct inquiry_kind *kind, struct inquiries *all,
                 struct inquiry_list *of_client, struct notify_str asker)
{
    int error;

    if (count_of(of_client) >= all->max_per_client)
        return -E2BIG;
    if (all->count >= all->max)
        return -EUSERS;
    error = asker_take(&all->askers, asker, &inquiry->asker);
    if (error != 0)
        return error;
    if (inquiry->id[0] == '\0')
        random_uuid(inquiry->id);
    inquiry->all = all;
    inquiry->kind = kind;
    LIST_INSERT_HEAD(of_client, inquiry, of_client);
    await(all, inquiry);
    all->count++;
    return 0;
}

void inquiry_close(struct inquiry *inquiry)
{
    struct inquiries *all = inquiry->all;

    LIST_REMOVE(inquiry, of_client);
    TAILQ_REMOVE(&all->open, inquiry, link);
    asker_give(&all->askers, inquiry->asker);
    inquiry->asker = NULL;
    inquiry->all = NULL;
    all->count--;
}

void inquiry_extend(struct inquiry *inquiry)
{
    struct inquiries *all = inquiry->all;

    TAILQ_REMOVE(&all->open, inquiry, link);
    await(all, inquiry);
}

static void end(struct inquiry *inquiry, enum inquiry_end why)
{
    inquiry_close(inquiry);
    inquiry->kind->over(inquiry, why);
}

void inquiries_forget(struct inquiry_list *of_client)
{
    while (!LIST_EMPTY(of_client))
        end(LIST_FIRST(of_client), INQUIRY_LEFT);
}

void inquiries_forget_all(struct inquiries *inquiries)
{
    while (!TAILQ_EMPTY(&inquiries->open))
        end(TAILQ_FIRST(&inquiries->open), INQUIRY_LEFT);
}

/* For the first, which may be overdue. */
static void set_timer(struct inquiries *all, uint64_t now_ms)
{
    uint64_t due_ms = TAILQ_FIRST(&all->open)->due_ms;

    loop_timer_set(all->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* Those that ask together are due together. */
static void on_timer(void *ctx)
{
    struct inquiries *all = ctx;
    uint64_t now_ms = loop_now_ms(all->loop);
    struct inquiry *inquiry;

    for (int i = 0; i < INQUIRIES_AT_ONCE && (inquiry = TAILQ_FIRST(&all->open)) != NULL &&
                    inquiry->due_ms <= now_ms;
         i++)
        end(inquiry, INQUIRY_TIMED_OUT);
    if (!TAILQ_EMPTY(&all->open))
        set_timer(all, now_ms);
}

int inquiries_init(struct inquiries *inquiries)
{
    TAILQ_INIT(&inquiries->open);
    inquiries->timer = loop_timer_new(inquiries->loop, on_timer, inquiries);
    return inquiries->timer == NULL ? -ENOMEM : askers_init(&inquiries->askers);
}

void inquiries_release(struct inquiries *inquiries)
{
    loop_timer_free(inquiries->timer);
    askers_release(&inquiries->askers);
}

/* Hearing. */

static struct inquiry *find(const struct inquiry_list *of_client, const struct event *event)
{
    struct inquiry *inquiry;

    LIST_FOREACH(inquiry, of_client, of_client)
    {
        if (event_answers(event, notify_str_of(inquiry->id, INQUIRY_ID_TEXT)))
            return inquiry;
    }
    return NULL;
}

void inquiries_hear_one(struct inquiry_list *of_client, const struct event *event)
{
    struct inquiry *inquiry = find(of_client, event);

    if (inquiry != NULL)
        inquiry->kind->heard(inquiry, event);
}

void inquiries_hear(struct inquiry_list *of_client, const struct batch *batch)
{
    for (size_t i = 0; !LIST_EMPTY(of_client) && i < batch->len; i++)
        inquiries_hear_one(of_client, batch->events[i]);
}

/* Streaming. */

bool inquiries_take(const struct inquiry_list *of_client, const struct event *event)
{
    const struct inquiry *inquiry = event->request.len == 0 ? NULL : find(of_client, event);
    uint64_t seq;

    if (inquiry == NULL || !inquiry->streams || inquiry->ended || event->agent == AGENT_START)
        return false; /* the start has been told */
    seq = agent_answer_seq(event);
    return seq == 0 || seq > inquiry->seq;
}

void inquiries_had(struct inquiry_list *of_client, const struct event *event)
{
    struct inquiry *inquiry = find(of_client, event);
    uint64_t seq = agent_answer_seq(event);

    if (seq > 0)
        inquiry->seq = seq;
    if (!agent_answer_is_last(event))
        return;
    inquiry->ended = true;
    inquiry->kind->ended(inquiry);
}

void inquiries_fell_behind(struct inquiry_list *of_client)
{
    struct inquiry *inquiry;

    LIST_FOREACH(inquiry, of_client, of_client)
    {
        inquiry->seq = 0;
        inquiry->ended = false;
    }
}

void inquiries_lost(struct inquiry_list *of_client)
{
    while (!LIST_EMPTY(of_client))
        end(LIST_FIRST(of_client), INQUIRY_LOST);
}
