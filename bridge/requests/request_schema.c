#include "requests/request_schema.h"

#include "requests/request_id.h"
#include "requests/request_members.h"

bool request_type_stays(const struct request_type *type)
{
    return type->stays;
}

json_t *request_schema_of_member(const struct member *member)
{
    json_t *schema = json_loads(member_kind_schema(member->kind), 0, NULL);

    (void)json_object_set_new(schema, "description",
                              json_string(member_kind_expected(member->kind)));
    return schema;
}

/* {"required": [name]}: one of several that exclude each other. */
static json_t *choice_of(const struct member *member)
{
    return json_pack("{s:[s]}", "required", member->name);
}

json_t *request_schema_of_members(const struct member *members,
                                  bool (*which)(const struct member *member, const void *ctx),
                                  const void *ctx)
{
    json_t *properties = json_object(), *required = json_array(), *choices = json_array();

    for (const struct member *m = members; m->name != NULL; m++) {
        if (which != NULL && !which(m, ctx))
            continue;
        (void)json_object_set_new(properties, m->name, request_schema_of_member(m));
        if (m->need == MEMBER_NEEDED)
            (void)json_array_append_new(required, json_string(m->name));
        else if (m->need == MEMBER_ONE_OF)
            (void)json_array_append_new(choices, choice_of(m));
    }
    if (json_array_size(choices) == 0) {
        json_decref(choices);
        choices = NULL;
    }
    return json_pack("{s:s, s:o, s:o, s:o*, s:b}", "type", "object", "properties", properties,
                     "required", required, "oneOf", choices, "additionalProperties", 0);
}

json_t *request_schema_of_message(const struct request_type *type)
{
    json_t *schema = request_schema_of_members(type->members, NULL, NULL);
    json_t *properties = json_object_get(schema, "properties");

    (void)json_object_set_new(properties, "type", json_pack("{s:s}", "const", type->name));
    (void)json_object_set_new(properties, "request_id",
                              json_pack("{s:[s, s], s:i, s:s}", "type", "integer", "string",
                                        "maxLength", REQUEST_ID_MAX - 2, "description",
                                        "repeated by the answer"));
    (void)json_array_insert_new(json_object_get(schema, "required"), 0, json_string("type"));
    return schema;
}
