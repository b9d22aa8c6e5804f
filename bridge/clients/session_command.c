#include "clients/session_command.h"

#include <string.h>

#include "clients/client.h"
#include "net/conn.h"

void session_command_add(struct session_command *command, struct notify_str word)
{
    command->words[command->len++] = word;
}

struct notify_str session_connection_name(char out[SESSIONS_CONNECTION_MAX], const char *node,
                                          uint64_t number)
{
    struct notify_str name = notify_str_z(node);
    size_t len = name.len + 1;

    memcpy(out, name.ptr, name.len);
    out[name.len] = ':';
    len += number_text(out + len, (int64_t)number).len;
    return notify_str_of(out, len);
}

void session_command_add_connection(struct session_command *command, const char *node,
                                    uint64_t number)
{
    session_command_add(
        command, session_connection_name(command->names[command->names_len++], node, number));
}

void session_command_begin(struct session_command *command, struct notify_str what,
                           struct notify_str key)
{
    command->len = command->names_len = 0;
    session_command_add(command, NOTIFY_STR("NOTIFY.SESSION"));
    session_command_add(command, what);
    session_command_add(command, key);
}

void session_command_add_origin(struct session_command *command, const char *node,
                                const struct client *client)
{
    session_command_add(command, NOTIFY_STR("NODE"));
    session_command_add(command, notify_str_z(node));
    if (client_is_closed(client))
        return;
    session_command_add(command, NOTIFY_STR("ADDR"));
    session_command_add(command,
                        notify_str_z(conn_format_address(client->sender.conn, command->addr)));
}
