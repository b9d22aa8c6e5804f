/* module_check -- asks a server, until it says yes, whether it has our module and lets us use it:
 * by one NOTIFY.SINCE, the command that everything begins with; and by INFO, as far as we may,
 * whether it publishes the database that we are on (notify.database). */
#ifndef MODULE_CHECK_H
#define MODULE_CHECK_H

#include <stdbool.h>

#include "notify_str.h"

struct loop;
struct module_check;
struct redis_link;

typedef void (*module_check_fn)(void *ctx);

/* key: what is asked about, borrowed; any that the bridge's user must be able to read. database:
 * the one that the link is on. fn is called when the server has said yes. NULL: out of memory. */
struct module_check *module_check_new(struct loop *loop, struct notify_str key, int database,
                                      module_check_fn fn, void *ctx);
/* No answer may be awaited any more: after the link. */
void module_check_free(struct module_check *check);

/* For the link: ctx is the check. */
extern const struct redis_link_handlers module_check_handlers;

/* Since the link came up. */
bool module_check_passed(const struct module_check *check);

#endif
