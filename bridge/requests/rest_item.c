#include "requests/rest_item.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "clients/logs.h"
#include "requests/request.h"
#include "requests/rest_id.h"
#include "wire/json_scan.h"

/* Members of a message, and of those of its data: raw JSON. */
struct parts {
    struct notify_str id, type, data;
};

enum field {
    FIELD_ID,
    FIELD_TITLE,
    FIELD_CONTENT,
    FIELD_TYPE,
    FIELD_CATEGORY,
    FIELD_LEVEL,
    FIELD_ACTION,
    FIELD_ENTITY,
    FIELD_DATA,
    FIELD_IS_READ,
    FIELD_READ_AT,
    FIELD_CREATED_AT,
    FIELD_EXPIRES_AT,
    FIELDS,
};

static const char *const field_names[FIELDS] = {
    [FIELD_ID] = "id",
    [FIELD_TITLE] = "title",
    [FIELD_CONTENT] = "content",
    [FIELD_TYPE] = "notification_type",
    [FIELD_CATEGORY] = "category",
    [FIELD_LEVEL] = "level",
    [FIELD_ACTION] = "action",
    [FIELD_ENTITY] = "entity",
    [FIELD_DATA] = "data",
    [FIELD_IS_READ] = "is_read",
    [FIELD_READ_AT] = "read_at",
    [FIELD_CREATED_AT] = "created_at",
    [FIELD_EXPIRES_AT] = "expires_at",
};

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct parts *parts = ctx;

    if (notify_str_eq(name, NOTIFY_STR("id")))
        parts->id = value;
    else if (notify_str_eq(name, NOTIFY_STR("type")))
        parts->type = value;
    else if (notify_str_eq(name, NOTIFY_STR("data")))
        parts->data = value;
}

static void on_field(void *ctx, struct notify_str name, struct notify_str value)
{
    struct notify_str *fields = ctx;

    for (size_t i = 0; i < FIELDS; i++)
        if (notify_str_eq(name, notify_str_z(field_names[i])))
            fields[i] = value;
}

struct entity {
    struct notify_str type, id;
};

static void on_entity(void *ctx, struct notify_str name, struct notify_str value)
{
    struct entity *entity = ctx;

    if (notify_str_eq(name, NOTIFY_STR("type")))
        entity->type = value;
    else if (notify_str_eq(name, NOTIFY_STR("id")))
        entity->id = value;
}

static struct notify_str or_else(struct notify_str value, struct notify_str otherwise)
{
    return value.len == 0 || notify_str_eq(value, NOTIFY_STR("null")) ? otherwise : value;
}

/* An event has none of it: its data is its sender's. */
static bool read_fields(struct notify_str message, struct parts *parts,
                        struct notify_str fields[FIELDS])
{
    return json_scan_object(message, on_member, parts) && parts->data.len > 0 &&
           parts->data.ptr[0] == '{' && json_scan_object(parts->data, on_field, fields) &&
           notify_str_eq(fields[FIELD_ID], parts->id) && fields[FIELD_TITLE].len > 0;
}

struct piece {
    const char *name; /* what stands before it */
    struct notify_str value;
};

static bool add_all(const struct piece *pieces, size_t len,
                    bool (*add)(void *ctx, struct notify_str piece), void *ctx)
{
    for (size_t i = 0; i < len; i++)
        if (!add(ctx, notify_str_z(pieces[i].name)) || !add(ctx, pieces[i].value))
            return false;
    return add(ctx, NOTIFY_STR("}"));
}

/* A JSON string, or null for what is empty; owned by the caller. NULL: out of memory. */
static char *quote(struct notify_str text)
{
    json_t *json = text.len == 0 ? json_null() : json_stringn(text.ptr, text.len);
    char *quoted = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(json);
    return quoted;
}

/* What an item says that no message does: JSON text. */
struct frame {
    char *id, *user, *log; /* owned */
};

static bool write(const struct parts *parts, const struct notify_str fields[FIELDS],
                  const struct frame *frame, bool (*add)(void *ctx, struct notify_str piece),
                  void *ctx)
{
    const struct notify_str nothing = NOTIFY_STR("null");
    struct entity entity = {{NULL, 0}, {NULL, 0}};
    struct notify_str read_at = or_else(fields[FIELD_READ_AT], nothing);

    if (fields[FIELD_ENTITY].len > 0 && fields[FIELD_ENTITY].ptr[0] == '{')
        (void)json_scan_object(fields[FIELD_ENTITY], on_entity,
                               &entity); /* scanned with the rest */

    const struct piece pieces[] = {
        {"{\"id\":", notify_str_z(frame->id)},
        {",\"user_id\":", notify_str_z(frame->user)},
        {",\"title\":", fields[FIELD_TITLE]},
        {",\"content\":", or_else(fields[FIELD_CONTENT], NOTIFY_STR("\"\""))},
        {",\"type\":", or_else(fields[FIELD_TYPE], parts->type)},
        {",\"category\":", or_else(fields[FIELD_CATEGORY], nothing)},
        {",\"level\":", or_else(fields[FIELD_LEVEL], nothing)},
        {",\"action\":", or_else(fields[FIELD_ACTION], nothing)},
        {",\"related_entity_type\":", or_else(entity.type, nothing)},
        {",\"related_entity_id\":", or_else(entity.id, nothing)},
        {",\"data\":", or_else(fields[FIELD_DATA], nothing)},
        {",\"is_read\":", or_else(fields[FIELD_IS_READ], NOTIFY_STR("false"))},
        {",\"read_at\":", read_at},
        {",\"created_at\":", or_else(fields[FIELD_CREATED_AT], nothing)},
        {",\"updated_at\":", or_else(read_at, or_else(fields[FIELD_CREATED_AT], nothing))},
        {",\"expires_at\":", or_else(fields[FIELD_EXPIRES_AT], nothing)},
        {",\"log\":", notify_str_z(frame->log)},
    };

    return add_all(pieces, sizeof(pieces) / sizeof(pieces[0]), add, ctx);
}

bool rest_item_write(const struct request *r, struct notify_str log, struct notify_str message,
                     bool (*add)(void *ctx, struct notify_str piece), void *ctx)
{
    struct notify_str fields[FIELDS] = {{NULL, 0}};
    struct rest_id id = {.log = log};
    struct parts parts = {.id = {NULL, 0}};
    char text[REST_ID_TEXT_MAX + 1];
    struct frame frame;
    size_t len;
    bool written;

    if (!read_fields(message, &parts, fields) ||
        !notify_id_parse(json_plain_string(parts.id), 0, &id.id))
        return false;
    len = rest_id_format(text, logs_of(r->shared, r->identity), &id);
    frame = (struct frame){quote(notify_str_of(text, len)), quote(request_user(r)), quote(log)};
    written = frame.id != NULL && frame.user != NULL && frame.log != NULL &&
              write(&parts, fields, &frame, add, ctx);
    free(frame.id);
    free(frame.user);
    free(frame.log);
    return written;
}
