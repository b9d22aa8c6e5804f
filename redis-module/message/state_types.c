/* state_types -- see state_types.h. */
#include "message/state_types.h"

#include <stddef.h>

#define NAME(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct notify_str names[] = {
    NAME("read"),       NAME("unread_again"), NAME("seen"),     NAME("archived"),
    NAME("unarchived"), NAME("deleted"),      NAME("followed"), NAME("unfollowed"),
    NAME("muted"),      NAME("unmuted"),      NAME("gone"),     NAME("changed"),
    NAME("flushed"),    NAME("presence"),     NAME("kick"),     NAME("connection"),
};

bool state_types_have(struct notify_str name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (notify_str_eq(names[i], name))
            return true;
    return false;
}
