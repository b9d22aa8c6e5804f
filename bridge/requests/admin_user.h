/* admin_user -- GET /admin/user?user_id=: one user's connections, over all bridges, the inbox with
 * its counts, what they are made of and whether a recount agrees, and where it stands in each log
 * that it follows. */
#ifndef ADMIN_USER_H
#define ADMIN_USER_H

struct request;

void admin_handle_user(struct request *r);

#endif
