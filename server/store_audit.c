/*
 * The audit: read newest first, and kept as long as its operator says.
 */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json_scan.h"
#include "database/database.h"
#include "flags/parts.h"
#include "server/store_image.h"

enum {
    AUDIT_STEP = 16,       /* rows in memory at once: each may hold a flag of 1 MiB twice */
    AUDIT_BYTES = 16 << 20 /* of documents in one answer; a step may go past it */
};

/* ---- reading ---- */

/* Documents go out as they stand in the row: they may have tens of thousands of members each. */
static struct json *raw_or_null(const char *text)
{
    return text != NULL && json_scan(text, strlen(text), NULL) == ERR_OK ? json_raw(text)
                                                                         : json_null();
}

/* Adds one row; returns how many bytes of documents it has. */
static size_t add_event(struct json *events, const struct database_rows *rows, size_t row)
{
    struct json *event = json_object();
    const char *key = database_rows_text(rows, row, 4);
    const char *before = database_rows_text(rows, row, 6);
    const char *after = database_rows_text(rows, row, 7);
    const char *reason = database_rows_text(rows, row, 8);
    char at[CLOCK_TEXT_BYTES];

    json_put_number(event, "id", (double)database_rows_int(rows, row, 0, 0));
    json_put_text(event, "at", clock_text(database_rows_int(rows, row, 1, 0), at));
    json_put_text(event, "actor", database_rows_text(rows, row, 2));
    json_put_text(event, "action", database_rows_text(rows, row, 3));
    json_put(event, "flag", key != NULL ? json_string(key) : json_null());
    json_put_number(event, "revision", (double)database_rows_int(rows, row, 5, 0));
    json_put(event, "before", raw_or_null(before));
    json_put(event, "after", raw_or_null(after));
    json_put(event, "reason", reason != NULL ? json_string(reason) : json_null());
    json_append(events, event);
    return (before != NULL ? strlen(before) : 0) + (after != NULL ? strlen(after) : 0);
}

enum err_code store_audit(struct store *store, const char *flag, int64_t limit, int64_t before,
                          struct json **out, struct err *err)
{
    struct json *events = json_array();
    size_t bytes = 0, found = AUDIT_STEP;
    int64_t left = limit;

    CHECK(limit >= 1 && limit <= STORE_AUDIT_MAX);
    before = before > 0 ? before : INT64_MAX;
    while (left > 0 && found == AUDIT_STEP && bytes <= AUDIT_BYTES) {
        struct database_value params[] = {database_text(store->environment), database_text(flag),
                                          database_int(before),
                                          database_int(left < AUDIT_STEP ? left : AUDIT_STEP)};
        struct database_rows *rows = NULL;
        enum err_code rc = database_query(
            store->db,
            "SELECT id, at_ms, actor, action, flag, revision, before, after, reason FROM audit "
            "WHERE environment = ?1 AND (?2 IS NULL OR flag = ?2) AND id < ?3 ORDER BY id DESC "
            "LIMIT ?4",
            params, 4, &rows, err);

        if (rc != ERR_OK) {
            json_free(events);
            return rc;
        }
        found = database_rows_count(rows);
        for (size_t i = 0; i < found; i++) {
            bytes += add_event(events, rows, i);
            before = database_rows_int(rows, i, 0, 0);
        }
        database_rows_free(rows);
        left -= (int64_t)found;
    }
    *out = json_object();
    json_put(*out, "events", events);
    if (left > 0 && found == AUDIT_STEP) {
        json_put_bool(*out, "more", true);
    }
    return *out == NULL ? err_set(err, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* Each version of a flag is one event of it, and has the document before itself. */
enum err_code store_earlier_flag(struct store *store, const char *key, int64_t versions,
                                 struct json **document, char **by, struct err *err)
{
    struct database_value params[] = {database_text(store->environment), database_text(key),
                                      database_int(versions - 1)};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        store->db,
        "SELECT before, (SELECT actor FROM audit WHERE environment = ?1 AND flag = ?2 AND action "
        "GLOB 'flag.*' ORDER BY id DESC LIMIT 1) FROM audit WHERE environment = ?1 AND flag = ?2 "
        "AND action GLOB 'flag.*' ORDER BY id DESC LIMIT 1 OFFSET ?3",
        params, 3, &rows, err);
    const char *text, *actor;

    *document = NULL;
    *by = NULL;
    if (rc != ERR_OK) {
        return rc;
    }
    text = database_rows_count(rows) > 0 ? database_rows_text(rows, 0, 0) : NULL;
    if (text != NULL && json_parse(text, strlen(text), document, NULL) == ERR_OK) {
        actor = database_rows_text(rows, 0, 1);
        *by = strdup(actor != NULL ? actor : "");
    }
    database_rows_free(rows);
    return ERR_OK;
}

/* One event of a flag: whether it changed the shared half; *before is then what it was (free it). */
static bool shared_event(const struct database_rows *rows, size_t row, struct json **before)
{
    const char *was = database_rows_text(rows, row, 0), *is = database_rows_text(rows, row, 1);
    struct json *after = NULL;
    bool changed;

    *before = NULL;
    if (was == NULL && is == NULL) {
        return false;
    }
    if (json_parse(was != NULL ? was : is, strlen(was != NULL ? was : is), before, NULL) !=
        ERR_OK) {
        return false;
    }
    if (was == NULL || is == NULL || json_parse(is, strlen(is), &after, NULL) != ERR_OK) {
        return true; /* archived, or restored */
    }
    changed = flag_shared_differs(*before, after);
    json_free(after);
    if (!changed) {
        json_free(*before);
        *before = NULL;
    }
    return changed;
}

/* Goes through a step of events; true: found, or there are no more. */
static bool look_back(const struct database_rows *rows, int64_t *versions, struct json **document,
                      char **by)
{
    size_t count = database_rows_count(rows);

    for (size_t i = 0; i < count; i++) {
        if (!shared_event(rows, i, document)) {
            continue;
        }
        if (*by == NULL) { /* who was last */
            const char *actor = database_rows_text(rows, i, 2);

            *by = strdup(actor != NULL ? actor : "");
        }
        if (--*versions == 0) {
            return true;
        }
        json_free(*document);
        *document = NULL;
    }
    return count < AUDIT_STEP;
}

enum err_code store_earlier_shared(struct store *store, const char *key, int64_t versions,
                                   struct json **document, char **by, struct err *err)
{
    enum err_code rc = ERR_OK;
    bool done = false;

    *document = NULL;
    *by = NULL;
    for (int64_t from = 0; rc == ERR_OK && !done && from < STORE_EARLIER_MAX; from += AUDIT_STEP) {
        struct database_value params[] = {database_text(store->environment), database_text(key),
                                          database_int(AUDIT_STEP), database_int(from)};
        struct database_rows *rows = NULL;

        rc = database_query(store->db,
                            "SELECT before, after, actor FROM audit WHERE environment = ?1 AND "
                            "flag = ?2 AND action GLOB 'flag.*' ORDER BY id DESC LIMIT ?3 OFFSET "
                            "?4",
                            params, 4, &rows, err);
        done = rc == ERR_OK && look_back(rows, &versions, document, by);
        database_rows_free(rows);
    }
    return rc;
}

/* ---- keeping ---- */

enum err_code stores_prune_audit(struct stores *stores, int64_t before_ms, int64_t rows,
                                 int64_t *removed, bool *more, struct err *err)
{
    struct database_value params[] = {database_int(before_ms),
                                      database_int(rows > 0 ? rows : INT64_MAX),
                                      database_int(STORE_PRUNE_STEP)};
    struct database_rows *found = NULL;
    enum err_code rc;

    *removed = 0;
    *more = false;
    /* Only the oldest are looked at, so a clock that jumped costs no scan of the whole table. */
    rc = database_query(stores->db,
                        "SELECT max(id), count(*) FROM (SELECT id, at_ms FROM audit ORDER BY id "
                        "LIMIT ?3) WHERE at_ms < ?1 OR id <= (SELECT max(id) FROM audit) - ?2",
                        params, 3, &found, err);
    if (rc != ERR_OK) {
        return rc;
    }
    *removed = database_rows_int(found, 0, 1, 0);
    if (*removed > 0) {
        struct database_value last[] = {params[0], params[1],
                                        database_int(database_rows_int(found, 0, 0, 0))};
        struct database_statement statement = {"DELETE FROM audit WHERE id <= ?3 AND (at_ms < ?1 "
                                               "OR id <= (SELECT max(id) FROM audit) - ?2)",
                                               last, 3};

        rc = database_batch(
            stores->db, &(struct database_batch){.statements = &statement, .statement_count = 1},
            NULL, err);
    }
    database_rows_free(found);
    *more = rc == ERR_OK && *removed == STORE_PRUNE_STEP;
    return rc;
}
