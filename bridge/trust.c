#include "trust.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "config.h"
#include "identity/authority.h"
#include "net/http_fetch.h"

#define FILES_EVERY_MS 2000
#define FETCH_TIMEOUT_MS 5000

struct trust {
    struct loop *loop; /* borrowed */
    struct authority *authority;
    struct http_fetcher *fetcher; /* NULL: keys come from no address */
    struct loop_timer *timer;
    key_document_fn done; /* of the fetch under way */
    void *done_ctx;
};

/* The address. */

static void on_fetched(void *ctx, const struct http_fetch_result *result)
{
    struct trust *trust = ctx;
    const struct key_document document = {
        .error = result->error, .body = result->body, .max_age_s = result->max_age_s};

    trust->done(trust->done_ctx, &document);
}

static int start_fetch(void *fetcher, key_document_fn done, void *ctx)
{
    struct trust *trust = fetcher;

    trust->done = done;
    trust->done_ctx = ctx;
    return http_fetcher_start(trust->fetcher, on_fetched, trust);
}

static bool comes_from_address(const struct config *config)
{
    return config->jwt_jwks != NULL && http_fetch_is_url(config->jwt_jwks);
}

static int build_fetcher(struct trust *trust, struct loop *loop, const struct config *config)
{
    const struct http_fetch_limits limits = {.timeout_ms = FETCH_TIMEOUT_MS,
                                             .max_bytes = JWT_SET_BYTES_MAX};

    if (config->auth != CONFIG_AUTH_JWT || !comes_from_address(config))
        return 0;
    trust->fetcher = http_fetcher_new(loop, config->jwt_jwks, config->jwt_jwks_ca, &limits);
    return trust->fetcher == NULL ? -1 : 0;
}

/* The authority. */

static const char *const *list_or_null(const struct string_list *list)
{
    return list->len == 0 ? NULL : (const char *const *)list->items;
}

static const char *key_file(const struct config *config)
{
    if (config->jwt_key != NULL || comes_from_address(config))
        return config->jwt_key;
    return config->jwt_jwks;
}

static int build_authority(struct trust *trust, struct loop *loop, const struct config *config,
                           const struct trust_handlers *handlers, void *ctx)
{
    const struct key_fetch fetch = {start_fetch, trust};
    const struct authority_config authority = {
        .open = config->auth == CONFIG_AUTH_NONE,
        .keys = {.secrets = list_or_null(&config->jwt_secrets),
                 .file = key_file(config),
                 .fetch = trust->fetcher == NULL ? NULL : &fetch,
                 .max_stale_ms = config->jwt_max_stale_ms},
        .issuer = config->jwt_issuer,
        .audiences = list_or_null(&config->jwt_audiences),
        .max_token_bytes = config->max_token_bytes,
        .leeway_ms = config->jwt_leeway_ms,
        .roles_file = config->roles_file,
        .anonymous_role = config->anonymous_role,
        .on_keys = handlers->on_keys,
        .on_rights = handlers->on_rights,
        .ctx = ctx,
    };
    char why[AUTHORITY_ERROR_MAX] = "";

    trust->authority = authority_new(loop, &authority, why);
    if (trust->authority != NULL)
        return 0;
    log_error("auth_unusable", "reason", why);
    return -1;
}

static void on_files_due(void *ctx)
{
    struct trust *trust = ctx;

    loop_work(trust->loop, LOOP_FILES, "keys and roles");
    trust_check_files(trust);
    loop_timer_set(trust->timer, FILES_EVERY_MS);
}

struct trust *trust_new(struct loop *loop, const struct config *config,
                        const struct trust_handlers *handlers, void *ctx)
{
    struct trust *trust = calloc(1, sizeof(*trust));

    if (trust == NULL)
        return NULL;
    trust->loop = loop;
    trust->timer = loop_timer_new(loop, on_files_due, trust);
    if (trust->timer == NULL || build_fetcher(trust, loop, config) != 0 ||
        build_authority(trust, loop, config, handlers, ctx) != 0) {
        trust_free(trust);
        return NULL;
    }
    if (config->auth == CONFIG_AUTH_JWT)
        loop_timer_set(trust->timer, FILES_EVERY_MS);
    return trust;
}

void trust_free(struct trust *trust)
{
    if (trust == NULL)
        return;
    loop_timer_free(trust->timer);
    http_fetcher_free(trust->fetcher); /* before those that it would tell */
    authority_free(trust->authority);
    free(trust);
}

struct authority *trust_authority(struct trust *trust)
{
    return trust->authority;
}

void trust_check_files(struct trust *trust)
{
    authority_check_files(trust->authority);
}
