/*
 * A flag's document (docs/ruleset.md) to its compiled form. flag_check() and ruleset_build() share
 * this code, so that what passes the one is usable by the other.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/bucket.h"
#include "flags/model.h"

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

const char *kind_of(const struct json *json)
{
    return json == NULL ? "missing" : json_kind_name(json_kind(json));
}

struct condition_env *flag_condition_env(void)
{
    struct condition_env *env = condition_env_new();

    if (env == NULL)
        return NULL;
    condition_env_set_open(env, true);
    if (condition_env_declare(env, "now", CONDITION_TIMESTAMP) != CONDITION_OK ||
        condition_env_declare(env, "domain", CONDITION_STRING) != CONDITION_OK) {
        condition_env_free(env);
        return NULL;
    }
    return env;
}

/* ---- bucket keys ---- */

static bool path_split(struct key_path *path)
{
    const char *at = path->path;

    path->count = 0;
    for (;;) {
        const char *dot = strchr(at, '.');
        size_t len = dot != NULL ? (size_t)(dot - at) : strlen(at);

        if (len == 0 || path->count == KEY_PARTS_MAX)
            return false;
        path->parts[path->count] = at;
        path->lens[path->count++] = len;
        if (dot == NULL)
            return true;
        at = dot + 1;
    }
}

enum err_code key_paths_add(struct key_paths *paths, struct arena *arena, const char *path,
                            size_t *index, struct err *err)
{
    struct key_path made = {0};

    for (size_t i = 0; i < paths->count; i++) {
        if (strcmp(paths->at[i].path, path) == 0) {
            *index = i;
            return ERR_OK;
        }
    }
    made.path = arena_text(arena, path, strlen(path));
    if (made.path == NULL)
        return no_memory(err);
    if (!path_split(&made))
        return err_set(err, ERR_INVALID,
                       "bucket_by: '%.60s' is no attribute path; write a name such as "
                       "\"targetingKey\" or \"company.id\"",
                       path);
    if (paths->count == paths->room) {
        size_t room = paths->room == 0 ? 4 : 2 * paths->room;
        struct key_path *grown = realloc(paths->at, room * sizeof *grown);

        if (grown == NULL)
            return no_memory(err);
        paths->at = grown;
        paths->room = room;
    }
    *index = paths->count;
    paths->at[paths->count++] = made;
    return ERR_OK;
}

void key_paths_fini(struct key_paths *paths)
{
    free(paths->at);
    memset(paths, 0, sizeof *paths);
}

/* ---- plain members ---- */

/* Flag keys: [a-z0-9][a-z0-9._-]{0,127}. They stand in URLs and in OFREP paths. */
static bool key_is_good(const char *key)
{
    size_t len = strlen(key);

    return len > 0 && len <= LIMIT_KEY_BYTES &&
           strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len && key[0] != '.' &&
           key[0] != '_' && key[0] != '-';
}

/* Names of variants and rules: any text of 1 to LIMIT_KEY_BYTES bytes without control characters. */
static bool name_is_good(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    }
    return len > 0 && len <= LIMIT_KEY_BYTES;
}

static enum err_code parse_key(struct parse *parse, const struct json *document)
{
    const char *key = json_text(json_get(document, "key"));

    if (key == NULL)
        return err_set(parse->err, ERR_INVALID,
                       "key: %s; it must be a string such as \"new-checkout\"",
                       kind_of(json_get(document, "key")));
    if (!key_is_good(key))
        return err_set(parse->err, ERR_INVALID,
                       "key: '%.80s' is not allowed; use 1 to %u of a-z 0-9 . _ -, the first a "
                       "letter or digit",
                       key, LIMIT_KEY_BYTES);
    parse->flag->key = arena_text(parse->arena, key, strlen(key));
    return parse->flag->key != NULL ? ERR_OK : no_memory(parse->err);
}

static const char *const type_names[] = {"boolean", "string", "number", "object"};

const char *flag_type_name(enum flag_type type)
{
    return type_names[type];
}

static enum err_code parse_type(struct parse *parse, const struct json *document)
{
    const char *name = json_get_text(document, "type", "");

    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            parse->flag->type = (enum flag_type)i;
            return ERR_OK;
        }
    }
    return err_set(parse->err, ERR_INVALID,
                   "type: '%.40s' is none; it must be boolean, string, number or object", name);
}

static enum err_code parse_state(struct parse *parse, const struct json *document)
{
    const char *state = json_get_text(document, "state", "");

    if (strcmp(state, "on") != 0 && strcmp(state, "off") != 0)
        return err_set(parse->err, ERR_INVALID, "state: must be \"on\" or \"off\", not '%.40s'",
                       state);
    parse->flag->on = strcmp(state, "on") == 0;
    return ERR_OK;
}

static enum err_code parse_salt(struct parse *parse, const struct json *document,
                                const char *member, const char **out, size_t *out_len)
{
    const char *salt = json_text(json_get(document, member));

    if (salt == NULL || salt[0] == '\0' || strlen(salt) > LIMIT_KEY_BYTES ||
        strchr(salt, ':') != NULL)
        return err_set(
            parse->err, ERR_INVALID,
            "%s: %s; it is 1 to %u bytes of text without ':'. Keep the one that the flag "
            "has, since another one reassigns everybody",
            member, salt == NULL ? kind_of(json_get(document, member)) : "not allowed",
            LIMIT_KEY_BYTES);
    *out_len = strlen(salt);
    *out = arena_text(parse->arena, salt, *out_len);
    return *out != NULL ? ERR_OK : no_memory(parse->err);
}

static enum err_code parse_bucketing(struct parse *parse, const struct json *document)
{
    struct flag *flag = parse->flag;
    const struct json *by = json_get(document, "bucket_by");
    const char *path = by == NULL ? "targetingKey" : json_text(by);
    enum err_code rc;

    rc = parse_salt(parse, document, "salt", &flag->salt, &flag->salt_len);
    if (rc == ERR_OK)
        rc = parse_salt(parse, document, "split_salt", &flag->split_salt, &flag->split_salt_len);
    if (rc != ERR_OK)
        return rc;
    if (strcmp(flag->salt, flag->split_salt) == 0)
        return err_set(parse->err, ERR_INVALID,
                       "split_salt: must differ from salt, else a ramp's first subjects would all "
                       "get the split's first variant");
    if (path == NULL)
        return err_set(parse->err, ERR_INVALID, "bucket_by: must be an attribute path, not %s",
                       kind_of(by));
    rc = key_paths_add(parse->paths, parse->arena, path, &flag->key_index, parse->err);
    if (rc == ERR_OK)
        flag->bucket_by = parse->paths->at[flag->key_index].path;
    return rc;
}

/* A member that names a feature which evaluation depends on. A flag that uses one unknown here must
 * not be answered as if it did not. */
static enum err_code parse_uses(struct parse *parse, const struct json *document)
{
    const struct json *uses = json_get(document, "uses");
    const struct json *first = json_first(uses);

    if (uses == NULL || (json_kind(uses) == JSON_ARRAY && first == NULL))
        return ERR_OK;
    return err_set(parse->err, ERR_INVALID, "uses: '%.60s' is not known to this version",
                   json_text(first) != NULL ? json_text(first) : kind_of(uses));
}

/* ---- variants ---- */

static enum err_code parse_value(struct parse *parse, const struct json *json,
                                 struct variant *variant)
{
    static const enum json_kind wanted[] = {JSON_BOOL, JSON_STRING, JSON_NUMBER, JSON_OBJECT};
    enum flag_type type = parse->flag->type;
    enum json_kind kind = json_kind(json);
    struct flag_value *value = &variant->value;
    char *printed;

    if (kind != wanted[type] && !(type == FLAG_OBJECT && kind == JSON_ARRAY))
        return err_set(parse->err, ERR_INVALID,
                       "variants.%.60s: is %s, but the flag's type is %s; change one of them",
                       variant->name, kind_of(json), flag_type_name(type));
    value->truth = json_is_true(json);
    value->number = json_number(json, 0);
    if (!isfinite(value->number))
        return err_set(parse->err, ERR_INVALID, "variants.%.60s: the number is too large",
                       variant->name);
    if (kind == JSON_STRING) {
        value->text_len = strlen(json_text(json));
        value->text = arena_text(parse->arena, json_text(json), value->text_len);
        if (value->text == NULL)
            return no_memory(parse->err);
    }
    printed = json_print(json);
    if (printed == NULL)
        return no_memory(parse->err);
    value->json_len = strlen(printed);
    value->json = arena_text(parse->arena, printed, value->json_len);
    free(printed);
    return value->json != NULL ? ERR_OK : no_memory(parse->err);
}

static enum err_code parse_variants(struct parse *parse, const struct json *document)
{
    const struct json *object = json_get(document, "variants");
    struct variant *variants;
    size_t count = json_count(object), n = 0;

    if (json_kind(object) != JSON_OBJECT || count == 0)
        return err_set(parse->err, ERR_INVALID,
                       "variants: %s; it must be an object of at least one name and value, such as "
                       "{\"on\": true, \"off\": false}",
                       json_kind(object) == JSON_OBJECT ? "empty" : kind_of(object));
    if (count > LIMIT_VARIANTS)
        return err_set(parse->err, ERR_LIMIT, "variants: %zu of them; at most %u are allowed",
                       count, LIMIT_VARIANTS);
    variants = arena_zero(parse->arena, count, sizeof *variants);
    if (variants == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(object); at != NULL; at = json_next(at)) {
        const char *name = json_key(at);
        enum err_code rc;

        if (!name_is_good(name))
            return err_set(parse->err, ERR_INVALID,
                           "variants: the name '%.60s' is not allowed; use 1 to %u bytes without "
                           "control characters",
                           name, LIMIT_KEY_BYTES);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(variants[i].name, name) == 0)
                return err_set(parse->err, ERR_INVALID, "variants: '%.60s' stands there twice",
                               name);
        }
        variants[n].name = arena_text(parse->arena, name, strlen(name));
        if (variants[n].name == NULL)
            return no_memory(parse->err);
        rc = parse_value(parse, at, &variants[n]);
        if (rc != ERR_OK)
            return rc;
        n++;
    }
    parse->flag->variants = variants;
    parse->flag->variant_count = (uint16_t)n;
    return variant_index(parse, json_get(document, "off_variant"), "off_variant",
                         &parse->flag->off_variant);
}

/* ---- individual ---- */

static int compare_individuals(const void *a, const void *b)
{
    const struct individual *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->key, y->key, len);

    if (order != 0)
        return order;
    return (x->len > y->len) - (x->len < y->len);
}

static enum err_code parse_individual(struct parse *parse, const struct json *document)
{
    const struct json *object = json_get(document, "individual");
    size_t count = json_count(object), n = 0;
    struct individual *all;

    if (object == NULL)
        return ERR_OK;
    if (json_kind(object) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID,
                       "individual: must be an object of targeting key and variant, not %s",
                       kind_of(object));
    if (count > INDIVIDUAL_MAX)
        return err_set(parse->err, ERR_LIMIT, "individual: %zu keys; at most %u are allowed", count,
                       INDIVIDUAL_MAX);
    if (count == 0)
        return ERR_OK;
    all = arena_zero(parse->arena, count, sizeof *all);
    if (all == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(object); at != NULL; at = json_next(at), n++) {
        const char *key = json_key(at);
        char where[96];
        enum err_code rc;

        if (key[0] == '\0')
            return err_set(parse->err, ERR_INVALID, "individual: an empty targeting key");
        snprintf(where, sizeof where, "individual.%.80s", key);
        rc = variant_index(parse, at, where, &all[n].variant);
        if (rc != ERR_OK)
            return rc;
        all[n].len = (uint32_t)strlen(key);
        all[n].key = arena_text(parse->arena, key, all[n].len);
        if (all[n].key == NULL)
            return no_memory(parse->err);
    }
    qsort(all, n, sizeof *all, compare_individuals);
    for (size_t i = 1; i < n; i++) {
        if (compare_individuals(&all[i - 1], &all[i]) == 0)
            return err_set(parse->err, ERR_INVALID, "individual: '%.80s' stands there twice",
                           all[i].key);
    }
    parse->flag->individuals = all;
    parse->flag->individual_count = n;
    return ERR_OK;
}

/* ---- rules ---- */

static enum err_code parse_when(struct parse *parse, const struct json *when, const char *at,
                                struct rule *rule)
{
    const char *source = json_text(when);
    struct condition_diag diag = {0};
    enum condition_status status;
    const char *type;
    size_t len;

    if (source == NULL)
        return err_set(parse->err, ERR_INVALID,
                       "%s.when: %s; it must be a condition such as \"plan == 'pro'\"", at,
                       kind_of(when));
    len = strlen(source);
    if (len > LIMIT_CONDITION_BYTES)
        return err_set(parse->err, ERR_LIMIT, "%s.when: %zu bytes; at most %u are allowed", at, len,
                       LIMIT_CONDITION_BYTES);
    status = condition_compile(parse->env, source, len, &rule->when, &diag);
    if (status == CONDITION_NOMEM)
        return no_memory(parse->err);
    if (status != CONDITION_OK)
        return err_set(parse->err, ERR_INVALID, "%s.when: line %u, column %u: %s%s%s%s", at,
                       diag.line, diag.column, diag.msg, diag.hint[0] != '\0' ? " (" : "",
                       diag.hint, diag.hint[0] != '\0' ? ")" : "");
    type = condition_result_type(rule->when);
    if (strcmp(type, "bool") != 0 && strcmp(type, "dyn") != 0)
        return err_set(parse->err, ERR_INVALID,
                       "%s.when: gives %.40s; a rule's condition must give true or false", at,
                       type);
    if (condition_reads(rule->when, "now"))
        parse->flag->reads_now = true;
    return ERR_OK;
}

static enum err_code parse_rule_name(struct parse *parse, const struct json *json, size_t index,
                                     struct rule *rule)
{
    struct flag *flag = parse->flag;
    const struct json *member = json_get(json, "name");
    const char *name = json_text(member);

    if (member == NULL || json_kind(member) == JSON_NULL) {
        rule->label = arena_print(parse->arena, "rule %zu", index + 1);
        return rule->label != NULL ? ERR_OK : no_memory(parse->err);
    }
    if (name == NULL || !name_is_good(name))
        return err_set(parse->err, ERR_INVALID,
                       "rules[%zu].name: must be 1 to %u bytes of text without control characters",
                       index, LIMIT_KEY_BYTES);
    for (size_t i = 0; i < index; i++) {
        if (flag->rules[i].name != NULL && strcmp(flag->rules[i].name, name) == 0)
            return err_set(parse->err, ERR_INVALID,
                           "rules[%zu].name: '%.60s' is the name of rules[%zu] as well; names must "
                           "differ",
                           index, name, i);
    }
    rule->name = arena_text(parse->arena, name, strlen(name));
    rule->label = arena_print(parse->arena, "rule %zu (%s)", index + 1, name);
    return rule->name != NULL && rule->label != NULL ? ERR_OK : no_memory(parse->err);
}

static enum err_code parse_rule(struct parse *parse, const struct json *json, size_t index)
{
    struct rule *rule = &parse->flag->rules[index];
    const struct json *on_error = json_get(json, "on_error");
    const char *text = on_error == NULL ? "stop" : json_text(on_error);
    char at[40], where[48];
    enum err_code rc;

    snprintf(at, sizeof at, "rules[%zu]", index);
    if (json_kind(json) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID,
                       "%s: must be an object with \"when\" and \"serve\", not %s", at,
                       kind_of(json));
    rc = parse_rule_name(parse, json, index, rule);
    if (rc != ERR_OK)
        return rc;
    if (text == NULL || (strcmp(text, "stop") != 0 && strcmp(text, "skip") != 0))
        return err_set(parse->err, ERR_INVALID, "%s.on_error: must be \"stop\" or \"skip\"", at);
    rule->skip_on_error = strcmp(text, "skip") == 0;
    snprintf(where, sizeof where, "%s.serve", at);
    rc = serve_parse(parse, json_get(json, "serve"), where, false, &rule->serve);
    if (rc != ERR_OK)
        return rc;
    return parse_when(parse, json_get(json, "when"), at, rule);
}

static enum err_code parse_rules(struct parse *parse, const struct json *document)
{
    struct flag *flag = parse->flag;
    const struct json *array = json_get(document, "rules");
    size_t count = json_count(array), n = 0;

    if (array == NULL)
        return ERR_OK;
    if (json_kind(array) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID, "rules: must be an array, not %s", kind_of(array));
    if (count > LIMIT_RULES)
        return err_set(parse->err, ERR_LIMIT, "rules: %zu of them; at most %u are allowed", count,
                       LIMIT_RULES);
    if (count == 0)
        return ERR_OK;
    flag->rules = arena_zero(parse->arena, count, sizeof *flag->rules);
    if (flag->rules == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at)) {
        enum err_code rc;

        flag->rule_count = n + 1; /* so that flag_fini() finds a condition compiled on the way */
        rc = parse_rule(parse, at, n++);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* ---- tie ---- */

static enum err_code parse_tie(struct parse *parse, const struct json *document)
{
    struct flag *flag = parse->flag;
    const struct json *tie = json_get(document, "tie");
    const struct json *allowed = json_get(tie, "allowed");
    int64_t lease_s;
    uint16_t ignored;
    enum err_code rc;

    if (tie == NULL || json_kind(tie) == JSON_NULL)
        return ERR_OK;
    if (json_kind(tie) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID, "tie: must be an object, not %s", kind_of(tie));
    rc = variant_index(parse, json_get(tie, "safe"), "tie.safe", &flag->safe_variant);
    if (rc != ERR_OK)
        return rc;
    if (!json_int(json_get(tie, "lease_s"), &lease_s) || lease_s < 1 || lease_s > LEASE_S_MAX)
        return err_set(parse->err, ERR_INVALID, "tie.lease_s: must be 1 to %u seconds",
                       LEASE_S_MAX);
    if (json_kind(allowed) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID, "tie.allowed: must be an array of variants, not %s",
                       kind_of(allowed));
    for (const struct json *at = json_first(allowed); at != NULL; at = json_next(at)) {
        rc = variant_index(parse, at, "tie.allowed", &ignored);
        if (rc != ERR_OK)
            return rc;
    }
    flag->lease_s = (unsigned)lease_s;
    flag->tied = true;
    return ERR_OK;
}

/* ---- the whole ---- */

void flag_fini(struct flag *flag)
{
    for (size_t i = 0; i < flag->rule_count; i++)
        condition_free(flag->rules[i].when);
    flag->rules = NULL;
    flag->rule_count = 0;
}

enum err_code flag_parse(struct parse *parse, const struct json *document)
{
    typedef enum err_code step(struct parse * parse, const struct json *document);
    static step *const steps[] = {parse_key,      parse_type,      parse_uses,       parse_state,
                                  parse_variants, parse_bucketing, parse_individual, domains_parse,
                                  parse_rules,    parse_tie};
    struct flag *flag = parse->flag;
    enum err_code rc = ERR_OK;

    if (json_kind(document) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID, "a flag must be an object, not %s",
                       kind_of(document));
    for (size_t i = 0; rc == ERR_OK && i < sizeof steps / sizeof steps[0]; i++)
        rc = steps[i](parse, document);
    if (rc == ERR_OK)
        rc = serve_parse(parse, json_get(document, "fallthrough"), "fallthrough", false,
                         &flag->fallthrough);
    if (rc != ERR_OK) {
        flag_fini(flag);
        return rc;
    }
    flag->targeted = flag->individual_count > 0 || flag->domains.count > 0 || flag->rule_count > 0;
    return ERR_OK;
}
