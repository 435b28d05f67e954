/* What the system knows of this process. */
#ifndef EVALD_SERVER_PROCESS_H
#define EVALD_SERVER_PROCESS_H

#include <stdint.h>

/* What cannot be read is UINT64_MAX. */
struct process {
    uint64_t cpu_ns;   /* all threads, user and system */
    uint64_t start_ns; /* since 1970 */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_fds, max_fds;
    uint64_t threads;
};

/* Reads /proc/self; takes longer the more files are open. */
void process_look(struct process *p);

#endif
