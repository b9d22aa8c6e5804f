/* What a client is told of what it follows: that it is live, what of it is gone, where it stands.
 */
#include "base/counters.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/client_private.h"
#include "clients/progress.h"
#include "wire/json_text.h"

/* The keys of which not all could be had. */
static json_t *keys_with_gaps(json_t *results)
{
    json_t *keys = json_array(), *result;
    const char *key;

    json_object_foreach(results, key, result)
    {
        if (!json_is_true(json_object_get(result, "recovered")))
            (void)json_array_append_new(keys, json_string(key));
    }
    return keys;
}

void client_tell_gap(struct client *client, json_t *keys, const char *reason)
{
    sender_send_json(&client->sender,
                     json_pack("{s:s, s:s, s:o}", "type", "gap", "reason", reason, "keys", keys));
}

/* That of its position, if it is known; epochs may be NULL. */
static json_t *add_epoch(json_t *epochs, const struct follow *follow)
{
    struct notify_str key = follow_key(follow);
    uint32_t epoch = follow_epoch(follow);

    if (epoch == 0)
        return epochs;
    if (epochs == NULL)
        epochs = json_object();
    (void)json_object_setn_new(epochs, key.ptr, key.len, json_integer(epoch));
    return epochs;
}

/* Of the positions that its follows have now: since one was live, entries of another epoch may have
 * been sent. NULL: none is known. */
static json_t *epochs_of(const struct client *client, const json_t *results)
{
    json_t *epochs = NULL;

    for (const struct follow *follow = client->follows; follow != NULL; follow = follow->next) {
        struct notify_str key = follow_key(follow);
        if (json_object_getn(results, key.ptr, key.len) != NULL)
            epochs = add_epoch(epochs, follow);
    }
    return epochs;
}

/* Takes epochs over, and a reference to results. */
static json_t *resumed(json_t *results, json_t *epochs)
{
    return json_pack("{s:s, s:O, s:o*}", "type", "resumed", "results", results, "epochs", epochs);
}

json_t *client_resumed(const struct client *client, json_t *results)
{
    return resumed(results, epochs_of(client, results));
}

static void tell(struct client *client, json_t *results, json_t *epochs)
{
    json_t *gaps, *key;
    size_t i;

    sender_send_json(&client->sender, resumed(results, epochs));
    if (!client->sender.marked)
        return;
    gaps = keys_with_gaps(results);
    json_array_foreach(gaps, i, key)
    {
        struct follow *follow = client_find_follow(client, json_text_of(key));
        if (follow != NULL)
            follow->gap_said = true; /* so the id that goes with it may pass that by */
    }
    if (json_array_size(gaps) > 0)
        client_tell_gap(client, gaps, "gone");
    else
        json_decref(gaps);
}

void client_tell_resumed(struct client *client, json_t *results)
{
    tell(client, results, epochs_of(client, results));
}

/* Of one alone: of a client that follows very many each is told so when a link was lost. */
static void tell_resumed(struct follow *follow, bool recovered)
{
    json_t *results;

    if (follow->picks) {
        if (!recovered)
            inquiries_lost(&follow->client->inquiries);
        return;
    }
    results = json_object();
    ask_put_result(results, follow_key(follow), follow, recovered);
    tell(follow->client, results, add_epoch(NULL, follow));
    json_decref(results);
}

/* That is no answer: it says neither how much will come nor how far the client is with it. Who
 * picks gets nothing more. */
static void say_gone(const struct follow *follow)
{
    struct notify_str key = follow_key(follow);

    if (!follow->picks)
        client_tell_gap(follow->client, json_pack("[o*]", json_stringn(key.ptr, key.len)), "gone");
}

/* Whoever has asked is told how it went. An answer that waits for other keys must not leave unsaid
 * until then what is gone of this one: what comes of it from now on stands behind that. */
static void tell_live(struct follow *follow)
{
    const struct client *client = follow->client;

    if (!asks_resolve(&follow->client->asks, follow)) {
        if (follow->refilled)
            tell_resumed(follow, !follow->gap);
    } else if (follow_owes_gap(follow) && asks_tell_gap(&client->asks, follow_key(follow))) {
        say_gone(follow);
    }
}

void client_on_live(struct follow *follow)
{
    struct client_shared *shared = follow->client->shared;
    struct sender *sender = &follow->client->sender;

    shared->told++;
    if (sender->marked)
        progress_on_live(sender->progress, follow);
    counter_add(COUNTER_REFILLS, follow->refilled);
    tell_live(follow);
    follow->refilled = follow->gap = follow->gap_said = false;
    follow->count = 0;
    shared->told--;
}

/* A client that does not read is told once it does: however often this comes, it holds no more. */
void client_on_gap(struct follow *follow)
{
    struct client *client = follow->client;

    if (follow->whole) /* of the box, that is now, it is not known what it follows */
        client->shared->on_box_ended(client);
    if (!sender_is_full(&client->sender)) {
        tell_resumed(follow, false);
        return;
    }
    follow_lose(follow);
    client_fall_behind(client, follow);
}

bool client_on_gap_ahead(struct follow *follow)
{
    struct client *client = follow->client;

    if (!follow->picks && sender_is_full(&client->sender)) {
        client_fall_behind(client, follow);
        return false;
    }
    say_gone(follow);
    return true;
}

void client_tell_error(struct client *client, struct notify_str key, const char *code,
                       const char *why)
{
    json_t *name = json_stringn(key.ptr, key.len); /* NULL, and left out, if it is no UTF-8 */

    sender_send_json(&client->sender,
                     json_pack("{s:s, s:{s:s, s:s, s:{s:o*}}}", "type", "error", "error", "code",
                               code, "message", why, "details", "key", name));
}
