/* roles -- the file that says what a role may do: one readable text for the operator.
 *
 *     # everybody whose token is good
 *     role *
 *       categories  system updates     # delivered from logs without asking
 *       follow      news               # topics followed at once
 *       subscribe   news run:* team:{user}
 *
 *     role admin
 *       categories  *
 *       publish     *
 *
 * A line is a word and its patterns (identity/pattern.h); "role NAME" begins a block, "role *" is
 * for everybody. # begins a comment. The table in roles.c has the words. */
#ifndef ROLES_H
#define ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

#define ROLES_MAX 256          /* blocks in a file */
#define ROLES_BYTES_MAX 262144 /* of a file */
#define ROLE_PATTERNS_MAX 1024 /* of one word of one role */
#define ROLE_NAME_MAX 64       /* bytes */
#define ROLES_ERROR_MAX 160

/* What somebody may be allowed; the words of the file. */
enum right {
    RIGHT_CATEGORIES,    /* entries of logs with these are delivered without asking */
    RIGHT_PERMITTED,     /* those that subscribe_category may add */
    RIGHT_FOLLOW,        /* topics followed at once: patterns without '*' */
    RIGHT_SUBSCRIBE,     /* topics */
    RIGHT_SESSIONS,      /* session ids whose log may be followed */
    RIGHT_CHANNELS,      /* channels without a box, and patterns of them */
    RIGHT_PUBLISH,       /* topics */
    RIGHT_SEND,          /* users to whose inbox may be published */
    RIGHT_SEND_SESSIONS, /* session ids to whose log may be published */
    RIGHT_PRESENCE,      /* users, topics and sessions whose presence may be seen */
    RIGHT_KICK,          /* users whose sessions may be ended */
    RIGHT_AGENT,         /* session ids in which an agent may be asked */
    RIGHT_ADMIN,         /* what may be done at /admin: look, send, kick */
    RIGHT_COUNT,
};

/* "subscribe" and so on. */
const char *right_word(enum right right);

struct patterns {
    struct notify_str *at; /* owned; they point into the text of the file */
    size_t len;
};

struct role {
    struct notify_str name; /* "*": everybody */
    struct patterns rights[RIGHT_COUNT];
};

/* All roles. It stays where it is while its content is replaced, so that identities can point to
 * it. */
struct roles {
    char *text; /* owned copy of the file */
    struct role *at;
    size_t len;
    bool by_category; /* deliveries from logs are chosen by category */
};

/* Replaces all of *roles but by_category, or, at an error, nothing: -EINVAL with "line 7: …" in
 * error, or -ENOMEM. A text without any role is an error, too: nobody means that. */
int roles_read(struct roles *roles, struct notify_str text, char error[ROLES_ERROR_MAX]);
void roles_release(struct roles *roles);
/* Does any role have any pattern of it? */
bool roles_give(const struct roles *roles, enum right right);
/* NULL: there is no such role. */
const struct role *roles_find(const struct roles *roles, struct notify_str name);

#endif
