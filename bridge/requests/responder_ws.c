#include "requests/responder_ws.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/admission.h"
#include "clients/client.h"
#include "net/conn.h"
#include "requests/answer.h"
#include "requests/request_id.h"
#include "requests/request_run.h"
#include "requests/responder.h"
#include "requests/responder_client.h"
#include "wire/dialect.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/text.h"

/* The id is kept as it was written, and so comes back: what it stands for is the client's business.
 */
struct ws_request {
    struct request request; /* first */
    struct notify_str id;   /* owned; empty: there is none */
};

static void answer(struct request *r, enum answer_code code, struct text *text)
{
    const struct ws_request *ws = (struct ws_request *)r;

    (void)code; /* the text says it */
    if (ws->id.len > 0)
        text_add_member(text, NOTIFY_STR(",\"request_id\":"), ws->id);
    sender_send(&r->client->sender, text);
}

static void release(struct request *r)
{
    free((char *)((struct ws_request *)r)->id.ptr);
}

static const struct responder responder_ws = {
    .request_bytes = sizeof(struct ws_request),
    .answer = answer,
    RESPONDER_OF_CLIENT,
    .release = release,
};

struct request *responder_ws_request(struct client *client, struct notify_str request_id)
{
    struct request *r = request_new(&responder_ws, client->shared, client->identity);
    char *id = request_id.len == 0 ? NULL : malloc(request_id.len);

    if (r == NULL || (id == NULL && request_id.len > 0)) {
        free(id);
        if (r != NULL)
            request_unref(r);
        return NULL;
    }
    r->client = client;
    if (id != NULL)
        memcpy(id, request_id.ptr, request_id.len);
    ((struct ws_request *)r)->id = notify_str_of(id, request_id.len);
    r->bytes += 2 * request_id.len; /* kept, and answered */
    return r;
}

/* A message becomes a request. */

static void answer_fault(struct client *client, struct request *r, struct notify_str text,
                         const struct json_fault *fault)
{
    if (fault->too_deep)
        client_limit_met(client, COUNTER_MESSAGES_TOO_DEEP);
    answer_bad_json(r, "a message", text, fault);
}

/* A message that is no JSON, or more than the client may send, is answered with its id all the
 * same, or else its sender would wait for an answer that it has had. */
void responder_ws_message(void *peer, struct notify_str text)
{
    struct client *client = peer;
    struct inbound inbound = {.len = 0};
    struct json_fault fault;
    bool good = dialect_read(client->sender.dialect, text, &inbound, &fault);
    uint64_t wait_ms = client_take_message(client);
    struct request *r = responder_ws_request(client, request_id_of(&inbound));

    counter_add(COUNTER_MESSAGES_RECEIVED, 1);
    if (r == NULL) {
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    if (wait_ms > 0)
        answer_rate_limited(r, wait_ms);
    else if (!good)
        answer_fault(client, r, text, &fault);
    else if (request_id_check(r, inbound.id.value))
        request_run(r, &inbound);
    admission_demand(client);
    request_unref(r);
}
