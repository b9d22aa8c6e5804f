/* change -- what the commands that change entries have in common: a list of ids, the options AT and
 * NOPUBLISH, and the steps after something has changed.
 *
 * The order of the steps matters: commit (rev, counts, the key is closed), replicate (so that
 * whoever hears the message on a replica finds the change there), publish, signal, reply. A command
 * that changed nothing does none of them. */
#ifndef CHANGE_H
#define CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/args.h"
#include "box/box_view.h"
#include "server/box_key.h"
#include "server/effect.h"
#include "message/render.h"

#define CHANGE_INLINE_IDS 16

/* Ids and the arguments that they came from. */
struct change_ids {
    struct notify_id *ids;
    struct rm_string **texts; /* borrowed; made by change_make_texts if the command named none */
    size_t count;
    void *memory; /* owned; NULL while they fit in here */
    struct notify_id inline_ids[CHANGE_INLINE_IDS];
    struct rm_string *inline_texts[CHANGE_INLINE_IDS];
};

/* Entries that are named by what they are about, instead of by ids. */
struct change_target {
    enum { TARGET_IDS, TARGET_TOKEN, TARGET_ENTITY, TARGET_CATEGORY } kind;
    struct notify_str token; /* of COLLAPSE or IDEMPOTENT */
    struct notify_str entity_type;
    struct notify_str entity_id;
};

struct change {
    struct rm_ctx *ctx;
    struct args args;
    struct box_key bk;
    struct render_box box; /* after change_commit: what messages say about the box */
    uint64_t at_ms;        /* when it happened: AT, or the clock */
    uint32_t epoch;        /* EPOCH: what an effect says has begun with it; 0: nothing */
    bool nopublish;
    bool tells_otherwise; /* the effect does not say what the message says: both are replicated */
    struct rm_string *tail[EFFECT_TAIL_MAX];
    struct rm_string *epoch_text; /* of them, owned; or NULL */
    bool by_name;                 /* BYNAME: the log lies elsewhere, and is no key of the command */
    struct rm_string *log; /* LOG: the log whose cursor changes; borrowed; NULL: the box itself */
    struct change_target target;
    struct change_ids ids;
};

/* args at argv[first]. To be ended by change_release, whatever happens between. */
void change_init(struct change *change, struct rm_ctx *ctx, struct rm_string **argv, int argc,
                 int first);
void change_release(struct change *change);

/* Room for count ids; they are kept until change_release. */
bool change_reserve_ids(struct change *change, size_t count);
/* Takes "id [id …]" up to the first word that is one of the options. At least one, and at most
 * LIMIT_IDS. */
bool change_take_ids(struct change *change);
/* The same, or TOKEN token, or ENTITY type id: then there are no ids until change_resolve. */
bool change_take_target(struct change *change);
/* With a target, takes the ids of its entries that the view shows and the test (NULL: all) lets
 * through, in order, at most LIMIT_IDS. False: no memory; args.error says so. */
bool change_resolve(struct change *change, const struct box_view *view, uint64_t now_ms,
                    bool (*test)(const struct box_entry *entry, enum box_mark mark),
                    enum box_mark mark);
/* The same, of the key that is open; without memory it is closed. */
bool change_resolve_own(struct change *change,
                        bool (*test)(const struct box_entry *entry, enum box_mark mark),
                        enum box_mark mark);
/* Around the replication: makes the texts of ids that the command has not named, and frees them. */
void change_make_texts(struct change *change);
void change_free_texts(struct change *change);
/* Puts them in order. False: no memory; args.error says so. */
bool change_sort_ids(struct change *change);
/* Takes NOPUBLISH and, if the command marks entries, AT ms, LOG log and BYNAME up to the end. */
bool change_take_options(struct change *change, bool marks);
/* Whether BYNAME, if it was given, may be. */
bool change_check_by_name(struct change *change);

/* AT, NOPUBLISH, LOG and BYNAME as arg_option handlers, for commands with further options; into is
 * the change.
 */
bool change_take_at(struct args *args, void *into);
bool change_take_nopublish(struct args *args, void *into);
bool change_take_epoch(struct args *args, void *into);
bool change_take_log(struct args *args, void *into);
bool change_take_by_name(struct args *args, void *into);

/* Checks the channel permission and opens the key for writing. False: an error has been replied.
 * The key may hold no box. */
bool change_open_or_reply(struct change *change);

/* Keeps the first count ids: those that really changed, put there by the command. */
void change_keep_id(struct change *change, size_t *kept, size_t i);

/* The change is done: raises rev, takes the counts, closes the key. */
void change_commit(struct change *change);
/* The end of the replicated command, after change_commit: BYNAME, the epoch that has begun,
 * NOPUBLISH. */
struct effect_words change_tail(struct change *change);
/* Publishes unless NOPUBLISH; ids: as many messages as needed. */
void change_publish_ids(struct change *change, enum render_change what);
void change_publish_upto(struct change *change, enum render_change what, struct notify_id id,
                         struct notify_str category);
void change_publish_categories(struct change *change, enum render_change what,
                               const struct notify_str *categories, size_t count);
void change_publish_follow(struct change *change, enum render_change what, struct notify_id start);

#endif
