/* module_api -- the lookup behind module_api.h. */
#include "server/module_api.h"

#include <string.h>

#define RM_DEFINE(need, result, name, args) result(*rm_##name) args;
RM_API(RM_DEFINE)
#undef RM_DEFINE

enum { RM_OPTIONAL, RM_REQUIRED };
enum { MODULE_API_VERSION = 1, REDIS_8_0 = 0x080000, VALKEY_8_1 = 0x080100 };

typedef int (*get_api_fn)(const char *name, void *slot);

static bool is_valkey;

/* The slot of each function, so that looking up is one loop. Writing a function pointer through a
 * void * is what GetApi does on every server. */
static const struct api_function {
    const char *name;
    void *slot;
    bool required;
} functions[] = {
#define RM_ROW(need, result, name, args) {"RedisModule_" #name, (void *)&rm_##name, need},
    RM_API(RM_ROW)
#undef RM_ROW
};

bool module_api_init(struct rm_ctx *ctx, const char *module, int version)
{
    get_api_fn get_api;
    void *probe = NULL;
    bool complete = true;

    /* The first field of every context is GetApi: the one layout that the server promises. */
    memcpy(&get_api, ctx, sizeof get_api);
    is_valkey = get_api("ValkeyModule_Alloc", &probe) == RM_OK;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const struct api_function *f = &functions[i];
        if (get_api(f->name, f->slot) == RM_OK || !f->required)
            continue;
        complete = false;
        if (rm_Log != NULL)
            rm_Log(ctx, "warning", "notify needs %s, which this server lacks", f->name);
    }
    if (!complete || rm_IsModuleNameBusy(module))
        return false;
    rm_SetModuleAttribs(ctx, module, version, MODULE_API_VERSION);
    return true;
}

bool module_api_is_valkey(void)
{
    return is_valkey;
}

bool module_api_user_name_is_unsafe(void)
{
    return rm_GetServerVersion() < (is_valkey ? VALKEY_8_1 : REDIS_8_0);
}
