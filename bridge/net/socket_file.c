#include "net/socket_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool socket_file_is(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

int socket_file_own(struct socket_file *file, const char *path)
{
    struct stat st;
    char *copy;

    if (lstat(path, &st) != 0)
        return -errno;
    copy = strdup(path);
    if (copy == NULL)
        return -ENOMEM;
    socket_file_disown(file);
    *file = (struct socket_file){.path = copy, .device = st.st_dev, .inode = st.st_ino};
    return 0;
}

void socket_file_disown(struct socket_file *file)
{
    free(file->path);
    file->path = NULL;
}

void socket_file_remove(struct socket_file *file)
{
    struct stat st;

    if (file->path != NULL && lstat(file->path, &st) == 0 && st.st_dev == file->device &&
        st.st_ino == file->inode)
        (void)unlink(file->path); /* if it fails, the next one finds it stale */
    socket_file_disown(file);
}

void socket_file_remove_stale(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;

    if (!socket_file_is(path) || strlen(path) >= sizeof(addr.sun_path))
        return;
    memcpy(addr.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 && errno == ECONNREFUSED)
        (void)unlink(path); /* if it fails, bind() will tell */
    (void)close(fd);
}
