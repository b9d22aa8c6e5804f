/* The catalogue as it is compiled in: whole, and such that our own checker understands it. */
#include <criterion/criterion.h>
#include <string.h>

#include <jansson.h>

#include "requests/answer.h"
#include "requests/catalogue.h"
#include "requests/request_members.h"
#include "requests/request_run.h"
#include "wire/json_schema.h"

static const struct catalogue *catalogue(void)
{
    static struct catalogue *made;

    if (made == NULL)
        made = catalogue_new();
    cr_assert_not_null(made);
    return made;
}

static void tell(void *ctx, const char *path, const char *message)
{
    cr_log_error("%s: %s %s", (const char *)ctx, path, message);
}

Test(catalogue, has_schemas_that_our_checker_understands_and_examples_that_fit_them)
{
    const json_t *form;
    size_t i;

    cr_assert_gt(json_array_size(catalogue_forms(catalogue())), 80);
    json_array_foreach(catalogue_forms(catalogue()), i, form)
    {
        const char *id = json_string_value(json_object_get(form, "id"));
        json_t *schema = json_schema_resolve(json_object_get(form, "schema"),
                                             catalogue_part(catalogue(), "schemas"));
        cr_assert_not_null(schema, "%s refers to what there is not", id);
        cr_assert_null(json_schema_unknown(schema), "%s: %s", id, json_schema_unknown(schema));
        cr_assert(json_schema_check(schema, json_object_get(form, "example"), tell, (void *)id));
        json_decref(schema);
    }
}

Test(catalogue, has_each_request_of_the_table_once_and_no_other)
{
    const json_t *row;
    size_t i;

    json_array_foreach(catalogue_part(catalogue(), "requests"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "name"));
        const struct request_type *type = request_type_at(i);
        cr_assert_not_null(type, "%s is none", name);
        cr_assert_str_eq(name, type->name, "in the order of the table");
    }
    cr_assert_null(request_type_at(i));
}

Test(catalogue, has_a_code_for_each_error)
{
    const json_t *codes = json_object_get(
        json_object_get(catalogue_part(catalogue(), "schemas"), "error_code"), "enum");

    for (enum answer_code code = ANSWER_BAD_JSON; code <= ANSWER_UNAVAILABLE; code++) {
        const json_t *one;
        bool found = false;
        size_t i;
        json_array_foreach(codes, i, one)
        {
            found |= strcmp(json_string_value(one), answer_code_name(code)) == 0;
        }
        cr_assert(found, "%s", answer_code_name(code));
    }
}

Test(catalogue, knows_no_part_that_there_is_not)
{
    cr_assert_null(catalogue_part(catalogue(), "nothing"));
}
