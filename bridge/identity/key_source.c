#include "identity/key_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/file_watch.h"
#include "base/log.h"
#include "base/loop.h"

#define RETRY_FIRST_MS UINT64_C(1000)
#define RETRY_MAX_MS UINT64_C(60000)
#define REFRESH_MIN_MS UINT64_C(60000)
#define REFRESH_MAX_MS UINT64_C(3600000)
#define UNKNOWN_EVERY_MS UINT64_C(60000)

TAILQ_HEAD(key_waits, key_wait);

struct key_source {
    struct loop *loop; /* borrowed */
    struct key_source_config config;
    struct key_fetch fetch; /* .start NULL: no address */
    struct file_watch watch;
    struct jwt_keys *of_file, *fetched; /* owned; or NULL */
    struct jwt_keys *all;               /* owned: secrets and both of these; NULL: none yet */
    struct loop_timer *timer;           /* owned; the next fetch */
    struct loop_timer *waiter;          /* owned; the next wait that is over */
    struct key_waits waits;             /* in the order of their ends */
    unsigned wait_count;
    uint64_t fetched_ms; /* loop clock of the last good answer */
    uint64_t asked_ms;   /* of the last fetch for an unknown key; 0: none yet */
    uint64_t retry_ms;
    bool fetching;
};

const struct jwt_keys *key_source_keys(const struct key_source *source)
{
    return source->all;
}

/* Puts together what there is. What was good stays when it cannot be done. */
static int combine(struct key_source *source, const char **ret_why)
{
    struct jwt_keys *all = jwt_keys_new();
    const char *const *secret = source->config.secrets;
    int status = all == NULL ? -ENOMEM : 0;

    for (; status == 0 && secret != NULL && *secret != NULL; secret++)
        status = jwt_keys_add_secret(all, notify_str_z(*secret), ret_why);
    if (status == 0 && source->of_file != NULL)
        status = jwt_keys_add_all(all, source->of_file);
    if (status == 0 && source->fetched != NULL)
        status = jwt_keys_add_all(all, source->fetched);
    if (status != 0) {
        if (status == -ENOMEM)
            *ret_why = "out of memory";
        jwt_keys_unref(all);
        return status;
    }
    jwt_keys_unref(source->all);
    source->all = jwt_keys_count(all) > 0 ? all : jwt_keys_unref(all);
    return 0;
}

/* The file. */

/* A JWKS is a JSON object, and begins like one. */
static int add_text(struct jwt_keys *keys, struct notify_str text, const char **ret_why)
{
    size_t at = 0;
    unsigned skipped = 0;
    int status;

    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) != NULL)
        at++;
    if (at == text.len || text.ptr[at] != '{')
        return jwt_keys_add_pem(keys, text, ret_why);
    status = jwt_keys_add_set(keys, text, &skipped, ret_why);
    if (skipped > 0)
        log_warn("jwks_keys_skipped", "count", log_int(skipped));
    return status;
}

/* NULL: *ret_why says what is wrong with it. */
static struct jwt_keys *read_file(const char *path, const char **ret_why)
{
    size_t len;
    char *text = file_read(path, JWT_SET_BYTES_MAX, &len, ret_why);
    struct jwt_keys *keys = text == NULL ? NULL : jwt_keys_new();
    int status;

    if (keys == NULL) {
        free(text);
        return NULL;
    }
    status = add_text(keys, notify_str_of(text, len), ret_why);
    if (status == -ENOMEM)
        *ret_why = "out of memory";
    free(text);
    return status == 0 ? keys : jwt_keys_unref(keys);
}

static void tell_change(const struct key_source *source, bool had_keys)
{
    if (source->config.on_change != NULL && had_keys != (source->all != NULL))
        source->config.on_change(source->config.ctx);
}

/* Takes keys over. */
static int replace(struct key_source *source, struct jwt_keys **place, struct jwt_keys *keys,
                   const char **ret_why)
{
    struct jwt_keys *before = *place;
    bool had_keys = source->all != NULL;
    int status;

    *place = keys;
    status = combine(source, ret_why);
    if (status != 0) {
        *place = before;
        before = keys;
    }
    jwt_keys_unref(before);
    tell_change(source, had_keys);
    return status;
}

static int load_file(struct key_source *source, const char **ret_why)
{
    struct jwt_keys *keys = read_file(source->config.file, ret_why);

    return keys == NULL ? -EINVAL : replace(source, &source->of_file, keys, ret_why);
}

void key_source_check_file(struct key_source *source)
{
    const char *why = "";

    if (source->config.file == NULL || !file_watch_changed(&source->watch, source->config.file))
        return;
    if (load_file(source, &why) == 0)
        log_info("jwt_keys_read", "file", source->config.file);
    else
        log_warn("jwt_keys_unusable", "file", source->config.file, "reason", why, "text",
                 "the keys before it are still used");
}

/* Waiting. */

static void end_wait(struct key_source *source, struct key_wait *wait)
{
    TAILQ_REMOVE(&source->waits, wait, link);
    source->wait_count--;
    wait->fn(wait->ctx);
}

static void end_all_waits(struct key_source *source)
{
    struct key_wait *wait;

    while ((wait = TAILQ_FIRST(&source->waits)) != NULL)
        end_wait(source, wait);
}

static void on_wait_over(void *ctx)
{
    struct key_source *source = ctx;
    uint64_t now_ms = loop_now_ms(source->loop);
    struct key_wait *wait;

    while ((wait = TAILQ_FIRST(&source->waits)) != NULL && wait->until_ms <= now_ms)
        end_wait(source, wait);
    if (wait != NULL)
        loop_timer_set(source->waiter, wait->until_ms - now_ms);
}

/* Fetching. */

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : value > max ? max : value;
}

static uint64_t refresh_after(uint64_t max_age_s)
{
    if (max_age_s > REFRESH_MAX_MS / 1000)
        return REFRESH_MAX_MS;
    return clamp(max_age_s * 1000, REFRESH_MIN_MS, REFRESH_MAX_MS);
}

/* The keys of a fetched set; NULL: *ret_why says what is wrong with it. */
static struct jwt_keys *read_document(struct notify_str body, const char **ret_why)
{
    struct jwt_keys *keys = jwt_keys_new();
    unsigned skipped = 0;

    *ret_why = "out of memory";
    if (keys == NULL || jwt_keys_add_set(keys, body, &skipped, ret_why) != 0)
        return jwt_keys_unref(keys);
    log_info("jwks_fetched", "keys", log_int((int64_t)jwt_keys_count(keys)), "skipped",
             log_int(skipped));
    return keys;
}

/* How long until the next fetch. */
static uint64_t take_document(struct key_source *source, const struct key_document *document)
{
    const char *why = document->error;
    struct jwt_keys *keys = why == NULL ? read_document(document->body, &why) : NULL;
    uint64_t retry_ms = source->retry_ms;

    if (keys != NULL && replace(source, &source->fetched, keys, &why) == 0) {
        source->fetched_ms = loop_now_ms(source->loop);
        source->retry_ms = RETRY_FIRST_MS;
        return refresh_after(document->max_age_s);
    }
    log_warn("jwks_unusable", "reason", why, "retry_ms", log_int((int64_t)retry_ms));
    source->retry_ms = clamp(retry_ms * 2, RETRY_FIRST_MS, RETRY_MAX_MS);
    return retry_ms;
}

/* What nobody has confirmed for a day may have been revoked. */
static void drop_stale(struct key_source *source)
{
    const char *why = "";

    if (source->fetched == NULL ||
        loop_now_ms(source->loop) - source->fetched_ms < source->config.max_stale_ms)
        return;
    log_error("jwks_stale", "text",
              "the address has not answered for too long; its keys are dropped");
    (void)replace(source, &source->fetched, NULL, &why); /* without memory it is tried again */
}

static void on_document(void *ctx, const struct key_document *document)
{
    struct key_source *source = ctx;

    source->fetching = false;
    loop_timer_set(source->timer, take_document(source, document));
    drop_stale(source);
    end_all_waits(source);
}

static void fetch(void *ctx)
{
    struct key_source *source = ctx;

    if (source->fetching)
        return;
    source->fetching = true; /* before: it may end at once */
    if (source->fetch.start(source->fetch.fetcher, on_document, source) == 0)
        return;
    source->fetching = false;
    loop_timer_set(source->timer, source->retry_ms);
}

/* Is an answer on its way, or one to be had? */
static bool ask_for_unknown(struct key_source *source, uint64_t now_ms)
{
    if (source->fetching)
        return true;
    if (source->fetch.start == NULL ||
        (source->asked_ms != 0 && now_ms - source->asked_ms < UNKNOWN_EVERY_MS))
        return false;
    source->asked_ms = now_ms;
    fetch(source);
    return true;
}

enum key_waiting key_source_wait(struct key_source *source, struct key_wait *wait)
{
    uint64_t now_ms = loop_now_ms(source->loop);

    if (!ask_for_unknown(source, now_ms))
        return KEY_WAIT_IN_VAIN;
    if (source->wait_count >= KEY_WAITS_MAX) {
        counter_add(COUNTER_KEYS_AWAITED, 1);
        return KEY_WAIT_CROWDED;
    }
    wait->until_ms = now_ms + KEY_WAIT_MS;
    TAILQ_INSERT_TAIL(&source->waits, wait, link);
    if (source->wait_count++ == 0)
        loop_timer_set(source->waiter, KEY_WAIT_MS);
    return KEY_WAITING;
}

void key_source_wait_cancel(struct key_source *source, struct key_wait *wait)
{
    TAILQ_REMOVE(&source->waits, wait, link);
    source->wait_count--;
}

struct key_source *key_source_new(struct loop *loop, const struct key_source_config *config,
                                  const char **ret_why)
{
    struct key_source *source = calloc(1, sizeof(*source));

    *ret_why = "out of memory";
    if (source == NULL)
        return NULL;
    TAILQ_INIT(&source->waits);
    source->loop = loop;
    source->config = *config;
    source->retry_ms = RETRY_FIRST_MS;
    source->timer = loop_timer_new(loop, fetch, source);
    source->waiter = loop_timer_new(loop, on_wait_over, source);
    if (source->timer == NULL || source->waiter == NULL)
        goto fail;
    if (config->file != NULL) {
        (void)file_watch_changed(&source->watch, config->file);
        if (load_file(source, ret_why) != 0)
            goto fail;
    } else if (combine(source, ret_why) != 0) {
        goto fail;
    }
    if (config->fetch != NULL) {
        source->fetch = *config->fetch;
        loop_timer_set(source->timer, 0);
    }
    return source;

fail:
    key_source_free(source);
    return NULL;
}

void key_source_free(struct key_source *source)
{
    if (source == NULL)
        return;
    end_all_waits(source);
    loop_timer_free(source->timer);
    loop_timer_free(source->waiter);
    jwt_keys_unref(source->of_file);
    jwt_keys_unref(source->fetched);
    jwt_keys_unref(source->all);
    free(source);
}
