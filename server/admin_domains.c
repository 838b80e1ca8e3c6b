/*
 * Domain rules over the administration API: one rule, and the shards of many (docs/ruleset.md).
 *
 * Who has many rules sends the shards first, each named by its hash, and then the flag's document that
 * names them: nothing is changed until that one is taken, and all of it is then.
 */
#include "server/admin_domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/domain_set.h"
#include "server/public_suffix.h"
#include "server/route.h"

/* ---- shards ---- */

void domains_get(struct call *call)
{
    const struct domain_pool *pool = stores_pool(call->app->stores);
    struct domain_shard *shard = domain_pool_find(pool, call->params[0]);
    size_t len;

    if (shard == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND),
                       "no domain rules of this hash are here (any more): read the ruleset again");
        return;
    }
    call->reply->body = domain_shard_print(shard, &len);
    if (call->reply->body == NULL) {
        answer_json(call, 503, NULL);
        return;
    }
    call->reply->status = 200;
    call->reply->kind = HTTP_BODY_HEAP;
    call->reply->body_len = len;
    call->reply->content_type = "text/plain";
    answer_etag(call, call->params[0]);
    http_reply_header(call->reply, "Cache-Control", "private, max-age=31536000, immutable");
}

void domains_put(struct call *call)
{
    const struct str body = call->request->body;
    struct domain_shard *shard = NULL;
    struct err err = {0};

    if (domain_shard_parse(body.at != NULL ? body.at : "", body.len, &shard, &err) != ERR_OK) {
        answer_error(call, &err);
    } else if (strcmp(domain_shard_hash(shard), call->params[0]) != 0) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "the path must end in the SHA-256 of the body, which is %s",
                       domain_shard_hash(shard));
    } else if (stores_put_shard(call->app->stores, shard, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        answer_empty(call, 204);
    }
    domain_shard_drop(shard);
}

/* ---- one rule ---- */

/* Gives the domain this SERVE, or (NULL) takes its rule away. */
static void change_rule(struct call *call, const struct store_flag *flag, const struct json *serve)
{
    struct domain_source source = stores_source(call->app->stores);
    struct domain_sink sink = stores_sink(call->app->stores);
    struct json *after = json_copy(flag->document);
    struct err err = {0};
    enum err_code rc;

    if (after == NULL) {
        answer_json(call, 503, NULL);
        return;
    }
    rc = domain_set_put(after, call->params[1], serve, &source, &sink, NULL, &err);
    if (rc == ERR_NOT_FOUND) {
        answer_problem(call, 404, err_code_name(rc), "flag '%s' has no domain rule for '%.128s'",
                       flag->key, answer_text(call, call->params[1]));
    } else if (rc == ERR_INVALID || rc == ERR_LIMIT) {
        answer_error(call, &err);
    } else if (rc != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        call->made_set = json_get(after, "domain_set");
        admin_replace_flag(call, flag, after, NULL);
        call->made_set = NULL;
    }
    json_free(after);
}

void flags_put_domain(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);
    struct json *body;

    if (flag == NULL || !admin_if_match(call, flag)) {
        return;
    }
    body = answer_body(call);
    if (body != NULL) {
        change_rule(call, flag, body);
    }
    json_free(body);
}

void flags_drop_domain(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);

    if (flag != NULL && admin_if_match(call, flag)) {
        change_rule(call, flag, NULL);
    }
}

/* ---- what a flag's domain rules may be ---- */

/* The set is one that was looked at: the flag has it somewhere, or it was made of one here. */
static bool set_is_known(struct call *call, const struct store_flag *flag, const struct json *set)
{
    const struct stores *all = call->app->stores;

    if (set == call->made_set) {
        return true;
    }
    for (size_t i = 0; flag != NULL && i < stores_count(all); i++) {
        const struct store_flag *there = store_find_any(stores_at(all, i), flag->key);

        if (there != NULL && json_get(there->document, "domain_set") != NULL &&
            json_equal(json_get(there->document, "domain_set"), set)) {
            return true;
        }
    }
    return false;
}

/* Whether a document of this flag has the rule, in whichever environment: then it was asked for before. */
static bool has_rule(struct call *call, const struct store_flag *flag, const char *pattern)
{
    const struct stores *all = call->app->stores;
    bool wild = pattern[0] == '*';
    const char *name = pattern + (wild ? 2 : 0);

    for (size_t i = 0; flag != NULL && i < stores_count(all); i++) {
        const struct store_flag *there = store_find_any(stores_at(all, i), flag->key);
        const struct json *shards =
            there != NULL ? json_get(json_get(there->document, "domain_set"), "shards") : NULL;
        size_t count = json_count(shards);
        const struct json *hash = json_first(shards);
        const struct domain_shard *shard = NULL;

        if (there != NULL && flag_find_domain(there->document, pattern) != NULL) {
            return true;
        }
        for (uint32_t k = count > 0 ? domain_pattern_number(pattern, (uint32_t)count) : 0; k > 0;
             k--) {
            hash = json_next(hash);
        }
        if (hash != NULL && json_text(hash) != NULL) {
            shard = domain_pool_find(stores_pool(all), json_text(hash));
        }
        if (shard != NULL &&
            domain_table_get(domain_shard_table(shard), name, strlen(name), wild) != NULL) {
            return true;
        }
    }
    return false;
}

static bool refuse_suffix(struct call *call, const char *pattern)
{
    answer_problem(
        call, 409, err_code_name(ERR_CONFLICT),
        "domains: anybody can register names below %s, which belongs to no customer: name the "
        "customer's own domain, or repeat it with ?wide=true (flags: --wide) if everybody "
        "there is meant",
        pattern + (pattern[0] == '*' ? 2 : 0));
    return false;
}

static bool is_wide(const char *pattern)
{
    return public_suffix(pattern + (pattern[0] == '*' ? 2 : 0));
}

/* Shards that the flag has already were looked at when they came. */
static bool has_shard(const struct store_flag *flag, const char *hash)
{
    const struct json *at =
        flag != NULL ? json_first(json_get(json_get(flag->document, "domain_set"), "shards"))
                     : NULL;

    while (at != NULL && strcmp(json_text(at), hash) != 0) {
        at = json_next(at);
    }
    return at != NULL;
}

static bool suffixes_may(struct call *call, const struct store_flag *flag, const struct json *after)
{
    const struct json *shards = json_get(json_get(after, "domain_set"), "shards");

    for (const struct json *at = json_first(json_get(after, "domains")); at != NULL;
         at = json_next(at)) {
        char pattern[DOMAIN_PATTERN_BYTES];

        if (domain_pattern_canonical(json_key(at), pattern) > 0 && is_wide(pattern) &&
            !has_rule(call, flag, pattern)) {
            return refuse_suffix(call, pattern);
        }
    }
    for (const struct json *at = json_first(shards); at != NULL; at = json_next(at)) {
        const struct domain_shard *shard =
            domain_pool_find(stores_pool(call->app->stores), json_text(at));
        const struct domain_table *table = shard != NULL ? domain_shard_table(shard) : NULL;

        for (uint32_t i = 0; table != NULL && !has_shard(flag, json_text(at)) && i < table->count;
             i++) {
            const char *pattern = domain_entry_pattern(table, &table->entries[i]);

            if (is_wide(pattern) && !has_rule(call, flag, pattern)) {
                return refuse_suffix(call, pattern);
            }
        }
    }
    return true;
}

bool admin_domains_may(struct call *call, const struct store_flag *flag, const struct json *after)
{
    const struct json *set = json_get(after, "domain_set");
    const char *wide = http_query(call->request, "wide");
    struct domain_source source = stores_source(call->app->stores);
    struct err err = {0};

    if (set != NULL && !set_is_known(call, flag, set) &&
        domain_set_check(after, &source, &err) != ERR_OK) {
        answer_problem(call, err.code == ERR_NOMEM ? 503 : 400,
                       err_code_name(err.code == ERR_NOT_FOUND ? ERR_INVALID : err.code), "%s",
                       err.msg);
        return false;
    }
    return (wide != NULL && strcmp(wide, "true") == 0) || suffixes_may(call, flag, after);
}
