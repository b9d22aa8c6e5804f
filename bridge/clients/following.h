/* following -- has Redis make inboxes follow the logs of their users (logs.h), from now on, and
 * leave those of roles that they have lost.
 *
 * Clients stand in a line, and so much is under way at a time. Who follows already changes nothing
 * by it, in Redis neither. A greeting waits for Redis' first answer, whatever it is, so that what
 * comes after the greeting is counted; what Redis refuses is told once, and tried again where that
 * may pass (its memory is full, it has become a replica). */
#ifndef FOLLOWING_H
#define FOLLOWING_H

#include <stdbool.h>

struct client;
struct client_shared;
struct followings;
struct identity;
struct loop;
struct keyspace;
struct keyspace_handlers;

/* Of one client. */
enum following {
    FOLLOWING_NOTHING,
    FOLLOWING_DUE,  /* stands in the line */
    FOLLOWING_SENT, /* Redis has been asked, */
    FOLLOWING_AGAIN /* and is to be asked once more */
};

/* on_answered: Redis has said what it says to it, or cannot just now. commands is borrowed, and is
 * freed before. NULL: out of memory. */
struct followings *followings_new(struct loop *loop, struct keyspace *commands,
                                  void (*on_answered)(struct client *client));
void followings_free(struct followings *followings);
/* What commands tells (redis/keyspace.h). */
extern const struct keyspace_handlers followings_commands_handlers;

/* The inbox of client, who is known and has one, is to follow its logs from now on. Whether
 * on_answered() will be called; it is not when the client goes. */
bool following_begin(struct client *client);
/* The box is gone, or another one: the same again, if it was to. */
void following_renew(struct client *client);
/* It was begun by another connection that this one goes on from. */
void following_go_on(struct client *client);
/* Notes which of its follows are of these logs: when they have begun. */
void following_note(struct client *client);
/* Its rights have changed: the inbox leaves the logs that were noted and are none of its any more,
 * and, when those of the new rights have begun, follows these. Its devices hear of both. */
void following_leave_lost(struct client *client);
void following_begin_new(struct client *client);
/* The same for somebody who has no client: whatever is asked of Redis behind this call finds it
 * done, unless logs lie in other slots; but then, too, nothing of them is unread. Nobody is told.
 */
void following_ensure(const struct client_shared *shared, const struct identity *identity);
/* The client leaves. */
void following_forget(struct client *client);

#endif
