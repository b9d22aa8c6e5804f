#include "requests/responder_client.h"

#include "clients/client.h"
#include "requests/request.h"

bool responder_client_is_gone(const struct request *r)
{
    return client_is_closed(r->client);
}

void responder_client_begin(struct request *r, size_t bytes)
{
    sender_call_begin(&r->client->sender, bytes);
}

void responder_client_end(struct request *r, size_t bytes)
{
    client_call_end(r->client, bytes);
}

void responder_client_waits(struct request *r)
{
    sender_call_waits(&r->client->sender);
}

void responder_client_goes_on(struct request *r)
{
    sender_call_goes_on(&r->client->sender);
}
