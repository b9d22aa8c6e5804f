/* categories -- which categories a client gets of logs: those of its roles and those that it has
 * joined besides, but for those that it has left.
 *
 * Clients who get the same share one filter (wire/filter.h), so that what a batch comes to for them
 * is made once. What has no category is for everybody, and one's own inbox is always whole. */
#ifndef CATEGORIES_H
#define CATEGORIES_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "notify_str.h"

struct client;
struct identity;

#define CATEGORIES_CHOSEN_MAX 128 /* that one client has joined or left */

/* The filters of a process. Zeroed: none. */
struct category_filters {
    void *root; /* a tree (tsearch(3)) */
};

/* Has the client get what it may by now: for the first time, or after its rights have changed. What
 * it had joined and may not any more is forgotten. False: out of memory, nothing has changed. */
bool categories_apply(struct client *client);

enum category_answer {
    CATEGORY_DONE,
    CATEGORY_FORBIDDEN,
    CATEGORY_TOO_MANY,
    CATEGORY_NO_MEMORY,
};
enum category_answer categories_join(struct client *client, struct notify_str category);
enum category_answer categories_leave(struct client *client, struct notify_str category);

/* May somebody see what has this category: at once, or by joining it? */
bool categories_may_get(const struct identity *identity, struct notify_str category);

/* What it gets by its roles: an array of names and patterns, or null when that would be very long.
 * NULL: out of memory. */
json_t *categories_of_roles(const struct client *client);

/* What somebody may get: likewise. */
json_t *categories_permitted(const struct identity *identity);

/* What it has joined and left: {"joined":[…],"left":[…]}, or null. NULL: out of memory. */
json_t *categories_chosen(const struct client *client);
/* Chooses that again, as far as it may and what it reads is that. */
void categories_choose_again(struct client *client, const json_t *chosen);

/* The client leaves. */
void categories_forget(struct client *client);

#endif
