/* key_names -- which Redis key belongs to a user, a topic, a session: "inbox:%s" and so on. */
#ifndef KEY_NAMES_H
#define KEY_NAMES_H

#include <stdbool.h>

#include "notify_str.h"
#include "notify_wire.h"
#include "wire/key_pattern.h"

enum key_kind {
    KEY_INBOX,
    KEY_TOPIC,
    KEY_SESSION,
    KEY_USER_SESSIONS, /* session sets (docs/sessions.md): of a user, */
    KEY_SESSION_USERS, /* of those who hold a session, which may be "": there are none, */
    KEY_TOPIC_USERS,   /* of those who are present in a topic */
    KEY_KINDS,
};

struct key_names {
    const char *patterns[KEY_KINDS]; /* borrowed; usable ones (key_pattern.h) */
};

struct key_buffer {
    char bytes[NOTIFY_KEY_MAX];
};

/* Is this, valid UTF-8, a name: 1 to KEY_NAME_MAX bytes without control characters? */
bool key_name_is_valid(struct notify_str name);

/* The key of name, written into *buffer. Empty when name is empty or the key would be too long. */
struct notify_str key_of(const struct key_names *names, enum key_kind kind, struct notify_str name,
                         struct key_buffer *buffer);
/* Is key one of this kind? *ret_name: the part that stands for %s; it points into key. */
bool key_is(const struct key_names *names, enum key_kind kind, struct notify_str key,
            struct notify_str *ret_name);

#endif
