#include "option_checks.h"

#include <stddef.h>
#include <string.h>

#include "base/number.h"
#include "identity/key_names.h"
#include "identity/origins.h"
#include "identity/roles.h"
#include "net/http_fetch.h"
#include "net/listen_address.h"
#include "net/peer_address.h"
#include "notify_wire.h"
#include "wire/socketio_packet.h"

/* An empty one empties the list. */
const char *check_optional_key(const char *key)
{
    return strlen(key) <= NOTIFY_KEY_MAX ? NULL
                                         : "a key has at most " TEXT_OF(NOTIFY_KEY_MAX) " bytes";
}

/* An empty one is none. */
const char *check_optional_pattern(const char *pattern)
{
    return pattern[0] == '\0' ? NULL : key_pattern_check(pattern);
}

const char *check_origin(const char *origin)
{
    return origin_is_valid(origin) ? NULL : "must be like https://app.example.com, null or *";
}

const char *check_host_name(const char *name)
{
    return host_name_is_valid(name) ? NULL
                                    : "must be names like notify.example.com, without a port";
}

const char *check_namespace(const char *name)
{
    size_t len = strlen(name);

    if (name[0] != '/' || len > SOCKETIO_NSP_MAX)
        return "must begin with a slash, and have at most " TEXT_OF(SOCKETIO_NSP_MAX) " bytes";
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == ',' || name[i] == '?')
            return "must be printable, without blanks, commas and question marks";
    return NULL;
}

const char *check_metrics_address(const char *address)
{
    const char *why = listen_address_check(address);
    struct listen_kind kind;

    if (why != NULL)
        return why;
    return listen_address_kind(address, &kind) && kind.proxy
               ? "cannot have ,proxy: nobody forwards such connections"
               : NULL;
}

const char *check_network(const char *network)
{
    struct peer_network parsed;

    return peer_network_parse(notify_str_z(network), &parsed)
               ? NULL
               : "must be addresses, networks such as 10.0.0.0/8, or unix";
}

const char *check_field_name(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return name[0] != '\0' && strspn(name, letters) == strlen(name)
               ? NULL
               : "must be the name of a header";
}

/* A path, or an address that keys may come from. */
const char *check_jwks(const char *value)
{
    return http_fetch_is_url(value) ? http_fetch_check(value) : NULL;
}

const char *check_role(const char *role)
{
    return role[0] != '\0' && strlen(role) <= ROLE_NAME_MAX && strpbrk(role, " \t#*") == NULL
               ? NULL
               : "must be the name of a role";
}
