/* socket_file -- what a unix socket has in the file system: made with it, and removed with it only
 * if it still is the same. */
#ifndef SOCKET_FILE_H
#define SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>

struct socket_file {
    char *path; /* owned; NULL: it is nobody's that we remove */
    dev_t device;
    ino_t inode;
};

/* Is there a socket of that name? */
bool socket_file_is(const char *path);
/* What lies at path now is ours. 0 or -errno. */
int socket_file_own(struct socket_file *file, const char *path);
/* It is another one's to remove. */
void socket_file_disown(struct socket_file *file);
/* Removes it, unless somebody has put another one in its place. */
void socket_file_remove(struct socket_file *file);
/* Removes what nobody answers at: it is left over from a process that was killed. */
void socket_file_remove_stale(const char *path);

#endif
