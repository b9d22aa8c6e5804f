#include "requests/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_answer.h"
#include "requests/catalogue.h"
#include "requests/http_call.h"
#include "requests/http_pattern.h"
#include "requests/request_schema.h"

#define PATH_MAX_LEN 128
#define KEY_MAX (PATH_MAX_LEN + 16)

/* One method of one path while it is printed. */
struct printing {
    const struct catalogue *catalogue;
    struct http_route route;
    char path[PATH_MAX_LEN];
    const json_t *row; /* of calls.json */
};

static json_t *ref_to(const char *kind, const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

static const json_t *row_of(const struct printing *printing, const char *name)
{
    return json_object_get(printing->row, name);
}

static bool takes_body(const struct http_call *call)
{
    return call != NULL && call->body_max > 0 && !call->raw_body;
}

/* Parameters. */

static bool is_in_path(const struct printing *printing, const char *name)
{
    char part[64];

    (void)snprintf(part, sizeof(part), "{%s}", name);
    return strstr(printing->path, part) != NULL;
}

/* A call has some members whatever is asked: then nobody need say them. */
static bool is_given(const struct http_call *call, const char *name)
{
    size_t len = strlen(name);

    return call->given != NULL && strncmp(call->given, name, len) == 0 && call->given[len] == '=';
}

/* schema is taken over. */
static void add_parameter(json_t *parameters, const char *name, const char *place, bool needed,
                          json_t *schema)
{
    (void)json_array_append_new(parameters, json_pack("{s:s, s:s, s:b, s:o}", "name", name, "in",
                                                      place, "required", needed, "schema", schema));
}

static void add_members(const struct printing *printing, json_t *parameters)
{
    const struct http_call *call = printing->route.call;

    if (call == NULL)
        return;
    for (const struct member *m = call->type.members; m->name != NULL; m++) {
        if (is_in_path(printing, m->name))
            add_parameter(parameters, m->name, "path", true, request_schema_of_member(m));
        else if (!takes_body(call) && !is_given(call, m->name))
            add_parameter(parameters, m->name, "query", m->need == MEMBER_NEEDED,
                          request_schema_of_member(m));
    }
    add_parameter(
        parameters, "user", "query", false,
        json_pack("{s:s, s:s}", "type", "string", "description", "with --auth none: who asks"));
}

/* Parts of a path that are no member of a call. */
static void add_part(void *ctx, struct notify_str name, struct notify_str value)
{
    char text[64];

    (void)value;
    (void)snprintf(text, sizeof(text), "%.*s", (int)name.len, name.ptr);
    add_parameter(ctx, text, "path", true, json_pack("{s:s}", "type", "string"));
}

static void add_query(const struct printing *printing, json_t *parameters)
{
    const char *name = json_string_value(row_of(printing, "query"));
    const json_t *query = catalogue_part(printing->catalogue, "queries"), *one;
    size_t i;

    if (name == NULL)
        return;
    json_array_foreach(json_object_get(query, name), i, one)
    {
        (void)json_array_append_new(
            parameters, json_pack("{s:O, s:s, s:O, s:O}", "name", json_object_get(one, "name"),
                                  "in", "query", "description", json_object_get(one, "summary"),
                                  "schema", json_object_get(one, "schema")));
    }
}

static void add_headers(const struct printing *printing, json_t *parameters)
{
    const json_t *answers = row_of(printing, "answers");

    if (json_is_true(row_of(printing, "idempotent")))
        add_parameter(
            parameters, "Idempotency-Key", "header", false,
            json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength", 255));
    if (json_object_get(answers, "304") != NULL)
        add_parameter(parameters, "If-None-Match", "header", false,
                      json_pack("{s:s}", "type", "string"));
    if (printing->route.carrier == HTTP_EVENTS ||
        (printing->route.call != NULL && printing->route.call->streams))
        add_parameter(parameters, "Last-Event-ID", "header", false,
                      json_pack("{s:s}", "type", "string"));
}

static json_t *parameters_of(const struct printing *printing)
{
    struct notify_str path = notify_str_z(printing->path);
    json_t *parameters = json_array();

    if (printing->route.call == NULL) /* each part fits itself */
        (void)http_pattern_fits(path, path, add_part, parameters);
    add_members(printing, parameters);
    add_query(printing, parameters);
    add_headers(printing, parameters);
    return parameters;
}

/* Bodies. */

static bool is_of_body(const struct member *member, const void *ctx)
{
    return !is_in_path(ctx, member->name);
}

/* Any of the forms of that kind: requests that need no connection, or answers. */
static json_t *any_form(const struct catalogue *catalogue, bool requests)
{
    json_t *refs = json_array();
    const json_t *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        const char *id = catalogue_text(form, "id");
        const json_t *stays = json_object_get(form, "needs_connection");
        if (requests ? json_is_false(stays) : strstr(id, ".answer") != NULL)
            (void)json_array_append_new(refs, ref_to("schemas", id));
    }
    return json_pack("{s:o}", "anyOf", refs);
}

static json_t *schema_of(const struct printing *printing, const json_t *said)
{
    const char *word = json_string_value(said);

    if (word == NULL)
        return json_incref((json_t *)said);
    return any_form(printing->catalogue, strcmp(word, "requests") == 0);
}

static json_t *body_schema(const struct printing *printing)
{
    const struct http_call *call = printing->route.call;

    if (takes_body(call))
        return request_schema_of_members(call->type.members, is_of_body, printing);
    return schema_of(printing, json_object_get(row_of(printing, "body"), "schema"));
}

/* NULL: there is none. */
static json_t *body_of(const struct printing *printing)
{
    const json_t *said = row_of(printing, "body");
    json_t *content, *schema;
    bool needed;

    if (said == NULL && !takes_body(printing->route.call))
        return NULL;
    schema = body_schema(printing);
    needed = said != NULL;
    content =
        json_pack("{s:o, s:O*}", "schema", schema, "example", json_object_get(said, "example"));
    return json_pack("{s:b, s:{s:o}}", "required", needed, "content", "application/json", content);
}

/* Answers. */

static const json_t *find_answer(const struct catalogue *catalogue, const char *name)
{
    const json_t *form;
    char id[KEY_MAX];
    size_t i;

    (void)snprintf(id, sizeof(id), "%s.answer", name);
    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        if (strcmp(catalogue_text(form, "id"), id) == 0)
            return form;
    }
    return NULL;
}

static json_t *content_of(const struct printing *printing, const json_t *answer)
{
    const char *type = catalogue_text(answer, "type");
    const char *name = catalogue_text(answer, "answer");
    const json_t *form = name == NULL ? answer : find_answer(printing->catalogue, name);
    json_t *schema = schema_of(printing, json_object_get(form, "schema"));

    if (name != NULL) {
        json_decref(schema);
        schema = ref_to("schemas", catalogue_text(form, "id"));
    }
    if (schema == NULL)
        return type == NULL ? NULL : json_pack("{s:{s:{s:s}}}", type, "schema", "type", "string");
    return json_pack("{s:{s:o, s:O*}}", type == NULL ? "application/json" : type, "schema", schema,
                     "example", json_object_get(form, "example"));
}

static void add_answers(const struct printing *printing, json_t *responses, bool with_content)
{
    json_t *answer;
    const char *status;

    json_object_foreach((json_t *)row_of(printing, "answers"), status, answer)
    {
        json_t *content = with_content ? content_of(printing, answer) : NULL;
        (void)json_object_set_new(responses, status,
                                  json_pack("{s:O, s:o*}", "description",
                                            json_object_get(answer, "summary"), "content",
                                            content));
    }
}

static void add_error(json_t *responses, int status)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "%d", status);
    if (json_object_get(responses, name) == NULL)
        (void)json_object_set_new(
            responses, name,
            json_pack("{s:s, s:{s:{s:o}}}", "description", http_status_reason(status), "content",
                      "application/json", "schema", ref_to("schemas", "http_error")));
}

/* What any call of the API may answer, and what comes before any of them. */
static void add_errors(const struct printing *printing, json_t *responses)
{
    static const int of_calls[] = {400, 401, 403, 422, 429, 500, 503};
    const json_t *status;
    size_t i;

    json_array_foreach(row_of(printing, "errors"), i, status)
    {
        add_error(responses, (int)json_integer_value(status));
    }
    for (i = 0; printing->route.call != NULL && i < sizeof(of_calls) / sizeof(of_calls[0]); i++)
        add_error(responses, of_calls[i]);
    if (printing->route.call != NULL && printing->route.call->body_max > 0) {
        add_error(responses, 413);
        add_error(responses, 415);
    }
    (void)json_object_set_new(responses, "default", ref_to("responses", "refused"));
}

static json_t *responses_of(const struct printing *printing, bool with_content)
{
    json_t *responses = json_object();

    add_answers(printing, responses, with_content);
    add_errors(printing, responses);
    return responses;
}

/* Methods. */

static bool is_for_known(const struct http_route *route)
{
    return route->call != NULL || route->carrier != HTTP_PLAIN;
}

static json_t *security(void)
{
    return json_pack("[{s:[]}, {s:[]}, {}]", "bearer", "token");
}

static json_t *operation(const struct printing *printing)
{
    json_t *secured = is_for_known(&printing->route) ? security() : NULL;

    return json_pack("{s:[O], s:O, s:o, s:o*, s:o, s:o*}", "tags", row_of(printing, "tag"),
                     "summary", row_of(printing, "summary"), "parameters", parameters_of(printing),
                     "requestBody", body_of(printing), "responses", responses_of(printing, true),
                     "security", secured);
}

static json_t *head_operation(const struct printing *printing)
{
    return json_pack("{s:[O], s:s, s:o, s:o}", "tags", row_of(printing, "tag"), "summary",
                     "GET without a body", "parameters", parameters_of(printing), "responses",
                     responses_of(printing, false));
}

static json_t *options_operation(const struct printing *printing)
{
    json_t *parameters = json_array();
    struct notify_str path = notify_str_z(printing->path);

    (void)http_pattern_fits(path, path, add_part, parameters);
    return json_pack("{s:[O], s:s, s:o, s:{s:{s:s}, s:o}}", "tags", row_of(printing, "tag"),
                     "summary", "Which methods there are", "parameters", parameters, "responses",
                     "204", "description", "Allow says it", "default",
                     ref_to("responses", "refused"));
}

static void add_operations(const struct printing *printing, json_t *paths)
{
    json_t *path = json_object_get(paths, printing->path);
    char method[16] = "";

    if (path == NULL) {
        path = json_object();
        (void)json_object_set_new(paths, printing->path, path);
    }
    for (size_t i = 0; i + 1 < sizeof(method) && printing->route.method[i] != '\0'; i++)
        method[i] = (char)tolower((unsigned char)printing->route.method[i]);
    (void)json_object_set_new(path, method, operation(printing));
    if (strcmp(method, "get") == 0)
        (void)json_object_set_new(path, "head", head_operation(printing));
    if (printing->route.carrier != HTTP_WEBSOCKET && json_object_get(path, "options") == NULL)
        (void)json_object_set_new(path, "options", options_operation(printing));
}

/* Paths of which calls.json says nothing are none by themselves ("/api/v1/ws"). */
static void add_path(struct printing *printing, const char *below, json_t *paths)
{
    const json_t *rows = catalogue_part(printing->catalogue, "calls");
    char key[KEY_MAX];

    (void)snprintf(printing->path, sizeof(printing->path), "%.*s%s", (int)printing->route.path.len,
                   printing->route.path.ptr, below);
    (void)snprintf(key, sizeof(key), "%s %s", printing->route.method, printing->path);
    printing->row = json_object_get(rows, key);
    if (printing->row != NULL)
        add_operations(printing, paths);
}

static json_t *paths_of(const struct catalogue *catalogue, http_route_fn route_at,
                        const struct http_state *state)
{
    json_t *paths = json_object();
    struct printing printing = {.catalogue = catalogue};

    for (size_t i = 0; route_at(state, i, &printing.route); i++) {
        add_path(&printing, "", paths);
        if (printing.route.below != NULL)
            add_path(&printing, printing.route.below, paths);
    }
    return paths;
}

/* What is referred to. */

static json_t *schemas_of(const struct catalogue *catalogue)
{
    json_t *schemas = json_copy((json_t *)catalogue_part(catalogue, "schemas"));
    const json_t *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        (void)json_object_set(schemas, catalogue_text(form, "id"), json_object_get(form, "schema"));
    }
    return schemas;
}

static json_t *components_of(const struct catalogue *catalogue)
{
    json_t *refused =
        json_pack("{s:s, s:{s:{s:o}}}", "description", "HTTP itself, or the front door, refused it",
                  "content", "application/json", "schema", ref_to("schemas", "http_error"));

    return json_pack("{s:o, s:{s:o}, s:{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}}}", "schemas",
                     schemas_of(catalogue), "responses", "refused", refused, "securitySchemes",
                     "bearer", "type", "http", "scheme", "bearer", "bearerFormat", "JWT", "token",
                     "type", "apiKey", "in", "query", "name", "token");
}

json_t *openapi_document(const struct catalogue *catalogue, http_route_fn route_at,
                         const struct http_state *state)
{
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title",
                     "redis-notify", "version", NOTIFY_VERSION, "description",
                     "Notifications over HTTP. What travels over connections: /asyncapi.json.",
                     "paths", paths_of(catalogue, route_at, state), "components",
                     components_of(catalogue));
}
