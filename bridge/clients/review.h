/* review -- rights have changed: what a client follows is looked at again. What it may not follow
 * any more ends, and it is told; what its roles follow at once by now begins. */
#ifndef REVIEW_H
#define REVIEW_H

struct client;
struct client_shared;

/* Not from within what channels tell. */
void review_client(struct client *client);
/* All of them, few in a turn. Begins anew when it is under way. */
void review_all(struct client_shared *shared);
/* client is about to go. */
void review_forget(struct client *client);

#endif
