/* slow_send_shim -- preloaded into a bridge whose clients are to be dear to send to: each send()
 * that does not wait, as those to clients are, takes NOTIFY_SEND_US longer than it would. It takes
 * no time of the processor, so whoever else wants that has it. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT ssize_t send(int fd, const void *bytes, size_t len, int flags);

static unsigned pause_us(void)
{
    static long us = -1;

    if (us < 0) {
        const char *text = getenv("NOTIFY_SEND_US");
        us = text == NULL ? 0 : strtol(text, NULL, 10);
    }
    return (unsigned)us;
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    if ((flags & MSG_DONTWAIT) != 0 && pause_us() > 0)
        (void)usleep(pause_us()); /* a signal makes it shorter */
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}
