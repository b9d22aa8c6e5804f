/* app -- all long-lived objects of the process, and how they are tied together. */
#ifndef APP_H
#define APP_H

struct app;
struct config;

/* Builds everything and starts to listen and to connect. config is borrowed. NULL: something could
 * not be had; the reason has been logged. */
struct app *app_new(const struct config *config);
/* Runs until a signal to end has been carried out. 0, or -errno of the loop. */
int app_run(struct app *app);
void app_free(struct app *app);

#endif
