#include "top/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* ECMA-48 and what xterm has beyond it: another screen, without a cursor; its upper left corner;
 * nothing behind. */
#define ENTER "\x1b[?1049h\x1b[?25l"
#define LEAVE "\x1b[?25h\x1b[?1049l"
#define HOME "\x1b[H"
#define CLEAR_BELOW "\x1b[J"

struct terminal {
    bool has_keys; /* its input is a terminal, too */
    struct termios as_it_was;
};

/* A terminal that is gone shows nothing. */
static void say(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno != EINTR)
            return;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* Keys come at once and are not shown; those that make signals still do. */
void terminal_enter(struct terminal *terminal)
{
    struct termios raw = terminal->as_it_was;

    if (terminal->has_keys) {
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw); /* then keys come by lines */
    }
    say(ENTER, strlen(ENTER));
}

void terminal_leave(struct terminal *terminal)
{
    say(LEAVE, strlen(LEAVE));
    if (terminal->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal->as_it_was); /* or it is gone */
}

struct terminal *terminal_open(void)
{
    struct terminal *terminal = isatty(STDOUT_FILENO) ? calloc(1, sizeof(*terminal)) : NULL;

    if (terminal == NULL)
        return NULL;
    terminal->has_keys = tcgetattr(STDIN_FILENO, &terminal->as_it_was) == 0;
    terminal_enter(terminal);
    return terminal;
}

void terminal_close(struct terminal *terminal)
{
    if (terminal == NULL)
        return;
    terminal_leave(terminal);
    free(terminal);
}

void terminal_size(size_t *ret_rows, size_t *ret_columns)
{
    struct winsize size = {.ws_row = 0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        size = (struct winsize){.ws_row = 0};
    *ret_rows = size.ws_row == 0 ? 24 : size.ws_row;
    *ret_columns = size.ws_col == 0 ? 80 : size.ws_col;
}

void terminal_show(const char *text, size_t len)
{
    say(HOME, strlen(HOME));
    say(text, len);
    say(CLEAR_BELOW, strlen(CLEAR_BELOW));
}

int terminal_keys(const struct terminal *terminal)
{
    return terminal->has_keys ? STDIN_FILENO : -1;
}
