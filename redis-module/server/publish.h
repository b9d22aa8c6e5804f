/* publish -- the only place from which the module publishes.
 *
 * A key and its channel share one name. What is published is decided by the command that a client
 * issued; its replicated form carries NOPUBLISH, so that replicas, AOF files and slot imports never
 * publish a second time. On a standalone server the subscribers of replicas get the message through
 * a replicated PUBLISH, which stays out of the AOF; in a cluster the bus carries it. */
#ifndef PUBLISH_H
#define PUBLISH_H

#include <stdbool.h>

#include "server/module_api.h"
#include "notify_str.h"

/* Once, at load: is this server part of a cluster? */
void publish_init(struct rm_ctx *ctx);

/* Does notify.publish let anything out at all? */
bool publish_is_on(void);

/* May the user of this command publish on the channel of key? False: the error has been replied and
 * noted in the ACL log. To be asked before anything is stored; not by a command with NOPUBLISH. */
bool publish_permitted_or_reply(struct rm_ctx *ctx, struct rm_string *key);

/* Publishes message on the channel of key; returns the number of subscribers on this node that got
 * it. To be called before the reply is begun: Redis 7.0 writes the push to a subscriber that is
 * this very client at once. */
int publish_message(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message);

#endif
