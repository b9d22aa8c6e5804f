/* config_read -- what has been set by flags, environment and file, checked against the table in
 * options.c.
 *
 * A flag beats the environment, which beats the file, which beats the default. In the file a line
 * is "name value"; in the environment --outbox-bytes is NOTIFY_OUTBOX_BYTES. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

struct config;

#define CONFIG_ERROR_MAX 256

/* Reads and checks everything. envp: "NAME=value" strings, NULL-terminated. -EINVAL with a message
 * for the user in error, which says where it was set; *ret must then still be released. */
int config_read(struct config *ret, char error[CONFIG_ERROR_MAX], int argc, char *const *argv,
                char *const *envp);
/* Reads the same again, for a process that runs. What may change then (options.c says which) is
 * swapped, all of it; *ret_old has what was there before, and is to be released when nobody looks
 * at it any more. -EINVAL with a message in error: something is wrong, or needs a restart; then
 * nothing has changed. */
int config_reload(struct config *config, struct config *ret_old, char error[CONFIG_ERROR_MAX]);
/* It cannot be used after all: everything is as it was, and old is released. */
void config_undo(struct config *config, struct config *old);
void config_release(struct config *config);

#endif
