#include "migrator/arrow/touched.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define FORGET_ROWS 2000 /* at once: a few ms */
#define ROUNDS_MAX 1000

struct names {
    char list[64], insert[64], update[64];
};

static struct names names_of(const struct change *change)
{
    struct names out;
    long number = change->migration->number;

    (void)snprintf(out.list, sizeof out.list, "lockstep_touched_%ld", number);
    (void)snprintf(out.insert, sizeof out.insert, "lockstep_%ld_touched_insert", number);
    (void)snprintf(out.update, sizeof out.update, "lockstep_%ld_touched_update", number);
    return out;
}

bool touched_there(const struct change *change)
{
    struct names names = names_of(change);

    for (size_t i = 0; i < change->shape.object_count; i++) {
        if (strcmp(change->shape.objects[i].name, names.insert) == 0) {
            return true;
        }
    }
    return false;
}

static void add_key(const struct shape *shape, const char *before, struct buf *sql)
{
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_print(sql, "%s%s", i > 0 ? ", " : "", before);
        if (shape->without_rowid) {
            buf_sql_name(sql, str_of(shape->key[i]));
        } else {
            buf_text(sql, shape->key[i]);
        }
    }
}

static void add_places(const struct shape *shape, struct buf *sql)
{
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_print(sql, "%sk%zu", i > 0 ? ", " : "", i + 1);
    }
}

static void finish(struct buf *sql, struct work *work)
{
    work_sql(work, buf_cstr(sql));
    work->failed = work->failed || buf_failed(sql);
    buf_fini(sql);
}

static void add_list(struct buf *sql, const char *before, const char *list, const char *after)
{
    buf_text(sql, before);
    buf_sql_name(sql, str_of(list));
    buf_text(sql, after);
}

static void make_trigger(const struct change *change, const char *name, const char *event,
                         const char *list, struct work *work)
{
    struct buf sql = {0};

    add_list(&sql, "CREATE TRIGGER ", name, event);
    buf_sql_name(&sql, str_of(change->shape.table));
    add_list(&sql, " WHEN coalesce((SELECT max(id) FROM ", list, "), 0) < ");
    buf_print(&sql, "%d BEGIN INSERT INTO ", TOUCHED_MAX);
    add_list(&sql, "", list, "(");
    add_places(&change->shape, &sql);
    buf_text(&sql, ") VALUES(");
    add_key(&change->shape, "NEW.", &sql);
    buf_text(&sql, "); END");
    finish(&sql, work);
}

void touched_drop(const struct change *change, struct work *work)
{
    struct names names = names_of(change);
    const char *const drops[][2] = {{"DROP TRIGGER IF EXISTS ", names.insert},
                                    {"DROP TRIGGER IF EXISTS ", names.update},
                                    {"DROP TABLE IF EXISTS ", names.list}};

    for (size_t i = 0; i < 3; i++) {
        struct buf sql = {0};
        add_list(&sql, drops[i][0], drops[i][1], "");
        finish(&sql, work);
    }
}

enum err_code touched_begin(struct migrate *m, size_t index, const struct change *change,
                            struct err *err)
{
    struct names names = names_of(change);
    struct work work = {0};
    struct buf sql = {0};
    enum err_code rc;

    touched_drop(change, &work);
    add_list(&sql, "CREATE TABLE ", names.list, "(id INTEGER PRIMARY KEY, ");
    add_places(&change->shape, &sql);
    buf_char(&sql, ')');
    finish(&sql, &work);
    make_trigger(change, names.insert, " AFTER INSERT ON ", names.list, &work);
    make_trigger(change, names.update, " AFTER UPDATE ON ", names.list, &work);
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    if (rc) {
        err_wrap(err, "%.80s", m->folder.at[index].name);
    }
    return rc;
}

void touched_end(struct migrate *m, const struct change *change)
{
    struct work work = {0};
    struct err unused = {0};
    enum err_code rc;

    touched_drop(change, &work);
    rc = work_run(&work, m->db, &m->lock, NULL, &unused);
    (void)rc; /* capped, harmless, and dropped by the next run */
    work_fini(&work);
}

/* "SELECT 1 FROM t WHERE key IN (list up to ?1) AND (condition)": the list's names are seen by the
 * inner query alone, so that they hide no column of the table. */
static void add_search(const struct change *change, const char *list, bool bounded,
                       const char *condition, struct buf *sql)
{
    bool many = change->shape.key_count > 1;

    buf_text(sql, "SELECT 1 FROM ");
    buf_sql_name(sql, str_of(change->shape.table));
    buf_text(sql, many ? " WHERE (" : " WHERE ");
    add_key(&change->shape, "", sql);
    buf_text(sql, many ? ") IN (SELECT " : " IN (SELECT ");
    add_places(&change->shape, sql);
    add_list(sql, " FROM ", list, bounded ? " WHERE id <= ?1) AND (" : ") AND (");
    buf_text(sql, condition);
    buf_char(sql, ')');
}

/* Looks at those up to id last, and forgets them. A row that is written meanwhile is noted again,
 * behind last. */
static enum err_code forget(struct migrate *m, const struct change *change, const char *list,
                            int64_t last, const char *condition, struct err *err)
{
    struct database_value param = database_int(last);
    struct database_rows *rows = NULL;
    struct work work = {0};
    struct buf sql = {0};
    enum err_code rc;

    add_search(change, list, true, condition, &sql);
    rc = buf_failed(&sql) ? err_set(err, ERR_NOMEM, "out of memory")
                          : database_query(m->db, buf_cstr(&sql), &param, 1, &rows, err);
    buf_fini(&sql);
    if (rc == ERR_OK && database_rows_count(rows) > 0) {
        rc = err_set(err, ERR_CONFLICT,
                     "a row that was written while all were being verified is not right; `migrate "
                     "verify` shows it");
    }
    database_rows_free(rows);
    if (rc) {
        return rc;
    }
    add_list(&sql, "DELETE FROM ", list, " WHERE id <= ?1");
    work_sql_with(&work, buf_cstr(&sql), 1, &param);
    work.failed = work.failed || buf_failed(&sql);
    buf_fini(&sql);
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    return rc;
}

enum err_code touched_catch_up(struct migrate *m, size_t index, const struct change *change,
                               const char *condition, struct err *err)
{
    struct names names = names_of(change);
    struct buf bounds = {0};
    enum err_code rc = ERR_OK;

    add_list(&bounds, "SELECT count(*), min(id), max(id) FROM ", names.list, "");
    for (int round = 0; rc == ERR_OK && round < ROUNDS_MAX; round++) {
        struct database_rows *rows = NULL;
        int64_t count, first, last;
        rc = database_query(m->db, buf_cstr(&bounds), NULL, 0, &rows, err);
        if (rc) {
            break;
        }
        count = database_rows_int(rows, 0, 0, 0);
        first = database_rows_int(rows, 0, 1, 0);
        last = database_rows_int(rows, 0, 2, 0);
        database_rows_free(rows);
        if (last >= TOUCHED_MAX) {
            break;
        }
        if (count <= TOUCHED_LAST) {
            buf_fini(&bounds);
            return ERR_OK;
        }
        rc = forget(m, change, names.list, last - first > FORGET_ROWS ? first + FORGET_ROWS : last,
                    condition, err);
        clock_sleep_us(2000);
    }
    buf_fini(&bounds);
    return rc ? rc
              : err_set(err, ERR_CONFLICT,
                        "%.80s: the table is written faster than its rows can be verified; try "
                        "again at a quieter hour",
                        m->folder.at[index].name);
}

void touched_demand(const struct change *change, const char *condition, const char *refusal,
                    struct work *work)
{
    struct names names = names_of(change);
    struct buf sql = {0};

    buf_text(&sql, "(SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN (");
    buf_sql_text(&sql, str_of(names.insert));
    buf_text(&sql, ", ");
    buf_sql_text(&sql, str_of(names.update));
    add_list(&sql, ")) = 2 AND coalesce((SELECT max(id) FROM ", names.list, "), 0) < ");
    buf_print(&sql, "%d", TOUCHED_MAX);
    work_before(work, ERR_CONFLICT,
                "rows were written faster than they could be noted; run the command again",
                buf_cstr(&sql), 0, NULL);
    buf_clear(&sql);
    buf_text(&sql, "NOT EXISTS (");
    add_search(change, names.list, false, condition, &sql);
    buf_char(&sql, ')');
    work_before(work, ERR_CONFLICT, refusal, buf_cstr(&sql), 0, NULL);
    work->failed = work->failed || buf_failed(&sql);
    buf_fini(&sql);
}
