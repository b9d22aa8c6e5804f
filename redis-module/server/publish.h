/* publish -- the only place from which the module publishes.
 *
 * A key and its channel share one name. Each message is heard once by whoever listens, at whatever
 * server. On standalone servers the effect of a command that publishes is replicated, and each
 * replica renders and publishes the message for its own subscribers; what no effect tells
 * of (NOSTORE, presence) is replicated as PUBLISH, and stays out of the AOF. So is everything while
 * notify.write-version is 1: effects then carry NOPUBLISH, as they do in a cluster, where the bus
 * carries all messages. Nothing that is loaded is published. */
#ifndef PUBLISH_H
#define PUBLISH_H

#include <stdbool.h>

#include "server/module_api.h"
#include "notify_str.h"

/* Once, at load: is this server part of a cluster? */
void publish_init(struct rm_ctx *ctx);

/* Does this server publish anything about keys of the database that ctx works on? One does:
 * notify.database, as channels have no number; and none when notify.publish is off. */
bool publish_is_on(struct rm_ctx *ctx);

/* Do replicas publish by themselves what a replicated effect tells? */
bool publish_by_effect(void);

/* Is it for this server to tell what it hears of keys as a whole? Not while it loads them, and in a
 * cluster not a replica's part. */
bool publish_tells_events(struct rm_ctx *ctx);

/* fn is called before each publish_message, with its ctx: what is still to be told goes first. */
void publish_before(void (*fn)(struct rm_ctx *ctx));

/* May the user of this command publish on the channel of key? False: the error has been replied and
 * noted in the ACL log. To be asked before anything is stored; not by a command with NOPUBLISH. */
bool publish_permitted_or_reply(struct rm_ctx *ctx, struct rm_string *key);

/* Publishes message on the channel of key; returns the number of subscribers on this node that got
 * it. To be called before the reply is begun: Redis 7.0 writes the push to a subscriber that is
 * this very client at once. */
int publish_message(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message);
/* The same, of a change whose effect is replicated: see publish_by_effect. */
int publish_effect(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message);

/* The same for this server's own subscribers alone (and those that the bus of a cluster reaches):
 * replicas say it by themselves. */
void publish_here(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message);

/* On NOTIFY_CONTROL_CHANNEL, to this server's own subscribers; in a cluster to those of all nodes.
 */
void publish_control(struct rm_ctx *ctx, struct notify_str message);

#endif
