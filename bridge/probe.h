/* probe -- whether a bridge answers 200, for health checks of images that have nothing else to ask
 * with
 * (--probe URL). */
#ifndef PROBE_H
#define PROBE_H

/* url: checked by http_fetch_check_open(). The exit status: 0, or 1 with the reason on stderr. */
int probe_run(const char *url);

#endif
