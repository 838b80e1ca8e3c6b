/*
 * d1 - what the sources of the D1 driver share: one open database. Only they include it.
 */
#ifndef DATABASE_D1_H
#define DATABASE_D1_H

#include "database/d1_call.h"

#define D1_KNOWN_QUERIES 128u
#define D1_SESSION_BYTES 33

struct known_query { /* what columns a query has */
    char *sql;
    char **names;
    size_t count;
};

struct d1 {
    struct database db; /* first: the dispatcher sees this */
    struct d1_call call;
    char *id;   /* of the database */
    char *path; /* "/ID/raw" */
    bool read_only, prepared;
    char session[D1_SESSION_BYTES];
    int64_t number; /* of the last batch that was carried out */
    int64_t given;  /* the last number given to a batch: each has one of its own */
    struct known_query known[D1_KNOWN_QUERIES];
    size_t known_count;
};

/* d1_query.c: rows whose values are what the engine has, and the columns that were learnt for it. */
MUST_USE enum err_code d1_query(struct database *db, const char *sql,
                                const struct database_value *params, size_t param_count,
                                struct database_rows *rows, struct err *err);
void d1_forget_queries(struct d1 *d1);

/* d1_batch.c */
MUST_USE enum err_code d1_batch(struct database *db, const struct database_batch *batch,
                                struct database_batch_result *result, struct err *err);

/* d1_import.c: a file of statements, which the service carries out by itself while the database answers
 * nobody else. ERR_OK: it says that it is done. *known false: nobody knows what became of it, the
 * database must be asked; else it was refused, with the engine's words. */
MUST_USE enum err_code d1_import(struct d1 *d1, const struct buf *script, bool *known,
                                 struct err *err);

#endif
