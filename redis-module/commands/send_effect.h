/* send_effect -- how sending is replicated: as the same command with the ids, the limit and the
 * times that were used, and without what others would decide anew (NX, EX, WITHINFO).
 *
 * SENDMANY to several boxes is one effect, so that the body travels once:
 *
 *   NOTIFY.SENDMANY numkeys key … title … AS id/maxlen[/epoch] …   one for each key
 *
 * Its keys are those to which it was sent, which NX, XX and IDEMPOTENT may have left fewer. */
#ifndef SEND_EFFECT_H
#define SEND_EFFECT_H

#include <stddef.h>

#include "commands/send_args.h"
#include "commands/send_result.h"

/* Of what has just been stored at spec->kept[0]. */
void send_effect_replicate(struct rm_ctx *ctx, struct send_spec *spec,
                           const struct send_result *result);

/* Whether several keys are one effect. If not, each is replicated by itself. */
bool send_effect_is_one(void);
/* Words that have to be there for that many keys. */
size_t send_effect_room(const struct send_spec *spec, size_t count);
/* Of what has been stored at several keys, as results tell. words: as many as send_effect_room. */
void send_effect_replicate_many(struct rm_ctx *ctx, struct send_spec *spec, struct rm_string **keys,
                                const struct send_result *results, size_t count,
                                struct rm_string **words);

#endif
