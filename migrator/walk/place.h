/*
 * place - where in a table a long work stands: the values of one row's key, any bytes they hold.
 *
 *     i17            an integer          r3ff8000000000000     a real, its bits
 *     t616200,b00    text and a blob, two columns of a key; n is NULL
 *
 * The text form is what the journal stores. It is no SQL: values go into statements as parameters,
 * so that a NUL byte or a quote in a key means nothing.
 */
#ifndef MIGRATOR_PLACE_H
#define MIGRATOR_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "database/database.h"

struct place {
    size_t count;
    struct database_value values[]; /* their bytes lie behind them, in the same block */
};

/* A copy of the first count values of a row; NULL: no memory. free(). */
struct place *place_of_row(const struct database_rows *rows, size_t row, size_t count);
/* The text form; free(). NULL: no memory. */
char *place_text(const struct place *place);
/* Reads a text form of count values; NULL if it is none (or no memory): begin at the first row. */
struct place *place_read(const char *text, size_t count);

#endif
