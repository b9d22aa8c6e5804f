/* ws_answer -- what is said to the request for a WebSocket (101), kept for a moment: it goes out in
 * one write with the first that is said on the WebSocket, or a little later alone. Private to net/.
 *
 * To write to a socket is a third of what it costs to let somebody in. */
#ifndef WS_ANSWER_H
#define WS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct conn;
struct transport;

struct ws_answer {
    struct conn *conn;           /* borrowed: the one that it opens */
    TAILQ_ENTRY(ws_answer) link; /* while held: of the transport's, in the order of until */
    uint32_t until;              /* it is held at most (short_time) */
    bool held;
    uint32_t len;
    char bytes[];
};

/* NULL: out of memory. */
struct ws_answer *ws_answer_new(struct conn *conn, const char *bytes, size_t len);
void ws_answer_free(struct ws_answer *answer); /* NULL is fine */
/* From now on it waits for CARRIER_ANSWER_MS. */
void ws_answer_hold(struct ws_answer *answer);
/* Those that have waited so long go out; ctx: the transport. A loop_fn. */
void ws_answers_send(void *ctx);

#endif
