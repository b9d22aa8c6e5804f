/* file_watch -- has a file changed since it was last looked at? Asked every few seconds: a watch of
 * the kernel on the file would miss files that are renamed over it, and links that are swapped,
 * which is how they are replaced. */
#ifndef FILE_WATCH_H
#define FILE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Zeroed: a file that is not there. */
struct file_watch {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified, changed;
};

/* True when path is another file than *watch says, or has gone, or come; *watch then says how it
 * is. */
bool file_watch_changed(struct file_watch *watch, const char *path);

/* The whole file, with a NUL behind it; the caller frees it. NULL: *ret_why says why not (static
 * text or that of strerror()). */
char *file_read(const char *path, size_t max_bytes, size_t *ret_len, const char **ret_why);

#endif
