/* send -- stores one entry in one box and tells everybody: what SEND, EVENT and SENDMANY have in
 * common once their arguments have been checked. */
#ifndef SEND_H
#define SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "server/box_key.h"
#include "server/publish.h"
#include "commands/send_args.h"
#include "commands/send_result.h"

static inline bool send_publishes(const struct send_spec *spec, struct rm_ctx *ctx)
{
    return !send_has(spec, SEND_NOPUBLISH) && publish_is_on(ctx);
}

/* What of the box can be checked before storing. False: args.error says why not. */
bool send_check_box(struct box_key *bk, struct args *args, struct send_spec *spec);

/* Stores, replicates, publishes and signals, and closes the key. The channel permission and all
 * that send_args checks have been checked. Replies nothing. */
void send_run(struct box_key *bk, struct args *args, struct send_spec *spec,
              struct send_result *ret_result);
/* The reply for it; args.error if it failed. */
void send_reply(struct rm_ctx *ctx, const struct args *args, const struct send_spec *spec,
                const struct send_result *result);

#endif
