/* option_checks -- what the value of an option has to be like, beyond what its type says.
 *
 * Each returns NULL when it is good, else what is wrong with it: static text that goes on behind
 * the option's name. */
#ifndef OPTION_CHECKS_H
#define OPTION_CHECKS_H

/* A key of Redis, or nothing, which empties a list; the pattern of a key, or nothing. */
const char *check_optional_key(const char *key);
const char *check_optional_pattern(const char *pattern);

/* Of a page, as browsers say it (RFC 6454, section 7); a host's, without a port. */
const char *check_origin(const char *origin);
const char *check_host_name(const char *name);

const char *check_namespace(const char *name); /* of Socket.IO */
const char *check_metrics_address(const char *address);
const char *check_network(const char *network); /* an address, a network, or "unix" */
const char *check_field_name(const char *name); /* of a header: what is used of RFC 9110, 5.6.2 */
const char *check_jwks(const char *value);      /* a path, or an address that keys may come from */
const char *check_role(const char *role);       /* the name of one */

#endif
