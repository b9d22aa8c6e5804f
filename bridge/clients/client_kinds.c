#include "clients/client_kinds.h"

#include "base/counters.h"

static const struct {
    const char *name;
    enum counter counter;
} infos[CLIENT_KINDS] = {
    [CLIENT_NOTIFY] = {"notify", COUNTER_CLIENTS_NOTIFY},
    [CLIENT_TOPIC] = {"topic", COUNTER_CLIENTS_TOPIC},
    [CLIENT_SESSION] = {"session", COUNTER_CLIENTS_SESSION},
    [CLIENT_EVENTS] = {"events", COUNTER_CLIENTS_EVENTS},
    [CLIENT_CHAT] = {"chat", COUNTER_CLIENTS_CHAT},
    [CLIENT_SOCKETIO] = {"socketio", COUNTER_CLIENTS_SOCKETIO},
};

static const enum client_kind kinds_of_dialects[DIALECT_COUNT] = {
    [DIALECT_CANONICAL] = CLIENT_NOTIFY,
    [DIALECT_TOPIC] = CLIENT_TOPIC,
    [DIALECT_EVENTS] = CLIENT_EVENTS,
    [DIALECT_SESSION] = CLIENT_SESSION,
    [DIALECT_CHAT] = CLIENT_CHAT,
    [DIALECT_SOCKETIO] = CLIENT_SOCKETIO,
    [DIALECT_SOCKETIO_MARKED] = CLIENT_SOCKETIO,
};

const char *client_kind_name(enum client_kind kind)
{
    return infos[kind].name;
}

void client_kinds_add(struct client_kinds *kinds, enum dialect dialect)
{
    kinds->of[kinds_of_dialects[dialect]]++;
}

void client_kinds_remove(struct client_kinds *kinds, enum dialect dialect)
{
    kinds->of[kinds_of_dialects[dialect]]--;
}

void client_kinds_set_gauges(const struct client_kinds *kinds)
{
    for (size_t i = 0; i < CLIENT_KINDS; i++)
        counter_set(infos[i].counter, kinds->of[i]);
    counter_set(COUNTER_SUBSCRIPTIONS, kinds->follows);
}
