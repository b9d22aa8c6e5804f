#include "requests/catalogue.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "requests/request_members.h"
#include "requests/request_run.h"
#include "requests/request_schema.h"
#include "requests/www_files.h"

/* A dialect is one of these if it is not said which. */
#define DIALECTS_WITH_ANSWERS "canonical", "topic", "session", "socketio"

struct catalogue {
    json_t *parts; /* owned: by name */
    json_t *forms; /* the same: an array */
    bool failed;   /* out of memory, while it is made */
};

static const char *const part_names[] = {"schemas", "dialects", "requests", "messages", "published",
                                         "calls",   "queries",  "errors",   "closes"};
#define PARTS (sizeof(part_names) / sizeof(part_names[0]))

const json_t *catalogue_part(const struct catalogue *catalogue, const char *name)
{
    return json_object_get(catalogue->parts, name);
}

const json_t *catalogue_forms(const struct catalogue *catalogue)
{
    return catalogue->forms;
}

/* value is taken over. */
static void put(struct catalogue *catalogue, json_t *object, const char *name, json_t *value)
{
    catalogue->failed |= json_object_set_new(object, name, value) != 0;
}

const char *catalogue_text(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

/* Forms. */

/* "*" stands for any name, and is none itself. */
static json_t *form_id(const char *name, const char *kind)
{
    return json_sprintf("%s.%s", strcmp(name, "*") == 0 ? "event" : name, kind);
}

/* schema, example and dialects are taken over. */
static json_t *add_form(struct catalogue *catalogue, const json_t *row, const char *kind,
                        json_t *dialects, json_t *schema, json_t *example)
{
    bool in = strcmp(kind, "in") == 0 || strcmp(kind, "emit") == 0;
    json_t *form = json_pack(
        "{s:O, s:o, s:s, s:o, s:O, s:o, s:o}", "name", json_object_get(row, "name"), "id",
        form_id(catalogue_text(row, "name"), kind), "direction", in ? "in" : "out", "dialects",
        dialects, "summary", json_object_get(row, "summary"), "schema", schema, "example", example);

    catalogue->failed |= json_array_append_new(catalogue->forms, form) != 0;
    return form;
}

/* What is asked for. */

/* how: "asks", by messages with a type; "emits", by events of its name. */
static json_t *dialects_that(const struct catalogue *catalogue, const char *how)
{
    const json_t *dialect;
    json_t *names = json_array();
    size_t i;

    json_array_foreach(catalogue_part(catalogue, "dialects"), i, dialect)
    {
        if (json_is_true(json_object_get(dialect, how)))
            (void)json_array_append(names, json_object_get(dialect, "name"));
    }
    return names;
}

/* What stands in a message beside its type. */
static json_t *argument_of(const json_t *message)
{
    json_t *argument = json_copy((json_t *)message);

    (void)json_object_del(argument, "type");
    (void)json_object_del(argument, "request_id");
    return argument;
}

static void add_emitted(struct catalogue *catalogue, const json_t *row,
                        const struct request_type *type)
{
    json_t *form;

    if (json_is_true(json_object_get(row, "not_emitted")))
        return;
    form = add_form(catalogue, row, "emit", dialects_that(catalogue, "emits"),
                    request_schema_of_members(type->members, NULL, NULL),
                    argument_of(json_object_get(row, "example")));
    put(catalogue, form, "answers", json_incref(json_object_get(row, "answers")));
}

static void add_request(struct catalogue *catalogue, const json_t *row)
{
    const struct request_type *type = request_type_find(notify_str_z(catalogue_text(row, "name")));
    json_t *form;

    if (type == NULL)
        return; /* a test sees that there is none too many */
    form = add_form(catalogue, row, "in", dialects_that(catalogue, "asks"),
                    request_schema_of_message(type), json_incref(json_object_get(row, "example")));
    put(catalogue, form, "answers", json_incref(json_object_get(row, "answers")));
    put(catalogue, form, "needs_connection", json_boolean(request_type_stays(type)));
    add_emitted(catalogue, row, type);
}

/* What is said. */

/* The definition base, of a type, with more members. */
static json_t *schema_on(struct catalogue *catalogue, const char *base, const char *name,
                         const json_t *members, const json_t *needs)
{
    json_t *schema = json_deep_copy(json_object_get(catalogue_part(catalogue, "schemas"), base));
    json_t *properties = json_object_get(schema, "properties"),
           *required = json_object_get(schema, "required");

    if (strcmp(name, "*") != 0 && json_is_object(json_object_get(properties, "type")) &&
        strcmp(base, "socketio_notification") != 0)
        put(catalogue, properties, "type", json_pack("{s:s}", "const", name));
    catalogue->failed |= json_object_update(properties, (json_t *)members) != 0 ||
                         json_array_extend(required, (json_t *)needs) != 0;
    return schema;
}

static json_t *dialects_of(const json_t *row)
{
    json_t *dialects = json_object_get(row, "dialects");

    if (dialects != NULL)
        return json_incref(dialects);
    if (strcmp(catalogue_text(row, "base"), "answer") == 0)
        return json_pack("[s, s, s, s]", DIALECTS_WITH_ANSWERS);
    return json_pack("[s, s, s, s, s]", DIALECTS_WITH_ANSWERS, "sse");
}

static void add_message(struct catalogue *catalogue, const json_t *row)
{
    json_t *dialects = dialects_of(row);
    const char *first = json_string_value(json_array_get(dialects, 0));
    json_t *schema = schema_on(catalogue, catalogue_text(row, "base"), catalogue_text(row, "name"),
                               json_object_get(row, "members"), json_object_get(row, "needs"));

    if (json_is_true(json_object_get(row, "open")))
        put(catalogue, schema, "additionalProperties", json_true());
    (void)add_form(catalogue, row, json_is_true(json_object_get(row, "answer")) ? "answer" : first,
                   dialects, schema, json_incref(json_object_get(row, "example")));
}

/* What somebody publishes: in a message, of which it is the data; and as /ws says it, with what it
 * holds at the top, too. */

/* The row that says which members the data has: this one, or that of the message that it names. */
static const json_t *data_row(const struct catalogue *catalogue, const json_t *row)
{
    const json_t *message;
    size_t i;

    if (!json_is_string(json_object_get(row, "data")))
        return row;
    json_array_foreach(catalogue_part(catalogue, "messages"), i, message)
    {
        if (json_equal(json_object_get(message, "name"), json_object_get(row, "data")))
            return message;
    }
    return NULL;
}

static const json_t *data_members(const struct catalogue *catalogue, const json_t *row)
{
    const json_t *from = data_row(catalogue, row);

    return json_object_get(from, from == row ? "data" : "members");
}

static json_t *data_schema(const struct catalogue *catalogue, const json_t *row)
{
    const json_t *members = data_members(catalogue, row);

    if (json_object_size(members) == 0)
        return json_pack("{s:b}", "additionalProperties", 1); /* anything */
    return json_pack("{s:s, s:O, s:O, s:b}", "type", "object", "properties", members, "required",
                     json_object_get(data_row(catalogue, row), "needs"), "additionalProperties", 1);
}

static json_t *message_example(const json_t *row)
{
    const char *name = catalogue_text(row, "name");

    return json_pack("{s:s, s:O, s:s, s:s, s:i, s:i, s:s, s:O}", "type",
                     strcmp(name, "*") == 0 ? "test_run_status" : name, "key",
                     json_object_get(row, "key"), "id", "1795208400123-0", "prev", "0-0", "rev", 1,
                     "unread", 0, "timestamp", "2026-11-20T21:00:00.123Z", "data",
                     json_object_get(row, "example"));
}

static void add_published_as(struct catalogue *catalogue, const json_t *row, json_t *dialects,
                             bool lifted)
{
    static const char *const kinds[] = {"canonical", "topic"};
    json_t *members = json_object(), *none = json_array(), *example = message_example(row);
    json_t *schema;

    if (lifted) {
        catalogue->failed |=
            json_object_update(members, (json_t *)data_members(catalogue, row)) != 0 ||
            json_object_update_missing(example, json_object_get(row, "example")) != 0;
    }
    put(catalogue, members, "data", data_schema(catalogue, row));
    schema = schema_on(catalogue, "entry", catalogue_text(row, "name"), members, none);
    if (lifted)
        put(catalogue, schema, "additionalProperties", json_true());
    (void)add_form(catalogue, row, kinds[lifted], dialects, schema, example);
    json_decref(members);
    json_decref(none);
}

/* Its data, and what the message says of it. */
static json_t *event_example(const json_t *row)
{
    static const char session[] = "session:";
    json_t *example = json_copy(json_object_get(row, "example"));
    const char *key = catalogue_text(row, "key");
    json_t *said = json_pack("{s:s, s:s, s:i, s:s}", "id", "1795208400123-0", "key", key, "unread",
                             0, "timestamp", "2026-11-20T21:00:00.123Z");

    if (strncmp(key, session, strlen(session)) == 0)
        (void)json_object_set_new(said, "session_id", json_string(key + strlen(session)));
    (void)json_object_update(example, said);
    json_decref(said);
    return example;
}

static void add_published_event(struct catalogue *catalogue, const json_t *row)
{
    json_t *none = json_array(), *schema;
    const json_t *needs = json_object_get(data_row(catalogue, row), "needs");

    schema = schema_on(catalogue, "socketio_event", "*", data_members(catalogue, row),
                       needs == NULL ? none : needs);
    put(catalogue, schema, "additionalProperties", json_true());
    (void)add_form(catalogue, row, "socketio", json_pack("[s]", "socketio"), schema,
                   event_example(row));
    json_decref(none);
}

static void add_published(struct catalogue *catalogue, const json_t *row)
{
    add_published_as(catalogue, row, json_pack("[s, s, s]", "canonical", "session", "sse"), false);
    add_published_as(catalogue, row, json_pack("[s]", "topic"), true);
    add_published_event(catalogue, row);
}

static void add_all(struct catalogue *catalogue, const char *part,
                    void (*add)(struct catalogue *catalogue, const json_t *row))
{
    const json_t *row;
    size_t i;

    json_array_foreach(catalogue_part(catalogue, part), i, row)
    {
        add(catalogue, row);
    }
}

/* Errors are known by their codes. */
static void name_codes(struct catalogue *catalogue)
{
    json_t *schema = json_object_get(catalogue_part(catalogue, "schemas"), "error_code");
    json_t *codes = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach(catalogue_part(catalogue, "errors"), i, row)
    {
        (void)json_array_append(codes, json_object_get(row, "code"));
    }
    put(catalogue, schema, "enum", codes);
}

/* The parts, as they were compiled in. */

static json_t *read_part(const char *name)
{
    char file_name[32];

    (void)snprintf(file_name, sizeof(file_name), "%s.json", name);
    for (size_t i = 0; i < www_file_count; i++)
        if (strcmp(www_files[i].name, file_name) == 0)
            return json_loadb((const char *)www_files[i].bytes, www_files[i].len,
                              JSON_REJECT_DUPLICATES, NULL);
    return NULL;
}

struct catalogue *catalogue_new(void)
{
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));

    if (catalogue == NULL)
        return NULL;
    catalogue->parts = json_object();
    catalogue->forms = json_array();
    for (size_t i = 0; i < PARTS; i++)
        put(catalogue, catalogue->parts, part_names[i], read_part(part_names[i]));
    if (!catalogue->failed) {
        name_codes(catalogue);
        add_all(catalogue, "requests", add_request);
        add_all(catalogue, "messages", add_message);
        add_all(catalogue, "published", add_published);
    }
    if (!catalogue->failed)
        return catalogue;
    catalogue_free(catalogue);
    return NULL;
}

void catalogue_free(struct catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    json_decref(catalogue->parts);
    json_decref(catalogue->forms);
    free(catalogue);
}
