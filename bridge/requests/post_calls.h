/* post_calls -- publishing over HTTP: a notification, or an event of contract B (docs/http.md). */
#ifndef POST_CALLS_H
#define POST_CALLS_H

#include "requests/http_call.h"

extern const struct http_call post_notification_call; /* POST /api/v1/notifications */
extern const struct http_call post_event_call;        /* POST /api/notifications?topic= */

#endif
