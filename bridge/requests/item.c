#include "requests/item.h"

#include "clients/categories.h"
#include "redis/resp.h"
#include "requests/request.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"

struct message_parts {
    struct notify_str id, key, category, data;
};

static void on_message_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct message_parts *parts = ctx;

    if (notify_str_eq(name, NOTIFY_STR("id")))
        parts->id = value;
    else if (notify_str_eq(name, NOTIFY_STR("key")))
        parts->key = value;
    else if (notify_str_eq(name, NOTIFY_STR("category")))
        parts->category = value;
    else if (notify_str_eq(name, NOTIFY_STR("data")))
        parts->data = value;
}

bool item_key(const struct item *item, struct notify_str *ret, json_t **ret_json)
{
    *ret_json = NULL;
    return item->key.len > 0 && json_text_read(item->key, ret, ret_json);
}

static bool is_of(const struct item *item, struct notify_str inbox)
{
    struct notify_str key;
    json_t *json;
    bool same = item_key(item, &key, &json) && notify_str_eq(key, inbox);

    json_decref(json);
    return same;
}

bool item_read(const struct resp *message, struct notify_str inbox, struct item *ret)
{
    struct message_parts outer = {.id = {NULL, 0}}, inner = outer;

    if (!json_scan_object(resp_str(message), on_message_member, &outer) ||
        !notify_id_parse(json_plain_string(outer.id), 0, &ret->id))
        return false;
    ret->message = message->str;
    ret->key = outer.key;
    ret->category = outer.category;
    ret->log = is_of(ret, inbox) ? (struct notify_str){NULL, 0} : outer.key;
    if (outer.data.len > 0 && outer.data.ptr[0] == '{')
        (void)json_scan_object(outer.data, on_message_member, &inner); /* scanned with the rest */
    ret->text = notify_str_eq(inner.id, outer.id) ? outer.data : message->str;
    return true;
}

bool item_is_shown(const struct request *r, const struct item *item)
{
    struct notify_str category;
    json_t *json;
    bool shown;

    if (item->category.len == 0 || item->log.len == 0)
        return true;
    shown = json_text_read(item->category, &category, &json) &&
            categories_may_get(r->identity, category);
    json_decref(json);
    return shown;
}
