/* request_handlers -- the handlers of the table in request.c; one file per subject implements them.
 *
 * Each checks everything before it does anything, and sees to exactly one answer, now or later. */
#ifndef REQUEST_HANDLERS_H
#define REQUEST_HANDLERS_H

struct request;

/* request_follow.c */
void request_handle_subscribe(const struct request *r);
void request_handle_unsubscribe(const struct request *r);
void request_handle_subscribe_session(const struct request *r);
void request_handle_unsubscribe_session(const struct request *r);
void request_handle_resume(const struct request *r);

/* request_inbox.c */
void request_handle_mark_read(const struct request *r);
void request_handle_mark_all_read(const struct request *r);
void request_handle_mark_seen(const struct request *r);
void request_handle_archive(const struct request *r);
void request_handle_delete(const struct request *r);
void request_handle_unread_count(const struct request *r);

/* request_history.c */
void request_handle_history(const struct request *r);

/* request_publish.c */
void request_handle_publish(const struct request *r);

#endif
