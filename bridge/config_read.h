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
void config_release(struct config *config);

#endif
