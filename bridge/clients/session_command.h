/* session_command -- a NOTIFY.SESSION command while it is put together, and the names in it.
 *
 * Large: one thread makes one at a time, in a static one; nothing in it outlives the call that
 * sends it. */
#ifndef SESSION_COMMAND_H
#define SESSION_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "clients/sessions.h"
#include "net/addresses.h"
#include "notify_str.h"

struct client;

#define SESSION_COMMAND_PLACES 64 /* connections in one TOUCH or CLOSE */
#define SESSION_COMMAND_WORDS (16 + SESSION_COMMAND_PLACES)

struct session_command {
    struct notify_str words[SESSION_COMMAND_WORDS];
    size_t len;
    char names[SESSION_COMMAND_PLACES][SESSIONS_CONNECTION_MAX];
    size_t names_len;
    char addr[ADDRESS_TEXT_MAX];
};

/* NOTIFY.SESSION what key; both are borrowed, as are all words, until it has been sent. */
void session_command_begin(struct session_command *command, struct notify_str what,
                           struct notify_str key);
void session_command_add(struct session_command *command, struct notify_str word);
/* What a client's connection is called in sets: this process's node, and the client's number. */
struct notify_str session_connection_name(char out[SESSIONS_CONNECTION_MAX], const char *node,
                                          uint64_t number);
void session_command_add_connection(struct session_command *command, const char *node,
                                    uint64_t number);
/* NODE and, as long as it is there, the client's ADDR. */
void session_command_add_origin(struct session_command *command, const char *node,
                                const struct client *client);

#endif
