/*
 * SplitMix64: numbers that look random, from a state that is a counter.
 * Equal states give equal numbers; no two of 2^64 in a row are equal.  Not
 * for secrets.
 * Source: Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195.
 */
#ifndef EVALD_CORE_RANDOM_H
#define EVALD_CORE_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The state that stream i of a seed begins with: somewhere in the circle. */
static inline uint64_t random_stream(uint64_t seed, uint64_t i)
{
    uint64_t state = random_next(&seed) ^ i;
    return random_next(&state);
}

/*
 * One of 0 to n - 1, n > 0, each as likely as the other: the upper half of a
 * number times n, drawn again where some would come once more than others.
 * Source: Lemire 2019, doi:10.1145/3230636.
 */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
    uint64_t product = (random_next(state) >> 32) * n;
    if ((uint32_t)product < n)
        for (uint32_t few = -n % n; (uint32_t)product < few;)
            product = (random_next(state) >> 32) * n;
    return (uint32_t)(product >> 32);
}

#endif
