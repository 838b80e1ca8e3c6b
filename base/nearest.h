/*
 * nearest - "did you mean ...?": the name that a misspelt one was most likely meant to be. Pure.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap neighbours) that turn a into b; texts of more than 64 bytes
 * are infinitely far apart. */
unsigned nearest_distance(const char *a, const char *b);

/* The nearest of names[count], or NULL if none is near: at most a third of the letters, and at
 * least one, differ. */
const char *nearest_name(const char *text, const char *const *names, size_t count);

#endif
