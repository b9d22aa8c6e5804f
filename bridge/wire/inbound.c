#include "wire/inbound.h"

#include <string.h>

#include "wire/json_scan.h"
#include "wire/json_text.h"

/* That names have escapes is rare. */
bool inbound_is_named(struct notify_str raw, const char *name)
{
    struct notify_str text;
    json_t *json = NULL;
    bool same;

    if (raw.len == 0 || memchr(raw.ptr, '\\', raw.len) == NULL)
        return notify_str_eq(raw, notify_str_z(name));
    same = json_text_read(notify_str_of(raw.ptr - 1, raw.len + 2), &text, &json) &&
           notify_str_eq(text, notify_str_z(name));
    json_decref(json);
    return same;
}

static void add_head(struct inbound_head *head, struct notify_str value)
{
    head->twice = head->value.len > 0;
    if (!head->twice)
        head->value = value;
}

static void on_id_alone(void *ctx, struct notify_str name, struct notify_str value)
{
    struct inbound *inbound = ctx;

    if (inbound_is_named(name, "request_id"))
        add_head(&inbound->id, value);
}

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct inbound *inbound = ctx;

    if (inbound_is_named(name, "type"))
        add_head(&inbound->type, value);
    else if (inbound_is_named(name, "request_id"))
        add_head(&inbound->id, value);
    else if (inbound->len <= INBOUND_MEMBERS_MAX)
        inbound->at[inbound->len++] = (struct inbound_member){name, value};
}

bool inbound_read(struct notify_str text, struct inbound *ret, struct json_fault *ret_fault)
{
    if (json_scan_message(text, on_member, ret, ret_fault))
        return true;
    *ret = (struct inbound){.len = 0};
    json_skim_object(text, on_id_alone, ret);
    return false;
}

bool inbound_read_members(struct notify_str object, struct inbound *ret)
{
    return json_scan_object(object, on_member, ret);
}
