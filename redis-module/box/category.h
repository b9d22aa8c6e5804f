/* category -- the names of categories. Each box keeps those of its own entries (category_table.c),
 * so that no box can take room from another and nothing has to be shared between threads. */
#ifndef CATEGORY_H
#define CATEGORY_H

#include <stdbool.h>

#include "notify_str.h"

#define CATEGORY_NONE ((struct notify_str){NULL, 0}) /* "no category" */

#define CATEGORY_BOUND 255 /* bytes of a name; LIMIT_CATEGORY is for clients */

/* 1 to LIMIT_CATEGORY bytes of valid UTF-8 without control characters. */
bool category_is_valid(struct notify_str name);

#endif
