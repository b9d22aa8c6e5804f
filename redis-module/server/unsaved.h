/* unsaved -- what both types do when a value cannot be written into a file that the server is
 * making. */
#ifndef UNSAVED_H
#define UNSAVED_H

#include "server/module_api.h"

/* Ends the process, which is what the server does itself when it lacks memory for a value of its
 * own. Going on would be worse: an RDB file with a value cut short cannot be loaded at all, and an
 * AOF would silently lack one. The process is mostly a child, and then the former file stays. */
_Noreturn void unsaved_abort(struct rm_io *io, const char *what);

#endif
