/* client_private -- what the files of a client have of each other. For client_behind.c,
 * client_delivery.c, client_notices.c and client_follows.c alone. */
#ifndef CLIENT_PRIVATE_H
#define CLIENT_PRIVATE_H

#include "clients/client.h"

struct batch;
struct outbox_item;

/* client_behind.c */

/* It takes no more of this follow: what comes of it from now on is read from Redis later. */
void client_fall_behind(struct client *client, struct follow *follow);
/* For outbox_drop(), ctx: the client. Its follow stands before what is dropped. True. */
bool client_drop_item(void *ctx, const struct outbox_item *item);

/* What channels tell (struct follow_handlers): client_delivery.c, client_notices.c */

void client_deliver(struct follow *follow, struct batch *batch, struct notify_id newest);
void client_on_live(struct follow *follow);
void client_on_gap(struct follow *follow);
bool client_on_gap_ahead(struct follow *follow);

#endif
