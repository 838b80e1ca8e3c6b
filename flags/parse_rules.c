/*
 * "rules".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/model.h"

/* Every segment that the condition names must be one that can be asked. */
static enum err_code take_segments(struct parse *parse, const char *at, bool *reads_now)
{
    struct segments *segments = parse->segments;

    for (size_t i = 0; segments->any_asked && i < segments->count; i++) {
        const struct segment *segment = &segments->at[i];

        if (!segments->asked[i])
            continue;
        if (segment->unusable != NULL)
            return err_set(parse->err, ERR_INVALID, "%s: segment '%.80s' cannot be used: %.300s",
                           at, segment->key, segment->unusable);
        *reads_now = *reads_now || segment->reads_now;
    }
    return ERR_OK;
}

static enum err_code compile(struct parse *parse, const char *source, const char *at,
                             struct condition **out, bool *reads_now)
{
    struct condition_diag diag = {0};
    enum condition_status status;
    const char *type;

    if (parse->segments->any_asked) {
        memset(parse->segments->asked, 0, parse->segments->count * sizeof *parse->segments->asked);
        parse->segments->any_asked = false;
    }
    status = condition_compile(parse->env, source, strlen(source), out, &diag);
    if (status == CONDITION_NOMEM)
        return no_memory(parse->err);
    if (status != CONDITION_OK)
        return err_set(parse->err, ERR_INVALID, "%s: line %u, column %u: %s%s%s%s", at, diag.line,
                       diag.column, diag.msg, diag.hint[0] != '\0' ? " (" : "", diag.hint,
                       diag.hint[0] != '\0' ? ")" : "");
    type = condition_result_type(*out);
    if (strcmp(type, "bool") != 0 && strcmp(type, "dyn") != 0)
        return err_set(parse->err, ERR_INVALID, "%s: gives %.40s; it must give true or false", at,
                       type);
    *reads_now = *reads_now || condition_reads(*out, "now");
    return parse->flag != NULL ? take_segments(parse, at, reads_now) : ERR_OK;
}

enum err_code when_parse(struct parse *parse, const struct json *when, const char *at,
                         struct condition **out, bool *reads_now)
{
    const char *source = json_text(when);
    size_t len;

    if (source == NULL)
        return err_set(parse->err, ERR_INVALID,
                       "%s: %s; it must be a condition such as \"plan == 'pro'\"", at,
                       kind_of(when));
    len = strlen(source);
    if (len > LIMIT_CONDITION_BYTES)
        return err_set(parse->err, ERR_LIMIT, "%s: %zu bytes; at most %u are allowed", at, len,
                       LIMIT_CONDITION_BYTES);
    return compile(parse, source, at, out, reads_now);
}

/* "segment": "beta" is the condition segment("beta"). */
static enum err_code parse_whom(struct parse *parse, const struct json *json, const char *at,
                                struct rule *rule)
{
    const struct json *when = json_get(json, "when"), *segment = json_get(json, "segment");
    const char *name = json_text(segment);
    char where[64], source[LIMIT_KEY_BYTES + 16];

    snprintf(where, sizeof where, "%s.%s", at, segment != NULL ? "segment" : "when");
    if (segment == NULL)
        return when_parse(parse, when, where, &rule->when, &parse->flag->reads_now);
    if (when != NULL)
        return err_set(parse->err, ERR_INVALID,
                       "%s: stands beside \"when\"; write one of them, or segment(\"...\") in the "
                       "condition",
                       where);
    if (name == NULL || !key_is_good(name) ||
        segment_find(parse->segments, name, strlen(name)) == NULL)
        return err_set(parse->err, ERR_INVALID, "%s: there is no segment '%.80s'", where,
                       name != NULL ? name : kind_of(segment));
    snprintf(source, sizeof source, "segment(\"%s\")", name);
    rule->segment = segment_find(parse->segments, name, strlen(name));
    return compile(parse, source, where, &rule->when, &parse->flag->reads_now);
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
    return parse_whom(parse, json, at, rule);
}

enum err_code rules_parse(struct parse *parse, const struct json *document)
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
