/* request_presence -- what requests about session sets share. */
#ifndef REQUEST_PRESENCE_H
#define REQUEST_PRESENCE_H

#include <stdbool.h>

#include "identity/key_names.h"

struct request;

/* A set of more connections is counted only: its list would be a reply of too many parts. */
#define REQUEST_PRESENCE_LIST_MAX 4000
#define REQUEST_PRESENCE_LIST_BYTES 1048576 /* that a list of so many comes to at most */

/* Sets are kept, and of this kind, too. member: of the request, which names one. Answers if not. */
bool request_has_sets(struct request *r, enum key_kind key, const char *member);

#endif
