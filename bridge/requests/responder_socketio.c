#include "requests/responder_socketio.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/admission.h"
#include "clients/client.h"
#include "clients/client_state.h"
#include "clients/opening.h"
#include "net/conn.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_id.h"
#include "requests/request_run.h"
#include "requests/responder.h"
#include "requests/responder_client.h"
#include "wire/inbound.h"
#include "wire/socketio_packet.h"
#include "wire/text.h"

/* What an answer repeats. */
struct socketio_request {
    struct request request;    /* first */
    struct open_call call;     /* until it is answered */
    struct notify_str ack, id; /* as they were written, behind this; empty: there is none */
    char *bytes;               /* owned */
};

static void answer(struct request *r, enum answer_code code, struct text *text)
{
    struct socketio_request *event = (struct socketio_request *)r;

    (void)code;            /* the text says it */
    if (!event->call.open) /* it was told already that this would come too late */
        return;
    client_end_call(&event->call);
    if (event->id.len > 0)
        text_add_member(text, NOTIFY_STR(",\"request_id\":"), event->id);
    if (text->type.len == 0) /* it was put together */
        text->type = text_of(text->parts[0]).type;
    text->ack = event->ack;
    sender_send(&r->client->sender, text);
}

static void release(struct request *r)
{
    struct socketio_request *event = (struct socketio_request *)r;

    client_end_call(&event->call);
    free(event->bytes);
}

static const struct responder responder_socketio = {
    .request_bytes = sizeof(struct socketio_request),
    .answer = answer,
    RESPONDER_OF_CLIENT,
    .release = release,
};

/* NULL: out of memory. */
static struct request *make_request(struct client *client, struct notify_str ack,
                                    struct notify_str id)
{
    struct request *r = request_new(&responder_socketio, client->shared, client->identity);
    struct socketio_request *event = (struct socketio_request *)r;

    if (r == NULL)
        return NULL;
    event->bytes = malloc(ack.len + id.len + 1);
    if (event->bytes == NULL) {
        request_unref(r);
        return NULL;
    }
    r->client = client;
    client_open_call(client, &event->call);
    if (ack.len > 0)
        memcpy(event->bytes, ack.ptr, ack.len);
    if (id.len > 0)
        memcpy(event->bytes + ack.len, id.ptr, id.len);
    event->ack = notify_str_of(event->bytes, ack.len);
    event->id = notify_str_of(event->bytes + ack.len, id.len);
    r->bytes += 2 * (ack.len + id.len); /* kept, and answered */
    return r;
}

/* What an event brings besides its name: nothing, or one object. */
static bool has_argument(const struct socketio_packet *packet)
{
    return packet->argc > 0 &&
           !(packet->argc == 1 && notify_str_eq(packet->arg, NOTIFY_STR("null")));
}

/* False: it is none that can be asked for. */
static bool read_event(const struct socketio_packet *packet, struct inbound *ret)
{
    ret->type.value = packet->event;
    if (packet->attachments > 0)
        return false;
    if (!has_argument(packet))
        return true;
    return packet->argc == 1 && inbound_read_members(packet->arg, ret);
}

static void run(struct request *r, const struct socketio_packet *packet,
                const struct inbound *inbound, bool good)
{
    uint64_t wait_ms = client_take_message(r->client);

    if (wait_ms > 0)
        answer_rate_limited(r, wait_ms);
    else if (packet->attachments > 0)
        answer_error(r, ANSWER_INVALID_FIELD, NULL, "no event takes binary data");
    else if (!good)
        answer_error(r, ANSWER_INVALID_FIELD, NULL,
                     "an event takes one object as its argument, or none");
    else if (request_id_check(r, inbound->id.value))
        request_run(r, inbound);
}

static void handle_event(struct client *client, const struct socketio_packet *packet)
{
    struct inbound inbound = {.len = 0};
    bool good = read_event(packet, &inbound);
    struct request *r = make_request(client, packet->id, request_id_of(&inbound));

    if (r == NULL) {
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    run(r, packet, &inbound, good);
    admission_demand(client);
    request_unref(r);
}

/* Its token is still being judged: it has not gone on yet. */
static bool is_on_its_way(const struct client *client)
{
    const struct opening *opening = client->opening;

    return opening != NULL && opening->state.json != NULL &&
           (opening->state.greeted || client->identity == NULL);
}

char *responder_socketio_park(void *peer)
{
    struct client *client = peer;

    if (is_on_its_way(client))
        return client_state_again(&client->opening->state);
    while (!LIST_EMPTY(&client->calls)) {
        struct open_call *call = LIST_FIRST(&client->calls);
        struct socketio_request *event =
            (void *)((char *)call - offsetof(struct socketio_request, call));
        answer_error(&event->request, ANSWER_UNAVAILABLE, NULL,
                     "no answer came in time; whether this was done is not known");
        client_end_call(call); /* without memory it was not answered */
    }
    return client_state_write(client);
}

/* We ask for no acknowledgement, so one is to nothing; but it is something that was sent. */
void responder_socketio_packet(void *peer, const struct socketio_packet *packet,
                               const struct notify_str *attachments)
{
    struct client *client = peer;

    (void)attachments;
    counter_add(COUNTER_MESSAGES_RECEIVED, 1);
    if (packet->type == SOCKETIO_EVENT || packet->type == SOCKETIO_BINARY_EVENT)
        handle_event(client, packet);
    else
        (void)client_take_message(client);
}
