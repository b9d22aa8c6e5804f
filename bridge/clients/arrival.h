/* arrival -- a connection becomes a client: what its address says, what it follows by itself, and
 * the greeting once all of that is live. */
#ifndef ARRIVAL_H
#define ARRIVAL_H

struct client;
struct client_shared;
struct conn;
struct http_request;
struct session_handlers;

/* A connection at a path of ours has opened. It gets a client as its peer, or is being closed: with
 * 4400 when its address is no good, with 4401 when its token is none, with 1011 without memory. */
void arrival_open(struct client_shared *shared, struct conn *conn, const struct http_request *req);
/* For admissions: it is known by now who the client is. */
void arrival_admit(struct client *client);
/* For client_shared: a client leaves. code: of its closing. */
void arrival_undo(struct client *client, int code);

/* For followings: Redis has said whether the client's inbox follows its logs. */
void arrival_on_logs_followed(struct client *client);

/* What session sets tell of clients. */
extern const struct session_handlers arrival_session_handlers;

#endif
