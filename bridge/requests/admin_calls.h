/* admin_calls -- what the page for who runs the bridge (www/admin.html) asks for and has done: a
 * table of calls below ADMIN_PATH, which are no part of the API (docs/admin.md).
 *
 * Each asks for the right admin over its own word, "look", "send" or "kick"; who came where only
 * administrators connect has all of them. */
#ifndef ADMIN_CALLS_H
#define ADMIN_CALLS_H

#include "requests/http_call.h"

#define ADMIN_PATH "/admin"

extern const struct http_call admin_state_call, admin_user_call, admin_send_call, admin_kick_call;

#endif
