/* Fuzzes deflate_offer: any value of Sec-WebSocket-Extensions that a head lets through. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/deflate_offer.h"
#include "wire/http_head.h"

#define BEGIN "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: "
#define END "\r\n\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    struct deflate_offer offer;
    char out[DEFLATE_ANSWER_MAX];
    size_t len = sizeof(BEGIN) - 1 + size + sizeof(END) - 1;
    char *text = malloc(len);

    if (text == NULL || size > 8192)
        goto end;
    memcpy(text, BEGIN, sizeof(BEGIN) - 1);
    memcpy(text + sizeof(BEGIN) - 1, data, size);
    memcpy(text + sizeof(BEGIN) - 1 + size, END, sizeof(END) - 1);
    if (http_head_parse(&head, text, len) == 0 &&
        deflate_offer_find(&head, &offer) == DEFLATE_TAKEN &&
        (size_t)deflate_offer_answer(&offer, out) != strlen(out))
        abort();
end:
    free(text);
    return 0;
}
