/* random_uuid -- a UUID that nobody can guess (RFC 9562, version 4). */
#ifndef RANDOM_UUID_H
#define RANDOM_UUID_H

#define RANDOM_UUID_LEN 36

/* Writes the text and a NUL. */
void random_uuid(char out[RANDOM_UUID_LEN + 1]);

#endif
