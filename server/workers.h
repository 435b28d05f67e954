/* How many threads compute. */
#ifndef EVALD_SERVER_WORKERS_H
#define EVALD_SERVER_WORKERS_H

#include <stddef.h>

enum { WORKERS_MAX = 256 };

/* The processors this process may use, at most WORKERS_MAX. */
size_t workers_default(void);

/* Sets UV_THREADPOOL_SIZE; before libuv's pool is first used. */
void workers_set(size_t n);

#endif
