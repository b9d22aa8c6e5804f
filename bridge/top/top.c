#include "top/top.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "net/http_fetch.h"
#include "top/readings.h"
#include "top/screen.h"
#include "top/terminal.h"

#define EVERY_MS 1000
#define TIMEOUT_MS 5000
#define PAGE_MAX_BYTES (32u << 20) /* of 256 workers it is less than half of that */
#define URL_BYTES 512

struct top {
    const char *where; /* borrowed */
    struct loop *loop; /* owned, as is all that follows */
    struct http_fetcher *fetcher;
    struct loop_timer *timer;
    struct loop_reader *keys;  /* NULL: there are none */
    struct terminal *terminal; /* NULL: one text, and the end */
    struct readings *now, *before;
    const char *failure; /* of the last attempt; or NULL */
    int status;
};

/* Where. */

static void make_url(const char *where, char out[URL_BYTES])
{
    bool whole = http_fetch_is_url(where);
    bool has_path = whole && strchr(strstr(where, "://") + 3, '/') != NULL;

    (void)snprintf(out, URL_BYTES, "%s%s%s", whole ? "" : "http://", where,
                   has_path ? "" : "/metrics");
}

const char *top_check(const char *where)
{
    char url[URL_BYTES];

    if (strlen(where) >= URL_BYTES / 2)
        return "is too long";
    make_url(where, url);
    return http_fetch_check_open(url) == NULL ? NULL : "must be host:port, or an address (URL)";
}

/* Showing. */

static struct screen screen_of(const struct top *top)
{
    return (struct screen){
        .where = top->where, .before = top->before, .now = top->now, .failure = top->failure};
}

static void draw(struct top *top)
{
    struct screen screen = screen_of(top);
    char *text = NULL;
    size_t len, rows, columns;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return;
    terminal_size(&rows, &columns);
    screen_print_sized(out, &screen, rows, columns);
    if (fclose(out) == 0)
        terminal_show(text, len);
    free(text);
}

/* Into a pipe: once two readings are there. */
static void print_once(struct top *top)
{
    struct screen screen = screen_of(top);

    screen_print(stdout, &screen);
    top->status = top->failure == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
    loop_stop(top->loop);
}

/* Reading. */

static void take(struct top *top, struct notify_str text)
{
    struct readings *next = malloc(sizeof(*next));

    if (next == NULL || !readings_read(next, text, loop_clock_us())) {
        top->failure = next == NULL ? "out of memory" : "the answer has no numbers of a bridge";
        free(next);
        return;
    }
    free(top->before);
    top->before = top->now;
    top->now = next;
}

static void on_page(void *ctx, const struct http_fetch_result *result)
{
    struct top *top = ctx;

    top->failure = result->error;
    if (result->error == NULL)
        take(top, result->body);
    loop_timer_set(top->timer, EVERY_MS);
    if (top->terminal != NULL)
        draw(top);
    else if (top->failure != NULL || top->before != NULL)
        print_once(top);
}

static void on_due(void *ctx)
{
    struct top *top = ctx;

    if (http_fetcher_start(top->fetcher, on_page, top) != 0)
        loop_timer_set(top->timer, EVERY_MS); /* one is under way still, or there is no memory */
}

/* Keys and signals. */

static void on_end(void *ctx)
{
    struct top *top = ctx;

    loop_stop(top->loop);
}

/* The end of the input is the end. */
static void on_key(void *ctx)
{
    struct top *top = ctx;
    char keys[64];
    ssize_t len = read(terminal_keys(top->terminal), keys, sizeof(keys));

    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (len <= 0 || memchr(keys, 'q', (size_t)len) != NULL ||
        memchr(keys, 'Q', (size_t)len) != NULL)
        loop_stop(top->loop);
}

static void on_resized(void *ctx)
{
    draw(ctx);
}

static void on_stop(void *ctx)
{
    struct top *top = ctx;

    terminal_leave(top->terminal);
    (void)raise(SIGSTOP); /* until SIGCONT */
    terminal_enter(top->terminal);
    draw(top);
}

static int listen_to_signals(struct top *top)
{
    static const struct {
        int signum;
        loop_fn fn;
    } signals[] = {{SIGINT, on_end},
                   {SIGTERM, on_end},
                   {SIGHUP, on_end},
                   {SIGWINCH, on_resized},
                   {SIGTSTP, on_stop}};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (loop_on_signal(top->loop, signals[i].signum, signals[i].fn, top) != 0)
            return -ENOMEM;
    return 0;
}

/* Life. */

static int begin_terminal(struct top *top)
{
    top->terminal = terminal_open();
    if (top->terminal == NULL)
        return 0;
    draw(top);
    if (terminal_keys(top->terminal) >= 0)
        top->keys = loop_reader_new(top->loop, terminal_keys(top->terminal), on_key, top);
    return listen_to_signals(top);
}

static int begin(struct top *top)
{
    const struct http_fetch_limits limits = {.timeout_ms = TIMEOUT_MS,
                                             .max_bytes = PAGE_MAX_BYTES,
                                             .accept = "text/plain",
                                             .open = true};
    char url[URL_BYTES];

    make_url(top->where, url);
    top->loop = loop_new();
    if (top->loop == NULL)
        return -ENOMEM;
    top->fetcher = http_fetcher_new(top->loop, url, NULL, &limits);
    top->timer = loop_timer_new(top->loop, on_due, top);
    if (top->fetcher == NULL || top->timer == NULL)
        return -ENOMEM;
    loop_timer_set(top->timer, 0);
    return begin_terminal(top);
}

static void release(struct top *top)
{
    terminal_close(top->terminal);
    loop_reader_free(top->keys);
    http_fetcher_free(top->fetcher);
    if (top->timer != NULL)
        loop_timer_free(top->timer);
    if (top->loop != NULL)
        loop_free(top->loop);
    free(top->now);
    free(top->before);
}

int top_run(const char *where)
{
    struct top top = {.where = where, .status = EXIT_SUCCESS};

    (void)signal(SIGPIPE, SIG_IGN); /* fails only for a signal that there is not */
    if (begin(&top) != 0 || loop_run(top.loop) != 0) {
        log_error("top_failed", "text", "out of memory, or no event loop");
        top.status = EXIT_FAILURE;
    }
    release(&top);
    return top.status;
}
