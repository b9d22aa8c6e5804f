/* opening -- what a client says by the address that it connects to:
 *
 *     /ws[/<client id>] [?user=<name>] [&topics=<name>,<name>…] [&last_event_id=<position>]
 *         [&channels=<name>,<name>…] [&protocol=notify.v1]
 *     /api/v1/notifications/stream [?session_id=<client id>] [&user=…] [&topics=…]
 *         [&last_event_id=<bookmark>] [&positions=<JSON>]    (those two: clients/progress.h)
 *         [&last=<n> | &since=<instant>]
 *     /api/v1/ws/<session id>, with the same behind it
 *
 * (docs/protocol.md). Read and checked here; what comes of it, arrival.c decides. */
#ifndef OPENING_H
#define OPENING_H

#include <stdbool.h>
#include <stddef.h>

#include "clients/client_state.h"
#include "identity/key_names.h"
#include "wire/dialect.h"
#include "wire/position.h"
#include "wire/since.h"
#include "notify_str.h"

struct http_request;

#define OPENING_TOPICS_MAX 4095 /* bytes of ?topics=, and of ?channels=, decoded */

/* What is said lies somewhere else: in a struct opening_room, or behind a copy. */
struct opening {
    struct notify_str client_id;   /* empty: it names none */
    const char *user;              /* empty: it names none */
    const char *topics, *channels; /* names, with commas between them */
    struct position last_id;
    bool has_last_id;
    bool knows_positions; /* it says some, be it none, or how far back: it sees itself to what it
                           * lacks */
    size_t last;          /* newest entries of each box, or 0; */
    struct since since;   /* or those since then, if ms is not 0 */
    enum dialect dialect; /* that it is to be spoken to in */
    struct client_state state; /* it goes on from that; json NULL: it comes anew */
    struct notify_str pid;     /* of what it was before (clients/recovery.h); empty: nothing */
    bool accepted;             /* Socket.IO: it was told already that it may join */
    bool missed;               /* what is not stored may have passed it by between two polls */
    bool set_back;             /* it may have had more than state says: some of that is lost */
    bool in_session;           /* client_id is the session that it comes to talk in */
};

struct opening_room {
    char session[KEY_NAME_MAX + 1], user[KEY_NAME_MAX + 1];
    char topics[OPENING_TOPICS_MAX + 1], channels[OPENING_TOPICS_MAX + 1];
};

/* The sub-protocol that is chosen of those offered: static text, or NULL. */
const char *opening_protocol(const struct http_request *req);
/* Is the path one of those above? One that names a client has no further part. */
bool opening_is_path(struct notify_str path);
/* NULL, or what is wrong with such an address: static text, short enough for the reason of a Close
 * frame. The path has been looked at; what is said may point into it. */
const char *opening_read(struct opening *ret, struct opening_room *room,
                         const struct http_request *req);
/* The same of the handshake of Socket.IO, which names no client. */
const char *opening_read_socket(struct opening *ret, struct opening_room *room,
                                const struct http_request *req);
/* One that keeps what it says itself; NULL: out of memory. */
struct opening *opening_copy(const struct opening *opening);
void opening_free(struct opening *opening); /* NULL is fine */

/* Only ?user=. False: it is no name. */
bool opening_read_user(char out[KEY_NAME_MAX + 1], const struct http_request *req);

/* Takes the next name off *names, which begins as opening->topics or channels; false: there is
 * none. It may be empty, and has at most KEY_NAME_MAX bytes. */
bool opening_next_name(const char **names, struct notify_str *ret_name);
/* Of topics and channels together. */
size_t opening_name_count(const struct opening *opening);

#endif
