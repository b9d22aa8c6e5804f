#include "requests/asyncapi.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "requests/catalogue.h"

static json_t *channel_ref(const char *dialect)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/channels/%s", dialect));
}

static json_t *message_ref(const char *dialect, const char *id)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/channels/%s/messages/%s", dialect, id));
}

static bool speaks(const json_t *form, const char *dialect)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(form, "dialects"), i, one)
    {
        if (strcmp(json_string_value(one), dialect) == 0)
            return true;
    }
    return false;
}

static bool is_in(const json_t *form)
{
    return strcmp(catalogue_text(form, "direction"), "in") == 0;
}

/* Messages. */

static json_t *messages_of(const struct catalogue *catalogue)
{
    json_t *messages = json_object();
    const json_t *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        const json_t *schema = json_object_get(form, "schema");
        (void)json_object_set_new(
            messages, catalogue_text(form, "id"),
            json_pack("{s:O, s:O, s:O, s:s, s:[{s:O}]}", "name", json_object_get(form, "name"),
                      "summary", json_object_get(form, "summary"), "payload", schema, "contentType",
                      "application/json", "examples", "payload", json_object_get(form, "example")));
    }
    return messages;
}

/* Channels. */

static json_t *channel_messages(const struct catalogue *catalogue, const char *dialect)
{
    json_t *messages = json_object();
    const json_t *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        const char *id = catalogue_text(form, "id");
        if (speaks(form, dialect))
            (void)json_object_set_new(
                messages, id,
                json_pack("{s:o}", "$ref", json_sprintf("#/components/messages/%s", id)));
    }
    return messages;
}

/* {"client_id": {}} for "/ws/{client_id}"; NULL: the address has no parts with names. */
static json_t *address_parameters(const char *address)
{
    const char *open = strchr(address, '{');

    if (open == NULL)
        return NULL;
    return json_pack("{s%:{s:s}}", open + 1, strcspn(open + 1, "}"), "description",
                     "a name of 1 to 128 bytes");
}

static json_t *query_schema(const struct catalogue *catalogue, const json_t *dialect)
{
    json_t *properties = json_object();
    const json_t *queries = catalogue_part(catalogue, "queries"), *one;
    size_t i;

    json_array_foreach(json_object_get(queries, "connection"), i, one)
    {
        (void)json_object_set(properties, catalogue_text(one, "name"),
                              json_object_get(one, "schema"));
    }
    return json_pack("{s:s, s:o, s:[s*]}", "type", "object", "properties", properties, "required",
                     json_object_get(dialect, "query") == NULL ? NULL : "protocol");
}

/* Of a WebSocket; others have none. */
static json_t *bindings_of(const struct catalogue *catalogue, const json_t *dialect)
{
    if (strcmp(catalogue_text(dialect, "protocol"), "ws") != 0)
        return NULL;
    return json_pack("{s:{s:s, s:o, s:s}}", "ws", "method", "GET", "query",
                     query_schema(catalogue, dialect), "bindingVersion", "0.1.0");
}

static json_t *channels_of(const struct catalogue *catalogue)
{
    json_t *channels = json_object();
    const json_t *dialect;
    size_t i;

    json_array_foreach(catalogue_part(catalogue, "dialects"), i, dialect)
    {
        const char *name = catalogue_text(dialect, "name"),
                   *address = catalogue_text(dialect, "address");
        (void)json_object_set_new(channels, name,
                                  json_pack("{s:s, s:O, s:o, s:o*, s:o*}", "address", address,
                                            "description", json_object_get(dialect, "summary"),
                                            "messages", channel_messages(catalogue, name),
                                            "parameters", address_parameters(address), "bindings",
                                            bindings_of(catalogue, dialect)));
    }
    return channels;
}

/* Operations, as the bridge sees them. */

static bool is_named_in(const json_t *form, const json_t *names)
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (json_equal(name, json_object_get(form, "name")))
            return true;
    }
    return false;
}

/* What answers a request: one of those, or an error. */
static json_t *reply_to(const struct catalogue *catalogue, const json_t *request,
                        const char *dialect)
{
    json_t *messages = json_array();
    const json_t *names = json_object_get(request, "answers"), *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        bool answers =
            is_named_in(form, names) || strcmp(catalogue_text(form, "name"), "error") == 0;
        if (answers && !is_in(form) && speaks(form, dialect))
            (void)json_array_append_new(messages, message_ref(dialect, catalogue_text(form, "id")));
    }
    return json_pack("{s:o, s:o}", "channel", channel_ref(dialect), "messages", messages);
}

static void add_requests(const struct catalogue *catalogue, const char *dialect, json_t *operations)
{
    const json_t *form;
    char name[128];
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        if (!is_in(form) || !speaks(form, dialect))
            continue;
        (void)snprintf(name, sizeof(name), "%s.%s", dialect, catalogue_text(form, "name"));
        (void)json_object_set_new(operations, name,
                                  json_pack("{s:s, s:o, s:O, s:[o], s:o}", "action", "receive",
                                            "channel", channel_ref(dialect), "summary",
                                            json_object_get(form, "summary"), "messages",
                                            message_ref(dialect, catalogue_text(form, "id")),
                                            "reply", reply_to(catalogue, form, dialect)));
    }
}

static void add_told(const struct catalogue *catalogue, const char *dialect, json_t *operations)
{
    json_t *messages = json_array();
    const json_t *form;
    char name[64];
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        if (!is_in(form) && speaks(form, dialect))
            (void)json_array_append_new(messages, message_ref(dialect, catalogue_text(form, "id")));
    }
    (void)snprintf(name, sizeof(name), "%s.told", dialect);
    (void)json_object_set_new(operations, name,
                              json_pack("{s:s, s:o, s:s, s:o}", "action", "send", "channel",
                                        channel_ref(dialect), "summary", "What the bridge says",
                                        "messages", messages));
}

static json_t *operations_of(const struct catalogue *catalogue)
{
    json_t *operations = json_object();
    const json_t *dialect;
    size_t i;

    json_array_foreach(catalogue_part(catalogue, "dialects"), i, dialect)
    {
        add_told(catalogue, catalogue_text(dialect, "name"), operations);
        add_requests(catalogue, catalogue_text(dialect, "name"), operations);
    }
    return operations;
}

json_t *asyncapi_document(const struct catalogue *catalogue)
{
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:s, s:o, s:o, s:{s:o, s:O}}", "asyncapi", "3.0.0",
                     "info", "title", "redis-notify", "version", NOTIFY_VERSION, "description",
                     "Notifications over connections that stay. Over HTTP: /openapi.json.",
                     "defaultContentType", "application/json", "channels", channels_of(catalogue),
                     "operations", operations_of(catalogue), "components", "messages",
                     messages_of(catalogue), "schemas", catalogue_part(catalogue, "schemas"));
}
