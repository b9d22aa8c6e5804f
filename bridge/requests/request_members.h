/* request_members -- the members of a client's request: which there may be, and what they hold.
 *
 * Each type of request has a table of its members (request_run.c). A message is checked against it
 * in one place, request_members_read(): what is not in the table, is given twice or is not of its
 * kind is told by its name, before anything is done. null is the same as absent. */
#ifndef REQUEST_MEMBERS_H
#define REQUEST_MEMBERS_H

#include <stdbool.h>

#include <jansson.h>

#include "identity/roles.h"
#include "notify_id.h"
#include "wire/position.h"
#include "wire/since.h"
#include "notify_str.h"

struct inbound;
struct request;

#define REQUEST_IDS_MAX 100
#define REQUEST_POSITIONS_MAX 256
#define REQUEST_LIMIT_MAX 100
#define REQUEST_PAGE_MAX 1000000
#define MEMBER_LABEL_MAX 64
#define REQUEST_OFFSET_MAX 10000

enum member_kind {
    MEMBER_NAME,      /* text: the name of a user, a topic, a session (key_names.h) */
    MEMBER_WORD,      /* text, not empty */
    MEMBER_TEXT,      /* text */
    MEMBER_TITLE,     /* text: 1 to NOTIFY_TITLE_MAX characters */
    MEMBER_LABEL,     /* text: a category or a type, 1 to MEMBER_LABEL_MAX bytes */
    MEMBER_LEVEL,     /* text: a level of urgency */
    MEMBER_POSITION,  /* text and position: an id, or id@@epoch */
    MEMBER_ID,        /* text, id and tag: of an entry, be it as a UUID (wire/entry_uuid.h) */
    MEMBER_BEFORE,    /* text; and id, or flag: it is a position, "<id>:<key>" */
    MEMBER_KEY,       /* text: 1 to NOTIFY_KEY_MAX bytes */
    MEMBER_OFFSET,    /* number: 0 to REQUEST_OFFSET_MAX */
    MEMBER_IDS,       /* json and tag: an array of 1 to REQUEST_IDS_MAX ids, all of one box */
    MEMBER_POSITIONS, /* json: an object of at most REQUEST_POSITIONS_MAX keys, each with a position
                       */
    MEMBER_LIMIT,     /* number: 1 to REQUEST_LIMIT_MAX */
    MEMBER_PAGE,      /* number: 1 to REQUEST_PAGE_MAX */
    MEMBER_SINCE,     /* since: Unix time in ms, or text such as "90s" */
    MEMBER_FLAG,      /* flag */
    MEMBER_TRUE,      /* true */
    MEMBER_JSON,      /* raw: anything */
};

enum member_need {
    MEMBER_OPTIONAL,
    MEMBER_NEEDED,
    MEMBER_ONE_OF, /* exactly one of those of its table that are marked so */
};

struct member {
    const char *name; /* NULL: the end of the table */
    enum member_kind kind;
    enum member_need need;
};

/* Tables of them, in a struct request_type: {"mark", handle, MEMBERS(MUST("id", MEMBER_ID))}. */
#define NO_MEMBERS .members = ((const struct member[]){{0}})
#define MEMBERS(...) .members = ((const struct member[]){__VA_ARGS__, {0}})
#define MAY(name, kind)                                                                            \
    {                                                                                              \
        name, kind, MEMBER_OPTIONAL                                                                \
    }
#define MUST(name, kind)                                                                           \
    {                                                                                              \
        name, kind, MEMBER_NEEDED                                                                  \
    }
#define EITHER(name, kind)                                                                         \
    {                                                                                              \
        name, kind, MEMBER_ONE_OF                                                                  \
    }

struct request_type {
    const char *name;
    void (*handle)(struct request *r);
    const struct member *members; /* at most INBOUND_MEMBERS_MAX */
    bool stays; /* only a connection that stays can ask for it: r->client is not NULL */
};

struct member_value {
    struct notify_str raw;  /* as it was written; empty: the member is not there */
    struct notify_str text; /* bytes of a string */
    struct notify_id id;
    struct position position;
    uint64_t number;
    struct since since;
    json_t *json; /* owned; or NULL */
    uint16_t tag; /* of the box that the id says it is of, if it is a UUID; 0: the own inbox */
    bool is_uuid; /* the id, or one of the ids, was one */
    bool flag;
};

/* What a member of this kind must be: in words, and as a JSON Schema. */
const char *member_kind_expected(enum member_kind kind);
const char *member_kind_schema(enum member_kind kind);

/* Fills r->values, r->type being set. False: the client has been answered with an error. Either way
 * they must be released. */
bool request_members_read(struct request *r, const struct inbound *inbound);
void request_members_release(struct request *r);

/* For handlers. name is one of the table's. */
const struct member_value *request_value(const struct request *r, const char *name);
/* name may be none; then NULL. */
struct member_value *request_find_value(const struct request *r, const char *name);
struct notify_str request_text(const struct request *r, const char *name);
/* Has who asks this right to what member, a name, holds? If not, it has been answered. */
bool request_may(struct request *r, enum right right, const char *member);

#endif
