/* sessions_type -- the data type "notifyses": how the server saves, loads, copies, measures and
 * frees a session set. Payloads from outside are taken for hostile (sessions_load). */
#ifndef SESSIONS_TYPE_H
#define SESSIONS_TYPE_H

#include <stdbool.h>

#include "server/module_api.h"

/* Registers the type; at load only. */
bool sessions_type_init(struct rm_ctx *ctx);
struct rm_type *sessions_type_get(void);

#endif
