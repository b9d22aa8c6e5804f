/* request_handlers -- the handlers of the table in request_run.c; one file per subject implements
 * them.
 *
 * Each checks everything before it does anything, and sees to exactly one answer, now or later. */
#ifndef REQUEST_HANDLERS_H
#define REQUEST_HANDLERS_H

#include <stdbool.h>

#include "notify_str.h"

struct client;
struct request;

/* request_auth.c */
void request_handle_auth(struct request *r);

/* request_category.c */
void request_handle_subscribe_category(struct request *r);
void request_handle_unsubscribe_category(struct request *r);
void request_handle_categories(struct request *r);

/* request_follow.c */
void request_handle_subscribe(struct request *r);
void request_handle_unsubscribe(struct request *r);
void request_handle_subscribe_session(struct request *r);
void request_handle_unsubscribe_session(struct request *r);
void request_handle_resume(struct request *r);

/* request_inbox.c */
void request_handle_mark(struct request *r); /* mark_read, mark_unread, archive, unarchive */
void request_handle_delete(struct request *r);
void request_handle_sweep(struct request *r); /* mark_all_read, mark_seen */
void request_handle_mute(struct request *r);  /* and unmute */
void request_handle_unread_count(struct request *r);

/* request_action.c */
void request_handle_action_done(struct request *r);

/* request_history.c */
void request_handle_history(struct request *r);

/* publication.c */
void request_handle_publish(struct request *r);

/* request_kick.c */
void request_handle_kick(struct request *r);

/* request_agent.c */
void request_handle_message(struct request *r);

/* request_statistics.c */
void request_handle_statistics(struct request *r);

/* request_presence.c */
void request_handle_presence(struct request *r);
void request_handle_subscribe_presence(struct request *r);
void request_handle_unsubscribe_presence(struct request *r);
/* Whether the client may be counted among those who are there, in a topic that it follows; answers
 * if not. Then it comes, 0 or -ENOMEM, or goes. */
bool request_presence_may_enter(struct request *r);
int request_presence_enter(struct client *client, struct notify_str topic);
void request_presence_leave(struct client *client, struct notify_str topic);

#endif
