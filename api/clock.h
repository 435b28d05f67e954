/* Milliseconds that only go forward, for what a request's parts took. */
#ifndef EVALD_API_CLOCK_H
#define EVALD_API_CLOCK_H

#include <time.h>

static inline double clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#endif
