/*
 * database_engine - what an engine must offer to stand behind database.h. Only files of this room
 * include it.
 *
 * An engine's own struct begins with a struct database. The dispatcher checks arguments and keeps
 * what all engines have in common; an engine never looks at another one.
 */
#ifndef DATABASE_ENGINE_H
#define DATABASE_ENGINE_H

#include "base/arena.h"
#include "database/database.h"

struct database_engine {
    const char *scheme;
    bool remote; /* "sqlite", as in sqlite:PATH */
    /* name is the URL behind "scheme:"; *out is set on ERR_OK alone. */
    enum err_code (*open)(const char *name, const struct database_options *options,
                          struct database **out, struct err *err);
    void (*close)(struct database *db);
    enum err_code (*probe)(struct database *db, struct database_capabilities *out, struct err *err);
    enum err_code (*query)(struct database *db, const char *sql,
                           const struct database_value *params, size_t param_count,
                           struct database_rows *rows, struct err *err);
    enum err_code (*batch)(struct database *db, const struct database_batch *batch,
                           struct database_batch_result *result, struct err *err);
    enum err_code (*check)(struct database *db, const char *sql, struct err *err);
    const char *(*hazard)(const char *sql); /* NULL: takes nothing apart */
    void (*bound)(struct database *db, const struct database_bounds *bounds); /* NULL: cannot */
    enum err_code (*maintenance)(struct database *db, const struct database_maintenance *work,
                                 struct err *err); /* NULL: cannot */
    enum err_code (*snapshot)(struct database *db, const char *path, struct database_copied *copied,
                              struct err *err); /* NULL: cannot */
    enum err_code (*restore)(const char *name, const char *copy, const char *condition,
                             struct err *err); /* NULL: cannot */
    enum err_code (*bookmark)(struct database *db, char *out, size_t size,
                              struct err *err); /* NULL: cannot */
    enum err_code (*rewind)(struct database *db, const char *bookmark, char *undo, size_t size,
                            struct err *err);                          /* NULL: cannot */
    void (*users)(const char *name, char *out, size_t size);           /* NULL: unknown */
    int64_t (*log_bytes)(struct database *db);                         /* NULL: unknown */
    void (*checkpoint)(struct database *db, struct database_log *out); /* NULL: nothing to do */
    enum err_code (*write_ahead)(struct database *db, bool on, bool *done,
                                 struct err *err); /* NULL: cannot */
};

struct database {
    const struct database_engine *engine;
    char *url; /* without secrets */
    bool probed;
    struct database_capabilities capabilities;
};

struct database_rows {
    struct arena arena; /* names, texts */
    size_t columns, count, room;
    const char **names;
    struct database_value *values; /* count * columns; malloc'd, grows */
};

/* Names the columns once; then rows are added one by one and their values set. */
MUST_USE enum err_code database_rows_start(struct database_rows *rows, size_t columns,
                                           struct err *err);
MUST_USE enum err_code database_rows_set_name(struct database_rows *rows, size_t column,
                                              const char *name, struct err *err);
/* Adds a row of NULLs and lends its values. ERR_LIMIT over DATABASE_ROWS_MAX. */
MUST_USE enum err_code database_rows_add(struct database_rows *rows, struct database_value **out,
                                         struct err *err);
/* Copies TEXT or BLOB bytes into the rows' memory. */
MUST_USE enum err_code database_rows_bytes(struct database_rows *rows, struct database_value *value,
                                           enum database_type type, const void *at, size_t len,
                                           struct err *err);

/* The statement that refuses a batch by itself unless condition is true. malloc'd; NULL: no
 * memory. */
char *database_guard_sql(const char *condition);

extern const struct database_engine database_engine_sqlite;
extern const struct database_engine database_engine_d1;

#endif
