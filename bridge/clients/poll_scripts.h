/* poll_scripts -- the scripts of poll_box/, as the build put them into the program: what stands in
 * common.lua in front of each, comments left out, and the name by which Redis knows the whole. */
#ifndef POLL_SCRIPTS_H
#define POLL_SCRIPTS_H

#include "notify_str.h"

enum poll_script {
    POLL_ASK,
    POLL_CHECK,
    POLL_CLOSE,
    POLL_DISOWN,
    POLL_DROP,
    POLL_FINISH,
    POLL_GIVE,
    POLL_LOOK,
    POLL_OPEN,
    POLL_PROBE,
    POLL_PUSH,
    POLL_TAKE,
    POLL_UNPROBE,
    POLL_UPGRADE,
    POLL_SCRIPTS,
};

struct poll_script_text {
    const char *name;
    struct notify_str sha1; /* of the text, in hexadecimal digits */
    struct notify_str text;
};

/* In the order of enum poll_script, which is that of their names. */
extern const struct poll_script_text poll_scripts[POLL_SCRIPTS];

#endif
