/* rewinding -- somebody whose address asks for the newest entries of all that he follows: where
 * that begins in each of his boxes is asked of Redis before he follows them.
 *
 * One box after the other, each command in its turn, so he has one under way however many boxes
 * there are. Boxes of which he has brought a position begin there. */
#ifndef REWINDING_H
#define REWINDING_H

#include <stdbool.h>

#include "clients/rewind_search.h"
#include "notify_str.h"

struct client;
struct rewinding;

/* client: who he is is known, and he is marked (sender.h). NULL: out of memory. */
struct rewinding *rewinding_new(struct client *client, const struct rewind_wish *wish);
void rewinding_free(struct rewinding *rewinding); /* unless it runs; NULL is fine */

/* He is to follow key; one that was named before counts once, and as many as one may follow. False:
 * out of memory. */
bool rewinding_add(struct rewinding *rewinding, struct notify_str key);

/* Then all these have positions in his progress, as if he had brought them, and fn is called, once,
 * perhaps at once. It is not when he has gone, nor when Redis is away: then he is told to come
 * back, since without what he has asked for there is nothing to begin with. A box that Redis does
 * not let be read so has none, and he is told of it. Takes rewinding over. */
void rewinding_run(struct rewinding *rewinding, void (*fn)(struct client *client));

#endif
