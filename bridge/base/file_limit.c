#include "base/file_limit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"

#define KEPT_FREE 64
#define FILES_MAX 1048576 /* libwebsockets makes a table as long as the limit */

size_t file_limit_raise(size_t wanted)
{
    struct rlimit limit;
    size_t usable;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("file_limit", "text", strerror(errno));
    usable = limit.rlim_cur > 2 * KEPT_FREE ? limit.rlim_cur - KEPT_FREE : KEPT_FREE;
    return usable < wanted ? usable : wanted;
}
