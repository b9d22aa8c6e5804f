/* top -- what a bridge is doing, for people at a terminal (--top HOST:PORT): reads its /metrics
 * again and again. On a terminal until q or Ctrl-C; into anything else once, with rates of one
 * second. */
#ifndef TOP_H
#define TOP_H

/* "host:port", or a whole address. Why it is none (static text); NULL: it is one. */
const char *top_check(const char *where);
/* The exit status. */
int top_run(const char *where);

#endif
