/* demo_kill -- POST /demo/kill, in development mode: all processes that serve clients are killed as
 * by kill -9, so that it can be seen that nobody loses anything. Only where there is a supervisor
 * that starts them again (--workers above 1). */
#ifndef DEMO_KILL_H
#define DEMO_KILL_H

#define DEMO_PATH "/demo"

struct exchange;
struct loop;

/* Answers 202 with the number of processes, and does it; or 409: nobody would start this one again.
 */
void demo_kill(struct loop *loop, struct exchange *exchange);

#endif
