/* box_key -- see box_key.h. */
#include "box_key.h"

#include "box_type.h"
#include "info.h"
#include "reply.h"

static uint64_t count_live(const struct box *box)
{
    return box == NULL ? 0 : box_count(box, BOX_NEVER_EXPIRE).live;
}

bool box_key_open_or_reply(struct box_key *bk, struct rm_ctx *ctx, struct rm_string *name, int mode)
{
    *bk = (struct box_key){.ctx = ctx, .name = name, .key = rm_OpenKey(ctx, name, mode)};
    if (bk->key == NULL || rm_KeyType(bk->key) == RM_KEYTYPE_EMPTY)
        return true;
    if (rm_KeyType(bk->key) != RM_KEYTYPE_MODULE ||
        rm_ModuleTypeGetType(bk->key) != box_type_get()) {
        rm_CloseKey(bk->key);
        bk->key = NULL;
        reply_wrong_type(ctx);
        return false;
    }
    bk->box = bk->stored = rm_ModuleTypeGetValue(bk->key);
    bk->live = count_live(bk->box);
    return true;
}

static void write_back(struct box_key *bk)
{
    void *old;

    if (bk->stored == NULL) {
        rm_ModuleTypeSetValue(bk->key, box_type_get(), bk->box);
        info_add_boxes(1);
    } else {
        rm_ModuleTypeReplaceValue(bk->key, box_type_get(), bk->box, &old);
    }
    bk->stored = bk->box;
}

void box_key_close(struct box_key *bk)
{
    if (bk->key == NULL)
        return;
    if (bk->box != bk->stored)
        write_back(bk);
    if (bk->box != NULL)
        info_add_entries((long long)count_live(bk->box) - (long long)bk->live);
    rm_CloseKey(bk->key);
    bk->key = NULL;
}

void box_key_changed(struct box_key *bk, const char *event)
{
    rm_SignalModifiedKey(bk->ctx, bk->name);
    rm_NotifyKeyspaceEvent(bk->ctx, RM_NOTIFY_MODULE, event, bk->name);
}

uint64_t box_key_now(const struct box_key *bk)
{
    if (bk->box == NULL || box_min_expire_ms(bk->box) == 0)
        return BOX_NEVER_EXPIRE;
    if ((rm_GetContextFlags(bk->ctx) & (RM_FLAG_REPLICATED | RM_FLAG_LOADING)) != 0)
        return BOX_NEVER_EXPIRE;
    return (uint64_t)rm_Milliseconds();
}

struct notify_str box_key_name(const struct box_key *bk)
{
    struct notify_str name;

    name.ptr = rm_StringPtrLen(bk->name, &name.len);
    return name;
}
