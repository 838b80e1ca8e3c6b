/*
 * A flag's document (docs/ruleset.md) to its compiled form. flag_check() and ruleset_build() share
 * this code, so that what passes the one is usable by the other.
 */
#include <string.h>

#include "base/limits.h"
#include "flags/model.h"

enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

const char *kind_of(const struct json *json)
{
    return json == NULL ? "missing" : json_kind_name(json_kind(json));
}

struct condition_env *flag_condition_env(condition_segment_known *known, void *known_ctx,
                                         condition_segment_fn *ask)
{
    struct condition_env *env = condition_env_new();

    if (env == NULL)
        return NULL;
    condition_env_set_open(env, true);
    condition_env_set_segments(env, known, known_ctx, ask);
    if (condition_env_declare(env, "now", CONDITION_TIMESTAMP) != CONDITION_OK ||
        condition_env_declare(env, "domain", CONDITION_STRING) != CONDITION_OK) {
        condition_env_free(env);
        return NULL;
    }
    return env;
}

/* ---- plain members ---- */

/* Flag keys: [a-z0-9][a-z0-9._-]{0,127}. They stand in URLs and in OFREP paths. */
bool key_is_good(const char *key)
{
    size_t len = strlen(key);

    return len > 0 && len <= LIMIT_KEY_BYTES &&
           strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len && key[0] != '.' &&
           key[0] != '_' && key[0] != '-';
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

enum err_code salt_parse(struct parse *parse, const struct json *document, const char *member,
                         struct bucket_salt *out)
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
    bucket_salt_init(out, salt, strlen(salt));
    return ERR_OK;
}

enum err_code bucket_by_parse(struct parse *parse, const struct json *document, const char **path,
                              size_t *index)
{
    const struct json *by = json_get(document, "bucket_by");
    const char *text = by == NULL ? "targetingKey" : json_text(by);
    enum err_code rc;

    if (text == NULL)
        return err_set(parse->err, ERR_INVALID, "bucket_by: must be an attribute path, not %s",
                       kind_of(by));
    rc = key_paths_add(parse->paths, parse->arena, text, index, parse->err);
    if (rc == ERR_OK)
        *path = parse->paths->at[*index].path;
    return rc;
}

static enum err_code parse_bucketing(struct parse *parse, const struct json *document)
{
    struct flag *flag = parse->flag;
    enum err_code rc;

    rc = salt_parse(parse, document, "salt", &flag->salt);
    if (rc == ERR_OK)
        rc = salt_parse(parse, document, "split_salt", &flag->split_salt);
    if (rc != ERR_OK)
        return rc;
    if (strcmp(json_get_text(document, "salt", ""), json_get_text(document, "split_salt", "")) == 0)
        return err_set(parse->err, ERR_INVALID,
                       "split_salt: must differ from salt, else a ramp's first subjects would all "
                       "get the split's first variant");
    return bucket_by_parse(parse, document, &flag->bucket_by, &flag->key_index);
}

/* A member that names a feature which evaluation depends on. A flag that uses one unknown here must
 * not be answered as if it did not. */
enum err_code uses_parse(struct parse *parse, const struct json *document)
{
    static const char *const known[] = {"domain-set", "layer", "prerequisites", "segments"};
    const struct json *uses = json_get(document, "uses");

    if (uses != NULL && json_kind(uses) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID, "uses: '%.60s' is not known to this version",
                       json_text(uses) != NULL ? json_text(uses) : kind_of(uses));
    for (const struct json *at = json_first(uses); at != NULL; at = json_next(at)) {
        const char *name = json_text(at);
        size_t i = 0;

        while (name != NULL && i < sizeof known / sizeof known[0] && strcmp(name, known[i]) != 0)
            i++;
        if (name == NULL || i == sizeof known / sizeof known[0])
            return err_set(parse->err, ERR_INVALID, "uses: '%.60s' is not known to this version",
                           name != NULL ? name : kind_of(at));
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
    domain_set_fini(flag);
}

enum err_code flag_parse(struct parse *parse, const struct json *document)
{
    typedef enum err_code step(struct parse * parse, const struct json *document);
    static step *const steps[] = {
        parse_key,           parse_type,       uses_parse,    parse_state,      variants_parse,
        parse_bucketing,     individual_parse, domains_parse, domain_set_parse, rules_parse,
        prerequisites_parse, layer_part_parse, parse_tie};
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
    flag->before_rules = flag->individual_count > 0 || flag->domains.count > 0 ||
                         flag->prerequisite_count > 0 || flag->layer.key != NULL;
    flag->targeted = flag->before_rules || flag->rule_count > 0;
    return ERR_OK;
}
