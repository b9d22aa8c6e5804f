#include "requests/request_members.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "clients/client.h"
#include "identity/key_names.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "wire/http_head.h"
#include "wire/entry_uuid.h"
#include "wire/inbound.h"
#include "wire/json_text.h"

#define SHOWN_MAX 64 /* bytes of a name that is told though no table has it */
#define AN_ID "such as \"1795208400123-0\""

/* The kinds. Each reader fills what it says and answers whether raw, which is well-formed JSON, is
 * of its kind. */

static bool read_text(struct member_value *value)
{
    return json_text_read(value->raw, &value->text, &value->json);
}

static bool read_word(struct member_value *value)
{
    return read_text(value) && value->text.len > 0;
}

static size_t characters_in(struct notify_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static bool read_title(struct member_value *value)
{
    return read_word(value) && characters_in(value->text) <= NOTIFY_TITLE_MAX;
}

static bool read_label(struct member_value *value)
{
    return read_text(value) && key_name_is_valid(value->text) &&
           value->text.len <= MEMBER_LABEL_MAX;
}

static bool read_level(struct member_value *value)
{
    static const char *const levels[] = {"info", "success", "warning", "error", "critical"};

    if (!read_text(value))
        return false;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (http_equal(value->text, levels[i]))
            return true;
    return false;
}

static bool read_name(struct member_value *value)
{
    return read_text(value) && key_name_is_valid(value->text);
}

static bool take_uuid(struct notify_str text, struct member_value *value)
{
    struct entry_uuid uuid;

    if (entry_uuid_parse(text, &uuid) != ENTRY_UUID_ENTRY)
        return false;
    value->id = uuid.id;
    value->is_uuid = true;
    value->tag = uuid.tag;
    return true;
}

/* What a UUID, or an id with any number of zeros before its numbers, stands for, as text. NULL:
 * text is neither, or out of memory. */
static json_t *id_meant(struct notify_str text, struct member_value *value)
{
    char id[NOTIFY_ID_TEXT_MAX + 1];

    if (!notify_id_parse(text, 0, &value->id) && !take_uuid(text, value))
        return NULL;
    return json_stringn(id, notify_id_format(id, value->id));
}

/* As long as ids are, so that there is room for it wherever there is for one. */
static bool is_id(struct notify_str text, struct notify_id *ret)
{
    return text.len <= NOTIFY_ID_TEXT_MAX && notify_id_parse(text, 0, ret);
}

static bool read_id(struct member_value *value)
{
    json_t *id;

    if (!read_text(value))
        return false;
    if (is_id(value->text, &value->id))
        return true;
    id = id_meant(value->text, value);
    if (id == NULL)
        return false;
    json_decref(value->json);
    value->json = id;
    value->text = json_text_of(id);
    return true;
}

/* "<id>:<key>" */
static bool is_feed_position(struct notify_str text)
{
    const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    size_t len = colon == NULL ? 0 : (size_t)(colon - text.ptr);
    struct notify_id id;

    return colon != NULL && is_id(notify_str_of(text.ptr, len), &id) && text.len - len - 1 > 0 &&
           text.len - len - 1 <= NOTIFY_KEY_MAX;
}

static bool read_before(struct member_value *value)
{
    if (read_id(value))
        return true;
    value->flag = is_feed_position(value->text);
    return value->flag;
}

static bool read_key(struct member_value *value)
{
    return read_word(value) && value->text.len <= NOTIFY_KEY_MAX;
}

static bool read_position(struct member_value *value)
{
    return read_text(value) && position_parse(value->text, &value->position);
}

/* One of the array, which becomes the id that is meant. */
static bool read_id_of(struct member_value *value, size_t i)
{
    const json_t *item = json_array_get(value->json, i);
    uint16_t tag = value->tag;

    value->tag = 0;
    if (!json_is_string(item) ||
        (!is_id(json_text_of(item), &value->id) &&
         json_array_set_new(value->json, i, id_meant(json_text_of(item), value)) != 0))
        return false;
    return i == 0 || value->tag == tag;
}

static bool read_ids(struct member_value *value)
{
    size_t len;

    value->json = json_loadb(value->raw.ptr, value->raw.len, 0, NULL);
    len = json_array_size(value->json);
    for (size_t i = 0; i < len; i++)
        if (!read_id_of(value, i))
            return false;
    return len > 0 && len <= REQUEST_IDS_MAX;
}

static bool is_position(const json_t *value)
{
    struct position position;

    return json_is_string(value) && position_parse(json_text_of(value), &position);
}

static bool read_positions(struct member_value *value)
{
    const char *key;
    json_t *id;
    void *next;

    value->json = json_loadb(value->raw.ptr, value->raw.len, JSON_REJECT_DUPLICATES, NULL);
    json_object_foreach_safe(value->json, next, key, id)
    {
        size_t len = strlen(key);
        if (json_is_null(id))
            (void)json_object_del(value->json, key); /* it is there */
        else if (len == 0 || len > NOTIFY_KEY_MAX || !is_position(id))
            return false;
    }
    return json_is_object(value->json) && json_object_size(value->json) <= REQUEST_POSITIONS_MAX;
}

static bool read_number(struct member_value *value, uint64_t min, uint64_t max)
{
    struct notify_str rest = value->raw;
    uint64_t number;

    if (!notify_id_take_number(&rest, &number) || rest.len > 0 || number < min || number > max)
        return false;
    value->number = number;
    return true;
}

static bool read_limit(struct member_value *value)
{
    return read_number(value, 1, REQUEST_LIMIT_MAX);
}

static bool read_page(struct member_value *value)
{
    return read_number(value, 1, REQUEST_PAGE_MAX);
}

static bool read_offset(struct member_value *value)
{
    return read_number(value, 0, REQUEST_OFFSET_MAX);
}

static bool read_since(struct member_value *value)
{
    return read_text(value) ? since_parse_span(value->text, &value->since)
                            : since_parse_time(value->raw, &value->since);
}

static bool read_flag(struct member_value *value)
{
    value->flag = notify_str_eq(value->raw, NOTIFY_STR("true"));
    return value->flag || notify_str_eq(value->raw, NOTIFY_STR("false"));
}

static bool read_true(struct member_value *value)
{
    return read_flag(value) && value->flag;
}

static bool read_json(struct member_value *value)
{
    (void)value; /* it is */
    return true;
}

/* The same as a JSON Schema, for the catalogue. Lengths are counted in characters there: a name may
 * fit, and have too many bytes all the same. */

#define AN_INTEGER(min, max)                                                                       \
    "{\"type\":\"integer\",\"minimum\":" TEXT_OF(min) ",\"maximum\":" TEXT_OF(max) "}"
#define A_STRING(max) "{\"type\":\"string\",\"minLength\":1,\"maxLength\":" TEXT_OF(max) "}"
#define A_PATTERN(pattern) "{\"type\":\"string\",\"pattern\":\"" pattern "\"}"
#define ID_PATTERN "[0-9]+(-[0-9]+)?"
#define UUID_PATTERN                                                                               \
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
#define ID_SCHEMA A_PATTERN("^(" ID_PATTERN "|" UUID_PATTERN ")$")
#define POSITION_SCHEMA A_PATTERN("^" ID_PATTERN "(@@[0-9]+)?$")

struct kind {
    bool (*read)(struct member_value *value);
    const char *expected, *schema;
};

static const struct kind kinds[] = {
    [MEMBER_NAME] = {read_name,
                     "a string of 1 to " TEXT_OF(KEY_NAME_MAX) " bytes without control characters",
                     A_STRING(KEY_NAME_MAX)},
    [MEMBER_WORD] = {read_word, "a string that is not empty",
                     "{\"type\":\"string\",\"minLength\":1}"},
    [MEMBER_TEXT] = {read_text, "a string", "{\"type\":\"string\"}"},
    [MEMBER_TITLE] = {read_title, "a string of 1 to " TEXT_OF(NOTIFY_TITLE_MAX) " characters",
                      A_STRING(NOTIFY_TITLE_MAX)},
    [MEMBER_LABEL] = {read_label,
                      "a string of 1 to " TEXT_OF(
                          MEMBER_LABEL_MAX) " bytes without control characters",
                      A_STRING(MEMBER_LABEL_MAX)},
    [MEMBER_LEVEL] = {read_level, "info, success, warning, error or critical",
                      "{\"enum\":[\"info\",\"success\",\"warning\",\"error\",\"critical\"]}"},
    [MEMBER_ID] = {read_id, "an id " AN_ID, ID_SCHEMA},
    [MEMBER_BEFORE] = {read_before, "an id " AN_ID ", or what a feed says comes next",
                       A_PATTERN("^(" ID_PATTERN "(:.+)?|" UUID_PATTERN ")$")},
    [MEMBER_KEY] = {read_key, "a key of 1 to " TEXT_OF(NOTIFY_KEY_MAX) " bytes",
                    A_STRING(NOTIFY_KEY_MAX)},
    [MEMBER_OFFSET] = {read_offset, "an integer from 0 to " TEXT_OF(REQUEST_OFFSET_MAX),
                       AN_INTEGER(0, REQUEST_OFFSET_MAX)},
    [MEMBER_POSITION] = {read_position, "an id " AN_ID, POSITION_SCHEMA},
    [MEMBER_IDS] = {read_ids, "an array of 1 to " TEXT_OF(REQUEST_IDS_MAX) " ids " AN_ID,
                    "{\"type\":\"array\",\"minItems\":1,\"maxItems\":" TEXT_OF(
                        REQUEST_IDS_MAX) ",\"items\":" ID_SCHEMA "}"},
    [MEMBER_POSITIONS] =
        {read_positions,
         "an object of at most " TEXT_OF(REQUEST_POSITIONS_MAX) " keys with ids " AN_ID,
         "{\"type\":\"object\",\"maxProperties\":" TEXT_OF(
             REQUEST_POSITIONS_MAX) ",\"additionalProperties\":{\"anyOf\":[" POSITION_SCHEMA
                                    ",{\"type\":\"null\"}]}}"},
    [MEMBER_LIMIT] = {read_limit, "an integer from 1 to " TEXT_OF(REQUEST_LIMIT_MAX),
                      AN_INTEGER(1, REQUEST_LIMIT_MAX)},
    [MEMBER_PAGE] = {read_page, "a number from 1 to " TEXT_OF(REQUEST_PAGE_MAX),
                     AN_INTEGER(1, REQUEST_PAGE_MAX)},
    [MEMBER_SINCE] = {read_since, SINCE_EXPECTED,
                      "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},"
                      "{\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h|d)$\"}]}"},
    [MEMBER_FLAG] = {read_flag, "true or false", "{\"type\":\"boolean\"}"},
    [MEMBER_TRUE] = {read_true, "true", "{\"const\":true}"},
    [MEMBER_JSON] = {read_json, "JSON", "{}"},
};

const char *member_kind_expected(enum member_kind kind)
{
    return kinds[kind].expected;
}

const char *member_kind_schema(enum member_kind kind)
{
    return kinds[kind].schema;
}

/* What is wrong. */

static void fail_kind(struct request *r, enum answer_code code, const struct member *member)
{
    char message[160];

    (void)snprintf(message, sizeof(message), "%s must be %s", member->name,
                   kinds[member->kind].expected); /* there is room */
    answer_error(r, code, member->name, message);
}

static void fail_twice(struct request *r, const char *name)
{
    char message[160];

    (void)snprintf(message, sizeof(message), "%s is given twice", name); /* there is room */
    answer_error(r, ANSWER_INVALID_FIELD, name, message);
}

/* Names as an error tells them: "upto, category". */
static void list_names(char *out, size_t cap, const struct member *members, const char *between,
                       bool only_one_of)
{
    size_t len = 0;

    out[0] = '\0';
    for (const struct member *m = members; m->name != NULL && len < cap; m++)
        if (!only_one_of || m->need == MEMBER_ONE_OF)
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : between, m->name);
}

/* At most SHOWN_MAX bytes of it, cut between two characters. */
static size_t shown_len(struct notify_str name)
{
    size_t len = name.len < SHOWN_MAX ? name.len : SHOWN_MAX;

    while (len < name.len && len > 0 && ((unsigned char)name.ptr[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static void fail_unknown(struct request *r, struct notify_str raw)
{
    char name[SHOWN_MAX + 1], known[256], message[512];
    size_t len = shown_len(raw);

    memcpy(name, raw.ptr, len);
    name[len] = '\0';
    list_names(known, sizeof(known), r->type->members, ", ", false);
    if (r->client != NULL)
        (void)snprintf(known + strlen(known), sizeof(known) - strlen(known), "%srequest_id",
                       known[0] == '\0' ? "" : ", ");
    (void)snprintf(message, sizeof(message), "%s has no member '%s' (it has: %s)", r->type->name,
                   name, known[0] == '\0' ? "none" : known); /* there is room */
    answer_error(r, ANSWER_INVALID_FIELD, name, message);
}

static void fail_one_of(struct request *r, bool none)
{
    char names[128], message[256];

    list_names(names, sizeof(names), r->type->members, none ? " or " : " and ", true);
    (void)snprintf(message, sizeof(message), "%s %s", names,
                   none ? "must be given" : "exclude each other"); /* there is room */
    answer_error(r, none ? ANSWER_MISSING_FIELD : ANSWER_INVALID_FIELD, NULL, message);
}

/* The check. */

static const struct member *find_member(const struct request *r, struct notify_str name)
{
    for (const struct member *m = r->type->members; m->name != NULL; m++)
        if (inbound_is_named(name, m->name))
            return m;
    return NULL;
}

static bool read_member(struct request *r, const struct inbound_member *raw, uint32_t *seen)
{
    const struct member *member = find_member(r, raw->name);
    size_t row;

    if (member == NULL) {
        fail_unknown(r, raw->name);
        return false;
    }
    row = (size_t)(member - r->type->members);
    if ((*seen & 1u << row) != 0) {
        fail_twice(r, member->name);
        return false;
    }
    *seen |= 1u << row;
    if (notify_str_eq(raw->value, NOTIFY_STR("null")))
        return true;
    r->values[row].raw = raw->value;
    if (kinds[member->kind].read(&r->values[row]))
        return true;
    fail_kind(r, ANSWER_INVALID_FIELD, member);
    return false;
}

static bool check_needs(struct request *r)
{
    size_t offered = 0, given = 0;

    for (size_t row = 0; r->type->members[row].name != NULL; row++) {
        const struct member *member = &r->type->members[row];
        bool there = r->values[row].raw.len > 0;
        if (member->need == MEMBER_NEEDED && !there) {
            fail_kind(r, ANSWER_MISSING_FIELD, member);
            return false;
        }
        offered += member->need == MEMBER_ONE_OF;
        given += member->need == MEMBER_ONE_OF && there;
    }
    if (offered > 0 && given != 1) {
        fail_one_of(r, given == 0);
        return false;
    }
    return true;
}

bool request_members_read(struct request *r, const struct inbound *inbound)
{
    uint32_t seen = 0;

    if (inbound->type.twice || inbound->id.twice) {
        fail_twice(r, inbound->type.twice ? "type" : "request_id");
        return false;
    }
    /* With more than are kept, one of those kept is in no table, or is there twice. */
    for (size_t i = 0; i < inbound->len; i++)
        if (!read_member(r, &inbound->at[i], &seen))
            return false;
    return check_needs(r);
}

void request_members_release(struct request *r)
{
    for (size_t i = 0; i < INBOUND_MEMBERS_MAX; i++)
        json_decref(r->values[i].json);
}

/* For handlers. */

struct member_value *request_find_value(const struct request *r, const char *name)
{
    for (size_t row = 0; r->type->members[row].name != NULL; row++)
        if (strcmp(r->type->members[row].name, name) == 0)
            return &r->values[row];
    return NULL;
}

const struct member_value *request_value(const struct request *r, const char *name)
{
    const struct member_value *value = request_find_value(r, name);

    assert(value != NULL); /* or the table lacks it: our own mistake */
    return value;
}

struct notify_str request_text(const struct request *r, const char *name)
{
    return request_value(r, name)->text;
}

bool request_may(struct request *r, enum right right, const char *member)
{
    if (identity_may(r->identity, right, request_text(r, member)))
        return true;
    answer_lacks_right(r, member, right, request_text(r, member));
    return false;
}
