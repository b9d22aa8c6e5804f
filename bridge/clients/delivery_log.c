#include "clients/delivery_log.h"

#include <string.h>

#include <jansson.h>

#include "base/counters.h"
#include "base/loop.h"
#include "base/number.h"
#include "identity/key_names.h"
#include "wire/agent_event.h"
#include "wire/event.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "wire/reach.h"

#define FIELDS_MAX 24
#define TEXT_MAX_BYTES 200 /* of a value that a message brought */

/* A line as it is put together. */
struct draft {
    struct log_field fields[FIELDS_MAX];
    size_t len;
    char texts[FIELDS_MAX][TEXT_MAX_BYTES + 1];
};

static const struct {
    enum counter counter;
    const char *failure; /* NULL: it is none */
} parts[REACH_PARTS] = {
    [REACH_DELIVERED] = {COUNTER_REACH_DELIVERED, NULL},
    [REACH_WAITING] = {COUNTER_REACH_WAITING, NULL},
    [REACH_LATER] = {COUNTER_REACH_LATER, NULL},
    [REACH_ENDED] = {COUNTER_REACH_ENDED, "connection ended"},
    [REACH_TOO_SLOW] = {COUNTER_REACH_TOO_SLOW, "client too slow"},
    [REACH_NO_MEMORY] = {COUNTER_REACH_NO_MEMORY, "out of memory"},
};

/* What of an event's data is told, and as what; of those with one name the first that is there. */
static const struct {
    struct notify_str member;
    const char *key;
} told[] = {
    {NOTIFY_STR_INIT("severity"), "severity"},
    {NOTIFY_STR_INIT("level"), "severity"},
    {NOTIFY_STR_INIT("progress_percentage"), "progress"},
    {NOTIFY_STR_INIT("current_step"), "step"},
    {NOTIFY_STR_INIT("step_name"), "step_name"},
    {NOTIFY_STR_INIT("results"), "result"},
    {NOTIFY_STR_INIT("error"), "reported_error"},
    {NOTIFY_STR_INIT("status"), "status"},
};
#define TOLD (sizeof(told) / sizeof(told[0]))

/* Numbers. */

static uint64_t failures(const struct reach *reach)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < REACH_PARTS; i++)
        sum += parts[i].failure == NULL ? 0 : reach->of[i];
    return sum;
}

static void count(const struct reach *reach, size_t followers)
{
    counter_add(followers > 0 ? COUNTER_BROADCASTS_HEARD : COUNTER_BROADCASTS_UNHEARD, 1);
    for (size_t i = 0; i < REACH_PARTS; i++)
        counter_add(parts[i].counter, reach->of[i]);
}

/* The draft. */

static void add(struct draft *draft, const char *key, const char *value)
{
    if (draft->len < FIELDS_MAX)
        draft->fields[draft->len++] = (struct log_field){key, value};
}

static void add_number(struct draft *draft, const char *key, uint64_t number)
{
    if (draft->len >= FIELDS_MAX)
        return;
    (void)number_text(draft->texts[draft->len], (int64_t)number);
    add(draft, key, draft->texts[draft->len]);
}

/* What is too long is cut; a NUL, which would end it, becomes a blank. */
static void add_text(struct draft *draft, const char *key, struct notify_str text)
{
    size_t len = text.len < TEXT_MAX_BYTES ? text.len : TEXT_MAX_BYTES;
    char *out;

    if (draft->len >= FIELDS_MAX || text.len == 0)
        return;
    out = draft->texts[draft->len];
    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] == '\0' ? ' ' : text.ptr[i];
    out[len] = '\0';
    add(draft, key, out);
}

/* A raw value: a text as it is, anything else as JSON; nothing of null. */
static void add_value(struct draft *draft, const char *key, struct notify_str value)
{
    struct notify_str text;
    json_t *owner;

    if (notify_str_eq(value, NOTIFY_STR("null")))
        return;
    add_text(draft, key, json_text_read(value, &text, &owner) ? text : value);
    json_decref(owner);
}

static void note_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct notify_str *values = ctx;

    for (size_t i = 0; i < TOLD; i++)
        if (values[i].len == 0 && notify_str_eq(name, told[i].member))
            values[i] = value;
}

static bool is_named(const struct draft *draft, const char *key)
{
    return draft->len > 0 && strcmp(draft->fields[draft->len - 1].key, key) == 0;
}

/* What an event says is told by its kind: where there is a severity, a progress, a result. */
static void add_told(struct draft *draft, const struct event *event)
{
    struct notify_str values[TOLD] = {{NULL, 0}};

    (void)json_scan_object(event->data, note_member, values); /* it need not be an object */
    for (size_t i = 0; i < TOLD; i++)
        if (values[i].len > 0 && !is_named(draft, told[i].key))
            add_value(draft, told[i].key, values[i]);
}

static void add_id(struct draft *draft, const struct event *event)
{
    char id[NOTIFY_ID_TEXT_MAX + 1];

    if (event->kind == EVENT_ENTRY)
        add_text(draft, "id", notify_str_of(id, notify_id_format(id, event->id)));
}

static void add_reach(struct draft *draft, const struct reach *reach, size_t followers)
{
    add_number(draft, "followers", followers);
    add_number(draft, "delivered", reach->of[REACH_DELIVERED]);
    add_number(draft, "waiting", reach->of[REACH_WAITING]);
    add_number(draft, "later", reach->of[REACH_LATER]);
    add_number(draft, "failed", failures(reach));
    for (size_t i = 0; i < REACH_PARTS; i++) {
        if (parts[i].failure == NULL || reach->of[i] == 0)
            continue;
        add(draft, "error", parts[i].failure);
        break;
    }
}

/* Words of the message come last: what does not fit into a line is left out. */
static void fill(struct draft *draft, const struct delivery_log *log, struct notify_str key,
                 const struct event *event, const struct reach *reach, size_t followers)
{
    struct notify_str session;

    draft->len = 0;
    add(draft, "component", "bridge");
    add_reach(draft, reach, followers);
    add_number(draft, "lines_kept_back", log->kept_back);
    add_id(draft, event);
    add_value(draft, "event_type", event->type);
    add_text(draft, "key", key);
    if (key_is(log->keys, KEY_SESSION, key, &session))
        add_text(draft, "session_id", session);
    add_told(draft, event);
}

/* May there be a line? */

/* Pieces of an agent's answer, and what changes in a box, are no broadcasts to who operates this.
 */
static bool is_minor(const struct event *event)
{
    return event->kind == EVENT_STATE || (event->request.len > 0 && event->agent > AGENT_ERROR);
}

static enum delivery_kind kind_of(const struct event *event, const struct reach *reach)
{
    if (is_minor(event))
        return DELIVERY_UNHEARD;
    if (failures(reach) > 0)
        return DELIVERY_FAILED;
    return reach->of[REACH_DELIVERED] + reach->of[REACH_WAITING] + reach->of[REACH_LATER] > 0
               ? DELIVERY_ORDINARY
               : DELIVERY_UNHEARD;
}

static bool may_write(struct delivery_log *log, enum delivery_kind kind)
{
    uint64_t now_us = loop_now_ms(log->loop) * 1000;

    return token_bucket_take(&log->buckets[kind], &log->rate, 1, now_us) == 0 && log_has_room();
}

void delivery_log_tell(void *ctx, struct notify_str key, const struct event *event,
                       size_t followers)
{
    static struct draft draft; /* one thread; nothing in it outlives the call */
    struct delivery_log *log = ctx;
    struct reach reach = event_reach(event);
    enum delivery_kind kind = kind_of(event, &reach);
    enum log_level level = kind == DELIVERY_UNHEARD ? LOG_DEBUG : log->level;

    count(&reach, followers);
    if (log->silent || !log_enabled(level))
        return;
    if (!may_write(log, kind)) {
        log->kept_back++;
        counter_add(COUNTER_DELIVERY_LINES_KEPT_BACK, 1);
        return;
    }
    fill(&draft, log, key, event, &reach, followers);
    log_fields(level, "broadcast", draft.fields, draft.len);
    log->kept_back = 0;
}
