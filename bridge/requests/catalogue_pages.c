#include "requests/catalogue_pages.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "net/http.h"
#include "requests/asyncapi.h"
#include "requests/catalogue.h"
#include "requests/http_pattern.h"
#include "requests/openapi.h"
#include "wire/json_schema.h"

#define QUERY_VALUE_MAX 64 /* bytes of a dialect's name, or a direction */

/* NULL: out of memory. */
static const struct catalogue *catalogue_of(struct catalogue_pages *pages)
{
    if (pages->catalogue == NULL)
        pages->catalogue = catalogue_new();
    return pages->catalogue;
}

void catalogue_pages_release(struct catalogue_pages *pages)
{
    catalogue_free(pages->catalogue);
    free(pages->events);
    free(pages->openapi);
    free(pages->asyncapi);
}

/* Answers. */

static void answer_text(struct exchange *exchange, const char *text)
{
    const struct http_response response = {
        .status = 200, .cache_control = "no-cache", .body = text, .len = strlen(text)};

    exchange_answer(exchange, &response);
}

/* json is taken over. NULL: out of memory. */
static char *print(json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return text;
}

static void answer_json(struct exchange *exchange, json_t *json)
{
    char *text = print(json);

    if (text == NULL)
        exchange_refuse(exchange, 500, NULL);
    else
        answer_text(exchange, text);
    free(text);
}

static void answer_kept(struct exchange *exchange, const char *text)
{
    if (text == NULL)
        exchange_refuse(exchange, 500, NULL);
    else
        answer_text(exchange, text);
}

/* An event, of all its forms. */

static bool is_of(const json_t *form, const char *name)
{
    return strcmp(catalogue_text(form, "name"), name) == 0;
}

/* Whose schemas have no references any more; a new one. */
static json_t *plain_form(const struct catalogue *catalogue, const json_t *form)
{
    json_t *plain = json_copy((json_t *)form);

    (void)json_object_set_new(
        plain, "schema",
        json_schema_resolve(json_object_get(form, "schema"), catalogue_part(catalogue, "schemas")));
    (void)json_object_del(plain, "name");
    return plain;
}

static json_t *forms_of(const struct catalogue *catalogue, const char *name)
{
    json_t *forms = json_array();
    const json_t *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        if (is_of(form, name))
            (void)json_array_append_new(forms, plain_form(catalogue, form));
    }
    return forms;
}

static void add_once(json_t *array, json_t *value)
{
    const json_t *one;
    size_t i;

    json_array_foreach(array, i, one)
    {
        if (json_equal(one, value))
            return;
    }
    (void)json_array_append(array, value);
}

/* What all forms have of member, which is a text or an array of them. */
static json_t *gather(const json_t *forms, const char *member)
{
    json_t *all = json_array(), *text;
    const json_t *form;
    size_t i, k;

    json_array_foreach(forms, i, form)
    {
        json_t *value = json_object_get(form, member);
        if (json_is_string(value))
            add_once(all, value);
        json_array_foreach(value, k, text)
        {
            add_once(all, text);
        }
    }
    return all;
}

/* One that any of them fits. */
static json_t *schema_of(const json_t *forms)
{
    json_t *schemas = json_array();
    const json_t *form;
    size_t i;

    if (json_array_size(forms) == 1) {
        json_decref(schemas);
        return json_incref(json_object_get(json_array_get(forms, 0), "schema"));
    }
    json_array_foreach(forms, i, form)
    {
        (void)json_array_append(schemas, json_object_get(form, "schema"));
    }
    return json_pack("{s:o}", "anyOf", schemas);
}

/* NULL: there is none of this name, or out of memory. */
static json_t *event_of(const struct catalogue *catalogue, const char *name)
{
    json_t *forms = forms_of(catalogue, name);
    const json_t *first = json_array_get(forms, 0);

    if (first == NULL) {
        json_decref(forms);
        return NULL;
    }
    return json_pack("{s:s, s:O, s:o, s:o, s:o, s:O, s:o}", "name", name, "summary",
                     json_object_get(first, "summary"), "directions", gather(forms, "direction"),
                     "dialects", gather(forms, "dialects"), "schema", schema_of(forms), "example",
                     json_object_get(first, "example"), "forms", forms);
}

/* All of them. */

static json_t *names_of(const struct catalogue *catalogue)
{
    json_t *names = json_array();
    const json_t *form;
    size_t i;

    json_array_foreach(catalogue_forms(catalogue), i, form)
    {
        add_once(names, json_object_get(form, "name"));
    }
    return names;
}

static json_t *events_of(const struct catalogue *catalogue)
{
    json_t *names = names_of(catalogue), *events = json_array();
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        (void)json_array_append_new(events, event_of(catalogue, json_string_value(name)));
    }
    json_decref(names);
    return json_pack("{s:O, s:o, s:O, s:O}", "dialects", catalogue_part(catalogue, "dialects"),
                     "events", events, "errors", catalogue_part(catalogue, "errors"), "closes",
                     catalogue_part(catalogue, "closes"));
}

void catalogue_answer_events(struct catalogue_pages *pages, struct exchange *exchange)
{
    const struct catalogue *catalogue = catalogue_of(pages);

    if (pages->events == NULL && catalogue != NULL)
        pages->events = print(events_of(catalogue));
    answer_kept(exchange, pages->events);
}

/* The one of the path. */

static void on_part(void *ctx, struct notify_str name, struct notify_str value)
{
    json_t **text = ctx;

    (void)name; /* there is but one */
    json_decref(*text);
    *text = json_stringn(value.ptr, value.len);
}

/* Of the catalogue; NULL: it has been refused. */
static json_t *find_event(struct catalogue_pages *pages, struct exchange *exchange,
                          struct notify_str pattern)
{
    const struct catalogue *catalogue = catalogue_of(pages);
    json_t *name = NULL, *event = NULL;

    if (catalogue == NULL) {
        exchange_refuse(exchange, 500, NULL);
        return NULL;
    }
    (void)http_pattern_fits(pattern, exchange_request(exchange)->path, on_part, &name);
    if (name != NULL)
        event = event_of(catalogue, json_string_value(name));
    json_decref(name);
    if (event == NULL)
        exchange_refuse(exchange, 404, NULL);
    return event;
}

void catalogue_answer_event(struct catalogue_pages *pages, struct exchange *exchange)
{
    json_t *event = find_event(pages, exchange, NOTIFY_STR("/events/{name}"));

    if (event != NULL)
        answer_json(exchange, event);
}

/* Does a message fit? */

static void on_fault(void *ctx, const char *path, const char *message)
{
    json_t *where = json_string(path);

    if (where == NULL) /* it was cut within a character */
        where = json_string("");
    (void)json_array_append_new(ctx, json_pack("{s:o, s:s}", "path", where, "message", message));
}

static json_t *judge(const json_t *form, const json_t *message)
{
    json_t *errors = json_array();
    bool fits = json_schema_check(json_object_get(form, "schema"), message, on_fault, errors);

    return json_pack("{s:O, s:O, s:b, s:o}", "direction", json_object_get(form, "direction"),
                     "dialects", json_object_get(form, "dialects"), "valid", fits, "errors",
                     errors);
}

/* Is value what the query says of name, or among it, if it says anything? */
static bool is_asked_for(const struct http_request *req, const char *name, const json_t *value)
{
    char wanted[QUERY_VALUE_MAX];
    const json_t *one;
    size_t i;

    if (!http_request_has(req, name))
        return true;
    if (http_request_arg(req, name, wanted, sizeof(wanted)) < 0)
        return false;
    json_array_foreach(value, i, one)
    {
        if (strcmp(json_string_value(one), wanted) == 0)
            return true;
    }
    return json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

static json_t *judge_all(const struct http_request *req, const json_t *forms, const json_t *message)
{
    json_t *judged = json_array();
    bool valid = false;
    const json_t *form;
    size_t i;

    json_array_foreach(forms, i, form)
    {
        if (!is_asked_for(req, "dialect", json_object_get(form, "dialects")) ||
            !is_asked_for(req, "direction", json_object_get(form, "direction")))
            continue;
        (void)json_array_append_new(judged, judge(form, message));
        valid |= json_is_true(
            json_object_get(json_array_get(judged, json_array_size(judged) - 1), "valid"));
    }
    return json_pack("{s:b, s:o}", "valid", valid, "forms", judged);
}

void catalogue_answer_validation(struct catalogue_pages *pages, struct exchange *exchange)
{
    const struct http_request *req = exchange_request(exchange);
    json_t *event = find_event(pages, exchange, NOTIFY_STR("/events/{name}/validate")), *message;

    if (event == NULL)
        return;
    message = json_loadb(req->body.ptr, req->body.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (message == NULL)
        exchange_refuse(exchange, 400, NULL);
    else
        answer_json(exchange, judge_all(req, json_object_get(event, "forms"), message));
    json_decref(message);
    json_decref(event);
}

/* Documents. */

void catalogue_answer_openapi(struct catalogue_pages *pages, struct exchange *exchange,
                              http_route_fn route_at, const struct http_state *state)
{
    const struct catalogue *catalogue = catalogue_of(pages);

    if (pages->openapi == NULL && catalogue != NULL)
        pages->openapi = print(openapi_document(catalogue, route_at, state));
    answer_kept(exchange, pages->openapi);
}

void catalogue_answer_asyncapi(struct catalogue_pages *pages, struct exchange *exchange)
{
    const struct catalogue *catalogue = catalogue_of(pages);

    if (pages->asyncapi == NULL && catalogue != NULL)
        pages->asyncapi = print(asyncapi_document(catalogue));
    answer_kept(exchange, pages->asyncapi);
}
