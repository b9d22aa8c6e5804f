/* service -- what a service manager is told of this process: that it is ready, reads its
 * configuration again, ends, what it is about, and that it stirs (systemd's sd_notify(3)).
 *
 * One datagram for each, to the unix socket that NOTIFY_SOCKET names: a path, or an abstract name
 * behind "@". Without the variable nothing is sent. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET, and WATCHDOG_USEC if WATCHDOG_PID is this process or not set. */
void service_begin(void);
/* This process is one of several, and not the one that speaks for them. */
void service_be_silent(void);

/* text: assignments with line feeds between them, as "READY=1\nSTATUS=…". What cannot be sent
 * within 100 ms is left unsaid. */
void service_tell(const char *text);
/* Begins a reload, which READY=1 ends. */
void service_tell_reloading(void);
/* The main process is another one from now on; text as above, said with it. */
void service_tell_main(int64_t pid, const char *text);

/* How often service_beat() is due: half of what the manager allows. 0: never. */
uint64_t service_beat_every_ms(void);
void service_beat(void);

#endif
