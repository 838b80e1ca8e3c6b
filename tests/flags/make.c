#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1767225600000) /* 2026-01-01 */

struct json *make_json(const char *text)
{
    char *copy = strdup(text);
    struct json *json = NULL;
    struct err err = {0};

    assert_non_null(copy);
    for (char *at = copy; *at != '\0'; at++)
        *at = *at == '\'' ? '"' : *at == '`' ? '\'' : *at;
    if (json_parse(copy, strlen(copy), &json, &err) != ERR_OK)
        fail_msg("%s: %s", copy, err.msg);
    free(copy);
    return json;
}

struct json *make_flag(const char *members)
{
    struct json *flag = make_json("{'key':'f','type':'boolean','state':'on',"
                                  "'variants':{'on':true,'off':false},'off_variant':'off',"
                                  "'salt':'s1','split_salt':'s2','fallthrough':{'variant':'off'}}");
    size_t len = strlen(members) + 3;
    char *object = malloc(len);
    struct json *more;

    assert_non_null(object);
    snprintf(object, len, "{%s}", members);
    more = make_json(object);
    free(object);
    for (struct json *at = json_first(more); at != NULL; at = json_next(at))
        assert_non_null(json_put(flag, json_key(at), json_copy(at)));
    json_free(more);
    return flag;
}

struct ruleset *make_rules_with_of(const char *members, struct json *const *flags)
{
    struct json *document = make_json("{'format':1,'environment':'test','epoch':1,'revision':1}");
    struct json *array = json_array(), *more;
    char *object = malloc(strlen(members) + 3);
    struct ruleset *rules = NULL;
    struct err err = {0};

    assert_non_null(object);
    snprintf(object, strlen(members) + 3, "{%s}", members);
    more = make_json(object);
    free(object);
    for (struct json *at = json_first(more); at != NULL; at = json_next(at))
        assert_non_null(json_put(document, json_key(at), json_copy(at)));
    json_free(more);
    for (; *flags != NULL; flags++)
        assert_non_null(json_append(array, *flags));
    assert_non_null(json_put(document, "flags", array));
    if (ruleset_build(document, &rules, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    json_free(document);
    return rules;
}

struct ruleset *make_rules_of(struct json *const *flags)
{
    return make_rules_with_of("", flags);
}

struct decision decide(const struct ruleset *rules, const char *key, const char *context)
{
    const struct flag *flag = ruleset_find(rules, key);
    struct json *attributes = make_json(context);
    struct decision decision;
    struct context *ctx = malloc(sizeof *ctx);
    struct err err = {0};

    assert_non_null(flag);
    assert_non_null(ctx);
    if (context_init(ctx, rules, attributes, NOW_MS, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    json_free(attributes);
    evaluate_flag(rules, flag, ctx, &decision);
    context_fini(ctx);
    free(ctx);
    return decision;
}

const char *decision_text(const struct decision *decision)
{
    static char text[400];
    const char *rule = decision->rule != NULL ? decision->rule : "";
    const char *error = flag_error_name(decision->error);

    snprintf(text, sizeof text, "%s %s %s%s%s%s%s",
             decision->variant != NULL ? decision->variant : "-",
             flag_reason_name(decision->reason), decision->where, rule[0] != '\0' ? " " : "", rule,
             error[0] != '\0' ? " " : "", error);
    return text;
}

uint32_t next_number(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) ^ (*state << 11 & 0xff000000u);
}
