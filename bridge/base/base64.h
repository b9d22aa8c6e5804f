/* base64 -- base64 with the alphabet of RFC 4648, 4, with padding, read strictly: one text for each
 * run of bytes. (base64url.h is the other one.) */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify_str.h"

#define BASE64_DECODED_MAX(len) ((len) / 4 * 3)
#define BASE64_ENCODED_LEN(len) (((len) + 2) / 3 * 4)

/* Returns how many bytes have been written to out, which has room for BASE64_DECODED_MAX; -1 for
 * padding that is missing or too much, blanks, other characters, or bits left over that are not
 * zero. */
ssize_t base64_decode(uint8_t *out, struct notify_str text);
/* Writes BASE64_ENCODED_LEN characters, no NUL; returns their number. */
size_t base64_encode(char *out, const void *bytes, size_t len);

#endif
