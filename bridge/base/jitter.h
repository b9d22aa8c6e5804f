/* jitter -- times that not everybody chooses alike. */
#ifndef JITTER_H
#define JITTER_H

#include <stdint.h>

/* At random from half of ms to ms. */
uint64_t jittered(uint64_t ms);

#endif
