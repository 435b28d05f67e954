/* Numbers of 16 bits, IEEE 754 binary16, as .npy and tensors carry them. */
#ifndef EVALD_API_HALF_H
#define EVALD_API_HALF_H

#include <stdint.h>
#include <string.h>

/* The float of the same value, exactly; a NaN keeps its bits. */
static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half >> 15) << 31;
    uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff, bits;
    float x = (float)fraction * 0x1p-24F; /* a subnormal half */
    memcpy(&bits, &x, sizeof(bits));
    if (exponent == 0x1f)
        bits = 0x7f800000 | fraction << 13;
    else if (exponent > 0)
        bits = (exponent + 127 - 15) << 23 | fraction << 13;
    bits |= sign;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

#endif
