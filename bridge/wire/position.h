/* position -- how far somebody has come in a box: the last id that they had, with the epoch under
 * which it was given, if that is known (docs/protocol.md, "Epochs"). As text: "<id>" or
 * "<id>@@<epoch>", as NOTIFY.SINCE takes it. */
#ifndef POSITION_H
#define POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"

#define POSITION_EPOCH_MAX ((UINT32_C(1) << 24) - 1)
#define POSITION_TEXT_MAX (NOTIFY_ID_TEXT_MAX + 2 + 8)

struct position {
    struct notify_id id;
    uint32_t epoch; /* 0: not known */
};

/* Writes it with a NUL; returns the length. */
size_t position_format(char out[POSITION_TEXT_MAX + 1], const struct position *position);
/* False, and *ret untouched, for anything else. */
bool position_parse(struct notify_str text, struct position *ret);

#endif
