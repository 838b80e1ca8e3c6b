#include "migrator/folder/handwritten.h"

#include <stdlib.h>

#include "database/database.h"
#include "database/sql_scan.h"

const char *handwritten_name(enum hand_file file)
{
    static const char *const names[HAND_FILES] = {
        [HAND_EXPAND] = "expand.sql",
        [HAND_DUAL_WRITE] = "dual_write.sql",
        [HAND_CONTRACT] = "contract.sql",
        [HAND_EXPAND_DOWN] = "expand.down.sql",
        [HAND_DUAL_WRITE_DOWN] = "dual_write.down.sql",
        [HAND_CONTRACT_DOWN] = "contract.down.sql",
        [HAND_BACKFILL] = "backfill.sql",
        [HAND_VERIFY] = "verify.sql",
    };

    return names[file];
}

/* ---- backfill.sql and verify.sql ---- */

static enum err_code only_statement(const struct handwritten *hand, enum hand_file file,
                                    struct str *out, struct err *err)
{
    struct str *pieces = NULL;
    size_t count = 0;
    enum err_code rc = database_split(hand->files[file], &pieces, &count, err);

    if (rc == ERR_OK && count != 1) {
        rc = err_set(err, ERR_INVALID, "it must be one statement, and holds %zu", count);
    }
    if (rc == ERR_OK) {
        *out = pieces[0];
    } else {
        err_wrap(err, "%s", handwritten_name(file));
    }
    free(pieces);
    return rc;
}

static bool begins_with(const struct sql_token *token, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (sql_token_is(token, *words)) {
            return true;
        }
    }
    return false;
}

static enum err_code read_backfill(struct handwritten *hand, struct arena *arena, struct err *err)
{
    static const char *const writes[] = {"UPDATE", "INSERT", "REPLACE", "DELETE", NULL};
    struct str statement = {0};
    struct sql_token token, before = {0}, last = {0};
    struct sql_scan scan;
    bool good = false, twice = false;
    enum err_code rc = only_statement(hand, HAND_BACKFILL, &statement, err);

    if (rc) {
        return rc;
    }
    scan = sql_scan_start(statement);
    while (sql_scan_next(&scan, &token)) {
        good = last.text.at == NULL ? begins_with(&token, writes) : good;
        twice = twice || last.kind == SQL_PARAM;
        before = last;
        last = token;
    }
    if (!good || twice || last.kind != SQL_PARAM || !str_equal(last.text, STR(":range")) ||
        !(sql_token_is(&before, "WHERE") || sql_token_is(&before, "AND"))) {
        return err_set(err, ERR_INVALID, /* lint: not SQL */
                       "backfill.sql: it is one UPDATE, INSERT, REPLACE or DELETE that ends in "
                       "WHERE :range or AND :range, where the keys of each batch are put");
    }
    hand->backfill = arena_print(arena, "%.*s1", (int)(last.text.at - statement.at), statement.at);
    return hand->backfill != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code read_verify(struct handwritten *hand, struct arena *arena, struct err *err)
{
    static const char *const reads[] = {"SELECT", "WITH", "VALUES", NULL};
    struct str statement = {0};
    struct sql_token token;
    struct sql_scan scan;
    enum err_code rc = only_statement(hand, HAND_VERIFY, &statement, err);

    if (rc) {
        return rc;
    }
    scan = sql_scan_start(statement);
    if (!sql_scan_next(&scan, &token) || !begins_with(&token, reads)) {
        return err_set(
            err, ERR_INVALID,
            "verify.sql: it is one SELECT of the rows that are wrong, and must find none");
    }
    hand->verify = arena_text(arena, statement.at, statement.len);
    return hand->verify != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* ---- the set ---- */

static bool has(const struct handwritten *hand, enum hand_file file)
{
    return hand->files[file].at != NULL;
}

static enum err_code check_set(const struct handwritten *hand, const struct phased *phased,
                               struct err *err)
{
    bool any = false;

    for (int i = HAND_EXPAND; i <= HAND_CONTRACT; i++) {
        enum hand_file file = (enum hand_file)i, down = (enum hand_file)(i + HAND_EXPAND_DOWN);
        if (has(hand, down) && !has(hand, file)) {
            return err_set(err, ERR_INVALID, "it is half written: %s is there, %s is not",
                           handwritten_name(down), handwritten_name(file));
        }
        if (has(hand, file) && phased->kind != PHASED_HANDWRITTEN) {
            return err_set(err, ERR_INVALID,
                           "%s is there, but migration.json does not say \"handwritten\": true; "
                           "beside what is generated there may be backfill.sql and verify.sql",
                           handwritten_name(file));
        }
        any = any || has(hand, file);
    }
    if (phased->kind == PHASED_HANDWRITTEN && !any) {
        return err_set(err, ERR_INVALID,
                       "it is half written: migration.json says \"handwritten\": true, and neither "
                       "expand.sql nor dual_write.sql nor contract.sql is there");
    }
    if ((has(hand, HAND_BACKFILL) || has(hand, HAND_VERIFY)) &&
        phased->kind != PHASED_HANDWRITTEN && phased->kind != PHASED_COLUMNS) {
        return err_set(err, ERR_INVALID, "%s has no place beside an operation on a whole table",
                       handwritten_name(has(hand, HAND_BACKFILL) ? HAND_BACKFILL : HAND_VERIFY));
    }
    if (phased->kind == PHASED_HANDWRITTEN && has(hand, HAND_BACKFILL) && !has(hand, HAND_VERIFY)) {
        return err_set(err, ERR_INVALID,
                       "it is half written: backfill.sql is there, and no "
                       "verify.sql that could find what it left out");
    }
    return ERR_OK;
}

enum err_code handwritten_check(struct handwritten *hand, const struct phased *phased,
                                struct arena *arena, struct err *err)
{
    enum err_code rc = check_set(hand, phased, err);

    if (rc == ERR_OK && has(hand, HAND_BACKFILL)) {
        rc = read_backfill(hand, arena, err);
    }
    if (rc == ERR_OK && has(hand, HAND_VERIFY)) {
        rc = read_verify(hand, arena, err);
    }
    return rc;
}

/* ---- arrows ---- */

bool handwritten_arrow(enum mig_state from, enum mig_state to, enum hand_file *file)
{
    enum mig_state upper = from > to ? from : to;

    switch (upper) {
    case MIG_EXPANDED: *file = HAND_EXPAND; break;
    case MIG_DUAL_WRITING: *file = HAND_DUAL_WRITE; break;
    case MIG_CONTRACTED: *file = HAND_CONTRACT; break;
    default: return false;
    }
    if (from > to) {
        *file = (enum hand_file)((int)*file + HAND_EXPAND_DOWN);
    }
    return true;
}

const char *handwritten_no_way_back(const struct handwritten *hand, enum mig_state from,
                                    enum mig_state to)
{
    for (enum mig_state at = from; at > to; at = (enum mig_state)(at - 1)) {
        enum hand_file down;
        if (handwritten_arrow(at, (enum mig_state)(at - 1), &down) && !has(hand, down) &&
            has(hand, (enum hand_file)((int)down - HAND_EXPAND_DOWN))) {
            return handwritten_name((enum hand_file)((int)down - HAND_EXPAND_DOWN));
        }
    }
    return NULL;
}

bool handwritten_mentions(const struct handwritten *hand, const char *table)
{
    for (int i = 0; i < HAND_FILES; i++) {
        struct sql_scan scan = sql_scan_start(hand->files[i]);
        struct sql_token token;
        while (hand->files[i].at != NULL && sql_scan_next(&scan, &token)) {
            if (sql_token_names(&token, table)) {
                return true;
            }
        }
    }
    return false;
}
