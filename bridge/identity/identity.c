#include "identity/identity.h"

#include <string.h>

#include "base/number.h"
#include "base/small.h"
#include "identity/key_names.h"
#include "identity/pattern.h"
#include "wire/json_text.h"

#define SOME_PATTERNS "an array of at most " TEXT_OF(IDENTITY_PATTERNS_MAX) " patterns"

/* What is said of each list of a token. */
struct list_rule {
    const char *claim;
    size_t max, max_bytes;
    const char *fault;
};

static const struct list_rule list_rules[IDENTITY_LISTS] = {
    [IDENTITY_ROLES] = {"roles", IDENTITY_ROLES_MAX, ROLE_NAME_MAX,
                        "roles must be an array of at most " TEXT_OF(IDENTITY_ROLES_MAX) " names"},
    [IDENTITY_TOPICS] = {"topics", IDENTITY_PATTERNS_MAX, PATTERN_MAX,
                         "topics must be " SOME_PATTERNS},
    [IDENTITY_PUBLISH] = {"publish", IDENTITY_PATTERNS_MAX, PATTERN_MAX,
                          "publish must be " SOME_PATTERNS},
};

#define LENGTH_BYTES 2 /* before each name */

/* names_bytes: of all lists, with the lengths. */
static struct identity *identity_new(struct notify_str user, size_t names_bytes,
                                     const struct roles *book)
{
    size_t bytes = sizeof(struct identity) + user.len + 1 + names_bytes;
    struct identity *identity = small_take(bytes);

    if (identity == NULL)
        return NULL;
    identity->refs = 1;
    identity->bytes = (uint32_t)bytes;
    identity->book = book;
    identity->expires_ms = UINT64_MAX;
    identity->user_len = (uint8_t)user.len;
    memcpy(identity->user, user.ptr, user.len);
    return identity;
}

static char *first_name(struct identity *identity)
{
    return identity->user + identity->user_len + 1;
}

/* Returns where the next one goes. */
static char *put_name(char *at, struct notify_str name)
{
    at[0] = (char)(name.len >> 8);
    at[1] = (char)name.len;
    memcpy(at + LENGTH_BYTES, name.ptr, name.len);
    return at + LENGTH_BYTES + name.len;
}

static const char *take_name(const char *at, struct notify_str *ret)
{
    size_t len = (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];

    *ret = notify_str_of(at + LENGTH_BYTES, len);
    return at + LENGTH_BYTES + len;
}

struct identity *identity_open(struct notify_str user)
{
    struct identity *identity = identity_new(user, 0, NULL);

    if (identity != NULL)
        identity->everything = true;
    return identity;
}

struct identity *identity_anonymous(struct notify_str user, const char *role,
                                    const struct roles *book)
{
    struct notify_str name = notify_str_z(role);
    struct identity *identity = identity_new(user, LENGTH_BYTES + name.len, book);

    if (identity == NULL)
        return NULL;
    identity->anonymous = true;
    identity->counts[IDENTITY_ROLES] = 1;
    (void)put_name(first_name(identity), name);
    return identity;
}

/* Claims. */

/* An array of at most rule->max strings of 1 to max_bytes bytes, or not there. */
static bool is_list(const json_t *list, const struct list_rule *rule)
{
    const json_t *one;
    size_t i;

    if (list == NULL)
        return true;
    if (!json_is_array(list) || json_array_size(list) > rule->max)
        return false;
    json_array_foreach(list, i, one)
    {
        if (!json_is_string(one) || json_string_length(one) == 0 ||
            json_string_length(one) > rule->max_bytes)
            return false;
    }
    return true;
}

static const char *find_fault(const json_t *claims, struct notify_str user)
{
    if (!key_name_is_valid(user))
        return "sub must be a name of 1 to 128 bytes without control characters";
    for (size_t i = 0; i < IDENTITY_LISTS; i++)
        if (!is_list(json_object_get(claims, list_rules[i].claim), &list_rules[i]))
            return list_rules[i].fault;
    return NULL;
}

static size_t bytes_of_lists(const json_t *claims)
{
    const json_t *one;
    size_t bytes = 0, at;

    for (size_t i = 0; i < IDENTITY_LISTS; i++)
        json_array_foreach(json_object_get(claims, list_rules[i].claim), at, one)
        {
            bytes += LENGTH_BYTES + json_string_length(one);
        }
    return bytes;
}

static void copy_lists(struct identity *identity, const json_t *claims)
{
    char *to = first_name(identity);
    const json_t *one;
    size_t at;

    for (size_t i = 0; i < IDENTITY_LISTS; i++)
        json_array_foreach(json_object_get(claims, list_rules[i].claim), at, one)
        {
            to = put_name(to, json_text_of(one));
            identity->counts[i]++;
        }
}

struct identity *identity_of_claims(const json_t *claims, uint64_t expires_ms,
                                    const struct roles *book, const char **ret_why)
{
    struct notify_str user = json_text_of(json_object_get(claims, "sub"));
    struct identity *identity;

    *ret_why = find_fault(claims, user);
    if (*ret_why != NULL)
        return NULL;
    identity = identity_new(user, bytes_of_lists(claims), book);
    if (identity == NULL)
        return NULL;
    identity->expires_ms = expires_ms;
    copy_lists(identity, claims);
    return identity;
}

struct identity *identity_ref(struct identity *identity)
{
    identity->refs++;
    return identity;
}

struct identity *identity_unref(struct identity *identity)
{
    if (identity == NULL || --identity->refs > 0)
        return NULL;
    small_give(identity, identity->bytes);
    return NULL;
}

struct notify_str identity_user(const struct identity *identity)
{
    return notify_str_of(identity->user, identity->user_len);
}

/* A walk over all patterns that somebody has of a right; fn says when it is enough. */
typedef bool (*pattern_fn)(void *ctx, struct notify_str pattern);

static bool walk_role(const struct role *role, enum right right, pattern_fn fn, void *ctx)
{
    for (size_t i = 0; role != NULL && i < role->rights[right].len; i++)
        if (fn(ctx, role->rights[right].at[i]))
            return true;
    return false;
}

/* The names of one list. */
static bool walk_list(const struct identity *identity, enum identity_list list, pattern_fn fn,
                      void *ctx)
{
    const char *at = identity->user + identity->user_len + 1;
    struct notify_str name;

    for (unsigned i = 0; i < list; i++)
        for (unsigned n = 0; n < identity->counts[i]; n++)
            at = take_name(at, &name);
    for (unsigned n = 0; n < identity->counts[list]; n++) {
        at = take_name(at, &name);
        if (fn(ctx, name))
            return true;
    }
    return false;
}

struct role_walk {
    const struct roles *book;
    enum right right;
    pattern_fn fn;
    void *ctx;
};

/* "*" in a token is no role: everybody has that one anyway. */
static bool walk_role_of_name(void *ctx, struct notify_str name)
{
    const struct role_walk *walk = ctx;

    return walk_role(roles_find(walk->book, name), walk->right, walk->fn, walk->ctx);
}

static bool walk_roles(const struct identity *identity, enum right right, pattern_fn fn, void *ctx)
{
    struct role_walk walk = {identity->book, right, fn, ctx};

    if (identity->book == NULL)
        return false;
    return walk_role_of_name(&walk, NOTIFY_STR("*")) ||
           walk_list(identity, IDENTITY_ROLES, walk_role_of_name, &walk);
}

/* Claims add to what the roles say. */
static bool walk_claims(const struct identity *identity, enum right right, pattern_fn fn, void *ctx)
{
    if (right == RIGHT_SUBSCRIBE)
        return walk_list(identity, IDENTITY_TOPICS, fn, ctx);
    return right == RIGHT_PUBLISH && walk_list(identity, IDENTITY_PUBLISH, fn, ctx);
}

static bool walk(const struct identity *identity, enum right right, pattern_fn fn, void *ctx)
{
    return walk_roles(identity, right, fn, ctx) || walk_claims(identity, right, fn, ctx);
}

struct question {
    struct notify_str user, name;
    bool of_all; /* that name stands for: its stars are no stars of the user's name */
};

static bool answers(void *ctx, struct notify_str pattern)
{
    const struct question *question = ctx;

    if (question->of_all && pattern_names_user(pattern) && pattern_has_star(question->user))
        return false;
    return pattern_fits(pattern, question->user, question->name);
}

static bool ask(const struct identity *identity, enum right right, struct question question)
{
    return identity->everything || walk(identity, right, answers, &question);
}

bool identity_may(const struct identity *identity, enum right right, struct notify_str name)
{
    return ask(identity, right, (struct question){identity_user(identity), name, false});
}

bool identity_may_all(const struct identity *identity, enum right right, struct notify_str names)
{
    return ask(identity, right, (struct question){identity_user(identity), names, true});
}

bool identity_filters(const struct identity *identity)
{
    return identity->book != NULL && identity->book->by_category;
}

static bool is_all(void *ctx, struct notify_str pattern)
{
    (void)ctx;
    return notify_str_eq(pattern, NOTIFY_STR("*"));
}

bool identity_sees_all(const struct identity *identity)
{
    return !identity_filters(identity) || walk(identity, RIGHT_CATEGORIES, is_all, NULL) ||
           walk(identity, RIGHT_PERMITTED, is_all, NULL);
}

struct each {
    const struct identity *identity;
    bool with_stars;
    identity_name_fn fn;
    void *ctx;
};

static bool pass_pattern(void *ctx, struct notify_str pattern)
{
    const struct each *each = ctx;

    each->fn(each->ctx, pattern);
    return false;
}

void identity_each_pattern(const struct identity *identity, enum right right, identity_name_fn fn,
                           void *ctx)
{
    struct each each = {.fn = fn, .ctx = ctx};

    (void)walk(identity, right, pass_pattern, &each);
}

static bool pass_role(void *ctx, struct notify_str name)
{
    const struct each *each = ctx;

    if (!notify_str_eq(name, NOTIFY_STR("*")))
        each->fn(each->ctx, name);
    return false;
}

void identity_each_role(const struct identity *identity, identity_name_fn fn, void *ctx)
{
    struct each each = {.fn = fn, .ctx = ctx};

    (void)walk_list(identity, IDENTITY_ROLES, pass_role, &each);
}

static bool pass_name(void *ctx, struct notify_str pattern)
{
    const struct each *each = ctx;
    struct notify_str name;
    char buffer[2 * PATTERN_MAX];

    if (pattern_name(pattern, identity_user(each->identity), buffer, sizeof(buffer), &name))
        each->fn(each->ctx, name);
    else if (each->with_stars)
        each->fn(each->ctx, pattern);
    return false;
}

void identity_each(const struct identity *identity, enum right right, bool with_stars,
                   identity_name_fn fn, void *ctx)
{
    struct each each = {identity, with_stars, fn, ctx};

    (void)walk(identity, right, pass_name, &each);
}

void identity_each_of_book(const struct identity *identity, enum right right, size_t max,
                           identity_name_fn fn, void *ctx)
{
    struct each each = {.identity = identity, .fn = fn, .ctx = ctx};
    const struct roles *book = identity->book;
    size_t count = 0;

    for (size_t i = 0; book != NULL && i < book->len; i++)
        count += book->at[i].rights[right].len;
    for (size_t i = 0; count > 0 && count <= max && i < book->len; i++)
        (void)walk_role(&book->at[i], right, pass_name, &each);
}
