/* admin_right -- who may run the bridge by its page: the right admin over a word. */
#ifndef ADMIN_RIGHT_H
#define ADMIN_RIGHT_H

#include <stdbool.h>

struct request;

/* May who asks do that: "look", "send" or "kick"? If not, it has been answered. */
bool admin_may(struct request *r, const char *word);

#endif
