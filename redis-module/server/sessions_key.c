/* sessions_key -- see sessions_key.h. */
#include "server/sessions_key.h"

#include "server/key_watch.h"
#include "server/reply.h"
#include "server/sessions_type.h"

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
    if (sk->set != NULL || sk->key == NULL || rm_KeyType(sk->key) == RM_KEYTYPE_EMPTY)
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

/* The greatest revision that was told of the sets that are gone: one more than their own. A greater
 * one than a time was made up by somebody, and others are not to suffer from it. */
static uint64_t gone_rev;

void sessions_key_note_gone(const struct sessions *set)
{
    uint64_t rev = sessions_rev(set);

    if (rev >= gone_rev && rev < SESSIONS_TIME_MAX)
        gone_rev = rev + 1;
}

uint64_t sessions_key_first_rev(uint64_t now_ms)
{
    return now_ms > gone_rev ? now_ms : gone_rev + 1;
}

bool sessions_key_settle(struct sessions_key *sk)
{
    if (sessions_length(sk->set) > 0) {
        rm_SetAbsExpire(sk->key, (long long)sessions_last_lease_ms(sk->set));
        return false;
    }
    rm_DeleteKey(sk->key); /* frees the set */
    key_watch_forget(sk->name);
    sk->set = sk->stored = NULL;
    return true;
}

struct notify_str sessions_key_name(const struct sessions_key *sk)
{
    struct notify_str name;

    name.ptr = rm_StringPtrLen(sk->name, &name.len);
    return name;
}
