/*
 * migrate_rehearse(): the walk on a copy of the rows, before it is done where they live.
 *
 * The copy becomes a database of its own, so that it speaks for nobody, and is told that it can do
 * what the real one can. Then each migration goes forth to contracted, back to where it began, where
 * rows and schema must be what they were, and forth to its end, for the next one to find its schema.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "database/sql_scan.h"
#include "migrator/session/session.h"
#include "migrator/sql/shape.h"
#include "migrator/walk/ranges.h"
#include "migrator/walk/snapshot.h"

#define COMPARE_ROWS 2000 /* in memory at a time */

struct rehearsal {
    struct migrate *real, *copy;
    const struct migrate_rehearse *what;
    char folder[512], path[600]; /* folder "": the copy is kept, and stands elsewhere */
    bool made;                   /* whatever stands there is ours */
    size_t last;                 /* index of the last that is walked */
    struct json *migrations;
    struct json *entry; /* of the migration of the moment; lent */
    struct err *err;
};

/* ---- the copy ---- */

static enum err_code choose_path(struct rehearsal *r)
{
    const char *tmp = getenv("TMPDIR");

    if (r->what->keep != NULL) {
        (void)snprintf(r->path, sizeof r->path, "%.590s", r->what->keep);
        return ERR_OK;
    }
    (void)snprintf(r->folder, sizeof r->folder, "%.400s/lockstep-rehearsal.XXXXXX",
                   tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(r->folder) == NULL) {
        enum err_code rc = err_set(r->err, ERR_IO,
                                   "no folder for the copy can be made (%.300s): set TMPDIR, or "
                                   "name a file by --keep",
                                   r->folder);
        r->folder[0] = '\0';
        return rc;
    }
    (void)snprintf(r->path, sizeof r->path, "%s/copy.db", r->folder);
    return ERR_OK;
}

static void remove_copy(const struct rehearsal *r)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < 4; i++) {
        char path[620];
        (void)snprintf(path, sizeof path, "%s%s", r->path, tails[i]);
        (void)unlink(path);
    }
    if (r->folder[0] != '\0') {
        (void)rmdir(r->folder);
    }
}

static enum err_code take_snapshot(struct rehearsal *r, struct json *report)
{
    const struct database_capabilities *can = NULL;
    struct database_copied copied = {0};
    struct snapshot_told told = {0};
    struct json *out = json_object();
    int64_t began_us = clock_monotonic_us();
    bool there = file_exists(r->path);
    enum err_code rc = database_probe(r->real->db, &can, r->err);

    if (rc == ERR_OK && can->snapshot) {
        rc = database_snapshot(r->real->db, r->path, &copied, r->err);
        told = (struct snapshot_told){copied.tables, copied.rows, copied.bytes, NULL};
    } else if (rc == ERR_OK) {
        rc = snapshot_read(r->real->db, r->path, r->real->options.progress,
                           r->real->options.progress_ctx, &told, r->err);
    }
    (void)json_put_text(out, "file", r->what->keep != NULL ? r->path : "");
    (void)json_put_number(out, "tables", (double)told.tables);
    (void)json_put_number(out, "rows", (double)told.rows);
    (void)json_put_number(out, "bytes", (double)told.bytes);
    (void)json_put_number(out, "duration_ms", (double)(clock_monotonic_us() - began_us) / 1000);
    if (told.left_out != NULL) {
        (void)json_put(out, "left_out", told.left_out);
    }
    (void)json_put(report, "snapshot", out);
    r->made = rc == ERR_OK || !there;
    if (rc) {
        err_wrap(r->err, "the copy for the rehearsal");
    }
    return rc;
}

/* Flags and what gates ask of them cannot be had in a rehearsal. */
static enum err_code without_gates(struct migrate *copy, struct err *err)
{
    for (size_t i = 0; i < copy->folder.count; i++) {
        const struct phased *from = copy->folder.at[i].phased;
        struct phased *phased;
        if (from == NULL) {
            continue;
        }
        phased = arena_zero(&copy->arena, 1, sizeof *phased);
        if (phased == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
        *phased = *from;
        phased->flag = phased->flag_old = phased->flag_new = NULL;
        memset(phased->gates, 0, sizeof phased->gates);
        memset(phased->watch, 0, sizeof phased->watch);
        copy->folder.at[i].phased = phased;
    }
    return ERR_OK;
}

/* What the real one cannot do is not done here either; ALTER COLUMN, which this SQLite may not know,
 * is played by an edit of the table's text. */
static enum err_code pretend(struct rehearsal *r)
{
    const struct database_capabilities *can = NULL, *own = NULL;
    struct database_capabilities as;
    enum err_code rc = database_probe(r->real->db, &can, r->err);

    rc = rc ? rc : database_probe(r->copy->db, &own, r->err);
    if (rc) {
        return rc;
    }
    as = *can;
    as.writable_schema =
        can->writable_schema || (can->alter_drop_not_null && !own->alter_drop_not_null);
    as.alter_drop_not_null = can->alter_drop_not_null && own->alter_drop_not_null;
    as.snapshot = own->snapshot;
    as.maintenance = own->maintenance;
    as.bookmarks = false;
    as.own_collations = own->own_collations;
    as.readers_block = own->readers_block;
    database_pretend(r->copy->db, &as);
    return ERR_OK;
}

/* Who is at work in the real one has no business here. */
static enum err_code free_lock(struct rehearsal *r)
{
    struct database_statement statement = {"UPDATE lockstep_lock SET owner = NULL, expires_at = 0",
                                           NULL, 0};
    struct database *db = NULL;
    enum err_code rc = r->real->meta.exists ? database_open(r->path, NULL, &db, r->err) : ERR_OK;

    rc = rc || db == NULL
             ? rc
             : database_batch(
                   db, &(struct database_batch){.statements = &statement, .statement_count = 1},
                   NULL, r->err);
    database_close(db);
    return rc;
}

static enum err_code open_copy(struct rehearsal *r)
{
    struct migrate_options options = r->real->options;
    struct json *report = NULL;
    enum err_code rc;

    options.database = r->path;
    options.database_token = options.database_api = NULL;
    options.environment = NULL;
    options.flag_server = options.flag_token = NULL;
    options.create = false;
    rc = free_lock(r);
    rc = rc ? rc : migrate_open(&options, &r->copy, r->err);
    rc = rc ? rc : without_gates(r->copy, r->err);
    if (rc == ERR_OK && r->real->meta.exists) {
        rc = migrate_repair(r->copy,
                            &(struct migrate_repair){.new_identity = true, .reason = "rehearsal"},
                            &report, r->err);
        json_free(report);
    }
    rc = rc ? rc : session_write(r->copy, r->err);
    return rc ? rc : pretend(r);
}

/* ---- what was there ---- */

static enum err_code digest_rows(struct rehearsal *r, const char *table, struct digest *digest)
{
    struct database *db = r->copy->db;
    struct arena arena = {0};
    struct shape shape;
    struct range range = {0};
    bool more = true;
    enum err_code rc = shape_read(db, table, &arena, &shape, r->err);

    rc = rc ? rc : range_start(&range, &shape, NULL, r->err);
    rc = rc ? rc : range_next(&range, db, COMPARE_ROWS, &more, r->err);
    while (rc == ERR_OK && more) {
        struct database_value params[RANGE_PARAMS_MAX];
        struct database_rows *rows = NULL;
        struct buf sql = {0};
        size_t count;
        buf_text(&sql, "SELECT ");
        range_key_columns(&shape, &sql);
        buf_text(&sql, ", * FROM ");
        buf_sql_name(&sql, str_of(shape.table));
        buf_text(&sql, " WHERE 1");
        count = range_condition(&range, &sql, params);
        buf_text(&sql, " ORDER BY ");
        range_key_columns(&shape, &sql);
        rc = database_query(db, buf_cstr(&sql), params, count, &rows, r->err);
        for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
            for (size_t k = 0; k < database_rows_columns(rows); k++) {
                const struct database_value *v = database_rows_at(rows, i, k);
                bool bytes = v->type == DATABASE_TEXT || v->type == DATABASE_BLOB;
                unsigned char type = (unsigned char)v->type;
                digest_add(digest, &type, 1);
                digest_add(digest, bytes ? (const void *)v->as.bytes.at : (const void *)&v->as.i,
                           bytes                      ? v->as.bytes.len
                           : v->type == DATABASE_NULL ? 0
                                                      : sizeof v->as.i);
            }
        }
        database_rows_free(rows);
        buf_fini(&sql);
        rc = rc ? rc : range_next(&range, db, COMPARE_ROWS, &more, r->err);
    }
    range_fini(&range);
    arena_fini(&arena);
    return rc;
}

struct was {
    struct database_rows *schema; /* of the application */
    char rows[DIGEST_HEX_BYTES];  /* of the migration's table; "" if it has none */
};

static enum err_code look(struct rehearsal *r, const struct phased *phased, struct was *out)
{
    struct database_value table = database_text(phased->table);
    struct database_value ledger = database_text(r->copy->options.ledger);
    struct database_rows *there = NULL;
    struct digest digest;
    enum err_code rc = database_query(
        r->copy->db,
        "SELECT type || ' ' || name, sql FROM sqlite_master WHERE substr(name, 1, 9) <> "
        "'lockstep_' AND substr(name, 1, 7) <> 'sqlite_' AND name <> ?1 ORDER BY type, name",
        &ledger, 1, &out->schema, r->err);

    out->rows[0] = '\0';
    if (rc == ERR_OK && phased->table != NULL) {
        rc = database_query(
            r->copy->db,
            "SELECT name FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?1)",
            &table, 1, &there, r->err);
    }
    if (rc == ERR_OK && there != NULL && database_rows_count(there) > 0) {
        digest_init(&digest);
        rc = digest_rows(r, database_rows_text(there, 0, 0), &digest);
        digest_end(&digest, out->rows);
    }
    database_rows_free(there);
    return rc;
}

/* The first object that differs, or NULL. */
static const char *other_schema(const struct was *before, const struct was *after)
{
    size_t count = database_rows_count(before->schema), now = database_rows_count(after->schema);

    for (size_t i = 0; i < count && i < now; i++) {
        const char *a = database_rows_text(before->schema, i, 1);
        const char *b = database_rows_text(after->schema, i, 1);
        if (strcmp(database_rows_text(before->schema, i, 0),
                   database_rows_text(after->schema, i, 0)) != 0 ||
            (a == NULL) != (b == NULL) || (a != NULL && !sql_same_tokens(str_of(a), str_of(b)))) {
            return database_rows_text(before->schema, i, 0);
        }
    }
    return count > now   ? database_rows_text(before->schema, now, 0)
           : count < now ? database_rows_text(after->schema, count, 0)
                         : NULL;
}

/* ---- the walk ---- */

static void keep_steps(struct rehearsal *r, struct json *report)
{
    static const char *const lists[] = {"steps", "waits"};

    for (size_t i = 0; i < 2; i++) {
        for (const struct json *one = json_first(json_get(report, lists[i])); one != NULL;
             one = json_next(one)) {
            (void)json_append(json_get(r->entry, lists[i]), json_copy(one));
        }
    }
    json_free(report);
}

/* Nor the time without writes of old code: on the copy it is over. */
static enum err_code idle(struct rehearsal *r)
{
    struct database_statement statement = {"UPDATE lockstep_activity SET written_at = 0", NULL, 0};

    return database_batch(r->copy->db,
                          &(struct database_batch){.statements = &statement, .statement_count = 1},
                          NULL, r->err);
}

static enum err_code go(struct rehearsal *r, size_t index, enum mig_state to)
{
    bool phased = r->copy->folder.at[index].phased != NULL;
    struct migrate_apply what = {.target = r->copy->folder.at[index].name,
                                 .to_state = phased ? mig_state_name(to) : NULL,
                                 .recovery_point = "none",
                                 .maintenance = r->what->maintenance};
    struct json *report = NULL;
    enum err_code rc = phased && to >= MIG_CONTRACTED && r->copy->meta.exists ? idle(r) : ERR_OK;

    rc = rc ? rc : migrate_apply(r->copy, &what, &report, r->err);
    keep_steps(r, report);
    return rc ? rc : session_reread(r->copy, r->err);
}

/* Down to where it began. Refused by the migration itself (a phase by hand without its way back):
 * that is said, and no failure. */
static enum err_code come_back(struct rehearsal *r, size_t index, enum mig_state to, bool *back)
{
    struct migrate_rollback what = {.target = r->copy->folder.at[index].name,
                                    .to_state = to == MIG_PENDING ? NULL : mig_state_name(to),
                                    .recovery_point = "none",
                                    .maintenance = true};
    struct err why = {0};
    struct json *report = NULL;
    enum err_code rc = migrate_rollback(r->copy, &what, &report, &why);

    *back = rc == ERR_OK;
    keep_steps(r, report);
    if (rc == ERR_CONFLICT) {
        (void)json_put_text(r->entry, "back", why.msg);
        rc = ERR_OK;
    } else if (rc != ERR_OK) {
        *r->err = why;
    }
    return rc ? rc : session_reread(r->copy, r->err);
}

static enum err_code compare(struct rehearsal *r, const struct migration *migration,
                             const struct was *before)
{
    struct was after = {0};
    const char *object;
    enum err_code rc = look(r, migration->phased, &after);

    object = rc == ERR_OK ? other_schema(before, &after) : NULL;
    if (object != NULL) {
        (void)json_put_text(r->entry, "back", "another schema");
        rc = err_set(r->err, ERR_CONFLICT, "%.80s: the way back left another schema: %.100s",
                     migration->name, object);
    } else if (rc == ERR_OK && migration->phased->alter_count > 0) {
        (void)json_put_text(r->entry, "back", "equal, but for NULLs that were filled");
    } else if (rc == ERR_OK && strcmp(before->rows, after.rows) != 0) {
        (void)json_put_text(r->entry, "back", "other rows");
        rc = err_set(r->err, ERR_CONFLICT, "%.80s: the way back left other rows in \"%.80s\"",
                     migration->name, migration->phased->table);
    } else if (rc == ERR_OK) {
        (void)json_put_text(r->entry, "back", "equal");
    }
    database_rows_free(after.schema);
    return rc;
}

static enum err_code there_and_back(struct rehearsal *r, size_t index)
{
    const struct migration *migration = &r->copy->folder.at[index];
    enum mig_state from = session_state(r->copy, index);
    struct was before = {0};
    bool back = false;
    enum err_code rc = look(r, migration->phased, &before);

    for (enum mig_state s = (enum mig_state)(from + 1); rc == ERR_OK && s <= MIG_CONTRACTED;
         s = (enum mig_state)(s + 1)) {
        if (session_state(r->copy, index) < s) {
            rc = go(r, index, s);
        }
    }
    if (rc == ERR_OK && session_state(r->copy, index) == MIG_PURGED) {
        (void)json_put_text(r->entry, "back", "none: without rows it goes to its end at once");
    } else if (rc == ERR_OK && from < MIG_CONTRACTED) {
        rc = come_back(r, index, from, &back);
        rc = rc || !back ? rc : compare(r, migration, &before);
    }
    database_rows_free(before.schema);
    return rc;
}

static enum err_code walk_one(struct rehearsal *r, size_t index)
{
    const struct migration *migration = &r->copy->folder.at[index];
    enum mig_state from = session_state(r->copy, index);
    enum err_code rc;

    r->entry = json_object();
    (void)json_put_text(r->entry, "name", migration->name);
    (void)json_put_text(r->entry, "kind", migration_kind_name(migration->kind));
    (void)json_put_text(r->entry, "from", mig_state_name(from));
    (void)json_put(r->entry, "steps", json_array());
    (void)json_put(r->entry, "waits", json_array());
    (void)json_append(r->migrations, r->entry);
    if (migration->phased == NULL) {
        return go(r, index, MIG_APPLIED);
    }
    rc = there_and_back(r, index);
    if (rc == ERR_OK && session_state(r->copy, index) < MIG_IN_SYNC) {
        rc = go(r, index, MIG_IN_SYNC);
    }
    return rc || session_state(r->copy, index) == MIG_PURGED ? rc : go(r, index, MIG_PURGED);
}

static enum err_code walk_all(struct rehearsal *r)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i <= r->last && i < r->copy->folder.count; i++) {
        enum mig_state state = session_state(r->copy, i);
        if (r->copy->folder.at[i].phased != NULL ? state < MIG_PURGED : state == MIG_PENDING) {
            rc = walk_one(r, i);
        }
    }
    return rc;
}

enum err_code migrate_rehearse(struct migrate *m, const struct migrate_rehearse *what,
                               struct json **report, struct err *err)
{
    struct rehearsal r = {.real = m, .what = what, .last = m->folder.count, .err = err};
    struct json *out = json_object();
    enum err_code rc = session_read(m, err);

    *report = NULL;
    r.migrations = json_array();
    rc = rc ? rc : session_check_drift(m, err);
    if (rc == ERR_OK && what->target != NULL) {
        rc = folder_find(&m->folder, what->target, &r.last, err);
    }
    rc = rc ? rc : choose_path(&r);
    rc = rc ? rc : take_snapshot(&r, out);
    rc = rc ? rc : open_copy(&r);
    if (rc == ERR_OK) {
        (void)json_put_text(out, "database", database_url(m->db));
        (void)json_put_text(out, "environment", m->environment);
        rc = walk_all(&r);
        (void)json_put_bool(out, "done", rc == ERR_OK);
        (void)json_put(out, "migrations", r.migrations);
        *report = out;
    } else {
        json_free(r.migrations);
        json_free(out);
    }
    migrate_close(r.copy);
    if (r.made && (what->keep == NULL || *report == NULL)) {
        remove_copy(&r);
    }
    return rc;
}
