/* notify_wire -- what both programs agree on: the message that the module publishes and the bridge
 * forwards, and the limits of its parts. docs/protocol.md tells the same for users.
 *
 * A message is one JSON object without blanks outside strings. Its members stand in this order, and
 * those without a value are left out:
 *
 *   type key id prev replaces exclude rev unread category level muted timestamp data (an entry)
 *   type key rev unread <what changed>                                             (a state change)
 *
 * Members up to rev are what the bridge routes by; it reads them without a JSON parser, which the
 * fixed order makes possible. A message that does not have this shape is not forwarded. */
#ifndef NOTIFY_WIRE_H
#define NOTIFY_WIRE_H

#define NOTIFY_EVENT_NAME_MAX 64 /* bytes of [A-Za-z0-9_.:-] */
#define NOTIFY_TITLE_MAX 255     /* characters of UTF-8 */
#define NOTIFY_CATEGORY_MAX 64   /* bytes */
#define NOTIFY_TYPE_MAX 64       /* bytes */
#define NOTIFY_SESSION_MAX 128   /* bytes */
#define NOTIFY_TOKEN_MAX 128     /* bytes of a collapse or idempotency token */
#define NOTIFY_KEY_MAX 512       /* bytes of a key that the bridge follows */

#define NOTIFY_EVENT_DEFAULT "notification"

/* What concerns all keys at once is said here, on a plain channel, also in a cluster:
 * {"type":"flushed",…}: whatever is known of the keys may be wrong and has to be read anew. */
#define NOTIFY_CONTROL_CHANNEL "notify:control"

#endif
