/* module_check -- asks a server, until it says yes, whether it has our module and lets us use it:
 * by one NOTIFY.SINCE, the command that everything begins with. */
#ifndef MODULE_CHECK_H
#define MODULE_CHECK_H

#include <stdbool.h>

#include "notify_str.h"

struct loop;
struct module_check;
struct redis_link;

typedef void (*module_check_fn)(void *ctx);

/* key: what is asked about, borrowed; any that the bridge's user must be able to read. fn is called
 * when the server has said yes. NULL: out of memory. */
struct module_check *module_check_new(struct loop *loop, struct notify_str key, module_check_fn fn,
                                      void *ctx);
/* No answer may be awaited any more: after the link. */
void module_check_free(struct module_check *check);

/* What the link reports. Borrowed; up until module_check_down(). */
void module_check_up(struct module_check *check, struct redis_link *link);
void module_check_down(struct module_check *check);

/* Since the link came up. */
bool module_check_passed(const struct module_check *check);

#endif
