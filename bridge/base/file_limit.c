#include "base/file_limit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"

#define KEPT_FREE 64      /* of what there are few of, whatever is configured */
#define FILES_MAX 1048576 /* libwebsockets makes a table as long as the limit */

size_t file_limit_raise(size_t wanted, size_t besides)
{
    size_t kept = KEPT_FREE + besides, usable;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("file_limit", "text", strerror(errno));
    usable = limit.rlim_cur > 2 * kept ? limit.rlim_cur - kept : limit.rlim_cur / 2;
    return usable < wanted ? usable : wanted;
}
