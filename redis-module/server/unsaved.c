/* unsaved -- see unsaved.h. */
#include "server/unsaved.h"

#include <stdlib.h>

void unsaved_abort(struct rm_io *io, const char *what)
{
    rm_LogIOError(io, "warning", "not enough memory to save %s; giving up rather than losing it",
                  what);
    abort();
}
