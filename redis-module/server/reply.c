/* reply -- see reply.h. */
#include "server/reply.h"

#include "box/body.h"
#include "base/scratch.h"
#include "server/replay.h"

int reply_error(struct rm_ctx *ctx, const char *error)
{
    if (replay_now())
        replay_give_up(error);
    return rm_ReplyWithError(ctx, error);
}

int reply_args_error(struct rm_ctx *ctx, const struct args *args)
{
    return reply_error(ctx, args->error);
}

int reply_wrong_type(struct rm_ctx *ctx)
{
    return reply_error(ctx, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

int reply_no_memory(struct rm_ctx *ctx)
{
    return reply_error(ctx, "ERR not enough memory; nothing was changed");
}

void reply_str(struct rm_ctx *ctx, struct notify_str text)
{
    rm_ReplyWithStringBuffer(ctx, text.len == 0 ? "" : text.ptr, text.len);
}

void reply_id(struct rm_ctx *ctx, struct notify_id id)
{
    reply_str(ctx, scratch_id(id));
}

void reply_field_str(struct rm_ctx *ctx, const char *name, struct notify_str value)
{
    reply_str(ctx, notify_str_z(name));
    reply_str(ctx, value);
}

void reply_field_id(struct rm_ctx *ctx, const char *name, struct notify_id value)
{
    reply_str(ctx, notify_str_z(name));
    reply_id(ctx, value);
}

void reply_field_number(struct rm_ctx *ctx, const char *name, uint64_t value)
{
    reply_str(ctx, notify_str_z(name));
    rm_ReplyWithLongLong(ctx, value > INT64_MAX ? INT64_MAX : (long long)value);
}

/* The fields of an entry in the order of the reply. */
static void reply_body_field(struct rm_ctx *ctx, const struct body *body, enum body_field field,
                             const char *name, long *fields)
{
    struct notify_str stored = body->field[field];

    if (stored.ptr == NULL)
        return;
    reply_field_str(ctx, name, body_plain(scratch_body(), field, stored));
    (*fields)++;
}

static void reply_time(struct rm_ctx *ctx, const char *name, uint64_t ms, long *fields)
{
    if (ms == 0)
        return;
    reply_field_number(ctx, name, ms);
    (*fields)++;
}

static void reply_flag(struct rm_ctx *ctx, const char *name, bool is_set, long *fields)
{
    if (!is_set)
        return;
    reply_field_number(ctx, name, 1);
    (*fields)++;
}

static long reply_texts(struct rm_ctx *ctx, const struct box_entry *entry)
{
    struct body body;
    long fields = 3;

    body_parse(entry->body, &body); /* cannot fail: the box holds only what body_build made */
    if (body.field[BODY_EVENT].ptr == NULL)
        body.field[BODY_EVENT] = NOTIFY_STR(NOTIFY_EVENT_DEFAULT);
    reply_field_str(ctx, "kind",
                    entry->kind == ENTRY_EVENT ? NOTIFY_STR("event") : NOTIFY_STR("notification"));
    reply_field_str(ctx, "event", body.field[BODY_EVENT]);
    reply_body_field(ctx, &body, BODY_TITLE, "title", &fields);
    reply_body_field(ctx, &body, BODY_CONTENT, "content", &fields);
    reply_body_field(ctx, &body, BODY_TYPE, "type", &fields);
    if (entry->category.ptr != NULL) {
        reply_field_str(ctx, "category", entry->category);
        fields++;
    }
    reply_field_str(ctx, "level", render_level(entry->level));
    reply_body_field(ctx, &body, BODY_ACTION, "action", &fields);
    reply_body_field(ctx, &body, BODY_ENTITY_TYPE, "entity_type", &fields);
    reply_body_field(ctx, &body, BODY_ENTITY_ID, "entity_id", &fields);
    reply_body_field(ctx, &body, BODY_DATA, "data", &fields);
    reply_body_field(ctx, &body, BODY_EXCLUDE, "exclude", &fields);
    reply_body_field(ctx, &body, BODY_COLLAPSE, "collapse", &fields);
    return fields;
}

void reply_entry(struct rm_ctx *ctx, const struct box_entry *entry)
{
    reply_entry_of(ctx, notify_str_of(NULL, 0), entry);
}

void reply_entry_of(struct rm_ctx *ctx, struct notify_str key, const struct box_entry *entry)
{
    long fields;

    rm_ReplyWithArray(ctx, 2);
    reply_id(ctx, entry->id);
    rm_ReplyWithMap(ctx, RM_POSTPONED_LEN);
    if (key.ptr != NULL)
        reply_field_str(ctx, "key", key);
    fields = reply_texts(ctx, entry) + (key.ptr != NULL);
    reply_time(ctx, "expires_at", entry->expire_ms, &fields);
    reply_time(ctx, "read_at", entry->read_ms, &fields);
    reply_flag(ctx, "read", entry->is_read && entry->read_ms == 0, &fields);
    reply_time(ctx, "seen_at", entry->seen_ms, &fields);
    reply_flag(ctx, "seen", entry->is_seen && entry->seen_ms == 0, &fields);
    reply_flag(ctx, "archived", entry->archived, &fields);
    rm_ReplySetMapLength(ctx, fields);
}

size_t reply_entry_json(struct rm_ctx *ctx, const struct render_box *box,
                        const struct box_entry *entry, struct notify_id prev)
{
    struct text_buf *message = scratch_message();

    render_entry(message, box, entry, prev, (struct notify_id){0, 0});
    if (message->failed) {
        /* Within a reply that has begun: the client gets an error in this entry's place. */
        (void)reply_error(ctx, "ERR not enough memory for this entry");
        return 0;
    }
    reply_str(ctx, text_buf_str(message));
    return message->len;
}
