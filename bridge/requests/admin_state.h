/* admin_state -- GET /admin/state: all numbers of the bridge as one object, with what its workers
 * say of themselves and the keys that most clients of this one follow. */
#ifndef ADMIN_STATE_H
#define ADMIN_STATE_H

struct request;

void admin_handle_state(struct request *r);

#endif
