/* sessions_key -- see sessions_key.h. */
#include "server/sessions_key.h"

#include "server/replay.h"
#include "server/reply.h"
#include "server/sessions_type.h"
#include "server/unlinked.h"

void sessions_key_fetch(struct sessions_key *sk, struct rm_ctx *ctx, struct rm_string *name,
                        int mode)
{
    *sk = (struct sessions_key){.ctx = ctx, .name = name, .key = rm_OpenKey(ctx, name, mode)};
    if (sk->key != NULL && rm_KeyType(sk->key) == RM_KEYTYPE_MODULE &&
        rm_ModuleTypeGetType(sk->key) == sessions_type_get())
        sk->set = sk->stored = rm_ModuleTypeGetValue(sk->key);
}

bool sessions_key_open_or_reply(struct sessions_key *sk, struct rm_ctx *ctx, struct rm_string *name,
                                int mode)
{
    sessions_key_fetch(sk, ctx, name, mode);
    if (sk->set != NULL || sk->key == NULL || rm_KeyType(sk->key) == RM_KEYTYPE_EMPTY ||
        replay_clears(sk->key))
        return true;
    sessions_key_close(sk);
    reply_wrong_type(ctx);
    return false;
}

void sessions_key_write(struct sessions_key *sk)
{
    void *former;

    if (sk->set == sk->stored)
        return;
    if (sk->stored == NULL)
        rm_ModuleTypeSetValue(sk->key, sessions_type_get(), sk->set);
    else
        rm_ModuleTypeReplaceValue(sk->key, sessions_type_get(), sk->set, &former);
    sk->stored = sk->set;
}

void sessions_key_close(struct sessions_key *sk)
{
    if (sk->key == NULL)
        return;
    if (sk->stored == NULL)
        sessions_free(sk->set);
    else
        sessions_key_write(sk);
    rm_CloseKey(sk->key);
    sk->key = NULL;
}

bool sessions_key_settle(struct sessions_key *sk)
{
    if (sessions_length(sk->set) > 0) {
        rm_SetAbsExpire(sk->key, (long long)sessions_last_lease_ms(sk->set));
        return false;
    }
    rm_DeleteKey(sk->key); /* frees the set */
    unlinked_forget(sk->name);
    sk->set = sk->stored = NULL;
    return true;
}

void sessions_key_keep_end(struct rm_ctx *ctx, struct rm_string *name)
{
    struct sessions_key sk;

    sessions_key_fetch(&sk, ctx, name, RM_READ | RM_WRITE | RM_NOTOUCH);
    if (sk.set != NULL && sessions_length(sk.set) > 0 && rm_GetAbsExpire(sk.key) == RM_NO_EXPIRE)
        rm_SetAbsExpire(sk.key, (long long)sessions_last_lease_ms(sk.set));
    sessions_key_close(&sk);
}

struct notify_str sessions_key_name(const struct sessions_key *sk)
{
    return rm_str(sk->name);
}
