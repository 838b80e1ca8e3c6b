#include "database/d1_rules.h"

#include <stdlib.h>
#include <string.h>

#include "database/database.h"
#include "database/sql_scan.h"

static bool is_one_of(const struct sql_token *token, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (sql_token_is(token, *words)) {
            return true;
        }
    }
    return false;
}

/* PRAGMA name, PRAGMA name(argument); a setting ("= value", "(on)") may outlive the request, and
 * would be the application's from then on. */
static enum err_code check_pragma(struct sql_scan *scan, struct err *err)
{
    static const char *const reading[] = {"table_list",       "table_info",        "table_xinfo",
                                          "foreign_key_list", "index_info",        "index_list",
                                          "index_xinfo",      "foreign_key_check", "quick_check",
                                          "data_version",     "page_size",         NULL};
    static const char *const switches[] = {"foreign_keys",
                                           "defer_foreign_keys",
                                           "recursive_triggers",
                                           "legacy_alter_table",
                                           "ignore_check_constraints",
                                           "case_sensitive_like",
                                           "reverse_unordered_selects",
                                           NULL};
    struct sql_token name, next;
    bool more;

    if (!sql_scan_next(scan, &name)) {
        return err_set(err, ERR_INVALID, "PRAGMA without a name");
    }
    more = sql_scan_next(scan, &next);
    if (is_one_of(&name, reading) || (is_one_of(&name, switches) && !more) ||
        sql_token_is(&name, "defer_foreign_keys") || sql_token_is(&name, "optimize")) {
        return ERR_OK;
    }
    if (is_one_of(&name, switches)) {
        return err_set(err, ERR_INVALID, /* lint: not SQL */
                       "PRAGMA %.*s stays set on D1 behind the request that set it, for the "
                       "application too: leave it out",
                       (int)(name.text.len < 40 ? name.text.len : 40), name.text.at);
    }
    return err_set(err, ERR_INVALID, "D1 does not allow PRAGMA %.*s", /* lint: not SQL */
                   (int)(name.text.len < 40 ? name.text.len : 40), name.text.at);
}

static enum err_code check_words(const char *sql, bool reading_only, struct err *err)
{
    static const char *const transaction[] = {"BEGIN",     "COMMIT",  "END", "ROLLBACK",
                                              "SAVEPOINT", "RELEASE", NULL};
    static const char *const others[] = {"ATTACH", "DETACH", "VACUUM", NULL};
    static const char *const reading[] = {"SELECT", "WITH", "VALUES", "EXPLAIN", NULL};
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    if (!sql_scan_next(&scan, &token)) {
        return err_set(err, ERR_INVALID, "the statement is empty");
    }
    if (is_one_of(&token, transaction)) {
        return err_set(err, ERR_INVALID, /* lint: not SQL */
                       "D1 has no %.*s: each request is a transaction of its own; leave it out",
                       (int)token.text.len, token.text.at);
    }
    if (is_one_of(&token, others)) {
        return err_set(err, ERR_INVALID, "D1 does not allow %.*s", (int)token.text.len,
                       token.text.at);
    }
    if (sql_token_is(&token, "PRAGMA")) {
        return check_pragma(&scan, err);
    }
    if (reading_only && !is_one_of(&token, reading)) {
        return err_set(err, ERR_INVALID, "a query must only read: %.80s", sql);
    }
    if (sql_token_is(&token, "CREATE") && sql_scan_next(&scan, &token) &&
        (sql_token_is(&token, "TEMP") || sql_token_is(&token, "TEMPORARY"))) {
        return err_set(err, ERR_INVALID, "D1 has no TEMP tables, views or triggers");
    }
    return ERR_OK;
}

enum err_code d1_rules_check(const char *sql, bool reading, struct err *err)
{
    struct str *pieces = NULL;
    size_t count = 0;
    enum err_code rc = database_split(str_of(sql), &pieces, &count, err);

    free(pieces);
    if (rc == ERR_OK && count > 1) {
        rc = err_set(err, ERR_INVALID, "two statements in one: %.80s", sql);
    }
    return rc ? rc : check_words(sql, reading, err);
}
