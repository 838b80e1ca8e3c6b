/*
 * table - rows in columns for a terminal: as wide as they need, cut where the terminal ends.
 *
 *     struct table *table = table_new("KEY", "STATE", NULL);
 *     table_add(table, "new-login", "on");
 *     table_print(table);                     // to stdout, and frees it
 */
#ifndef FLAGS_PROGRAM_TABLE_H
#define FLAGS_PROGRAM_TABLE_H

struct table;

/* Headings, ended by NULL; at most TABLE_COLUMNS_MAX. NULL when out of memory. */
#define TABLE_COLUMNS_MAX 10
struct table *table_new(const char *first, ...) __attribute__((sentinel));
/* As many texts as there are headings; copied. "" for nothing. A NULL table is left alone. */
void table_add(struct table *table, const char *first, ...);
void table_print(struct table *table);
void table_free(struct table *table); /* without printing it */

/* Prints a line of text that somebody else wrote. Here and in tables each control character becomes
 * '?': it could steer the reader's terminal. */
void table_print_line(const char *text);

#endif
