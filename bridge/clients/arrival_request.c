#include "clients/arrival_request.h"

#include <stdlib.h>

#include "clients/admission.h"
#include "clients/arrival.h"
#include "clients/client.h"
#include "clients/credentials.h"
#include "clients/opening.h"
#include "identity/authority.h"
#include "net/conn.h"
#include "wire/bookmark.h"
#include "wire/dialect.h"

/* What an arrival points to. */
struct room {
    struct opening_room opening;
    struct credentials credentials;
    char bookmark[BOOKMARK_TEXT_MAX + 1];
    json_t *positions; /* owned */
};

/* What a browser gives back stands in the header; a page that was loaded anew has it in the query,
 * by one of two names. ptr NULL: there is none. */
static struct notify_str find_bookmark(const struct http_request *req, char *buffer, size_t cap)
{
    static const char *const names[] = {"last_event_id", "lastEventId"};
    struct notify_str header = http_field(req->head, "Last-Event-ID", NULL);
    int len;

    if (header.len > 0)
        return header;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!http_request_has(req, names[i]))
            continue;
        len = http_request_arg(req, names[i], buffer, cap);
        return len < 0 ? NOTIFY_STR("-") : notify_str_of(buffer, (size_t)len); /* which is none */
    }
    return (struct notify_str){NULL, 0};
}

/* ?positions=, as in "resume"; what is none becomes null, which are none either. */
static json_t *read_positions(const struct http_request *req)
{
    char *text = malloc(req->query.len + 1);
    int len = text == NULL ? -1 : http_request_arg(req, "positions", text, req->query.len + 1);
    json_t *positions =
        len < 0 ? NULL : json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, NULL);

    free(text);
    return positions == NULL ? json_null() : positions;
}

/* How far it has come. */
static void read_progress(struct arrival *arrival, struct room *room,
                          const struct http_request *req)
{
    arrival->bookmark = find_bookmark(req, room->bookmark, sizeof(room->bookmark));
    if (arrival->bookmark.len == 0 && http_request_has(req, "positions"))
        room->positions = read_positions(req);
    arrival->positions = room->positions;
}

static void begin(struct client_shared *shared, struct conn *conn, struct arrival *arrival,
                  struct room *room, const struct http_request *req)
{
    arrival->marked = arrival->only_now = arrival->opening.dialect == DIALECT_EVENTS;
    if (arrival->marked)
        read_progress(arrival, room, req);
    if (!authority_is_open(shared->admissions->authority)) {
        credentials_find(&room->credentials, req, shared->token_cookie);
        arrival->token = room->credentials.token;
        arrival->token_fault = room->credentials.fault;
    }
    arrival_begin(shared, conn, arrival);
    json_decref(room->positions);
}

void arrival_open(struct client_shared *shared, struct conn *conn, const struct http_request *req)
{
    static struct room room; /* one thread */
    struct arrival arrival = {.addr = req->addr};
    const char *why = opening_read(&arrival.opening, &room.opening, req);

    room.positions = NULL;
    if (why == NULL)
        why = arrival_fault(shared, &arrival.opening);
    if (why != NULL) /* a browser sees a Close frame, but not the status of a refused upgrade */
        arrival_refuse(conn, &arrival, why);
    else
        begin(shared, conn, &arrival, &room, req);
}
