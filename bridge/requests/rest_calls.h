/* rest_calls -- the calls of the HTTP interface (docs/rest.md), for the table in http_routes.c. */
#ifndef REST_CALLS_H
#define REST_CALLS_H

#include "requests/http_call.h"

extern const struct http_call rest_requests, rest_sessions, rest_statistics,
    rest_kick;                                                      /* rest_calls.c */
extern const struct http_call rest_list, rest_count, rest_read_all; /* rest_list.c */
extern const struct http_call rest_show, rest_read, rest_delete;    /* rest_entry.c */

#endif
