/* lineup -- servers that are measured beside each other; see lineup.h. */
#include "lineup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who can be measured. */
static const struct kind {
    const char *word; /* in NOTIFY_SERVERS */
    const char *name;
    enum crowd_speech speech;
    bool follows_inboxes; /* each client has a channel of its own */
} kinds[] = {
    {"websocket", "our WebSocket", CROWD_WEBSOCKET, true},
    {"socketio", "our Socket.IO", CROWD_SOCKETIO, true},
    {"node", "Socket.IO's own server", CROWD_SOCKETIO, false},
    {"polls", "our polling", CROWD_POLLS, true},
    {"node-polls", "polling of Socket.IO's own", CROWD_POLLS, false},
    {"node-ws", "Node.js with ws", CROWD_WEBSOCKET, true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *kind_of(const char *word)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].word, word) == 0)
            return &kinds[i];
    }
    bench_die("no such server: %s", word);
}

/* text: "websocket 8080 123 6379 124": port and process of the server, and of its Redis. */
static void add_server(struct lineup *lineup, const struct bench_options *options,
                       const struct resp_text *commands, const char *text)
{
    uint32_t clients = (uint32_t)options->clients;
    struct camp_server at = {.speech = CROWD_WEBSOCKET};
    char word[32];

    if (lineup->count == LINEUP_MAX || sscanf(text, "%31s %d %d %d %d", word, &at.port, &at.pid,
                                              &at.redis_port, &at.redis_pid) != 5)
        bench_die("not a server, or one too many: %s", text);
    const struct kind *kind = kind_of(word);
    at.speech = kind->speech;
    at.channels = kind->follows_inboxes ? clients + 1 : 1;
    lineup->servers[lineup->count++] =
        (struct lineup_server){kind->name, at.pid, at.redis_pid,
                               camp_new(&at, clients, options->generator_core, commands)};
}

void lineup_init(struct lineup *lineup, const struct bench_options *options,
                 const struct resp_text *commands)
{
    const char *told = getenv("NOTIFY_SERVERS");
    char *text = strdup(told == NULL ? "" : told), *rest = text, *line;

    *lineup = (struct lineup){.count = 0};
    while (text != NULL && (line = strsep(&rest, ",")) != NULL && *line != '\0')
        add_server(lineup, options, commands, line);
    free(text);
    if (lineup->count == 0)
        bench_die("NOTIFY_SERVERS names no server");
}

void lineup_release(struct lineup *lineup)
{
    for (size_t i = 0; i < lineup->count; i++)
        camp_free(lineup->servers[i].camp);
    lineup->count = 0;
}
