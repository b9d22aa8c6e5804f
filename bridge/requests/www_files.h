/* www_files -- the page and the client library, compiled into the program.
 *
 * The table is generated at build time from the files in bridge/www; which of them are served, and
 * under which path, is not decided here. */
#ifndef WWW_FILES_H
#define WWW_FILES_H

#include <stddef.h>

struct www_file {
    const char *name;         /* as in bridge/www: "notify.js" */
    const char *content_type; /* "text/javascript; charset=utf-8" */
    const unsigned char *bytes;
    size_t len;
};

extern const struct www_file www_files[];
extern const size_t www_file_count;

#endif
