/* How many threads compute, and in how much memory. */
#ifndef EVALD_SERVER_WORKERS_H
#define EVALD_SERVER_WORKERS_H

#include <stddef.h>

enum { WORKERS_MAX = 256 };

/*
 * The processors this process may use, of those there are and of its control
 * groups' quota; at most WORKERS_MAX.
 */
size_t workers_default(void);

/* The memory there is, or the least that its control groups allow. */
size_t machine_memory_bytes(void);

#endif
