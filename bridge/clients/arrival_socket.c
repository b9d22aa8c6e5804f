#include "clients/arrival_socket.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/arrival.h"
#include "clients/client.h"
#include "clients/client_state.h"
#include "clients/credentials.h"
#include "clients/opening.h"
#include "net/conn.h"
#include "socketio/socketio.h"

struct socket_seed {
    struct opening *opening; /* owned; NULL: it said what it may not: */
    const char *why;         /* static text */
    struct notify_str token; /* as in struct credentials; in bytes */
    const char *token_fault;
    struct notify_str addr; /* in bytes */
    char bytes[];
};

/* The handshake. */

static struct socket_seed *seed_of(const struct http_request *req,
                                   const struct credentials *credentials)
{
    struct socket_seed *seed = calloc(1, sizeof(*seed) + credentials->token.len + req->addr.len);
    char *end;

    if (seed == NULL)
        return NULL;
    end = seed->bytes;
    seed->token = notify_str_keep(&end, credentials->token);
    seed->token_fault = credentials->fault;
    seed->addr = notify_str_keep(&end, req->addr);
    return seed;
}

struct socket_seed *socket_seed_new(const struct client_shared *shared,
                                    const struct http_request *req)
{
    static struct opening_room room; /* one thread */
    static struct credentials credentials;
    struct opening opening;
    struct socket_seed *seed;

    credentials_find(&credentials, req, shared->token_cookie);
    seed = seed_of(req, &credentials);
    if (seed == NULL)
        return NULL;
    seed->why = opening_read_socket(&opening, &room, req);
    if (seed->why == NULL)
        seed->why = arrival_fault(shared, &opening);
    seed->opening = seed->why == NULL ? opening_copy(&opening) : NULL;
    if (seed->why == NULL && seed->opening == NULL) {
        free(seed);
        return NULL;
    }
    return seed;
}

void socket_seed_free(struct socket_seed *seed)
{
    if (seed == NULL)
        return;
    free(seed->opening);
    free(seed);
}

bool socket_seed_compare(const struct socket_seed *seed, const struct socket_seed *other)
{
    return (seed->token.ptr == NULL) == (other->token.ptr == NULL) &&
           notify_str_eq(seed->token, other->token);
}

/* CONNECT. Each member is read by what it is called: NULL, or what is wrong with it. null is the
 * same as absent. */

static struct notify_str text_of_value(const json_t *value)
{
    return notify_str_of(json_string_value(value), json_string_length(value));
}

static const char *take_token(struct arrival *arrival, const json_t *value)
{
    if (!json_is_string(value))
        return "auth.token must be text";
    arrival->token = text_of_value(value);
    arrival->token_fault = arrival->token.len == 0 ? "the token is empty" : NULL;
    return NULL;
}

static const char *take_user(struct arrival *arrival, const json_t *value)
{
    struct notify_str user = text_of_value(value);

    if (!json_is_string(value) || !key_name_is_valid(user))
        return "auth.user must be a name";
    arrival->opening.user = user.ptr; /* a valid name has no NUL in it */
    return NULL;
}

/* An entry's id is where its inbox goes on from; a bookmark says it of all that it follows. */
static const char *take_offset(struct arrival *arrival, const json_t *value)
{
    struct notify_str text = text_of_value(value);

    arrival->opening.knows_positions = true;
    if (json_is_object(value))
        arrival->positions = value;
    else if (!json_is_string(value))
        return "auth.offset must be text or an object of keys and positions";
    else if (position_parse(text, &arrival->opening.last_id))
        arrival->opening.has_last_id = true;
    else
        arrival->bookmark = text;
    return NULL;
}

/* It is sent a name, and with each event how far it has come: what it says as it comes again. */
static const char *take_recovery(struct arrival *arrival, const json_t *value)
{
    if (!json_is_boolean(value))
        return "auth.recovery must be true or false";
    arrival->marked = json_is_true(value);
    return NULL;
}

/* Whatever it is: what is none is not found. */
static const char *take_pid(struct arrival *arrival, const json_t *value)
{
    struct notify_str pid = text_of_value(value);

    if (json_is_string(value) && pid.len == CLIENT_PID_LEN)
        arrival->opening.pid = pid;
    return NULL;
}

static const struct auth_member {
    const char *name;
    const char *(*take)(struct arrival *arrival, const json_t *value);
} auth_members[] = {
    {"token", take_token},       {"user", take_user}, {"offset", take_offset},
    {"recovery", take_recovery}, {"pid", take_pid},
};

/* auth: an object, or NULL. */
static const char *take_auth(struct arrival *arrival, const json_t *auth)
{
    const char *why = NULL;

    for (size_t i = 0; i < sizeof(auth_members) / sizeof(auth_members[0]) && why == NULL; i++) {
        const json_t *value = json_object_get(auth, auth_members[i].name);
        if (value != NULL && !json_is_null(value))
            why = auth_members[i].take(arrival, value);
    }
    return why;
}

static struct arrival arrival_of(struct conn *conn, const struct socket_seed *seed)
{
    struct arrival arrival = {.addr = seed->addr,
                              .token = seed->token,
                              .token_fault = seed->token_fault,
                              .returns = socketio_may_park(conn),
                              .only_now = true};

    if (seed->opening != NULL)
        arrival.opening = *seed->opening;
    arrival.opening.dialect = DIALECT_SOCKETIO;
    return arrival;
}

static void begin(struct client_shared *shared, struct conn *conn, struct arrival *arrival)
{
    if (!arrival->opening.state.greeted)
        socketio_hold(conn, true); /* until it is greeted */
    arrival_begin(shared, conn, arrival);
}

_Static_assert(CLIENT_PID_LEN == SOCKETIO_ID_LEN, "a pid is made as a sid is");

/* What goes on has gone on from there once. */
static void forget_offset(struct arrival *arrival)
{
    arrival->bookmark = (struct notify_str){NULL, 0};
    arrival->positions = NULL;
    arrival->opening.has_last_id = false;
    arrival->opening.pid = (struct notify_str){NULL, 0};
}

/* Connection state recovery, if it is wanted. A pid without a bookmark is of no use. */
static void name_it(const struct client_shared *shared, struct arrival *arrival,
                    char pid[SOCKETIO_ID_LEN + 1])
{
    arrival->marked &= shared->recovery_ms > 0;
    if (!arrival->marked || arrival->bookmark.len == 0)
        arrival->opening.pid = (struct notify_str){NULL, 0};
    if (!arrival->marked)
        return;
    arrival->opening.dialect = DIALECT_SOCKETIO_MARKED;
    if (arrival->new_pid.len > 0)
        return;
    socketio_make_id(pid);
    arrival->new_pid = notify_str_z(pid);
}

static void join(struct client_shared *shared, struct conn *conn, struct arrival *arrival,
                 const struct socket_seed *seed)
{
    char pid[SOCKETIO_ID_LEN + 1];
    json_t *auth =
        arrival->auth.len == 0 ? NULL : json_loadb(arrival->auth.ptr, arrival->auth.len, 0, NULL);
    const char *why = seed->why;

    if (why == NULL && arrival->auth.len > 0 && auth == NULL)
        why = "auth must be a JSON object of text that can be read";
    if (why == NULL)
        why = take_auth(arrival, auth);
    if (arrival->opening.state.greeted)
        forget_offset(arrival);
    name_it(shared, arrival, pid);
    if (why == NULL)
        begin(shared, conn, arrival);
    else
        arrival_refuse(conn, arrival, why);
    arrival->new_pid = (struct notify_str){NULL, 0}; /* it may lie here */
    json_decref(auth);
}

void arrival_join(struct client_shared *shared, struct conn *conn, struct notify_str auth,
                  const struct socket_seed *seed)
{
    struct arrival arrival = arrival_of(conn, seed);
    char id[SOCKETIO_ID_LEN + 1];

    socketio_make_id(id);
    arrival.made_id = notify_str_z(id);
    arrival.auth = auth;
    arrival.marked = shared->recovers_all;
    join(shared, conn, &arrival, seed);
}

void arrival_go_on(struct client_shared *shared, struct conn *conn, struct notify_str state,
                   const struct socket_seed *seed)
{
    struct arrival arrival = arrival_of(conn, seed);
    struct client_state read;
    char *auth;

    if (!client_state_read(&read, state, SOCKETIO_ID_LEN, shared)) {
        counter_add(COUNTER_STATES_REFUSED, 1);
        conn_close(conn, CONN_CLOSE_INTERNAL, "the state of this client is not known here");
        return;
    }
    auth = read.auth == NULL ? NULL : json_dumps(read.auth, JSON_COMPACT);
    arrival.auth = notify_str_z(auth == NULL ? "" : auth);
    arrival.made_id = read.id;
    arrival.new_pid = read.pid;
    arrival.marked = read.pid.len > 0;
    arrival.opening.accepted = true;
    arrival.opening.missed = socketio_missed(conn);
    arrival.opening.set_back = socketio_is_set_back(conn);
    arrival.opening.state = read;
    join(shared, conn, &arrival, seed);
    free(auth);
    client_state_release(&read);
}
