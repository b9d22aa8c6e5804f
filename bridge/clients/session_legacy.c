#include "clients/session_legacy.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/session_journal.h"
#include "redis/keyspace.h"
#include "redis/resp.h"

/* Commands under way: clients come back meanwhile, and have their turns, too. */
#define AT_ONCE 64

/* A set that a process had places in. */
struct legacy_set {
    struct session_legacy *legacy;
    const char *key; /* among the legacy's keys */
    uint16_t key_len;
    bool sent, done; /* done: Redis has answered */
};

struct session_legacy {
    struct keyspace *commands; /* borrowed */
    char node[SESSION_JOURNAL_NODE_MAX];
    char *keys; /* owned: one behind the other */
    struct legacy_set *sets;
    size_t len, next; /* next: of those before it all were sent, or could not be */
    size_t under_way, done;
};

static void count(const struct session_journal *journal, size_t *ret_len, size_t *ret_bytes)
{
    struct notify_str key;

    *ret_len = *ret_bytes = 0;
    for (uint32_t at = 0; (key = session_journal_next(journal, &at)).len > 0; ++*ret_len)
        *ret_bytes += key.len;
}

static void copy(struct session_legacy *legacy, const struct session_journal *journal)
{
    struct notify_str key;
    char *to = legacy->keys;

    for (uint32_t at = 0; (key = session_journal_next(journal, &at)).len > 0; to += key.len) {
        memcpy(to, key.ptr, key.len);
        legacy->sets[legacy->len++] =
            (struct legacy_set){.legacy = legacy, .key = to, .key_len = (uint16_t)key.len};
    }
}

struct session_legacy *session_legacy_new(struct keyspace *commands,
                                          const struct session_journal *journal)
{
    struct session_legacy *legacy;
    size_t len, bytes;

    if (journal == NULL)
        return NULL;
    count(journal, &len, &bytes);
    legacy = len == 0 ? NULL : calloc(1, sizeof(*legacy));
    if (legacy == NULL)
        return NULL;
    legacy->commands = commands;
    legacy->keys = malloc(bytes);
    legacy->sets = calloc(len, sizeof(*legacy->sets));
    if (legacy->keys == NULL || legacy->sets == NULL) {
        session_legacy_free(legacy);
        return NULL;
    }
    memcpy(legacy->node, session_journal_node(journal), sizeof(legacy->node));
    legacy->node[sizeof(legacy->node) - 1] = '\0';
    copy(legacy, journal);
    return legacy;
}

void session_legacy_free(struct session_legacy *legacy)
{
    if (legacy == NULL)
        return;
    free(legacy->keys);
    free(legacy->sets);
    free(legacy);
}

static void end(struct session_legacy *legacy)
{
    log_info("sessions_dropped", "node", legacy->node, "sets", log_int((int64_t)legacy->len));
    free(legacy->keys);
    free(legacy->sets);
    legacy->keys = NULL;
    legacy->sets = NULL;
    legacy->len = legacy->next = 0;
}

static void send_some(struct session_legacy *legacy);

static void on_reply(void *ctx, const struct resp *reply)
{
    struct legacy_set *set = ctx;
    struct session_legacy *legacy = set->legacy;

    legacy->under_way--;
    set->sent = false;
    if (reply == NULL)
        return; /* when its server is there again it is sent anew */
    if (reply->kind == RESP_ERROR)
        log_debug("session_not_dropped", "text", log_bytes(reply->str.ptr, reply->str.len));
    else
        counter_add(COUNTER_SESSIONS_DROPPED, 1);
    set->done = true;
    legacy->done++;
    if (legacy->done == legacy->len)
        end(legacy);
    else
        send_some(legacy);
}

/* What cannot be sent waits until a server is there again, or for the end of its lease. */
static void send_some(struct session_legacy *legacy)
{
    for (; legacy->next < legacy->len && legacy->under_way < AT_ONCE; legacy->next++) {
        struct legacy_set *set = &legacy->sets[legacy->next];
        const struct notify_str words[] = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("DROPNODE"),
                                           notify_str_of(set->key, set->key_len),
                                           notify_str_z(legacy->node)};

        if (set->done || set->sent ||
            keyspace_command(legacy->commands, on_reply, set, 4, words) != 0)
            continue;
        set->sent = true;
        legacy->under_way++;
    }
}

void session_legacy_go_on(struct session_legacy *legacy)
{
    if (legacy == NULL)
        return;
    legacy->next = 0;
    send_some(legacy);
}
