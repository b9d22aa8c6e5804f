/* clock -- the server's clock. Within a script or a transaction it stands still, as it does for the
 * expiry of keys: what was there when it began, is there until it ends. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#include "server/module_api.h"

/* Unix time in milliseconds. */
uint64_t clock_now(struct rm_ctx *ctx);

#endif
