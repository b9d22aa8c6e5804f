#include "redis/module_check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define RETRY_MS 500

struct module_check {
    struct loop *loop; /* borrowed */
    struct notify_str key;
    int database;
    module_check_fn fn;
    void *ctx;
    struct redis_link *link; /* borrowed; NULL while down */
    struct loop_timer *retry;
    struct log_once said;   /* of the log, what keeps us from being ready */
    struct log_once unseen; /* that we may not see which database is published */
    bool passed;
};

static void ask(void *ctx);

struct module_check *module_check_new(struct loop *loop, struct notify_str key, int database,
                                      module_check_fn fn, void *ctx)
{
    struct module_check *check = calloc(1, sizeof(*check));

    if (check == NULL)
        return NULL;
    *check =
        (struct module_check){.loop = loop, .key = key, .database = database, .fn = fn, .ctx = ctx};
    check->retry = loop_timer_new(loop, ask, check);
    if (check->retry == NULL) {
        free(check);
        return NULL;
    }
    return check;
}

void module_check_free(struct module_check *check)
{
    if (check == NULL)
        return;
    loop_timer_free(check->retry);
    free(check);
}

/* An error that stands for the whole: a key of another type is a matter of that key, and a server
 * of a cluster that has not got the key, or is about to, would take the command. */
static bool is_failure(const struct resp *reply)
{
    return reply->kind == RESP_ERROR && !resp_is_error(reply, "WRONGTYPE") &&
           !resp_is_error(reply, "MOVED") && !resp_is_error(reply, "ASK");
}

static bool has_prefix(const struct resp *reply, const char *prefix)
{
    return strncmp(reply->str.ptr, prefix, strlen(prefix)) == 0;
}

static void log_failure(struct module_check *check, const struct resp *reply)
{
    const char *error = log_bytes(reply->str.ptr, reply->str.len);
    unsigned skipped;

    if (!log_once(&check->said, loop_now_ms(check->loop), error, &skipped))
        return;
    if (has_prefix(reply, "ERR unknown command"))
        log_error("module_missing", "text", "the Redis server has not loaded notify.so");
    else if (resp_is_error(reply, "NOPERM"))
        log_error("redis_forbids", "text", error, "key", log_bytes(check->key.ptr, check->key.len),
                  "see", "docs/acl.md");
    else
        log_warn("redis_not_ready", "text", error);
}

/* The database whose changes the module publishes, as INFO tells; -1: it does not. */
static int published_database(const struct resp *info)
{
    static const char field[] = "\nnotify_database:";
    struct notify_str text = resp_str(info);
    const char *found = text.len == 0 ? NULL : memmem(text.ptr, text.len, field, sizeof(field) - 1);
    long n;

    if (found == NULL)
        return -1;
    n = strtol(found + sizeof(field) - 1, NULL, 10); /* ended by "\r\n", or the text's NUL */
    return n >= 0 && n <= INT_MAX ? (int)n : -1;
}

static void log_unseen(struct module_check *check, const struct resp *reply)
{
    const char *error = log_bytes(reply->str.ptr, reply->str.len);
    unsigned skipped;

    if (log_once(&check->unseen, loop_now_ms(check->loop), error, &skipped))
        log_info("published_database_unknown", "text", error, "see", "docs/acl.md");
}

static void log_other_database(struct module_check *check, int published)
{
    unsigned skipped;

    if (log_once(&check->said, loop_now_ms(check->loop), "other database", &skipped))
        log_error("database_not_published", "database", log_int(check->database), "published",
                  log_int(published), "text",
                  "the module publishes another database than --redis names: set notify.database, "
                  "or the number at the end of the address");
}

/* Live messages come of one database alone: on another one everything would be stored and nothing
 * ever arrive. Who may not ask is let in. */
static void on_info(void *ctx, const struct resp *reply)
{
    struct module_check *check = ctx;
    int published;

    if (reply == NULL)
        return;
    published = published_database(reply);
    if (reply->kind == RESP_ERROR)
        log_unseen(check, reply);
    if (published >= 0 && published != check->database) {
        log_other_database(check, published);
        loop_timer_set(check->retry, RETRY_MS);
        return;
    }
    check->passed = true;
    check->fn(check->ctx);
}

static void on_reply(void *ctx, const struct resp *reply)
{
    const struct notify_str words[] = {NOTIFY_STR("INFO"), NOTIFY_STR("notify")};
    struct module_check *check = ctx;

    if (reply == NULL)
        return;
    if (is_failure(reply)) {
        log_failure(check, reply);
        loop_timer_set(check->retry, RETRY_MS);
        return;
    }
    if (redis_link_command(check->link, on_info, check, 2, words) != 0)
        loop_timer_set(check->retry, RETRY_MS);
}

static void ask(void *ctx)
{
    struct module_check *check = ctx;
    const struct notify_str words[] = {NOTIFY_STR("NOTIFY.SINCE"), check->key, NOTIFY_STR("$")};

    if (check->link != NULL && redis_link_command(check->link, on_reply, check, 3, words) != 0)
        loop_timer_set(check->retry, RETRY_MS);
}

static void on_up(void *ctx, struct redis_link *link)
{
    struct module_check *check = ctx;

    check->link = link;
    ask(check);
}

static void on_down(void *ctx)
{
    struct module_check *check = ctx;

    check->link = NULL;
    check->passed = false;
    loop_timer_cancel(check->retry);
}

const struct redis_link_handlers module_check_handlers = {.on_up = on_up, .on_down = on_down};

bool module_check_passed(const struct module_check *check)
{
    return check->passed;
}
