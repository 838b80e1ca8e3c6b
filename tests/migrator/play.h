/*
 * play - plays the parts in a test: an application with a SQLite connection of its own, and a
 * deploy pipeline that calls the library.
 */
#ifndef TESTS_MIGRATOR_PLAY_H
#define TESTS_MIGRATOR_PLAY_H

#include <stdbool.h>

#include <sqlite3.h>

#include "base/err.h"
#include "base/json.h"

/* ---- the application; a failure fails the test ---- */
sqlite3 *app_open(const char *path);
void app_close(sqlite3 *app);
void app_run(sqlite3 *app, const char *sql);
/* Runs it; the extended result code. */
int app_try(sqlite3 *app, const char *sql);
/* All rows as text, "a|b\n"; NULL as "~". free(). */
char *app_rows(sqlite3 *app, const char *sql);
long long app_number(sqlite3 *app, const char *sql);
/* Schema objects that are not ours, without the ledger: "type|name|sql\n". free(). */
char *app_schema(sqlite3 *app);

/* ---- files ---- */
void play_write(const char *path, const char *text); /* makes the folders on the way */
void play_remove(const char *path);                  /* a folder with all below, or a file */
void play_copy(const char *from, const char *to);
char *play_read(const char *path); /* free() */

/* ---- the pipeline: each opens, does one thing and closes; *err has the message ---- */
enum err_code play_apply(const char *db, const char *folder, const char *to, struct err *err);
enum err_code play_apply_one(const char *db, const char *folder, const char *target, const char *to,
                             struct err *err);
enum err_code play_rollback(const char *db, const char *folder, const char *to, struct err *err);
enum err_code play_verify(const char *db, const char *folder, struct err *err);
/* The state of a migration as status tells it; "" if it is not there. Lent until the next call. */
const char *play_state(const char *db, const char *folder, const char *migration);
/* The report of the last call that gave one; lent until the next. */
const struct json *play_report(void);
/* Must succeed, else the test fails with the message. */
#define PLAY(call)                                                                                 \
    do {                                                                                           \
        struct err play_err = {0};                                                                 \
        if ((call) != ERR_OK) {                                                                    \
            fail_msg("%s", play_err.msg);                                                          \
        }                                                                                          \
    } while (0)

#endif
