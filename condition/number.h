/*
 * number - numbers as text, and comparison of int, uint and double on one number line.
 *
 * The C library's locale does not matter here: the decimal point is always '.'.
 */
#ifndef CONDITION_NUMBER_H
#define CONDITION_NUMBER_H

#include "condition/condition.h"

#define CEL_NUMBER_TEXT 40u /* bytes that any printed number needs */

/* The whole of text as a decimal floating-point number; also "NaN", "Infinity", "-inf" and the
 * like. False if it is none. A number too large is an infinity, as in CEL. */
bool cel_parse_double(const char *text, size_t len, double *out);
/* The shortest text that reads back as d: 0.1, 1e+100, -Infinity. Returns its length. */
size_t cel_print_double(double d, char out[CEL_NUMBER_TEXT]);
/* As printf would with %.*f (form 'f') or %.*e, with '.' in any locale. */
size_t cel_print_fixed(double d, char form, unsigned precision, char *out, size_t out_size);
size_t cel_print_int(int64_t i, char out[CEL_NUMBER_TEXT]);
size_t cel_print_uint(uint64_t u, unsigned base, char *out); /* lower-case
                                                                       digits, 72 bytes of room */
bool cel_parse_int(const char *text, size_t len, int64_t *out);
bool cel_parse_uint(const char *text, size_t len, uint64_t *out);

/* -1, 0, 1, or 2 where a NaN takes part. Both must be INT, UINT or DOUBLE. Against a double an
 * integer is rounded to double first, unless the double lies outside its range (what the CEL
 * conformance tests ask for). */
int cel_compare_numbers(const struct condition_value *a, const struct condition_value *b);

#endif
