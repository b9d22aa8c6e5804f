/* process_stats -- what the process takes of the machine. */
#ifndef PROCESS_STATS_H
#define PROCESS_STATS_H

/* Sets the counters of its memory and CPU time; a few system calls. */
void process_stats_set(void);

#endif
