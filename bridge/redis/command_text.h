/* command_text -- a command as the bytes that go to a server. */
#ifndef COMMAND_TEXT_H
#define COMMAND_TEXT_H

#include <stddef.h>

#include "notify_str.h"

/* All zero: nothing yet. */
struct command_text {
    char *bytes; /* owned */
    size_t cap;
};

/* What is returned in *ret stands there until the next call. 0 or -ENOMEM. */
int command_text_make(struct command_text *text, size_t argc, const struct notify_str *argv,
                      struct notify_str *ret);
void command_text_release(struct command_text *text);

#endif
