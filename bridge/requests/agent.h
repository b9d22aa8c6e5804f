/* agent -- how an agent is asked: a Redis stream that workers read as a consumer group; and how
 * they are told that nobody waits any more (docs/agents.md). */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "clients/askers.h"
#include "notify_id.h"
#include "notify_str.h"
#include "redis/pending.h"
#include "requests/responder.h"

struct client;
struct client_shared;
struct resp;

struct agent {
    const char *stream;  /* key of what is asked; "": nobody is there to ask */
    uint64_t stream_max; /* entries of it, about */
    uint64_t grace_ms;   /* in which whoever reads a stream may come back for the rest of it */
    size_t answer_bytes; /* of what one event of an answer holds, at most */
};

#define AGENT_ENTRY_MAX NOTIFY_ID_TEXT_MAX

/* Why somebody cannot ask just now, by the error of inquiry_open(). */
struct agent_refusal {
    int error;
    enum counter limit; /* that was met; COUNTERS: none */
    enum answer_code code;
    const char *text;
};
const struct agent_refusal *agent_refusal_of(int error);

/* Who asks, for clients/askers.h; what is returned lies in out, and is no string. */
struct notify_str agent_asker(const struct client *client, char out[ASKER_NAME_MAX]);

struct agent_request {
    struct notify_str id, session, user;
    struct notify_str answer;   /* "message" or "stream" */
    struct notify_str reply_to; /* key of the session's log */
    struct notify_str message;
};

/* Puts it into the stream; as turns_command(): fn gets the reply, on_turn is called if it is to
 * wait. */
int agent_ask(const struct client_shared *shared, const struct agent_request *request,
              redis_reply_fn fn, bool (*on_turn)(void *ctx), void *ctx);
/* Whether a reply to that says that it is in the stream; the entry's id as text, and a NUL. */
bool agent_was_asked(const struct resp *reply, char ret_entry[AGENT_ENTRY_MAX + 1]);

/* Nobody waits any more: takes it out of the stream, for those who have not begun it, and says its
 * id on a channel, for the one that has. entry: "" if it is not known. */
void agent_cancel(const struct client_shared *shared, const char *entry, const char *id);

#endif
