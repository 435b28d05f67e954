/* Doubles and floats as text. */
#ifndef EVALD_API_NUMBER_H
#define EVALD_API_NUMBER_H

#include <stddef.h>

enum {
    NUMBER_BYTES = 32,    /* room to write a number */
    NUMBER_TEXT_MAX = 24, /* of which the number is, without terminator */
};

/*
 * The shortest decimal form that reads back to the same bits, the nearest to
 * x among those of that length.  It always has a point or an exponent, so
 * that typed readers take 1.0 for a double and -0.0 keeps its sign.
 *   x    finite
 *   out  NUMBER_BYTES bytes: the number, terminated, and room to work
 * Returns the length without the terminator.
 */
size_t number_write(double x, char *out);

/* The same for messages: any x, and integers without a point. */
struct number_text {
    char text[NUMBER_BYTES];
};
struct number_text number_text(double x);

/* As above: the shortest form that reads back to the same float. */
size_t number_write_float(float x, char *out);

#endif
