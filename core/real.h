/*
 * How the files of core/kernels/ are compiled: once for each pair of element
 * type and instruction set, with REAL_BITS and ISA set by the Makefile.
 *
 *   real        float or double
 *   NAME(word)  word_f32_v3 and the like: what a file exports must bear it
 *   PRECISE     whether real is double; a constant, so that one function can
 *               hold a short and a long polynomial
 *
 * All arithmetic is done in double and rounded once, to real, at the end.
 * Every instruction set gives the same bits: no multiply and add is fused,
 * nothing is reordered, and no function of libm that has variants is used
 * where the loop is meant to be fast.
 */
#ifndef EVALD_CORE_REAL_H
#define EVALD_CORE_REAL_H

#include <stdbool.h>

#ifndef REAL_BITS /* for tools that look at one file */
#define REAL_BITS 64
#endif
#ifndef ISA
#define ISA base
#endif

#if REAL_BITS == 32
typedef float real;
#else
typedef double real;
#endif

enum { PRECISE = REAL_BITS == 64 };

#define REAL_PASTE_(word, bits, isa) word##_f##bits##_##isa
#define REAL_PASTE(word, bits, isa) REAL_PASTE_(word, bits, isa)
#define NAME(word) REAL_PASTE(word, REAL_BITS, ISA)

#endif
