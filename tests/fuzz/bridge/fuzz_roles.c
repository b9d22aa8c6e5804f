/* Any bytes as a roles file: it is taken or refused as a whole, an error says what is wrong, and
 * what it permits is permitted by one of its lines. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "identity/identity.h"
#include "identity/roles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct roles book;

static bool points_into(struct notify_str word, const char *text, size_t len)
{
    return word.len > 0 && word.ptr >= text && word.ptr + word.len <= text + len;
}

static void check_role(const struct role *role, size_t len)
{
    assert(role->name.len <= ROLE_NAME_MAX && points_into(role->name, book.text, len));
    assert(roles_find(&book, role->name) == role);
    for (int right = 0; right < RIGHT_COUNT; right++) {
        const struct patterns *patterns = &role->rights[right];
        assert(patterns->len <= ROLE_PATTERNS_MAX);
        for (size_t i = 0; i < patterns->len; i++)
            assert(points_into(patterns->at[i], book.text, len));
    }
}

/* Somebody of the first role but everybody's. */
static struct identity *somebody(void)
{
    char name[ROLE_NAME_MAX + 1] = "none";

    for (size_t i = 0; i < book.len; i++)
        if (!notify_str_eq(book.at[i].name, NOTIFY_STR("*"))) {
            memcpy(name, book.at[i].name.ptr, book.at[i].name.len);
            name[book.at[i].name.len] = '\0';
            break;
        }
    return identity_anonymous(NOTIFY_STR("u*"), name, &book);
}

struct names {
    const struct identity *identity;
    enum right right;
};

static void check_name(void *ctx, struct notify_str name)
{
    const struct names *names = ctx;

    assert(identity_may(names->identity, names->right, name));
}

static void check_names(const struct identity *identity)
{
    struct names names = {identity, RIGHT_FOLLOW};

    /* What is followed at once is named; a name with the user's id in it is permitted. */
    identity_each(identity, RIGHT_FOLLOW, false, check_name, &names);
    for (int right = 0; right < RIGHT_COUNT; right++) {
        names.right = (enum right)right;
        identity_each(identity, names.right, false, check_name, &names);
        (void)identity_may(identity, names.right, NOTIFY_STR("team:u*:7"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[ROLES_ERROR_MAX] = "";
    struct roles before = book;
    int status = roles_read(&book, notify_str_of((const char *)data, size), error);
    struct identity *identity;

    if (status != 0) {
        assert(status == -EINVAL && error[0] != '\0');
        assert(before.text == book.text && before.at == book.at && before.len == book.len);
        return 0;
    }
    for (size_t i = 0; i < book.len; i++)
        check_role(&book.at[i], size);
    identity = somebody();
    assert(identity != NULL);
    check_names(identity);
    identity_unref(identity);
    roles_release(&book);
    return 0;
}
