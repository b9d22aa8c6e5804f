/* Any bytes as the word for a cursor, and any bytes as what is in such a word: with the right sum,
 * since no fuzzer would find one. What is accepted makes the same word again. */
#include <stdlib.h>

#include "box/cursor_word.h"
#include "box_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(struct notify_str word)
{
    struct text_buf again = TEXT_BUF_INIT;
    const char *why;
    struct box *box = cursor_word_read(word, &why);
    struct box *carrier = box == NULL ? NULL : cursor_word_carrier(box);
    struct box_audit audit;
    struct box *back;

    if (box == NULL)
        return;
    require(box_verify(box, &audit) == 0 && audit.sound);
    require(carrier != NULL);
    require(cursor_word_add(&again, &carrier, cursors_at(box_cursors(box), 0)) == 0);
    back = cursor_word_read(text_buf_str(&again), &why);
    require(back != NULL && test_cursors_equal(box_cursors(box), box_cursors(back)));
    box_free(back);
    box_free(box);
    box_free(carrier);
    text_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str bytes = notify_str_of((const char *)data, size);
    struct text_buf word = TEXT_BUF_INIT;

    check(bytes);
    cursor_word_of_payload(&word, bytes);
    if (!word.failed)
        check(text_buf_str(&word));
    text_buf_release(&word);
    return 0;
}
