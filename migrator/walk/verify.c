#include "migrator/walk/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/change/way_back.h"
#include "migrator/walk/hand_run.h"
#include "migrator/walk/ranges.h"
#include "migrator/walk/watch.h"

#define PAUSE_MIN_US 2000 /* as the backfill's: below it, writers starve */

struct pass {
    struct migrate *m;
    const struct migration *migration;
    const struct change *change;
    struct verification *out;
    int64_t total;
    bool blocking;     /* reading keeps writers out */
    const char *nulls; /* rows that old code could not have made before expand; "" for none */
    int64_t violators[2 * PHASED_COLUMNS_MAX]; /* of added, then of altered columns */
    int64_t loosened;                          /* how many rows nulls holds for */
    const char *fault;                         /* a condition for rows that are not right */
    struct json *keys;                         /* of a few of them */
    struct json *shown;                        /* and what both shapes have there */
    struct err *err;
};

static void show(const struct pass *p)
{
    if (p->m->options.progress != NULL) {
        p->m->options.progress(p->m->options.progress_ctx, p->migration->name, "verify",
                               (uint64_t)p->out->rows,
                               (uint64_t)(p->total > p->out->rows ? p->total : p->out->rows + 1));
    }
}

static void show_end(const struct pass *p)
{
    if (p->m->options.progress != NULL) {
        p->m->options.progress(p->m->options.progress_ctx, p->migration->name, "verify",
                               (uint64_t)p->out->rows, (uint64_t)p->out->rows);
    }
}

static enum err_code one_range(struct pass *p, const char *select, const struct range *range)
{
    struct database_value params[RANGE_PARAMS_MAX];
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    size_t params_used;
    enum err_code rc;

    buf_text(&sql, select);
    buf_text(&sql, " WHERE 1");
    params_used = range_condition(range, &sql, params);
    rc = buf_failed(&sql)
             ? err_set(p->err, ERR_NOMEM, "out of memory")
             : database_query(p->m->db, buf_cstr(&sql), params, params_used, &rows, p->err);
    buf_fini(&sql);
    if (rc) {
        return rc;
    }
    p->out->rows += database_rows_int(rows, 0, 0, 0);
    p->out->mismatches += database_rows_int(rows, 0, 1, 0);
    p->out->invalid += database_rows_int(rows, 0, 2, 0);
    p->out->lost += database_rows_int(rows, 0, 3, 0);
    for (size_t i = 0; i < p->change->phased->add_count + p->change->phased->alter_count; i++) {
        int64_t count = database_rows_int(rows, 0, 4 + i, 0);
        p->violators[i] += count;
        p->out->violators += count;
    }
    database_rows_free(rows);
    return ERR_OK;
}

/* NOT NULL is loosened while both shapes live, and old code can write what it never reads. */
static enum err_code one_range_nulls(struct pass *p, const struct range *range)
{
    struct database_value params[RANGE_PARAMS_MAX];
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    size_t params_used;
    enum err_code rc;

    if (*p->nulls == '\0') {
        return ERR_OK;
    }
    buf_text(&sql, "SELECT count(*) FROM ");
    buf_sql_name(&sql, str_of(p->change->shape.table));
    buf_text(&sql, " WHERE (");
    buf_text(&sql, p->nulls);
    buf_char(&sql, ')');
    params_used = range_condition(range, &sql, params);
    rc = buf_failed(&sql)
             ? err_set(p->err, ERR_NOMEM, "out of memory")
             : database_query(p->m->db, buf_cstr(&sql), params, params_used, &rows, p->err);
    buf_fini(&sql);
    if (rc == ERR_OK) {
        int64_t count = database_rows_int(rows, 0, 0, 0);
        p->loosened += count;
        p->out->violators += count;
        database_rows_free(rows);
    }
    return rc;
}

/* ---- samples ---- */

static void add_quoted(struct buf *sql, const char *name, bool bare)
{
    buf_text(sql, "quote(");
    if (bare) {
        buf_text(sql, name);
    } else {
        buf_sql_name(sql, str_of(name));
    }
    buf_char(sql, ')');
}

/* What the row has in this column, cut to what people read. */
static void add_shown(struct buf *sql, const char *name)
{
    buf_text(sql, ", substr(");
    add_quoted(sql, name, false);
    buf_print(sql, ", 1, %d)", VERIFY_SAMPLE_CHARACTERS);
}

static void take_sample(struct pass *p, const struct database_rows *rows, size_t row)
{
    const struct phased *phased = p->change->phased;
    struct json *sample = json_object(), *old = json_object(), *new = json_object();
    const char *key = database_rows_text(rows, row, 0);
    size_t column = 1;

    (void)json_append(p->keys, json_string(key != NULL ? key : ""));
    (void)json_put_text(sample, "key", key != NULL ? key : "");
    for (size_t i = 0; i < phased->drop_count; i++) {
        (void)json_put_text(old, p->change->drop_old[i], database_rows_text(rows, row, column++));
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        (void)json_put_text(new, phased->add[i].name, database_rows_text(rows, row, column++));
    }
    (void)json_put(sample, "old", old);
    (void)json_put(sample, "new", new);
    (void)json_append(p->shown, sample);
}

/* A few rows of this piece that are not right. */
static enum err_code samples(struct pass *p, const struct range *range)
{
    const struct shape *shape = &p->change->shape;
    const struct phased *phased = p->change->phased;
    struct database_value params[RANGE_PARAMS_MAX];
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    size_t left = VERIFY_SAMPLES - json_count(p->keys), params_used;
    enum err_code rc;

    buf_text(&sql, "SELECT ");
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(&sql, i > 0 ? " || ', ' || " : "");
        add_quoted(&sql, shape->key[i], !shape->without_rowid);
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        add_shown(&sql, p->change->drop_now[i]);
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        add_shown(&sql, phased->add[i].name);
    }
    buf_text(&sql, " FROM ");
    buf_sql_name(&sql, str_of(shape->table));
    buf_print(&sql, " WHERE (%s%s%s)", p->fault, *p->nulls != '\0' ? " OR " : "", p->nulls);
    params_used = range_condition(range, &sql, params);
    buf_print(&sql, " LIMIT %zu", left);
    rc = buf_failed(&sql)
             ? err_set(p->err, ERR_NOMEM, "out of memory")
             : database_query(p->m->db, buf_cstr(&sql), params, params_used, &rows, p->err);
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        take_sample(p, rows, i);
    }
    database_rows_free(rows);
    buf_fini(&sql);
    return rc;
}

static int64_t faults(const struct pass *p)
{
    return p->out->mismatches + p->out->invalid + p->out->violators +
           (p->out->lost_accepted ? 0 : p->out->lost);
}

/* One piece: counted, and sampled where something is not right. */
static enum err_code one_piece(struct pass *p, const char *select, const struct range *range)
{
    int64_t before = faults(p);
    enum err_code rc = one_range(p, select, range);

    rc = rc ? rc : one_range_nulls(p, range);
    if (rc == ERR_OK && faults(p) > before && json_count(p->keys) < VERIFY_SAMPLES) {
        rc = samples(p, range);
    }
    return rc;
}

/* As many rows as are read in the time that a reader may take. */
static int64_t next_piece(const struct pass *p, int64_t piece, int64_t took_us)
{
    bool remote = database_remote(p->m->db);
    int64_t aim_us = remote        ? VERIFY_READ_REMOTE_US
                     : p->blocking ? VERIFY_READ_BLOCKING_US
                                   : VERIFY_READ_US;
    int64_t most = p->blocking ? VERIFY_ROWS_BLOCKING : VERIFY_ROWS;
    int64_t least = remote ? VERIFY_ROWS_REMOTE : 1;

    piece = took_us > 2 * aim_us ? piece * aim_us / took_us
            : took_us > aim_us   ? piece - piece / 8
                                 : piece + piece / 2 + 1;
    return piece < least ? least : piece > most ? most : piece;
}

static enum err_code all_rows(struct pass *p)
{
    struct arena arena = {0};
    const char *select = change_verify(p->change, &arena);
    int64_t piece = database_remote(p->m->db) ? VERIFY_ROWS_REMOTE : VERIFY_ROWS_FIRST;
    struct range range;
    bool more = true;
    enum err_code rc;

    /* From contract on nobody writes the old columns but the triggers. */
    p->nulls = p->change->set_aside ? ""
                                    : way_back_nulls(p->m, (size_t)(p->migration - p->m->folder.at),
                                                     p->change, true, &arena);
    p->fault = change_fault(p->change, &arena);
    if (p->fault != NULL && p->change->lost != NULL && !p->out->lost_accepted) {
        p->fault = arena_print(&arena, "%s OR (%s)", p->fault, p->change->lost); /* lint: not SQL */
    }
    rc = select != NULL && p->nulls != NULL && p->fault != NULL
             ? range_start(&range, &p->change->shape, NULL, p->err)
             : err_set(p->err, ERR_NOMEM, "out of memory");
    if (rc) {
        arena_fini(&arena);
        return rc;
    }
    rc = range_next(&range, p->m->db, piece, &more, p->err);
    while (rc == ERR_OK && more) {
        int64_t since = clock_monotonic_us(), took;
        rc = one_piece(p, select, &range);
        show(p);
        took = clock_monotonic_us() - since;
        piece = next_piece(p, piece, took);
        if (p->blocking && !range.last) {
            clock_sleep_us(took > PAUSE_MIN_US ? took : PAUSE_MIN_US);
        }
        rc = rc ? rc : lock_beat(p->m->db, &p->m->lock, p->err);
        rc = rc ? rc : watch_look(p->m, (size_t)(p->migration - p->m->folder.at), p->err);
        rc = rc ? rc : range_next(&range, p->m->db, piece, &more, p->err);
    }
    range_fini(&range);
    arena_fini(&arena);
    return rc;
}

/* What the engine found, without its headline. */
static const char *finding(const char *text)
{
    const char *end = strncmp(text, "***", 3) == 0 ? strchr(text, '\n') : NULL;

    return end != NULL ? end + 1 : text;
}

static enum err_code quick_check(struct pass *p)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(p->m->db, "PRAGMA quick_check(1)", NULL, 0, &rows, p->err);
    const char *text;

    if (rc) {
        return rc;
    }
    text = database_rows_count(rows) > 0 ? database_rows_text(rows, 0, 0) : NULL;
    p->out->file_checked = true;
    p->out->sound = text != NULL && strcmp(text, "ok") == 0;
    if (!p->out->sound) {
        (void)json_put_text(p->out->document, "damage", text != NULL ? finding(text) : "");
    }
    database_rows_free(rows);
    return ERR_OK;
}

static enum err_code references(struct pass *p)
{
    struct database_value table = database_text(p->change->shape.table);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(p->m->db, "SELECT count(*) FROM pragma_foreign_key_check(?1)",
                                      &table, 1, &rows, p->err);

    if (rc == ERR_OK) {
        p->out->broken_references = database_rows_int(rows, 0, 0, 0);
        database_rows_free(rows);
    }
    return rc;
}

static void describe(struct pass *p)
{
    struct verification *out = p->out;
    struct json *constraints = json_object();
    char at[CLOCK_TEXT_BYTES];

    for (size_t i = 0; i < p->change->phased->add_count; i++) {
        if (change_declares(p->change, i)) {
            (void)json_put_number(constraints, p->change->phased->add[i].name,
                                  (double)p->violators[i]);
        }
    }
    for (size_t i = 0; i < p->change->phased->alter_count; i++) {
        (void)json_put_number(constraints, p->change->phased->alter[i].name,
                              (double)p->violators[p->change->phased->add_count + i]);
    }
    (void)json_put_text(out->document, "at", clock_text(out->at_ms, at));
    (void)json_put_number(out->document, "duration_ms", (double)out->duration_ms);
    (void)json_put_number(out->document, "rows", (double)out->rows);
    (void)json_put_number(out->document, "mismatches", (double)out->mismatches);
    (void)json_put_number(out->document, "invalid", (double)out->invalid);
    (void)json_put_number(out->document, "lost", (double)out->lost);
    if (p->loosened > 0) { /* NOT NULL of a dropped column */
        (void)json_put_number(constraints, "NOT NULL before", (double)p->loosened);
    }
    (void)json_put(out->document, "violators", constraints);
    (void)json_put_number(out->document, "broken_references", (double)out->broken_references);
    if (out->file_checked) {
        (void)json_put_bool(out->document, "sound", out->sound);
    }
    (void)json_put_bool(out->document, "clean", out->clean);
}

enum err_code verify_run(struct migrate *m, size_t index, const struct change *change, bool deep,
                         struct verification *out, struct err *err)
{
    struct pass pass = {
        .m = m, .migration = &m->folder.at[index], .change = change, .out = out, .err = err};
    const struct database_capabilities *capabilities = NULL;
    bool long_reads;
    int64_t own = 0, by_hand = 0, began_us = clock_monotonic_us();
    struct json *samples_by_hand;
    enum err_code rc;

    *out = (struct verification){
        .sound = true, .at_ms = clock_wall_ms(), .lost_accepted = change->phased->lossy};
    out->document = json_object();
    pass.keys = json_array();
    pass.shown = json_array();
    rc = out->document != NULL ? shape_count_rows(m->db, change->shape.table, &pass.total, err)
                               : err_set(err, ERR_NOMEM, "out of memory");
    rc = rc ? rc : database_probe(m->db, &capabilities, err);
    pass.blocking = rc == ERR_OK && capabilities->readers_block;
    if (rc == ERR_OK) {
        show(&pass);
        rc = all_rows(&pass);
    }
    long_reads = !pass.blocking || pass.total <= VERIFY_ROWS_BLOCKING;
    if (database_remote(m->db) && pass.total > VERIFY_CHECK_REMOTE_ROWS) {
        deep = false; /* it goes through the whole database, and a call has 30 s */
    }
    rc = rc || !deep || !long_reads ? rc : quick_check(&pass);
    rc = rc || !long_reads ? rc : references(&pass);
    show_end(&pass);
    if (rc) {
        json_free(pass.keys);
        json_free(pass.shown);
        verification_fini(out);
        return rc;
    }
    if (change->table == NULL && change->phased->drop_count == 0 &&
        session_state(m, index) >= MIG_IN_SYNC) {
        /* Nothing is restored from an added column, so a value that differs from the derived one
         * is what new code wrote: to repair it would be to overwrite it. */
        own = out->mismatches;
        out->mismatches = 0;
    }
    samples_by_hand = json_array();
    rc = hand_verify(m, index, change, &by_hand, samples_by_hand, err);
    if (rc) {
        json_free(samples_by_hand);
        json_free(pass.keys);
        json_free(pass.shown);
        verification_fini(out);
        return rc;
    }
    out->mismatches += by_hand;
    out->clean = out->mismatches == 0 && out->violators == 0 && out->sound &&
                 (out->lost == 0 || out->lost_accepted);
    out->duration_ms = (clock_monotonic_us() - began_us) / 1000;
    describe(&pass);
    if (own > 0) {
        (void)json_put_number(out->document, "written_by_new", (double)own);
    }
    if (by_hand > 0) { /* verify.sql names its own */
        (void)json_put(out->document, "samples", samples_by_hand);
        json_free(pass.keys);
    } else if (!out->clean || out->invalid > 0) {
        (void)json_put(out->document, "samples", pass.keys);
        json_free(samples_by_hand);
    } else {
        json_free(pass.keys);
        json_free(samples_by_hand);
    }
    if (!out->clean || out->invalid > 0) {
        (void)json_put(out->document, "sample_rows", pass.shown);
    } else {
        json_free(pass.shown);
    }
    return rc;
}

enum err_code verify_store(struct migrate *m, size_t index, const struct verification *result,
                           struct err *err)
{
    char *text = json_print(result->document);
    struct work work = {0};
    enum err_code rc;

    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    work_sql_with(
        &work, "UPDATE lockstep_journal SET verified_at = ?2, verify = ?3 WHERE migration = ?1", 3,
        (struct database_value[]){database_text(m->folder.at[index].name),
                                  database_int(result->at_ms), database_text(text)});
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    free(text);
    return rc ? rc : session_reread(m, err);
}

void verify_say(const struct verification *result, char *out, size_t size)
{
    struct buf text = {0};
    const struct json *sample = json_first(json_get(result->document, "samples"));

    if (!result->sound) { /* whatever else was found may follow from it */
        const char *damage = json_get_text(result->document, "damage", "");
        buf_print(&text,
                  "the database file is damaged (%.*s): keep a copy of it, and restore it from a "
                  "recovery point or a backup",
                  (int)(strcspn(damage, "\n") < 80 ? strcspn(damage, "\n") : 80), damage);
    }
    if (result->mismatches > 0) {
        buf_print(&text, "%s%lld of %lld rows differ in the two shapes", text.len > 0 ? "; " : "",
                  (long long)result->mismatches, (long long)result->rows);
    }
    if (result->violators > 0) {
        buf_print(&text, "%s%lld rows violate a declared constraint", text.len > 0 ? "; " : "",
                  (long long)result->violators);
    }
    if (result->invalid > 0) {
        buf_print(&text, "%s%lld rows are outside valid_old", text.len > 0 ? "; " : "",
                  (long long)result->invalid);
    }
    if (result->lost > 0 && !result->lost_accepted) {
        buf_print(&text,
                  "%s%lld rows could not be made from the new shape again (\"lossy\": true "
                  "accepts that)",
                  text.len > 0 ? "; " : "", (long long)result->lost);
    }
    for (int i = 0; sample != NULL && i < 5; sample = json_next(sample), i++) {
        buf_print(&text, "%s%s", i == 0 ? " (keys " : ", ", json_text(sample));
        if (i == 4 || json_next(sample) == NULL) {
            buf_text(&text, ")");
        }
    }
    (void)snprintf(out, size, "%s", buf_cstr(&text));
    buf_fini(&text);
}

void verification_fini(struct verification *result)
{
    json_free(result->document);
    result->document = NULL;
}
