/* pattern -- which names somebody may use: "news", "run:*", "team:{user}", "*".
 *
 * '*' stands for any bytes, none included; {user} for the user's id, as it is: a '*' in an id is no
 * wildcard. Everything else stands for itself. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stdbool.h>

#include "notify_str.h"

#define PATTERN_MAX 256 /* bytes; longer ones are refused where they are read */

bool pattern_has_star(struct notify_str text);
bool pattern_names_user(struct notify_str pattern);
bool pattern_fits(struct notify_str pattern, struct notify_str user, struct notify_str name);
/* A pattern without '*' names one thing: written to out[cap] with the user's id put in. False: it
 * has a
 * '*', or does not fit into out. */
bool pattern_name(struct notify_str pattern, struct notify_str user, char *out, size_t cap,
                  struct notify_str *ret);

#endif
