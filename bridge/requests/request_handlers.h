/* request_handlers -- the handlers of the table in request_run.c; one file per subject implements
 * them.
 *
 * Each checks everything before it does anything, and sees to exactly one answer, now or later. */
#ifndef REQUEST_HANDLERS_H
#define REQUEST_HANDLERS_H

struct request;

/* request_auth.c */
void request_handle_auth(struct request *r);

/* request_category.c */
void request_handle_subscribe_category(struct request *r);
void request_handle_unsubscribe_category(struct request *r);

/* request_follow.c */
void request_handle_subscribe(struct request *r);
void request_handle_unsubscribe(struct request *r);
void request_handle_subscribe_session(struct request *r);
void request_handle_unsubscribe_session(struct request *r);
void request_handle_resume(struct request *r);

/* request_inbox.c */
void request_handle_mark_read(struct request *r);
void request_handle_mark_all_read(struct request *r);
void request_handle_mark_seen(struct request *r);
void request_handle_archive(struct request *r);
void request_handle_delete(struct request *r);
void request_handle_unread_count(struct request *r);

/* request_history.c */
void request_handle_history(struct request *r);

/* request_publish.c */
void request_handle_publish(struct request *r);

#endif
