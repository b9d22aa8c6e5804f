#include "clients/categories.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/client.h"
#include "identity/identity.h"
#include "identity/pattern.h"
#include "wire/filter.h"
#include "wire/json_text.h"

#define TOLD_PATTERNS_MAX 256 /* that a greeting may list */

/* Names, sorted and each once. */
struct names {
    struct notify_str *at; /* owned array; what they point to is borrowed, or owned, see below */
    size_t len, cap;
    bool failed; /* for lack of memory */
};

static int compare_names(const void *a, const void *b)
{
    return notify_str_cmp(*(const struct notify_str *)a, *(const struct notify_str *)b);
}

static void names_push(void *ctx, struct notify_str name)
{
    struct names *names = ctx;
    size_t cap = names->cap == 0 ? 8 : 2 * names->cap;
    struct notify_str *at;

    if (names->len == names->cap) {
        at = realloc(names->at, cap * sizeof(*at));
        if (at == NULL) {
            names->failed = true;
            return;
        }
        names->at = at;
        names->cap = cap;
    }
    names->at[names->len++] = name;
}

static void names_sort(struct names *names)
{
    size_t kept = 0;

    if (names->len > 1)
        qsort(names->at, names->len, sizeof(*names->at), compare_names);
    for (size_t i = 0; i < names->len; i++)
        if (kept == 0 || compare_names(&names->at[kept - 1], &names->at[i]) != 0)
            names->at[kept++] = names->at[i];
    names->len = kept;
}

static bool names_have(const struct names *names, struct notify_str name)
{
    return names->len > 0 &&
           bsearch(&name, names->at, names->len, sizeof(*names->at), compare_names) != NULL;
}

/* What one client has chosen: its names are owned. */
struct category_choice {
    struct names joined, left;
};

static void names_release_owned(struct names *names)
{
    for (size_t i = 0; i < names->len; i++)
        free((char *)names->at[i].ptr);
    free(names->at);
    *names = (struct names){.len = 0};
}

static bool names_add_copy(struct names *names, struct notify_str name)
{
    char *copy = malloc(name.len);

    if (copy == NULL)
        return false;
    memcpy(copy, name.ptr, name.len);
    names->failed = false;
    names_push(names, notify_str_of(copy, name.len));
    if (names->failed)
        free(copy);
    else
        names_sort(names);
    return !names->failed;
}

static void names_remove_owned(struct names *names, struct notify_str name)
{
    for (size_t i = 0; i < names->len; i++) {
        if (!notify_str_eq(names->at[i], name))
            continue;
        free((char *)names->at[i].ptr);
        memmove(&names->at[i], &names->at[i + 1], (--names->len - i) * sizeof(*names->at));
    }
}

/* A filter that all clients share who get the same. */
struct category_filter {
    struct filter filter; /* first */
    struct category_filters *all;
    struct names patterns, joined, left; /* their names lie in text, as does the user's */
    struct notify_str user;              /* for patterns with {user}; or empty */
    size_t len;                          /* of text, which tells it from others */
    char text[];
};

static bool passes(const struct filter *filter, struct notify_str category)
{
    const struct category_filter *mine = (const struct category_filter *)filter;

    if (category.len == 0)
        return true;
    if (names_have(&mine->left, category))
        return false;
    for (size_t i = 0; i < mine->patterns.len; i++)
        if (pattern_fits(mine->patterns.at[i], mine->user, category))
            return true;
    return names_have(&mine->joined, category);
}

static int compare_filters(const void *a, const void *b)
{
    const struct category_filter *x = a, *y = b;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->text, y->text, x->len);
}

static void free_filter(struct category_filter *filter)
{
    free(filter->patterns.at);
    free(filter->joined.at);
    free(filter->left.at);
    free(filter);
}

static void release(struct filter *filter)
{
    struct category_filter *mine = (struct category_filter *)filter;

    (void)tdelete(mine, &mine->all->root, compare_filters); /* it is there */
    free_filter(mine);
}

/* What a filter is made of: borrowed names. */
struct recipe {
    struct names patterns, joined, left;
    struct notify_str user;
};

/* Each name behind its length, each list behind its own. */
static size_t text_len(const struct names *names)
{
    size_t len = sizeof(names->len);

    for (size_t i = 0; i < names->len; i++)
        len += sizeof(names->at[i].len) + names->at[i].len;
    return len;
}

static char *put(char *at, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

/* Writes names at `at`, and has ret point there. NULL: out of memory. */
static char *put_names(char *at, const struct names *names, struct names *ret)
{
    at = put(at, &names->len, sizeof(names->len));
    for (size_t i = 0; i < names->len; i++) {
        const struct notify_str *name = &names->at[i];
        at = put(at, &name->len, sizeof(name->len));
        names_push(ret, notify_str_of(at, name->len));
        at = put(at, name->ptr, name->len);
    }
    return ret->failed ? NULL : at;
}

static struct category_filter *make_filter(const struct recipe *recipe)
{
    size_t len = text_len(&recipe->patterns) + text_len(&recipe->joined) + text_len(&recipe->left) +
                 recipe->user.len;
    struct category_filter *filter = calloc(1, sizeof(*filter) + len);
    char *at;

    if (filter == NULL)
        return NULL;
    filter->filter = (struct filter){.passes = passes, .release = release};
    filter->len = len;
    at = put_names(filter->text, &recipe->patterns, &filter->patterns);
    at = at == NULL ? NULL : put_names(at, &recipe->joined, &filter->joined);
    at = at == NULL ? NULL : put_names(at, &recipe->left, &filter->left);
    if (at == NULL) {
        free_filter(filter);
        return NULL;
    }
    filter->user = notify_str_of(at, recipe->user.len);
    (void)put(at, recipe->user.ptr, recipe->user.len);
    return filter;
}

/* One reference to the filter that is made so. NULL: out of memory. */
static struct filter *find_filter(struct category_filters *all, const struct recipe *recipe)
{
    struct category_filter *fresh = make_filter(recipe), **found;

    if (fresh == NULL)
        return NULL;
    fresh->all = all;
    found = tsearch(fresh, &all->root, compare_filters);
    if (found == NULL || *found != fresh)
        free_filter(fresh);
    return found == NULL ? NULL : filter_ref(&(*found)->filter);
}

/* What a client gets. */

bool categories_may_get(const struct identity *identity, struct notify_str category)
{
    return !identity_filters(identity) || identity_may(identity, RIGHT_CATEGORIES, category) ||
           identity_may(identity, RIGHT_PERMITTED, category);
}

static bool names_a_user(const struct names *patterns)
{
    for (size_t i = 0; i < patterns->len; i++)
        if (memmem(patterns->at[i].ptr, patterns->at[i].len, "{user}", 6) != NULL)
            return true;
    return false;
}

/* What it had joined and may not get any more is not joined any more. */
static void forget_what_is_forbidden(struct client *client)
{
    struct names *joined = &client->choice->joined;

    for (size_t i = joined->len; i-- > 0;)
        if (!categories_may_get(client->identity, joined->at[i]))
            names_remove_owned(joined, joined->at[i]);
}

/* False: out of memory. The lists of names are owned by the caller, but for joined and left. */
static bool write_recipe(const struct client *client, struct recipe *ret)
{
    const struct notify_str all = NOTIFY_STR("*");

    *ret = (struct recipe){.user = {NULL, 0}};
    if (identity_filters(client->identity))
        identity_each_pattern(client->identity, RIGHT_CATEGORIES, names_push, &ret->patterns);
    else
        names_push(&ret->patterns, all);
    names_sort(&ret->patterns);
    if (names_have(&ret->patterns, all)) {
        ret->patterns.at[0] = all;
        ret->patterns.len = 1;
    }
    if (names_a_user(&ret->patterns))
        ret->user = client_user(client);
    if (client->choice != NULL) {
        ret->joined = client->choice->joined;
        ret->left = client->choice->left;
    }
    return !ret->patterns.failed;
}

/* Everything passes it. */
static bool is_void(const struct recipe *recipe)
{
    return recipe->left.len == 0 && recipe->patterns.len == 1 &&
           notify_str_eq(recipe->patterns.at[0], NOTIFY_STR("*"));
}

bool categories_apply(struct client *client)
{
    struct filter *filter = NULL;
    struct recipe recipe;
    bool done;

    if (client->choice != NULL)
        forget_what_is_forbidden(client);
    done = write_recipe(client, &recipe);
    if (done && !is_void(&recipe)) {
        filter = find_filter(client->shared->filters, &recipe);
        done = filter != NULL;
    }
    free(recipe.patterns.at);
    if (done && filter != client->filter)
        client_set_filter(client, filter);
    filter_unref(filter);
    return done;
}

/* Choosing. */

static bool make_choice(struct client *client)
{
    if (client->choice == NULL)
        client->choice = calloc(1, sizeof(*client->choice));
    return client->choice != NULL;
}

/* Moves category from one list to the other, and applies that. */
static enum category_answer choose(struct client *client, struct names *to, struct names *from,
                                   struct notify_str category)
{
    if (!names_have(to, category)) {
        if (to->len + from->len - names_have(from, category) >= CATEGORIES_CHOSEN_MAX) {
            client_limit_met(client, COUNTER_CATEGORIES);
            return CATEGORY_TOO_MANY;
        }
        if (!names_add_copy(to, category))
            return CATEGORY_NO_MEMORY;
    }
    names_remove_owned(from, category);
    return categories_apply(client) ? CATEGORY_DONE : CATEGORY_NO_MEMORY;
}

enum category_answer categories_join(struct client *client, struct notify_str category)
{
    if (!categories_may_get(client->identity, category))
        return CATEGORY_FORBIDDEN;
    if (!make_choice(client))
        return CATEGORY_NO_MEMORY;
    return choose(client, &client->choice->joined, &client->choice->left, category);
}

enum category_answer categories_leave(struct client *client, struct notify_str category)
{
    if (!make_choice(client))
        return CATEGORY_NO_MEMORY;
    return choose(client, &client->choice->left, &client->choice->joined, category);
}

static bool array_has(const json_t *array, struct notify_str name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(array, i, one)
    {
        if (notify_str_eq(json_text_of(one), name))
            return true;
    }
    return false;
}

/* "*" stands for all others. */
static void tell_pattern(void *ctx, struct notify_str pattern)
{
    const struct notify_str all = NOTIFY_STR("*");
    json_t *array = ctx;

    if (array_has(array, all) || array_has(array, pattern) ||
        json_array_size(array) > TOLD_PATTERNS_MAX)
        return;
    if (notify_str_eq(pattern, all))
        (void)json_array_clear(array);
    (void)json_array_append_new(array, json_stringn(pattern.ptr, pattern.len));
}

/* also_permitted: those that may be joined, too. */
static json_t *tell_patterns(const struct identity *identity, bool also_permitted)
{
    json_t *array = json_array();

    if (array == NULL)
        return NULL;
    if (identity_filters(identity))
        identity_each(identity, RIGHT_CATEGORIES, true, tell_pattern, array);
    else
        tell_pattern(array, NOTIFY_STR("*"));
    if (also_permitted)
        identity_each(identity, RIGHT_PERMITTED, true, tell_pattern, array);
    if (json_array_size(array) <= TOLD_PATTERNS_MAX)
        return array;
    json_decref(array);
    return json_null();
}

json_t *categories_of_roles(const struct client *client)
{
    return tell_patterns(client->identity, false);
}

json_t *categories_permitted(const struct identity *identity)
{
    return tell_patterns(identity, true);
}

static json_t *array_of(const struct names *names)
{
    json_t *array = json_array();

    for (size_t i = 0; i < names->len; i++)
        (void)json_array_append_new(array, json_stringn(names->at[i].ptr, names->at[i].len));
    return array;
}

json_t *categories_chosen(const struct client *client)
{
    if (client->choice == NULL)
        return json_null();
    return json_pack("{s:o, s:o}", "joined", array_of(&client->choice->joined), "left",
                     array_of(&client->choice->left));
}

static void choose_each(struct client *client, const json_t *names,
                        enum category_answer (*choose_one)(struct client *, struct notify_str))
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (json_is_string(name) && json_string_length(name) > 0)
            (void)choose_one(client, json_text_of(name));
    }
}

void categories_choose_again(struct client *client, const json_t *chosen)
{
    choose_each(client, json_object_get(chosen, "joined"), categories_join);
    choose_each(client, json_object_get(chosen, "left"), categories_leave);
}

void categories_forget(struct client *client)
{
    if (client->choice == NULL)
        return;
    names_release_owned(&client->choice->joined);
    names_release_owned(&client->choice->left);
    free(client->choice);
    client->choice = NULL;
}
