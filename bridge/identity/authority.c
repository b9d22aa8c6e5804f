#include "identity/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_watch.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random_hex.h"
#include "identity/jwt.h"
#include "identity/key_names.h"

#define GUEST_PREFIX "guest-"
#define GUEST_BYTES 12 /* random ones; so nobody is twice, or anybody's guess */

/* What everybody with a token may do when there is no roles file: a session's id opens its log, and
 * one's own connections are one's own. Topics are for the token's claims to say. */
static const char default_roles[] = "role *\n"
                                    "  sessions *\n"
                                    "  agent    *\n"
                                    "  presence {user}\n"
                                    "  kick     {user}\n";

struct authority {
    struct loop *loop; /* borrowed */
    struct authority_config config;
    struct key_source *keys; /* owned; NULL: open */
    struct roles book;
    struct file_watch watch; /* of the roles file */
};

/* The roles file. */

static int take_roles(struct authority *authority, struct notify_str text,
                      char why[ROLES_ERROR_MAX])
{
    int status = roles_read(&authority->book, text, why);

    if (status == -ENOMEM)
        (void)snprintf(why, ROLES_ERROR_MAX, "out of memory");
    return status;
}

static int read_roles(struct authority *authority, char why[ROLES_ERROR_MAX])
{
    const char *reason = "";
    size_t len = 0;
    char *text = file_read(authority->config.roles_file, ROLES_BYTES_MAX, &len, &reason);
    int status;

    if (text == NULL) {
        (void)snprintf(why, ROLES_ERROR_MAX, "%s", reason);
        return -EINVAL;
    }
    status = take_roles(authority, notify_str_of(text, len), why);
    free(text);
    return status;
}

static bool has_guest_role(const struct authority *authority)
{
    return authority->config.anonymous_role == NULL ||
           roles_find(&authority->book, notify_str_z(authority->config.anonymous_role)) != NULL;
}

static void check_roles(struct authority *authority)
{
    const char *file = authority->config.roles_file;
    char why[ROLES_ERROR_MAX] = "";

    if (file == NULL || !file_watch_changed(&authority->watch, file))
        return;
    if (read_roles(authority, why) != 0) {
        log_warn("roles_unusable", "file", file, "reason", why, "text",
                 "those before it still hold");
        return;
    }
    log_info("roles_read", "file", file, "roles", log_int((int64_t)authority->book.len));
    if (!has_guest_role(authority))
        log_warn("roles_lack", "role", authority->config.anonymous_role, "text",
                 "who brings no token may what everybody may");
    authority->config.on_rights(authority->config.ctx);
}

void authority_check_files(struct authority *authority)
{
    if (authority->keys != NULL)
        key_source_check_file(authority->keys);
    check_roles(authority);
}

/* Its life. */

static void on_keys(void *ctx)
{
    struct authority *authority = ctx;

    if (authority->keys != NULL) /* else it is being made */
        authority->config.on_keys(authority->config.ctx);
}

static int begin_roles(struct authority *authority, char error[AUTHORITY_ERROR_MAX])
{
    const struct authority_config *config = &authority->config;
    char why[ROLES_ERROR_MAX] = "";

    authority->book.by_category = config->roles_file != NULL;
    if (config->roles_file == NULL) {
        (void)snprintf(error, AUTHORITY_ERROR_MAX, "out of memory");
        return take_roles(authority, notify_str_z(default_roles), why);
    }
    (void)file_watch_changed(&authority->watch, config->roles_file);
    if (read_roles(authority, why) != 0) {
        (void)snprintf(error, AUTHORITY_ERROR_MAX, "roles: %s: %s", config->roles_file, why);
        return -EINVAL;
    }
    if (has_guest_role(authority))
        return 0;
    (void)snprintf(error, AUTHORITY_ERROR_MAX, "anonymous-role: %s: no such role in %s",
                   config->anonymous_role, config->roles_file);
    return -EINVAL;
}

static int begin_keys(struct authority *authority, char error[AUTHORITY_ERROR_MAX])
{
    struct key_source_config config = authority->config.keys;
    const char *why = "";

    config.on_change = on_keys;
    config.ctx = authority;
    authority->keys = key_source_new(authority->loop, &config, &why);
    if (authority->keys != NULL)
        return 0;
    (void)snprintf(error, AUTHORITY_ERROR_MAX, "%s%s%s",
                   config.file == NULL ? "jwt-secret" : config.file, ": ", why);
    return -EINVAL;
}

struct authority *authority_new(struct loop *loop, const struct authority_config *config,
                                char error[AUTHORITY_ERROR_MAX])
{
    struct authority *authority = calloc(1, sizeof(*authority));

    if (authority == NULL) {
        (void)snprintf(error, AUTHORITY_ERROR_MAX, "out of memory");
        return NULL;
    }
    authority->loop = loop;
    authority->config = *config;
    if (config->open || (begin_roles(authority, error) == 0 && begin_keys(authority, error) == 0))
        return authority;
    authority_free(authority);
    return NULL;
}

void authority_free(struct authority *authority)
{
    if (authority == NULL)
        return;
    key_source_free(authority->keys);
    roles_release(&authority->book);
    free(authority);
}

bool authority_is_open(const struct authority *authority)
{
    return authority->config.open;
}

bool authority_has_guests(const struct authority *authority)
{
    return authority->config.anonymous_role != NULL;
}

bool authority_gives(const struct authority *authority, enum right right)
{
    return !authority->config.open && roles_give(&authority->book, right);
}

bool authority_is_ready(const struct authority *authority)
{
    return authority->config.open || key_source_keys(authority->keys) != NULL;
}

/* Identities. */

struct identity *authority_guest(const struct authority *authority)
{
    char name[sizeof(GUEST_PREFIX) + (size_t)2 * GUEST_BYTES] = GUEST_PREFIX;

    random_hex(name + strlen(GUEST_PREFIX), GUEST_BYTES);
    return identity_anonymous(notify_str_z(name), authority->config.anonymous_role,
                              &authority->book);
}

static enum verdict verdict_of(enum jwt_fault fault)
{
    switch (fault) {
    case JWT_OK:
        return VERDICT_GOOD;
    case JWT_UNKNOWN_KEY:
        return VERDICT_UNKNOWN_KEY;
    case JWT_NO_MEMORY:
        return VERDICT_NO_MEMORY;
    default:
        return VERDICT_BAD;
    }
}

static enum verdict make_identity(const struct authority *authority, struct jwt_claims *claims,
                                  struct identity **ret, const char **ret_why)
{
    *ret = identity_of_claims(claims->payload, claims->expires_ms, &authority->book, ret_why);
    json_decref(claims->payload);
    if (*ret != NULL)
        return VERDICT_GOOD;
    return *ret_why == NULL ? VERDICT_NO_MEMORY : VERDICT_BAD;
}

enum verdict authority_judge(struct authority *authority, struct notify_str token,
                             struct identity **ret, const char **ret_why)
{
    const struct authority_config *config = &authority->config;
    struct jwt_rules rules = {.keys = key_source_keys(authority->keys),
                              .issuer = config->issuer,
                              .audiences = config->audiences,
                              .max_bytes = config->max_token_bytes,
                              .max_subject = KEY_NAME_MAX,
                              .leeway_ms = config->leeway_ms};
    struct jwt_claims claims;
    enum jwt_fault fault;

    if (rules.keys == NULL) {
        *ret_why = "there are no keys yet";
        return VERDICT_NO_KEYS;
    }
    fault = jwt_verify(&rules, token, loop_wall_ms(authority->loop), &claims, NULL);
    *ret_why = jwt_fault_text(fault);
    return fault == JWT_OK ? make_identity(authority, &claims, ret, ret_why) : verdict_of(fault);
}

uint64_t authority_end_ms(const struct authority *authority, const struct identity *identity)
{
    return identity->expires_ms == UINT64_MAX ? UINT64_MAX
                                              : identity->expires_ms + authority->config.leeway_ms;
}

enum key_waiting authority_wait(struct authority *authority, struct key_wait *wait)
{
    return key_source_wait(authority->keys, wait);
}

void authority_wait_cancel(struct authority *authority, struct key_wait *wait)
{
    key_source_wait_cancel(authority->keys, wait);
}
