/* key_source -- where the keys come from that tokens are verified with: secrets of the
 * configuration, a file (PEM or JWKS), a JWKS address. Always holds the newest good set; a bad file
 * or a failed fetch keeps the one before.
 *
 * An address is fetched again when its Cache-Control says so (between a minute and an hour), after
 * a failure in 1, 2, 4 … 60 s, and once a minute at most when a token names a key that is not
 * there. */
#ifndef KEY_SOURCE_H
#define KEY_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "identity/jwt_keys.h"
#include "notify_str.h"

#define KEY_WAIT_MS 2000   /* how long a token waits for a set that may have its key */
#define KEY_WAITS_MAX 1024 /* tokens that wait: they come all at once when a key is changed */

struct key_source;
struct loop;

/* How an address is fetched: given by whoever has a network. start: 0, or negative when it cannot
 * be now; done() is called once, from the loop. error NULL: body is the document. */
struct key_document {
    const char *error;
    struct notify_str body;
    uint64_t max_age_s; /* UINT64_MAX: nothing is said */
};
typedef void (*key_document_fn)(void *ctx, const struct key_document *document);
struct key_fetch {
    int (*start)(void *fetcher, key_document_fn done, void *ctx);
    void *fetcher;
};

struct key_source_config {
    const char *const *secrets;    /* NULL-terminated, or NULL */
    const char *file;              /* or NULL */
    const struct key_fetch *fetch; /* or NULL; copied */
    uint64_t max_stale_ms; /* after so long without a good answer fetched keys are dropped */
    /* There are keys where there were none, or the other way round; may be NULL. */
    void (*on_change)(void *ctx);
    void *ctx;
};

/* NULL with the reason in *ret_why (static text): the secrets or the file are of no use, or out of
 * memory. Texts of config are borrowed for life. */
struct key_source *key_source_new(struct loop *loop, const struct key_source_config *config,
                                  const char **ret_why);
void key_source_free(struct key_source *source);

/* NULL: there are none yet, since the address has not answered. Borrowed until the loop turns. */
const struct jwt_keys *key_source_keys(const struct key_source *source);

/* Reads the file again if it has changed; to be called every few seconds. */
void key_source_check_file(struct key_source *source);

/* One that waits for another set: for a key that is not there. */
struct key_wait {
    TAILQ_ENTRY(key_wait) link;
    uint64_t until_ms;
    void (*fn)(void *ctx); /* called once, from the loop: there may be other keys now */
    void *ctx;
};

enum key_waiting {
    KEY_WAITING,
    KEY_WAIT_IN_VAIN, /* no address, or asked a moment ago: the answer is known */
    KEY_WAIT_CROWDED, /* there may be other keys in a moment, but too many wait already */
};
enum key_waiting key_source_wait(struct key_source *source, struct key_wait *wait);
/* Of one that is KEY_WAITING. */
void key_source_wait_cancel(struct key_source *source, struct key_wait *wait);

#endif
