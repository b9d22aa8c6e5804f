#include "base/counters.h"

uint64_t counter_values[COUNTERS];

#define LIMIT_HITS "notify_limit_hits_total", COUNTER_GROWS
#define LIMIT_HELP "How often a limit was met, by the name of its option."

const struct counter_info counter_infos[COUNTERS] = {
    [COUNTER_CLIENTS_OPENED] = {"notify_clients_opened_total", COUNTER_GROWS, "",
                                "Clients that have connected."},
    [COUNTER_CLIENTS_BEHIND] = {LIMIT_HITS, "limit=\"outbox-bytes\"", LIMIT_HELP},
    [COUNTER_CLIENTS_TOO_SLOW] = {LIMIT_HITS, "limit=\"slow-client-timeout\"", LIMIT_HELP},
    [COUNTER_CONTROL_FLOODS] = {LIMIT_HITS, "limit=\"max-control-frames\"", LIMIT_HELP},
    [COUNTER_SOCKETS_REFUSED] = {LIMIT_HITS, "limit=\"max-connections\"", LIMIT_HELP},
    [COUNTER_REQUESTS_HELD_BACK] =
        {"notify_requests_held_back_total", COUNTER_GROWS, "",
         "How often the input of a client waited: it had as much under way or unread as it may."},
    [COUNTER_COMMANDS_WAITED] = {"notify_commands_waited_total", COUNTER_GROWS, "",
                                 "Commands to Redis for clients that had to stand in line."},
    [COUNTER_COMMANDS_REFUSED] = {LIMIT_HITS, "limit=\"commands-in-line\"", LIMIT_HELP},
    [COUNTER_LINGER_CHANNELS] = {LIMIT_HITS, "limit=\"max-lingering\"", LIMIT_HELP},
    [COUNTER_LINGER_PER_CLIENT] = {LIMIT_HITS, "limit=\"max-lingering-per-client\"", LIMIT_HELP},
    [COUNTER_SUBSCRIPTIONS_LEAVING] = {LIMIT_HITS, "limit=\"subscriptions-leaving\"", LIMIT_HELP},
    [COUNTER_EVENTS_LOST_VOLATILE] =
        {"notify_events_lost_total", COUNTER_GROWS, "",
         "Events that are not stored and that a slow client did not get."},
    [COUNTER_EVENTS_FOREIGN] = {"notify_events_foreign_total", COUNTER_GROWS, "",
                                "Messages on a box's channel that are none of the module's."},
    [COUNTER_GAPS_REPAIRED] = {"notify_gaps_repaired_total", COUNTER_GROWS, "",
                               "Gaps in what Redis published that were read from the box."},
    [COUNTER_HTTP_REFUSED] = {"notify_http_refused_total", COUNTER_GROWS, "",
                              "HTTP requests that were malformed or asked for what is not there."},
    [COUNTER_CONNECTIONS] = {"notify_connections", COUNTER_GAUGE, "transport=\"websocket\"",
                             "Open connections of clients."},
    [COUNTER_SOCKETS] = {"notify_sockets", COUNTER_GAUGE, "",
                         "Open sockets of clients, whatever they carry."},
    [COUNTER_CHANNELS] = {"notify_channels", COUNTER_GAUGE, "",
                          "Channels of Redis that are subscribed, or are about to be."},
    [COUNTER_CHANNELS_LINGERING] = {"notify_channels_lingering", COUNTER_GAUGE, "",
                                    "Channels among them that nobody follows any more."},
    [COUNTER_COMMANDS_IN_LINE] = {"notify_commands_in_line", COUNTER_GAUGE, "",
                                  "Commands to Redis for clients that stand in line."},
    [COUNTER_SUBSCRIBER_UP] = {"notify_redis_link_up", COUNTER_GAUGE, "link=\"subscriber\"",
                               "Whether a link to Redis is up."},
    [COUNTER_COMMANDS_UP] = {"notify_redis_link_up", COUNTER_GAUGE, "link=\"commands\"",
                             "Whether a link to Redis is up."},
};
