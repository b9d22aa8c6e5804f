/* base64url -- base64 with the alphabet of RFC 4648, 5, without padding, read strictly: one text
 * for each run of bytes, so that two texts that mean the same cannot pass for different ones. */
#ifndef BASE64URL_H
#define BASE64URL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify_str.h"

#define BASE64URL_DECODED_MAX(len) ((len) / 4 * 3 + 2)
#define BASE64URL_ENCODED_LEN(len) (((len)*4 + 2) / 3)

/* Returns how many bytes have been written to out, which has room for BASE64URL_DECODED_MAX; -1 for
 * padding, blanks, other characters, an impossible length, or bits left over that are not zero. */
ssize_t base64url_decode(uint8_t *out, struct notify_str text);
/* Writes BASE64URL_ENCODED_LEN characters, no NUL; returns their number. */
size_t base64url_encode(char *out, const void *bytes, size_t len);

#endif
