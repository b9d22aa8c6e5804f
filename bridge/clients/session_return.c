/* session_return -- clients that go and come back, and what their places in session sets are called
 * all that time. */
#include "clients/sessions_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clients/client.h"
#include "clients/session_command.h"

void session_return_name(struct session_place *place)
{
    const struct session_return *before = place->client->before;

    if (before == NULL || (place->node = strdup(before->node)) == NULL)
        return;
    place->number = before->number;
    place->again = true;
}

void session_return_forget(struct client *client)
{
    free(client->before);
    client->before = NULL;
}

struct notify_str sessions_connection(const struct sessions *all, const struct client *client,
                                      char out[SESSIONS_CONNECTION_MAX])
{
    const struct session_return *before = client->before;

    if (before != NULL)
        return session_connection_name(out, before->node, before->number);
    return session_connection_name(out, all->node, client->number);
}

/* "<node>:<number>", as session_connection_name() has made it. */
static bool read_connection(struct notify_str name, struct session_return *ret)
{
    size_t at = SESSIONS_NODE_MAX - 1;

    if (name.len <= at + 1 || name.len > at + 1 + NUMBER_TEXT_MAX - 1 || name.ptr[at] != ':')
        return false;
    for (size_t i = 0; i < at; i++)
        if (strchr("0123456789abcdef", name.ptr[i]) == NULL || name.ptr[i] == '\0')
            return false;
    memcpy(ret->node, name.ptr, at);
    ret->node[at] = '\0';
    ret->number = 0;
    while (++at < name.len) {
        if (name.ptr[at] < '0' || name.ptr[at] > '9' || ret->number > INT64_MAX / 10 - 1)
            return false;
        ret->number = ret->number * 10 + (uint64_t)(name.ptr[at] - '0');
    }
    return true;
}

int sessions_return(struct client *client, struct notify_str connection)
{
    struct session_return before;

    if (!read_connection(connection, &before))
        return -EINVAL;
    if (client->before == NULL)
        client->before = malloc(sizeof(before));
    if (client->before == NULL)
        return -ENOMEM;
    *client->before = before;
    return 0;
}

void sessions_each(const struct client *client, session_fn fn, void *ctx)
{
    for (const struct session_place *place = client->places; place != NULL; place = place->next)
        fn(ctx, place->set->kind, notify_str_of(place->set->key, place->set->key_len),
           place->state != PLACE_NONE, place->watches);
}
