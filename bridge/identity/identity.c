#include "identity/identity.h"

#include <stdlib.h>
#include <string.h>

#include "identity/pattern.h"

static struct identity *identity_new(struct notify_str user, const struct roles *book)
{
    struct identity *identity = calloc(1, sizeof(*identity) + user.len + 1);

    if (identity == NULL)
        return NULL;
    identity->refs = 1;
    identity->book = book;
    identity->expires_ms = UINT64_MAX;
    identity->user_len = (uint8_t)user.len;
    memcpy(identity->user, user.ptr, user.len);
    return identity;
}

struct identity *identity_open(struct notify_str user)
{
    struct identity *identity = identity_new(user, NULL);

    if (identity != NULL)
        identity->everything = true;
    return identity;
}

struct identity *identity_anonymous(struct notify_str user, const char *role,
                                    const struct roles *book)
{
    struct identity *identity = identity_new(user, book);

    if (identity == NULL)
        return NULL;
    identity->claims = json_pack("{s:[s]}", "roles", role);
    return identity->claims == NULL ? identity_unref(identity) : identity;
}

/* Which claim adds to which right. */
static const char *const claim_of[RIGHT_COUNT] = {
    [RIGHT_SUBSCRIBE] = "topics",
    [RIGHT_PUBLISH] = "publish",
};

/* An array of at most max strings of 1 to max_bytes bytes, or not there. */
static bool is_list(const json_t *list, size_t max, size_t max_bytes)
{
    const json_t *one;
    size_t i;

    if (list == NULL)
        return true;
    if (!json_is_array(list) || json_array_size(list) > max)
        return false;
    json_array_foreach(list, i, one)
    {
        if (!json_is_string(one) || json_string_length(one) == 0 ||
            json_string_length(one) > max_bytes)
            return false;
    }
    return true;
}

static const char *find_fault(const json_t *claims)
{
    if (!is_list(json_object_get(claims, "roles"), IDENTITY_ROLES_MAX, ROLE_NAME_MAX))
        return "roles must be an array of at most 32 names";
    for (size_t right = 0; right < RIGHT_COUNT; right++)
        if (claim_of[right] != NULL &&
            !is_list(json_object_get(claims, claim_of[right]), IDENTITY_PATTERNS_MAX, PATTERN_MAX))
            return "topics and publish must be arrays of at most 128 patterns";
    return NULL;
}

static struct notify_str text_of(const json_t *string)
{
    return notify_str_of(json_string_value(string), json_string_length(string));
}

struct identity *identity_of_claims(json_t *claims, uint64_t expires_ms, const struct roles *book,
                                    const char **ret_why)
{
    struct notify_str user = text_of(json_object_get(claims, "sub"));
    struct identity *identity;

    *ret_why = user.len == 0 || user.len > UINT8_MAX ? "sub must be a name" : find_fault(claims);
    if (*ret_why != NULL)
        return NULL;
    identity = identity_new(user, book);
    if (identity == NULL)
        return NULL;
    identity->claims = json_incref(claims);
    identity->expires_ms = expires_ms;
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
    json_decref(identity->claims);
    free(identity);
    return NULL;
}

struct notify_str identity_user(const struct identity *identity)
{
    return notify_str_of(identity->user, identity->user_len);
}

const json_t *identity_roles(const struct identity *identity)
{
    return json_object_get(identity->claims, "roles");
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

static bool walk_roles(const struct identity *identity, enum right right, pattern_fn fn, void *ctx)
{
    const json_t *name;
    size_t i;

    if (identity->book == NULL)
        return false;
    if (walk_role(roles_find(identity->book, NOTIFY_STR("*")), right, fn, ctx))
        return true;
    json_array_foreach(identity_roles(identity), i, name)
    {
        /* "*" in a token is no role: everybody has that one anyway. */
        if (walk_role(roles_find(identity->book, text_of(name)), right, fn, ctx))
            return true;
    }
    return false;
}

static bool walk_claim(const struct identity *identity, enum right right, pattern_fn fn, void *ctx)
{
    const json_t *pattern;
    size_t i;

    if (claim_of[right] == NULL)
        return false;
    json_array_foreach(json_object_get(identity->claims, claim_of[right]), i, pattern)
    {
        if (fn(ctx, text_of(pattern)))
            return true;
    }
    return false;
}

static bool walk(const struct identity *identity, enum right right, pattern_fn fn, void *ctx)
{
    return walk_roles(identity, right, fn, ctx) || walk_claim(identity, right, fn, ctx);
}

struct question {
    struct notify_str user, name;
};

static bool answers(void *ctx, struct notify_str pattern)
{
    const struct question *question = ctx;

    return pattern_fits(pattern, question->user, question->name);
}

bool identity_may(const struct identity *identity, enum right right, struct notify_str name)
{
    struct question question = {identity_user(identity), name};

    return identity->everything || walk(identity, right, answers, &question);
}

bool identity_filters(const struct identity *identity)
{
    return identity->book != NULL;
}

struct each {
    const struct identity *identity;
    bool with_stars;
    void (*fn)(void *ctx, struct notify_str name);
    void *ctx;
};

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
                   void (*fn)(void *ctx, struct notify_str name), void *ctx)
{
    struct each each = {identity, with_stars, fn, ctx};

    (void)walk(identity, right, pass_name, &each);
}
