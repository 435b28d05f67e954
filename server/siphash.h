/*
 * SipHash-2-4: a hash of a few bytes under a secret seed, by which nobody who
 * does not know it can find inputs that collide.
 * Source: Aumasson, Bernstein 2012, "SipHash: a fast short-input PRF".
 */
#ifndef EVALD_SERVER_SIPHASH_H
#define EVALD_SERVER_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t siphash_turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void siphash_rounds(uint64_t v[4], unsigned n)
{
    for (; n > 0; n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = siphash_turn(v[1], 13) ^ v[0];
        v[3] = siphash_turn(v[3], 16) ^ v[2];
        v[0] = siphash_turn(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = siphash_turn(v[1], 17) ^ v[2];
        v[3] = siphash_turn(v[3], 21) ^ v[0];
        v[2] = siphash_turn(v[2], 32);
    }
}

/* Up to eight bytes, the lowest first. */
static inline uint64_t siphash_word(const unsigned char *bytes, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static inline uint64_t siphash(const uint64_t seed[2],
                               const unsigned char *bytes, size_t n)
{
    uint64_t v[4] = {
        seed[0] ^ UINT64_C(0x736f6d6570736575),
        seed[1] ^ UINT64_C(0x646f72616e646f6d),
        seed[0] ^ UINT64_C(0x6c7967656e657261),
        seed[1] ^ UINT64_C(0x7465646279746573),
    };
    for (size_t at = 0; at <= n; at += 8) {
        size_t left = n - at;
        uint64_t word = siphash_word(bytes + at, left < 8 ? left : 8);
        if (left < 8) /* the last word has the length on top */
            word |= (uint64_t)n << 56;
        v[3] ^= word;
        siphash_rounds(v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    siphash_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
