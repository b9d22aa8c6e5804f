/* auto_follow -- what a client follows without asking for it: its inbox, the logs that everybody
 * follows, and what its address and its roles name; and the places that it has in session sets. */
#ifndef AUTO_FOLLOW_H
#define AUTO_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

struct ask_kind;
struct client;
struct client_shared;
struct client_state;
struct notify_id;
struct opening;
struct rewinding;

/* How many keys such a client follows at least: all but those of its roles. */
size_t auto_follow_count(const struct client_shared *shared, const struct opening *opening);

/* Follows them all. from: where its inbox is followed from, if not from where its address says; or
 * NULL: from now on. live: is told once all of it is live, and of nothing else. 0, or -ENOMEM: the
 * client is to be closed, and takes what was begun with it. */
int auto_follow(struct client *client, const struct opening *opening, const struct notify_id *from,
                const struct ask_kind *live);

/* Follows what its state (clients/client_state.h) says, as far as it may, each from where it stood
 * there. gone: is told what of that could not be had. As above. */
int auto_follow_again(struct client *client, const struct client_state *state,
                      const struct ask_kind *gone);

/* Of one that was not greeted yet, and begins anew: what it has asked for since it came, and was
 * told to have. Before auto_follow(), which goes on with the rest of that. As above. */
int auto_follow_asked(struct client *client, const struct client_state *state,
                      const struct ask_kind *gone);

/* Only tells what they are. False: out of memory. */
bool auto_follow_name(struct client *client, const struct opening *opening,
                      struct rewinding *rewinding);

#endif
