#include "tests/migrator/play.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "base/file.h"
#include "migrator/migrate.h"

/* ---- the application ---- */

sqlite3 *app_open(const char *path)
{
    sqlite3 *app = NULL;

    assert_int_equal(sqlite3_open(path, &app), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(app, 10000), SQLITE_OK);
    assert_int_equal(sqlite3_extended_result_codes(app, 1), SQLITE_OK);
    return app;
}

void app_close(sqlite3 *app)
{
    assert_int_equal(sqlite3_close(app), SQLITE_OK);
}

int app_try(sqlite3 *app, const char *sql)
{
    return sqlite3_exec(app, sql, NULL, NULL, NULL);
}

void app_run(sqlite3 *app, const char *sql)
{
    if (app_try(app, sql) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(app));
    }
}

static int add_row(void *ctx, int count, char **values, char **names)
{
    struct buf *out = ctx;

    (void)names;
    for (int i = 0; i < count; i++) {
        buf_print(out, "%s%s", i > 0 ? "|" : "", values[i] != NULL ? values[i] : "~");
    }
    buf_char(out, '\n');
    return 0;
}

char *app_rows(sqlite3 *app, const char *sql)
{
    struct buf out = {0};

    if (sqlite3_exec(app, sql, add_row, &out, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(app));
    }
    buf_text(&out, "");
    return out.at != NULL ? buf_take(&out) : strdup("");
}

long long app_number(sqlite3 *app, const char *sql)
{
    char *rows = app_rows(app, sql);
    long long out = strtoll(rows, NULL, 10);

    free(rows);
    return out;
}

char *app_schema(sqlite3 *app)
{
    return app_rows(app, "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE "
                         "'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' ORDER "
                         "BY type, name");
}

/* ---- files ---- */

void play_write(const char *path, const char *text)
{
    char folder[600];
    FILE *file;

    snprintf(folder, sizeof folder, "%s", path);
    for (char *p = folder + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            assert_true(mkdir(folder, 0755) == 0 || errno == EEXIST);
            *p = '/';
        }
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void play_remove(const char *path)
{
    struct err err = {0};
    char **names = NULL;
    size_t count = 0;

    if (file_is_folder(path)) {
        assert_int_equal(file_list(path, &names, &count, &err), ERR_OK);
        for (size_t i = 0; i < count; i++) {
            char below[700];
            snprintf(below, sizeof below, "%s/%s", path, names[i]);
            play_remove(below);
        }
        file_list_free(names, count);
        assert_int_equal(rmdir(path), 0);
    } else {
        assert_true(unlink(path) == 0 || errno == ENOENT);
    }
}

char *play_read(const char *path)
{
    struct err err = {0};
    char *text = NULL;
    size_t len = 0;

    if (file_read(path, 64u << 20, &text, &len, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    return text;
}

void play_copy(const char *from, const char *to)
{
    struct err err = {0};
    char *bytes = NULL;
    size_t len = 0;

    assert_int_equal(file_read(from, 64u << 20, &bytes, &len, &err), ERR_OK);
    assert_int_equal(file_write_atomic(to, bytes, len, 0644, &err), ERR_OK);
    free(bytes);
}

/* ---- the pipeline ---- */

static struct json *report;

static struct migrate *begin(const char *db, const char *folder, struct err *err)
{
    struct migrate_options options = {.database = db, .folder = folder, .create = true};
    struct migrate *m = NULL;

    json_free(report);
    report = NULL;
    return migrate_open(&options, &m, err) == ERR_OK ? m : NULL;
}

const struct json *play_report(void)
{
    return report;
}

enum err_code play_apply_one(const char *db, const char *folder, const char *target, const char *to,
                             struct err *err)
{
    struct migrate *m = begin(db, folder, err);
    struct migrate_apply what = {.target = target, .to_state = to, .recovery_point = "none"};
    enum err_code rc = m != NULL ? migrate_apply(m, &what, &report, err) : err->code;

    migrate_close(m);
    return rc;
}

enum err_code play_apply(const char *db, const char *folder, const char *to, struct err *err)
{
    return play_apply_one(db, folder, NULL, to, err);
}

enum err_code play_rollback(const char *db, const char *folder, const char *to, struct err *err)
{
    struct migrate *m = begin(db, folder, err);
    struct migrate_rollback what = {.to_state = to};
    enum err_code rc = m != NULL ? migrate_rollback(m, &what, &report, err) : err->code;

    migrate_close(m);
    return rc;
}

enum err_code play_verify(const char *db, const char *folder, struct err *err)
{
    struct migrate *m = begin(db, folder, err);
    enum err_code rc = m != NULL ? migrate_verify(m, NULL, &report, err) : err->code;

    migrate_close(m);
    return rc;
}

const char *play_state(const char *db, const char *folder, const char *migration)
{
    struct err err = {0};
    struct migrate *m = begin(db, folder, &err);

    if (m == NULL || migrate_status(m, &report, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    migrate_close(m);
    for (const struct json *one = json_first(json_get(report, "migrations")); one != NULL;
         one = json_next(one)) {
        if (strcmp(json_get_text(one, "name", ""), migration) == 0) {
            return json_get_text(one, "state", "");
        }
    }
    return "";
}
