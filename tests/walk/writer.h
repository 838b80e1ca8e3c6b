/*
 * writer - an application that writes all the time, and remembers what SQLite acknowledged.
 *
 * Its statements fit any table: rows are copied and changed from other rows (so that they are what
 * the migration can carry over), beside the statements that the case's own folder has ($n in them
 * is the number of the write). The log is
 * in memory that a killed process shares with the one that forked it.
 */
#ifndef TESTS_WALK_WRITER_H
#define TESTS_WALK_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <sqlite3.h>

#define WRITES_MAX 300
#define WRITE_BYTES 2000

struct write_log {
    int begun, acked; /* writes: handed to SQLite, and come back from it */
    struct {
        char sql[WRITE_BYTES];
        int code;         /* SQLite's; set when it came back */
        bool contracted;  /* made from contract on */
        bool may_be_gone; /* of a shape that the walk takes away: an error is no fault */
    } at[WRITES_MAX];
};

/* One shape of the table, and how code of that shape writes. */
struct writer {
    char *table;                                   /* NULL: statements of the folder alone */
    char *columns, *insert_columns, *insert, *key; /* lists, as SQL */
    char *rest;                                    /* columns that are no key; "" if none */
    char *statements[64];
    size_t count;
};

/* Reads the table's shape of this moment, and the statements of a file (which may be missing). */
void writer_init(struct writer *writer, sqlite3 *app, const char *table, const char *file);
void writer_fini(struct writer *writer);
/* The n-th statement of this writer. */
void writer_statement(const struct writer *writer, int n, char sql[WRITE_BYTES]);
enum write_rule {
    WRITE_ANY,
    WRITE_NOTES_CONTRACT,   /* the log tells whether it was made from contract on */
    WRITE_ENDS_AT_CONTRACT, /* code of the old shape, which nobody runs then: it writes nothing */
};
/* Hands the n-th statement to SQLite, with the log's account of it. */
void writer_write(const struct writer *writer, sqlite3 *app, int n, enum write_rule rule,
                  struct write_log *log);

#endif
