/* client_state -- what a client is while it has no connection: a text that it goes on from when it
 * is back, at another bridge perhaps. A client of Socket.IO is so between two polls.
 *
 *     {"v":1,"id":…,"user":…,"pid":…,"auth":…,"greeted":true,"marks":true,
 *      "keys":[[<key>,<position> or null,<where it began> or null],…],"asked":[…],"gaps":[<key>,…],
 *      "chosen":{"joined":[…],"left":[…]},"place":…,"present":[<topic>,…],
 *      "watches":{"users":[…],"topics":[…]},"warned":false,"rate":[<ms>,<ms>],"at":<Unix time, ms>}
 *
 * It lies in Redis, where others may write: read back, it says what somebody followed and where he
 * was, which he is given only as far as he may have it, and never who he is. "auth" is what he said
 * as he joined; a token in it is judged again each time. */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "clients/client.h"
#include "notify_str.h"

#define CLIENT_PID_LEN 20

struct client_state;

/* How a client came, for one that may be written: what it said as it joined, a raw JSON object or
 * empty. False: out of memory. */
bool client_origin_keep(struct client *client, struct notify_str auth);
/* By what it may be recovered (clients/recovery.h); empty: it may not. pid: at most CLIENT_PID_LEN
 * bytes; of one that has an origin. */
void client_origin_name(struct client *client, struct notify_str pid);
struct notify_str client_origin_pid(const struct client *client);
/* It has brought another token, which is being judged; and that is good. */
void client_origin_offer(struct client *client, struct notify_str token);
void client_origin_renew(struct client *client);
void client_origin_forget(struct client *client);

/* What waits for it goes out first, or its follows stand before it there: its connection is to be
 * ended behind this. If it stays after all, what waits for its greeting waits on. malloc'ed; NULL:
 * out of memory. */
char *client_state_write(struct client *client);
/* The same of one whose connection has gone. */
char *client_state_text(const struct client *client);
/* Of one that has not gone on from it yet. */
char *client_state_again(const struct client_state *state);

/* What was written once. */
struct client_state {
    json_t *json; /* owned; what is below lies in it */
    struct notify_str id;
    struct notify_str user; /* whose it was */
    struct notify_str pid;  /* or empty */
    const json_t *auth;     /* an object, or NULL */
    bool greeted;           /* all it followed was live; else it begins anew */
    bool marks;             /* what it is sent of its inbox is seen when it leaves */
    bool warned;            /* that its token ends was told */
    struct client_rate rate;
    const json_t *keys;  /* [[key, position or null, where it began or null], …] */
    const json_t *asked; /* those that it has asked for, of one that was not greeted; or NULL */
    const json_t *gaps;  /* [key, …] of which not all could be had, which it was not told yet */
    const json_t *chosen;
    struct notify_str place; /* what its places in session sets are called (clients/sessions.h) */
    const json_t *present;   /* [topic, …] in which it has a place */
    const json_t *watches; /* {"users":[…],"topics":[…]} of which it hears who comes and goes */
};

/* id_len: as many characters as its id must have. False: it is nothing that this version has
 * written. */
bool client_state_read(struct client_state *ret, struct notify_str text, size_t id_len,
                       const struct client_shared *shared);
void client_state_release(struct client_state *state);

#endif
