/* authority -- whom to believe: turns a token, or the lack of one, into an identity.
 *
 * Owns the keys and what the roles file says; both are read again when they change. */
#ifndef AUTHORITY_H
#define AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity/identity.h"
#include "identity/key_source.h"
#include "identity/roles.h"
#include "notify_str.h"

#define AUTHORITY_ERROR_MAX 320

struct authority;
struct loop;

struct authority_config {
    bool open; /* auth=none: everybody is who they say they are, and nothing below counts */
    struct key_source_config keys; /* without on_change */
    const char *issuer;            /* or NULL: any */
    const char *const *audiences;  /* NULL-terminated; NULL: any */
    size_t max_token_bytes;
    uint64_t leeway_ms;         /* by which clocks may differ */
    const char *roles_file;     /* or NULL */
    const char *anonymous_role; /* of those who bring no token; NULL: they are not let in */
    /* There are keys now, or none any more. */
    void (*on_keys)(void *ctx);
    /* What roles may do has changed: whoever holds an identity asks anew. */
    void (*on_rights)(void *ctx);
    void *ctx;
};

/* Texts of config are borrowed for life. NULL with the reason in error. */
struct authority *authority_new(struct loop *loop, const struct authority_config *config,
                                char error[AUTHORITY_ERROR_MAX]);
void authority_free(struct authority *authority);

/* Reads again what has changed of the files; to be called every few seconds. */
void authority_check_files(struct authority *authority);

/* Is everybody who they say they are? */
bool authority_is_open(const struct authority *authority);
/* Are those let in who bring no token? */
bool authority_has_guests(const struct authority *authority);
/* Do roles of the file give this right to anybody? */
bool authority_gives(const struct authority *authority, enum right right);
/* Can tokens be judged? Not before a JWKS address has answered. */
bool authority_is_ready(const struct authority *authority);

/* Somebody without a token; its user id is made up. NULL: out of memory. */
struct identity *authority_guest(const struct authority *authority);

enum verdict {
    VERDICT_GOOD,
    VERDICT_BAD,
    VERDICT_UNKNOWN_KEY, /* bad as far as is known; other keys may come (authority_wait) */
    VERDICT_NO_KEYS,     /* it cannot be judged now */
    VERDICT_NO_MEMORY,
};
/* VERDICT_GOOD: *ret is a reference. Otherwise *ret_why (static text) is for the log; the bearer
 * hears no more than that it is no good. */
enum verdict authority_judge(struct authority *authority, struct notify_str token,
                             struct identity **ret, const char **ret_why);
/* Until when a token with this identity counts, by the wall clock; UINT64_MAX: for ever. */
uint64_t authority_end_ms(const struct authority *authority, const struct identity *identity);

/* As key_source_wait() and key_source_wait_cancel(). */
enum key_waiting authority_wait(struct authority *authority, struct key_wait *wait);
void authority_wait_cancel(struct authority *authority, struct key_wait *wait);

#endif
