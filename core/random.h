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

#endif
