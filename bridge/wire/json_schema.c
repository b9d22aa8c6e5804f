#include "wire/json_schema.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 255
#define DEPTH_MAX 32    /* of definitions in definitions */
#define PATTERNS_MAX 16 /* that are kept while a value is looked at */

/* Patterns that were met: however many strings are compared, each is compiled once. */
struct patterns {
    size_t len;
    struct {
        const char *text; /* borrowed from the schema */
        regex_t regex;
    } at[PATTERNS_MAX];
};

/* A value while it is looked at. */
struct checking {
    struct patterns *patterns;
    json_schema_fn fn; /* NULL: only whether it fits */
    void *ctx;
    unsigned faults;
    size_t len;
    char path[JSON_SCHEMA_PATH_MAX + 1];
};

static bool check(struct checking *checking, const json_t *schema, const json_t *value);

static bool fail(struct checking *checking, const char *message)
{
    if (checking->fn != NULL && checking->faults < JSON_SCHEMA_FAULTS_MAX)
        checking->fn(checking->ctx, checking->path, message);
    checking->faults++;
    return false;
}

/* What of a value must be no less, or no more, than limit. */
static bool fail_at(struct checking *checking, const char *what, const json_t *limit,
                    const char *behind)
{
    char message[MESSAGE_MAX + 1];

    (void)snprintf(message, sizeof(message), "must %s %lld %s", what,
                   (long long)json_integer_value(limit), behind);
    return fail(checking, message);
}

/* Where one is. What does not fit into the path is left out, and so is all below it. */

static void put(struct checking *checking, char c)
{
    if (checking->len < JSON_SCHEMA_PATH_MAX)
        checking->path[checking->len++] = c;
}

static void enter(struct checking *checking, const char *name)
{
    put(checking, '/');
    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/')
            put(checking, '~');
        put(checking, *name == '~' ? '0' : *name == '/' ? '1' : *name);
    }
    checking->path[checking->len] = '\0';
}

static bool check_below(struct checking *checking, const char *name, const json_t *schema,
                        const json_t *value)
{
    size_t len = checking->len;
    bool fits;

    enter(checking, name);
    fits = check(checking, schema, value);
    checking->len = len;
    checking->path[len] = '\0';
    return fits;
}

/* Types. */

#define EXACT_MAX 9007199254740992.0 /* 2^53: beyond it there are no fractions */

static bool is_integer(const json_t *value)
{
    double real = json_real_value(value);

    return json_is_integer(value) ||
           (json_is_real(value) &&
            (real < -EXACT_MAX || real > EXACT_MAX || real == (double)(json_int_t)real));
}

static bool is_of_type(const json_t *value, const char *type)
{
    static const struct {
        const char *name;
        json_type type;
    } types[] = {
        {"object", JSON_OBJECT}, {"array", JSON_ARRAY},  {"string", JSON_STRING},
        {"number", JSON_REAL},   {"boolean", JSON_TRUE}, {"null", JSON_NULL},
    };

    if (strcmp(type, "integer") == 0)
        return is_integer(value);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i].name) == 0)
            return json_typeof(value) == types[i].type ||
                   (json_is_integer(value) && types[i].type == JSON_REAL) ||
                   (json_is_false(value) && types[i].type == JSON_TRUE);
    return false;
}

static void list_types(char out[MESSAGE_MAX + 1], const json_t *types)
{
    size_t len = (size_t)snprintf(out, MESSAGE_MAX + 1, "must be of type "), i;
    const json_t *type;

    json_array_foreach(types, i, type)
    {
        if (len < MESSAGE_MAX)
            len += (size_t)snprintf(out + len, MESSAGE_MAX + 1 - len, "%s%s", i > 0 ? " or " : "",
                                    json_string_value(type));
    }
}

static bool check_type(struct checking *checking, const json_t *types, const json_t *value)
{
    char message[MESSAGE_MAX + 1];
    const json_t *type;
    size_t i;

    if (json_is_string(types) && is_of_type(value, json_string_value(types)))
        return true;
    json_array_foreach(types, i, type)
    {
        if (is_of_type(value, json_string_value(type)))
            return true;
    }
    if (json_is_string(types))
        (void)snprintf(message, sizeof(message), "must be of type %s", json_string_value(types));
    else
        list_types(message, types);
    return fail(checking, message);
}

/* Values. */

static bool check_const(struct checking *checking, const json_t *wanted, const json_t *value)
{
    char message[MESSAGE_MAX + 1], *text;

    if (json_equal(wanted, value))
        return true;
    text = json_dumps(wanted, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)snprintf(message, sizeof(message), "must be %.200s", text == NULL ? "another" : text);
    free(text);
    return fail(checking, message);
}

static bool check_enum(struct checking *checking, const json_t *values, const json_t *value)
{
    const json_t *one;
    size_t i;

    json_array_foreach(values, i, one)
    {
        if (json_equal(one, value))
            return true;
    }
    return fail(checking, "is none of those that there are");
}

static bool check_minimum(struct checking *checking, const json_t *limit, const json_t *value)
{
    return !json_is_number(value) || json_number_value(value) >= json_number_value(limit) ||
           fail_at(checking, "be", limit, "or more");
}

static bool check_maximum(struct checking *checking, const json_t *limit, const json_t *value)
{
    return !json_is_number(value) || json_number_value(value) <= json_number_value(limit) ||
           fail_at(checking, "be", limit, "or less");
}

/* Strings are counted in characters. */

static json_int_t characters_in(const json_t *string)
{
    const char *text = json_string_value(string);
    json_int_t count = 0;

    for (size_t i = 0; i < json_string_length(string); i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static bool check_min_length(struct checking *checking, const json_t *limit, const json_t *value)
{
    return !json_is_string(value) || characters_in(value) >= json_integer_value(limit) ||
           fail_at(checking, "have", limit, "characters or more");
}

static bool check_max_length(struct checking *checking, const json_t *limit, const json_t *value)
{
    return !json_is_string(value) || characters_in(value) <= json_integer_value(limit) ||
           fail_at(checking, "have", limit, "characters or less");
}

/* NULL: there is no room for it, or no memory. */
static const regex_t *find_pattern(struct patterns *patterns, const char *text)
{
    for (size_t i = 0; i < patterns->len; i++)
        if (patterns->at[i].text == text)
            return &patterns->at[i].regex;
    if (patterns->len == PATTERNS_MAX ||
        regcomp(&patterns->at[patterns->len].regex, text, REG_EXTENDED | REG_NOSUB) != 0)
        return NULL;
    patterns->at[patterns->len].text = text;
    return &patterns->at[patterns->len++].regex;
}

/* Our patterns mean the same in POSIX and in ECMAScript. A NUL is in none of them. */
static bool fits_pattern(struct patterns *patterns, const char *pattern, const json_t *value)
{
    const regex_t *regex = find_pattern(patterns, pattern);
    const char *text = json_string_value(value);

    return strlen(text) == json_string_length(value) && regex != NULL &&
           regexec(regex, text, 0, NULL, 0) == 0;
}

static bool check_pattern(struct checking *checking, const json_t *pattern, const json_t *value)
{
    char message[MESSAGE_MAX + 1];

    if (!json_is_string(value) ||
        fits_pattern(checking->patterns, json_string_value(pattern), value))
        return true;
    (void)snprintf(message, sizeof(message), "must fit %.200s", json_string_value(pattern));
    return fail(checking, message);
}

/* Arrays. */

static bool check_min_items(struct checking *checking, const json_t *limit, const json_t *value)
{
    return !json_is_array(value) ||
           (json_int_t)json_array_size(value) >= json_integer_value(limit) ||
           fail_at(checking, "have", limit, "items or more");
}

static bool check_max_items(struct checking *checking, const json_t *limit, const json_t *value)
{
    return !json_is_array(value) ||
           (json_int_t)json_array_size(value) <= json_integer_value(limit) ||
           fail_at(checking, "have", limit, "items or less");
}

static bool check_items(struct checking *checking, const json_t *schema, const json_t *value)
{
    char index[24];
    bool fits = true;
    const json_t *item;
    size_t i;

    json_array_foreach(value, i, item)
    {
        if (checking->faults >= JSON_SCHEMA_FAULTS_MAX)
            break;
        (void)snprintf(index, sizeof(index), "%zu", i);
        fits &= check_below(checking, index, schema, item);
    }
    return fits;
}

/* Objects. */

static bool check_max_properties(struct checking *checking, const json_t *limit,
                                 const json_t *value)
{
    return !json_is_object(value) ||
           (json_int_t)json_object_size(value) <= json_integer_value(limit) ||
           fail_at(checking, "have", limit, "members or less");
}

static bool check_required(struct checking *checking, const json_t *names, const json_t *value)
{
    char message[MESSAGE_MAX + 1];
    bool fits = true;
    const json_t *name;
    size_t i;

    if (!json_is_object(value))
        return true;
    json_array_foreach(names, i, name)
    {
        if (json_object_get(value, json_string_value(name)) != NULL)
            continue;
        (void)snprintf(message, sizeof(message), "lacks the member %.200s",
                       json_string_value(name));
        fits = fail(checking, message);
    }
    return fits;
}

static bool check_properties(struct checking *checking, const json_t *properties,
                             const json_t *value)
{
    bool fits = true;
    json_t *schema;
    const char *name;

    json_object_foreach((json_t *)properties, name, schema)
    {
        const json_t *member = json_object_get(value, name);
        if (member != NULL)
            fits &= check_below(checking, name, schema, member);
    }
    return fits;
}

/* Those that the schema beside does not name. */
static bool check_others(struct checking *checking, const json_t *schema, const json_t *properties,
                         const json_t *value)
{
    bool fits = true;
    json_t *member;
    const char *name;

    json_object_foreach((json_t *)value, name, member)
    {
        if (checking->faults >= JSON_SCHEMA_FAULTS_MAX)
            break;
        if (json_object_get(properties, name) == NULL)
            fits &= check_below(checking, name, schema, member);
    }
    return fits;
}

/* Choices. */

static unsigned count_fits(const struct checking *checking, const json_t *schemas,
                           const json_t *value)
{
    unsigned count = 0;
    const json_t *schema;
    size_t i;

    json_array_foreach(schemas, i, schema)
    {
        struct checking quiet = {.patterns = checking->patterns};
        count += check(&quiet, schema, value);
    }
    return count;
}

static bool check_any_of(struct checking *checking, const json_t *schemas, const json_t *value)
{
    return count_fits(checking, schemas, value) > 0 ||
           fail(checking, "fits none of what it may be");
}

static bool check_one_of(struct checking *checking, const json_t *schemas, const json_t *value)
{
    unsigned count = count_fits(checking, schemas, value);

    return count == 1 || fail(checking, count == 0 ? "fits none of what it may be"
                                                   : "fits more than one of what it may be");
}

static bool check_not(struct checking *checking, const json_t *schema, const json_t *value)
{
    struct checking quiet = {.patterns = checking->patterns};

    return !check(&quiet, schema, value) || fail(checking, "is what it may not be");
}

/* All words: those that are no schema themselves; those that are one, or an array or an object of
 * them; and those that only describe. */

enum holds {
    HOLDS_NO_SCHEMA,
    HOLDS_SCHEMA,
    HOLDS_ARRAY,
    HOLDS_OBJECT,
};

struct keyword {
    const char *name;
    bool (*check)(struct checking *checking, const json_t *word, const json_t *value);
    enum holds holds;
    bool deep; /* see check_words() */
};

static const struct keyword keywords[] = {
    {"type", check_type, HOLDS_NO_SCHEMA, false},
    {"const", check_const, HOLDS_NO_SCHEMA, false},
    {"enum", check_enum, HOLDS_NO_SCHEMA, false},
    {"minimum", check_minimum, HOLDS_NO_SCHEMA, false},
    {"maximum", check_maximum, HOLDS_NO_SCHEMA, false},
    {"minLength", check_min_length, HOLDS_NO_SCHEMA, false},
    {"maxLength", check_max_length, HOLDS_NO_SCHEMA, false},
    {"pattern", check_pattern, HOLDS_NO_SCHEMA, false},
    {"minItems", check_min_items, HOLDS_NO_SCHEMA, false},
    {"maxItems", check_max_items, HOLDS_NO_SCHEMA, false},
    {"items", check_items, HOLDS_SCHEMA, true},
    {"maxProperties", check_max_properties, HOLDS_NO_SCHEMA, false},
    {"required", check_required, HOLDS_NO_SCHEMA, true},
    {"properties", check_properties, HOLDS_OBJECT, true},
    {"additionalProperties", NULL, HOLDS_SCHEMA, false}, /* check_others() */
    {"anyOf", check_any_of, HOLDS_ARRAY, true},
    {"oneOf", check_one_of, HOLDS_ARRAY, true},
    {"not", check_not, HOLDS_SCHEMA, true},
    {"title", NULL, HOLDS_NO_SCHEMA, false},
    {"description", NULL, HOLDS_NO_SCHEMA, false},
    {"format", NULL, HOLDS_NO_SCHEMA, false},
    {"default", NULL, HOLDS_NO_SCHEMA, false},
    {"examples", NULL, HOLDS_NO_SCHEMA, false},
};
#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

static const struct keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < KEYWORDS; i++)
        if (strcmp(keywords[i].name, name) == 0)
            return &keywords[i];
    return NULL;
}

/* deep: those words that look into the value, or at what it lacks. */
static bool check_words(struct checking *checking, const json_t *schema, const json_t *value,
                        bool deep)
{
    bool fits = true;

    for (size_t i = 0; i < KEYWORDS; i++) {
        const json_t *word = json_object_get(schema, keywords[i].name);
        if (word != NULL && keywords[i].check != NULL && keywords[i].deep == deep)
            fits &= keywords[i].check(checking, word, value);
    }
    return fits;
}

/* What is of another kind, or too long, is not looked into. */
static bool check(struct checking *checking, const json_t *schema, const json_t *value)
{
    const json_t *others = json_object_get(schema, "additionalProperties");
    bool fits;

    if (json_is_false(schema))
        return fail(checking, "is not among the members that there are");
    if (!check_words(checking, schema, value, false))
        return false;
    fits = check_words(checking, schema, value, true);
    if (others != NULL)
        fits &= check_others(checking, others, json_object_get(schema, "properties"), value);
    return fits;
}

bool json_schema_check(const json_t *schema, const json_t *value, json_schema_fn fn, void *ctx)
{
    struct patterns patterns = {.len = 0};
    struct checking checking = {.patterns = &patterns, .fn = fn, .ctx = ctx};
    bool fits = check(&checking, schema, value);

    for (size_t i = 0; i < patterns.len; i++)
        regfree(&patterns.at[i].regex);
    return fits;
}

/* What is not understood. */

static const char *unknown_in_each(const json_t *schemas)
{
    const char *name, *unknown = NULL;
    const json_t *schema;
    json_t *member;
    size_t i;

    json_array_foreach(schemas, i, schema)
    {
        unknown = unknown == NULL ? json_schema_unknown(schema) : unknown;
    }
    json_object_foreach((json_t *)schemas, name, member)
    {
        unknown = unknown == NULL ? json_schema_unknown(member) : unknown;
    }
    return unknown;
}

static const char *unknown_in_word(const char *name, const json_t *word)
{
    const struct keyword *keyword = find_keyword(name);

    if (keyword == NULL)
        return name;
    switch (keyword->holds) {
    case HOLDS_NO_SCHEMA:
        return NULL;
    case HOLDS_SCHEMA:
        return json_schema_unknown(word);
    case HOLDS_ARRAY:
    case HOLDS_OBJECT:
        return unknown_in_each(word);
    }
    return NULL;
}

const char *json_schema_unknown(const json_t *schema)
{
    const char *name, *unknown;
    json_t *word;

    json_object_foreach((json_t *)schema, name, word)
    {
        unknown = unknown_in_word(name, word);
        if (unknown != NULL)
            return unknown;
    }
    return NULL;
}

/* References. */

static json_t *resolve(const json_t *schema, const json_t *definitions, unsigned depth);

static json_t *resolve_object(const json_t *schema, const json_t *definitions, unsigned depth)
{
    json_t *resolved = json_object(), *word;
    const char *name;

    json_object_foreach((json_t *)schema, name, word)
    {
        if (json_object_set_new(resolved, name, resolve(word, definitions, depth)) == 0)
            continue;
        json_decref(resolved);
        return NULL;
    }
    return resolved;
}

static json_t *resolve_array(const json_t *schemas, const json_t *definitions, unsigned depth)
{
    json_t *resolved = json_array();
    const json_t *schema;
    size_t i;

    json_array_foreach(schemas, i, schema)
    {
        if (json_array_append_new(resolved, resolve(schema, definitions, depth)) == 0)
            continue;
        json_decref(resolved);
        return NULL;
    }
    return resolved;
}

static json_t *resolve(const json_t *schema, const json_t *definitions, unsigned depth)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));

    if (ref != NULL && depth < DEPTH_MAX &&
        strncmp(ref, JSON_SCHEMA_REF, strlen(JSON_SCHEMA_REF)) == 0)
        return resolve(json_object_get(definitions, ref + strlen(JSON_SCHEMA_REF)), definitions,
                       depth + 1);
    if (ref != NULL)
        return NULL;
    if (json_is_object(schema))
        return resolve_object(schema, definitions, depth);
    if (json_is_array(schema))
        return resolve_array(schema, definitions, depth);
    return schema == NULL ? NULL : json_deep_copy(schema);
}

json_t *json_schema_resolve(const json_t *schema, const json_t *definitions)
{
    return resolve(schema, definitions, 0);
}
