/* module -- notify.so as the server sees it: loading and unloading. */
#include "server/box_type.h"
#include "commands/commands.h"
#include "server/config.h"
#include "server/effect.h"
#include "server/epoch.h"
#include "base/id_table.h"
#include "base/limits.h"
#include "server/info.h"
#include "server/key_watch.h"
#include "server/module_api.h"
#include "server/publish.h"
#include "server/replay.h"
#include "server/replication.h"
#include "server/server_memory.h"
#include "server/sessions_type.h"

#define EXPORTED __attribute__((visibility("default")))

enum {
    MODULE_VERSION = 100
}; /* 0.1.0 as MODULE LIST shows it: major * 10000 + minor * 100 + patch */

EXPORTED int RedisModule_OnLoad(struct rm_ctx *ctx, struct rm_string **argv, int argc);
EXPORTED int RedisModule_OnUnload(struct rm_ctx *ctx);

static void set_options(struct rm_ctx *ctx)
{
    int options = RM_OPTION_HANDLE_IO_ERRORS | RM_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED |
                  RM_OPTION_HANDLE_REPL_ASYNC_LOAD;

    /* Valkey 9 refuses to migrate slots while a module does not say that it can; elsewhere the bit
     * does not exist or may mean something else. */
    if (module_api_is_valkey() && rm_GetModuleOptionsAll != NULL)
        options |= rm_GetModuleOptionsAll() & RM_OPTION_VALKEY_ATOMIC_SLOT_MIGRATION;
    rm_SetModuleOptions(ctx, options);
}

/* Which texts collide in our tables is nobody's business. */
static void set_seed(void)
{
    uint64_t seed;

    rm_GetRandomBytes((unsigned char *)&seed, sizeof seed);
    id_table_seed(seed);
}

int RedisModule_OnLoad(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    if (!module_api_init(ctx, "notify", MODULE_VERSION))
        return RM_ERR;
    server_memory_use();
    limits_set_judge(replay_lifts_limits);
    set_seed();
    set_options(ctx);
    /* The settings come first: they are what can be wrong, and the server forgets to free a type of
     * a module that it then does not load. */
    if (!config_init(ctx, argv, argc) || !replication_init(ctx) || !epoch_init(ctx) ||
        !box_type_init(ctx) || !sessions_type_init(ctx) || !key_watch_init(ctx) ||
        !commands_init(ctx) || rm_RegisterInfoFunc(ctx, info_report) != RM_OK) {
        rm_Log(ctx, "warning", "notify could not register itself with this server");
        return RM_ERR;
    }
    publish_init(ctx);
    effect_init();
    return RM_OK;
}

/* A module with a data type cannot be unloaded: the server refuses by itself before it asks. */
int RedisModule_OnUnload(struct rm_ctx *ctx)
{
    (void)ctx;
    return RM_ERR;
}
