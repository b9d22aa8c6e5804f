/* loop_lws -- the glue between libwebsockets and our loop: an event per descriptor, one timer for
 * all timeouts of lws.
 *
 * The table of descriptors is our own, because lws gives custom loops no public access to the room
 * it keeps per connection for an event library. */
#include "net/loop_lws.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <libwebsockets.h>

/* lws asks to be called back at once while it has input buffered; after so many tries in a row the
 * other connections get their turn. */
#define FORCED_TRIES 16
#define LWS_IDLE_MS 1000000
#define TABLE_FIRST 64

/* One descriptor that lws has. Small: there is one for each connection. */
struct socket_watch {
    struct event read;
    struct event *write; /* owned; exists only while lws waits for room in the socket */
    struct lws *wsi;
    struct loop_lws *glue;
    loop_fn input_fn; /* set: input is ours */
    void *input_ctx;
    bool reading;
};

struct loop_lws {
    struct loop *loop;        /* borrowed */
    struct loop_timer *timer; /* owned */
    struct lws_context *context;
    void *foreign[1];            /* what info.foreign_loops points at */
    struct socket_watch **table; /* owned; by descriptor */
    size_t table_len;
    bool kicked; /* a deferred call is on its way */
};

/* What lws keeps for us per service thread: the way from a wsi to its glue. */
struct thread_priv {
    struct loop_lws *glue;
};

static struct loop_lws *glue_of(struct lws *wsi)
{
    struct thread_priv *priv = lws_evlib_wsi_to_evlib_pt(wsi);

    return priv->glue;
}

static struct socket_watch *watch_find(struct loop_lws *glue, struct lws *wsi)
{
    int fd = lws_get_socket_fd(wsi);

    if (fd < 0 || (size_t)fd >= glue->table_len || glue->table[fd] == NULL ||
        glue->table[fd]->wsi != wsi)
        return NULL;
    return glue->table[fd];
}

/* Grows the table so that it has a place for fd. */
static bool table_reserve(struct loop_lws *glue, int fd)
{
    size_t len = glue->table_len == 0 ? TABLE_FIRST : glue->table_len;
    struct socket_watch **table;

    if ((size_t)fd < glue->table_len)
        return true;
    while (len <= (size_t)fd)
        len *= 2;
    table = realloc(glue->table, len * sizeof(struct socket_watch *));
    if (table == NULL)
        return false;
    memset(table + glue->table_len, 0, (len - glue->table_len) * sizeof(struct socket_watch *));
    glue->table = table;
    glue->table_len = len;
    return true;
}

/* Has lws run its timers and its pending input, then sets our timer for its next one. */
static void service_due(void *ctx)
{
    struct loop_lws *glue = ctx;
    int wait_ms = 0;

    for (int i = 0; i < FORCED_TRIES; i++) {
        wait_ms = lws_service_adjust_timeout(glue->context, LWS_IDLE_MS, 0);
        if (wait_ms != 0 || _lws_plat_service_forced_tsi(glue->context, 0) < 0)
            break;
    }
    loop_timer_set(glue->timer, wait_ms > 0 ? (uint64_t)wait_ms : 1);
}

static void on_kick(void *ctx)
{
    struct loop_lws *glue = ctx;

    glue->kicked = false;
    if (glue->context != NULL)
        service_due(glue);
}

void loop_lws_kick(struct loop_lws *glue)
{
    if (glue->kicked)
        return;
    glue->kicked = true;
    loop_defer(glue->loop, on_kick, glue);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct socket_watch *watch = arg;
    struct loop_lws *glue = watch->glue;
    struct lws_pollfd pollfd = {.fd = fd};

    loop_work(glue->loop, LOOP_CLIENTS, "tls");
    if ((what & EV_READ) && watch->input_fn != NULL) {
        watch->input_fn(watch->input_ctx);
        what &= ~EV_READ;
    }
    /* lws tests revents & events, so both are set. */
    if (what & EV_READ)
        pollfd.events |= LWS_POLLIN;
    if (what & EV_WRITE)
        pollfd.events |= LWS_POLLOUT;
    pollfd.revents = pollfd.events;
    if (pollfd.events == 0)
        return;
    (void)lws_service_fd_tsi(glue->context, &pollfd, 0); /* the watch may be gone after this */
    loop_lws_kick(glue);
}

static void set_reading(struct socket_watch *watch, bool on)
{
    if (watch->reading == on)
        return;
    if (on && event_add(&watch->read, NULL) != 0)
        return; /* out of kernel memory: the connection stays silent until a timeout ends it */
    if (!on)
        (void)event_del(&watch->read); /* was added, so cannot fail */
    watch->reading = on;
}

static void start_writing(struct loop_lws *glue, struct socket_watch *watch)
{
    if (watch->write != NULL)
        return;
    watch->write = event_new(loop_base(glue->loop), lws_get_socket_fd(watch->wsi),
                             EV_WRITE | EV_PERSIST, on_socket, watch);
    if (watch->write == NULL || event_add(watch->write, NULL) != 0) {
        if (watch->write != NULL)
            event_free(watch->write);
        watch->write = NULL;
    }
}

static void stop_writing(struct socket_watch *watch)
{
    if (watch->write != NULL)
        event_free(watch->write);
    watch->write = NULL;
}

/* The operations that lws calls. */

static int op_init_pt(struct lws_context *context, void *foreign, int tsi)
{
    struct thread_priv *priv = lws_evlib_tsi_to_evlib_pt(context, tsi);

    priv->glue = foreign;
    priv->glue->context = context;
    loop_timer_set(priv->glue->timer, 1);
    return 0;
}

static void op_destroy_pt(struct lws_context *context, int tsi)
{
    struct thread_priv *priv = lws_evlib_tsi_to_evlib_pt(context, tsi);

    if (priv == NULL || priv->glue == NULL)
        return;
    priv->glue->context = NULL;
    loop_timer_cancel(priv->glue->timer);
    priv->glue = NULL;
}

/* A wsi got its descriptor. May come twice for the same one. */
static int op_accept(struct lws *wsi)
{
    struct loop_lws *glue = glue_of(wsi);
    int fd = lws_get_socket_fd(wsi);
    struct socket_watch *watch;

    if (watch_find(glue, wsi) != NULL)
        return 0;
    if (fd < 0 || !table_reserve(glue, fd))
        return 1;
    assert(glue->table[fd] == NULL);
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return 1;
    watch->wsi = wsi;
    watch->glue = glue;
    if (event_assign(&watch->read, loop_base(glue->loop), fd, EV_READ | EV_PERSIST, on_socket,
                     watch) != 0) {
        free(watch);
        return 1;
    }
    glue->table[fd] = watch;
    return 0;
}

/* lws calls this redundantly; each part is a no-op when it is so already. */
static void op_io(struct lws *wsi, unsigned int flags)
{
    struct loop_lws *glue = glue_of(wsi);
    struct socket_watch *watch = watch_find(glue, wsi);

    if (watch == NULL)
        return;
    if ((flags & LWS_EV_READ) && watch->input_fn == NULL)
        set_reading(watch, (flags & LWS_EV_START) != 0);
    if (!(flags & LWS_EV_WRITE))
        return;
    if (flags & LWS_EV_START)
        start_writing(glue, watch);
    else
        stop_writing(watch);
}

static void op_destroy_wsi(struct lws *wsi)
{
    struct loop_lws *glue = glue_of(wsi);
    struct socket_watch *watch = glue == NULL ? NULL : watch_find(glue, wsi);

    if (watch == NULL)
        return;
    glue->table[lws_get_socket_fd(wsi)] = NULL;
    set_reading(watch, false);
    stop_writing(watch);
    free(watch);
}

static int op_logical_close(struct lws *wsi)
{
    op_destroy_wsi(wsi);
    return 0;
}

static const struct lws_event_loop_ops ops = {
    .name = "notify-loop",
    .init_pt = op_init_pt,
    .destroy_pt = op_destroy_pt,
    .init_vhost_listen_wsi = op_accept,
    .sock_accept = op_accept,
    .io = op_io,
    .wsi_logical_close = op_logical_close,
    .destroy_wsi = op_destroy_wsi,
    .evlib_size_pt = sizeof(struct thread_priv),
};

static const lws_plugin_evlib_t evlib = {
    .hdr = {.name = "notify-loop",
            ._class = "lws_evlib_plugin",
            .lws_build_hash = LWS_BUILD_HASH,
            .api_magic = LWS_PLUGIN_API_MAGIC},
    .ops = &ops,
};

struct loop_lws *loop_lws_new(struct loop *loop)
{
    struct loop_lws *glue = calloc(1, sizeof(*glue));

    if (glue == NULL)
        return NULL;
    glue->loop = loop;
    glue->foreign[0] = glue;
    glue->timer = loop_timer_new(loop, service_due, glue);
    if (glue->timer == NULL) {
        free(glue);
        return NULL;
    }
    return glue;
}

void loop_lws_free(struct loop_lws *glue)
{
    if (glue == NULL)
        return;
    for (size_t i = 0; i < glue->table_len; i++)
        assert(glue->table[i] == NULL); /* the context took all its descriptors with it */
    loop_timer_free(glue->timer);
    free(glue->table);
    loop_undefer(glue->loop, on_kick, glue);
    free(glue);
}

void loop_lws_prepare(struct loop_lws *glue, struct lws_context_creation_info *info)
{
    info->event_lib_custom = &evlib;
    info->foreign_loops = glue->foreign;
}

void loop_lws_take_input(struct loop_lws *glue, struct lws *wsi, loop_fn fn, void *ctx)
{
    struct socket_watch *watch = watch_find(glue, wsi);

    if (watch == NULL)
        return;
    watch->input_fn = fn;
    watch->input_ctx = ctx;
    set_reading(watch, true);
}

void loop_lws_want_input(struct loop_lws *glue, struct lws *wsi, bool wanted)
{
    struct socket_watch *watch = watch_find(glue, wsi);

    if (watch != NULL)
        set_reading(watch, wanted);
}
