/* app -- all long-lived objects of the process, and how they are tied together. */
#ifndef APP_H
#define APP_H

struct app;
struct config;
struct worker;

/* Builds everything and starts to accept and to connect. Both are borrowed;
 * config changes on SIGHUP. NULL: something could
 * not be had; the reason has been logged. */
struct app *app_new(struct config *config, const struct worker *worker);
/* Runs until a signal to end has been carried out. 0, or -errno of the loop. */
int app_run(struct app *app);
void app_free(struct app *app);

#endif
