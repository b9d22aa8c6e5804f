/* terminal -- a terminal that shows one screen, and gives itself back as it was. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

struct terminal;

/* Of standard input and output. NULL: the output is no terminal, or there is no memory. */
struct terminal *terminal_open(void);
/* Gives it back, and takes it again: around a stop. */
void terminal_leave(struct terminal *terminal);
void terminal_enter(struct terminal *terminal);
/* Gives it back. NULL is fine. */
void terminal_close(struct terminal *terminal);

/* As it is now; at least one each. */
void terminal_size(size_t *ret_rows, size_t *ret_columns);
/* Shows text from the upper left corner, and nothing below it. */
void terminal_show(const char *text, size_t len);
/* The descriptor that keys come from; -1: they cannot. */
int terminal_keys(const struct terminal *terminal);

#endif
