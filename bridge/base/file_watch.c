#include "base/file_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_watch_changed(struct file_watch *watch, const char *path)
{
    struct file_watch now = {0};
    struct stat st;

    if (stat(path, &st) == 0)
        now = (struct file_watch){.dev = st.st_dev,
                                  .ino = st.st_ino,
                                  .size = st.st_size,
                                  .modified = st.st_mtim,
                                  .changed = st.st_ctim};
    if (now.dev == watch->dev && now.ino == watch->ino && now.size == watch->size &&
        same_time(now.modified, watch->modified) && same_time(now.changed, watch->changed))
        return false;
    *watch = now;
    return true;
}

/* As much as there is, up to max_bytes + 1: one more shows that it is too long. -1: errno says why.
 */
static ssize_t read_all(int fd, char *out, size_t max_bytes)
{
    size_t len = 0;

    while (len <= max_bytes) {
        ssize_t n = read(fd, out + len, max_bytes + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

char *file_read(const char *path, size_t max_bytes, size_t *ret_len, const char **ret_why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    char *text = fd < 0 ? NULL : malloc(max_bytes + 2);
    ssize_t len = text == NULL ? -1 : read_all(fd, text, max_bytes);

    if (len < 0)
        *ret_why = strerror(errno);
    else if ((size_t)len > max_bytes)
        *ret_why = "it is too long";
    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    if (len < 0 || (size_t)len > max_bytes) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    *ret_len = (size_t)len;
    return text;
}
