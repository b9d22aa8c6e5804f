/* limits -- see limits.h. */
#include "base/limits.h"

#include <stddef.h>

static bool (*judge)(void);

bool limits_are_lifted(void)
{
    return judge != NULL && judge();
}

void limits_set_judge(bool (*are_lifted)(void))
{
    judge = are_lifted;
}
