/* How often a client may send, and be told that it may not. */
#include "base/counters.h"
#include "base/loop.h"
#include "clients/client.h"
#include "wire/close_code.h"

/* Messages that are sent although it was told to wait, for long and at once. */
#define WARNINGS_PER_S 2
#define WARNINGS_BURST 20

static const struct token_rate warning_rate = {WARNINGS_PER_S, WARNINGS_BURST};

static bool is_warned_enough(struct client *client, uint64_t now_us)
{
    return token_bucket_take(&client->warnings, &warning_rate, 1, now_us) != 0;
}

uint64_t client_take_message(struct client *client)
{
    struct client_shared *shared = client->shared;
    uint64_t now_us = loop_now_ms(shared->senders.loop) * 1000;
    uint64_t wait_us = token_bucket_take(&client->messages, &shared->message_rate, 1, now_us);

    if (wait_us == 0) {
        client->warned = false;
        return 0;
    }
    client_limit_met(client, COUNTER_MESSAGES_TOO_MANY);
    if (client->warned && is_warned_enough(client, now_us))
        sender_close(&client->sender, CONN_CLOSE_RATE_LIMITED, "too many messages");
    client->warned = true;
    return (wait_us + 999) / 1000;
}

static uint64_t left_ms(const struct token_bucket *bucket, uint64_t now_us)
{
    return token_bucket_is_full(bucket, now_us) ? 0 : (bucket->full_us - now_us + 999) / 1000;
}

struct client_rate client_rate(const struct client *client)
{
    uint64_t now_us = loop_now_ms(client->shared->senders.loop) * 1000;

    return (struct client_rate){.messages_ms = left_ms(&client->messages, now_us),
                                .warnings_ms = left_ms(&client->warnings, now_us)};
}

/* No fuller than it can be. */
static void fill_in(struct token_bucket *bucket, const struct token_rate *rate, uint64_t ms,
                    uint64_t now_us)
{
    uint64_t all_us = rate->per_s == 0 ? 0 : UINT64_C(1000000) * rate->burst / rate->per_s;

    bucket->full_us = now_us + (ms < all_us / 1000 ? ms * 1000 : all_us);
}

void client_set_rate(struct client *client, const struct client_rate *rate)
{
    uint64_t now_us = loop_now_ms(client->shared->senders.loop) * 1000;

    fill_in(&client->messages, &client->shared->message_rate, rate->messages_ms, now_us);
    fill_in(&client->warnings, &warning_rate, rate->warnings_ms, now_us);
    client->warned = rate->warnings_ms > 0;
}
