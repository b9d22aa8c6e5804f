#include "requests/admin_right.h"

#include "identity/identity.h"
#include "requests/answer.h"
#include "requests/request.h"

/* Whatever the file says: nobody without a token runs the bridge, unless there are none. */
static bool is_somebody(const struct identity *identity)
{
    return identity->everything || !identity->anonymous;
}

bool admin_may(struct request *r, const char *word)
{
    struct notify_str name = notify_str_z(word);

    if (is_somebody(r->identity) && identity_may(r->identity, RIGHT_ADMIN, name))
        return true;
    answer_lacks_right(r, "type", RIGHT_ADMIN, name);
    return false;
}
