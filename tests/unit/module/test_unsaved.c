/* A value that cannot be saved ends the process; a file without it is never finished. The server is
 * played by fakes. */
#include "server/unsaved.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "server/box_type.h"
#include "box/box.h"
#include "mem_testing.h"
#include "sessions/sessions.h"
#include "server/sessions_type.h"

struct rm_ctx {
    int unused;
};

static struct rm_ctx ctx;
static struct rm_type_methods box_methods, sessions_methods;
static int saved;

static struct rm_type *create_type(struct rm_ctx *c, const char *name, int encoding,
                                   struct rm_type_methods *methods)
{
    (void)c, (void)encoding;
    *(name[6] == 'b' ? &box_methods : &sessions_methods) = *methods;
    return (struct rm_type *)(void *)methods;
}

static void save_string(struct rm_io *io, const char *bytes, size_t len)
{
    (void)io, (void)bytes, (void)len;
    saved++;
}

static void log_error(struct rm_io *io, const char *level, const char *format, ...)
{
    (void)io, (void)level, (void)format;
}

static const char *no_key(const struct rm_string *string, size_t *len)
{
    (void)string;
    *len = 1;
    return "k";
}

static void setup(void)
{
    rm_CreateDataType = create_type;
    rm_SaveStringBuffer = save_string;
    rm_LogIOError = log_error;
    rm_StringPtrLen = no_key;
    mem_testing_install(1);
    cr_assert(box_type_init(&ctx));
    cr_assert(sessions_type_init(&ctx));
}

TestSuite(unsaved, .init = setup);

static struct sessions *one_session(void)
{
    struct sessions_connection connection = {
        .session = NOTIFY_STR("s"), .connection = NOTIFY_STR("c"), .lease_ms = 2, .opened_ms = 1};
    struct sessions *set = sessions_new();

    cr_assert_eq(sessions_put(&set, &connection), 0);
    return set;
}

Test(unsaved, what_fits_is_saved)
{
    struct sessions *set = one_session();
    struct box *box = box_new();

    box_methods.rdb_save(NULL, box);
    cr_assert_eq(saved, 1);
    sessions_methods.rdb_save(NULL, set);
    cr_assert_eq(saved, 2);
    sessions_free(set);
    box_free(box);
}

Test(unsaved, an_rdb_file_never_has_half_a_box, .signal = SIGABRT)
{
    struct box *box = box_new();

    mem_testing_fail_at(1);
    box_methods.rdb_save(NULL, box);
}

Test(unsaved, an_rdb_file_never_has_half_a_session_set, .signal = SIGABRT)
{
    struct sessions *set = one_session();

    mem_testing_fail_at(1);
    sessions_methods.rdb_save(NULL, set);
}

Test(unsaved, a_rewritten_aof_never_lacks_a_box, .signal = SIGABRT)
{
    struct box *box = box_new();

    mem_testing_fail_at(1);
    box_methods.aof_rewrite(NULL, NULL, box);
}

Test(unsaved, a_rewritten_aof_never_lacks_a_session_set, .signal = SIGABRT)
{
    struct sessions *set = one_session();

    mem_testing_fail_at(1);
    sessions_methods.aof_rewrite(NULL, NULL, set);
}
