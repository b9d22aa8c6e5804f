/* request_kick -- what the end of a user's sessions is asked with, by whichever request. */
#ifndef REQUEST_KICK_H
#define REQUEST_KICK_H

struct request;

/* Ends the session session_id of the user user_id, or all of them, and answers. That there are sets
 * of sessions, and who may do so, has been looked at. */
void request_kick_sessions(struct request *r);

#endif
