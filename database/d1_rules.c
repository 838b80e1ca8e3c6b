#include "database/d1_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/sql_scan.h"

const struct database_bounds d1_bounds = {
    .params = D1_PARAMS_MAX,
    .statement_bytes = D1_STATEMENT_BYTES_MAX,
    .columns = D1_COLUMNS_MAX,
    .value_bytes = D1_VALUE_BYTES_MAX,
    .expression_depth = D1_EXPRESSION_DEPTH_MAX,
    .compound_select = D1_COMPOUND_SELECT_MAX,
    .function_args = D1_FUNCTION_ARGS_MAX,
    .program_ops = D1_PROGRAM_OPS_MAX,
    .trigger_depth = D1_TRIGGER_DEPTH_MAX,
    .like_pattern_bytes = D1_LIKE_PATTERN_BYTES_MAX,
};

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

/* "name(" where it is no name that the statement gives to something of its own. */
static bool calls(const struct sql_token *before, const struct sql_token *token,
                  const struct sql_token *next)
{
    static const char *const naming[] = {"TABLE", "INTO", "EXISTS", "REFERENCES", "ON",
                                         "VIEW",  "WITH", "AS",     "RECURSIVE",  NULL};

    return token->kind == SQL_WORD && sql_token_punct(next, '(') && !is_one_of(before, naming) &&
           !sql_token_punct(before, '.');
}

static enum err_code refuse_word(const struct sql_token *token, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "D1 does not allow %s %.*s", what,
                   (int)(token->text.len < 60 ? token->text.len : 60), token->text.at);
}

/* What the engine's authorizer or limits refuse inside a statement that is good by its first word. */
static enum err_code check_inside(const char *sql, struct err *err)
{
    static const char *const functions[] = {"sqlite_version",
                                            "sqlite_source_id",
                                            "sqlite_compileoption_get",
                                            "sqlite_compileoption_used",
                                            "sqlite_offset",
                                            "load_extension",
                                            "subtype",
                                            "power",
                                            "soundex",
                                            "median",
                                            "percentile",
                                            NULL};
    static const char *const modules[] = {"fts5", "fts5vocab", NULL};
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token before = {0}, token = {0}, next;
    bool virtual = false;

    for (bool more = sql_scan_next(&scan, &token); more; before = token, token = next) {
        size_t quote = token.kind == SQL_QUOTED ? 1 : 0;
        more = sql_scan_next(&scan, &next);
        next = more ? next : (struct sql_token){0};
        virtual = virtual || (sql_token_is(&before, "CREATE") && sql_token_is(&token, "VIRTUAL"));
        if (virtual && sql_token_is(&before, "USING") && !is_one_of(&token, modules)) {
            return refuse_word(&token, "virtual tables of", err);
        }
        if (calls(&before, &token, &next) && is_one_of(&token, functions)) {
            return refuse_word(&token, "the function", err);
        }
        if ((token.kind == SQL_WORD || quote == 1) && token.text.len > 4 + quote &&
            strncasecmp(token.text.at + quote, "_cf_", 4) == 0) {
            return refuse_word(&token, "the name", err);
        }
        if ((sql_token_is(&before, "LIKE") || sql_token_is(&before, "GLOB")) &&
            *token.text.at == '\'' && token.text.len - 2 > D1_LIKE_PATTERN_BYTES_MAX) {
            return err_set(err, ERR_LIMIT,
                           "a pattern of %zu bytes; D1 takes %u: compare pieces with substr() or "
                           "instr(): %.60s",
                           token.text.len - 2, D1_LIKE_PATTERN_BYTES_MAX, token.text.at);
        }
    }
    return ERR_OK;
}

enum err_code d1_rules_check(const char *sql, bool reading, struct err *err)
{
    struct str *pieces = NULL;
    size_t count = 0;
    size_t bytes = strlen(sql);
    enum err_code rc;

    if (bytes > D1_STATEMENT_BYTES_MAX) {
        return err_set(err, ERR_LIMIT, "a statement of %zu bytes; D1 takes %u", bytes,
                       D1_STATEMENT_BYTES_MAX);
    }
    rc = database_split(str_of(sql), &pieces, &count, err);
    free(pieces);
    if (rc == ERR_OK && count > 1) {
        rc = err_set(err, ERR_INVALID, "two statements in one: %.80s", sql);
    }
    rc = rc ? rc : check_words(sql, reading, err);
    return rc ? rc : check_inside(sql, err);
}

static bool is_written(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_WORD && token->text.len == strlen(word) &&
           memcmp(token->text.at, word, token->text.len) == 0;
}

/* Between two tokens there are blanks and comments. */
static const char *between(const char *from, const char *to)
{
    bool comment = false, line = false;

    for (const char *p = from; p < to; p++) {
        comment =
            comment || (p + 1 < to && ((*p == '-' && p[1] == '-') || (*p == '/' && p[1] == '*')));
        line = line || *p == '\n';
        if (*p == '\r') {
            return "a carriage return";
        }
        if (comment && strchr("'\"`", *p) != NULL) {
            return "a quote mark in a comment";
        }
    }
    return comment ? "" : line ? "\n" : NULL;
}

const char *d1_rules_hazard(const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token, before = {0};
    const char *at = sql;
    bool trigger = false, body = false;

    while (sql_scan_next(&scan, &token)) {
        const char *gap = between(at, token.text.at);
        at = token.text.at + token.text.len;
        trigger = trigger || (sql_token_is(&before, "CREATE") && sql_token_is(&token, "TRIGGER"));
        body = body || (trigger && sql_token_is(&token, "BEGIN"));
        if (gap != NULL && (*gap != '\0' && *gap != '\n')) {
            return gap;
        }
        if (trigger && gap != NULL) {
            return *gap == '\0' ? "a comment in a trigger" : "a trigger of several lines";
        }
        if (body && ((sql_token_is(&token, "BEGIN") && !is_written(&token, "BEGIN")) ||
                     (sql_token_is(&token, "END") && !is_written(&token, "END")))) {
            return "BEGIN or END in small letters";
        }
        if (body && sql_token_is(&token, "CASE")) {
            return "CASE in a trigger";
        }
        before = token;
    }
    at = between(at, sql + strlen(sql));
    return at != NULL && *at != '\0' && *at != '\n' ? at : NULL;
}
