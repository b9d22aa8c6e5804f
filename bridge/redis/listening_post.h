/* listening_post -- where the subscriber listens when it is to spare the primary: at one of its
 * replicas, as long as one is good for that, and at the primary otherwise.
 *
 * A replica publishes what it is told by its primary, in the same order, later. All that decides
 * what is missing is read from the primary, so what a replica has still to say is an old story by
 * then and nobody gets it twice. What must not happen is that it stays silent without anybody's
 * noticing. So primary and replica are asked every second how far they are (INFO replication), and
 * the replica is left when it does not answer, follows no primary or another stream than ours, or
 * stays behind; and whenever it may have got its data in one piece, without a word on what came
 * meanwhile (a full synchronisation of any replica, a primary that was away), all channels are
 * subscribed anew, which has the primary asked for what was missed.
 *
 * Not for clusters: there the primary sends what it publishes over the bus, apart from the stream,
 * and what gets lost is seen by nobody. */
#ifndef LISTENING_POST_H
#define LISTENING_POST_H

struct listening_post;
struct loop;
struct redis_link;
struct redis_route;

/* primary: the way there; borrowed. NULL: out of memory. */
struct listening_post *listening_post_new(struct loop *loop, const struct redis_route *primary);
/* The way to where it listens, for the subscriber; good until listening_post_free(). */
const struct redis_route *listening_post_route(const struct listening_post *post);
/* The two links, borrowed: commands go to the primary. To be called once, before they start. */
void listening_post_tie(struct listening_post *post, struct redis_link *commands,
                        struct redis_link *subscriber);
/* Both links must be gone. NULL is fine. */
void listening_post_free(struct listening_post *post);

#endif
