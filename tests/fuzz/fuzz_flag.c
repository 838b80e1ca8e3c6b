/*
 * A flag's document (or a ruleset, where "flags" is an array, or a layer, where it is anything else) and,
 * behind a byte 0xff, an evaluation context. What flag_check() takes a ruleset
 * can use; whatever is evaluated, the answer is one of flag_outcomes(), and the document gives the
 * same answer after it has travelled as canonical JSON.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "flags/diff.h"
#include "flags/evaluate.h"
#include "flags/layer.h"
#include "flags/reweigh.h"
#include "flags/ruleset.h"
#include "flags/world.h"

#define NOW_MS INT64_C(1767225600000)

static struct json *parse(struct str text)
{
    struct json *json = NULL;

    return json_parse(text.at, text.len, &json, NULL) == ERR_OK ? json : NULL;
}

static struct ruleset *build(const struct json *flag)
{
    struct json *document = parse(STR("{\"format\":1,\"environment\":\"test\",\"epoch\":1,"
                                      "\"revision\":1,\"flags\":[]}"));
    struct ruleset *rules = NULL;
    struct err err = {0};

    CHECK(json_append(json_get(document, "flags"), json_copy(flag)) != NULL);
    if (ruleset_build(document, &rules, &err) != ERR_OK) {
        CHECK(rules == NULL && err.code != ERR_OK && err.msg[0] != '\0');
    }
    json_free(document);
    if (rules != NULL &&
        ruleset_count(rules) == 0) { /* without a key there is nothing to ask for */
        ruleset_free(rules);
        rules = NULL;
    }
    return rules;
}

struct wanted {
    const char *variant;
    bool found;
    size_t count;
};

static void see(void *ctx, const char *variant, const char *where)
{
    struct wanted *wanted = ctx;

    CHECK(variant != NULL && where != NULL && where[0] != '\0');
    wanted->count++;
    wanted->found = wanted->found || strcmp(variant, wanted->variant) == 0;
}

static void check_outcome(const struct json *flag, const char *variant)
{
    struct wanted wanted = {.variant = variant};
    struct err err = {0};
    bool outside = true;

    CHECK(flag_outcomes(flag, see, &wanted, &err) == ERR_OK && wanted.count > 0);
    if (!wanted.found) {
        fuzz_fail("answers \"%s\", which is no outcome", variant);
    }
    CHECK(flag_outside(flag, &variant, 1, &outside, NULL, 0, NULL, 0, &err) == ERR_OK);
}

static void check_explain(const struct ruleset *rules, const struct flag *flag, struct context *ctx,
                          const struct decision *decision)
{
    struct json *explained = evaluate_explain(rules, flag, ctx);

    CHECK(explained != NULL);
    CHECK(strcmp(json_get_text(explained, "variant", ""),
                 decision->variant != NULL ? decision->variant : "") == 0);
    CHECK(strcmp(json_get_text(explained, "reason", ""), flag_reason_name(decision->reason)) == 0);
    json_free(explained);
}

static bool decide(const struct ruleset *rules, const struct json *attributes, struct decision *out,
                   struct json *explain_for)
{
    static struct context ctx;
    const struct flag *flag = ruleset_at(rules, 0);
    struct decision safe;
    struct err err = {0};

    if (context_init(&ctx, rules, attributes, NOW_MS, &err) != ERR_OK) {
        CHECK(err.code == ERR_INVALID && err.msg[0] != '\0');
        return false;
    }
    evaluate_flag(rules, flag, &ctx, out);
    CHECK((out->variant != NULL) == (flag_unusable(flag) == NULL));
    CHECK((out->reason == FLAG_ERROR) == (out->message[0] != '\0'));
    CHECK(out->bucket >= -1 && out->bucket < 100000);
    if (flag_unusable(flag) != NULL) {
        CHECK(out->error == FLAG_PARSE_ERROR);
    }
    (void)evaluate_safe(flag, &safe);
    if (explain_for != NULL) {
        check_explain(rules, flag, &ctx, out);
    }
    context_fini(&ctx);
    return true;
}

static bool same_json(const char *a, const char *b)
{
    struct json *json_a = parse(str_of(a)), *json_b = parse(str_of(b));
    bool same = json_a != NULL && json_equal(json_a, json_b);

    json_free(json_a);
    json_free(json_b);
    return same;
}

/* The answer of the document as it travels. */
static void check_travel(const struct json *flag, const struct json *attributes,
                         const struct decision *decision)
{
    char *wire = json_print_canonical(flag);
    struct json *arrived = parse((struct str){wire, strlen(wire)});
    struct ruleset *rules = build(arrived);
    struct decision there;

    CHECK(arrived != NULL && rules != NULL && flag_unusable(ruleset_at(rules, 0)) == NULL);
    CHECK(decide(rules, attributes, &there, NULL));
    if (strcmp(there.variant, decision->variant) != 0 || there.reason != decision->reason ||
        there.bucket != decision->bucket || !same_json(there.value_json, decision->value_json)) {
        fuzz_fail("\"%s\" becomes \"%s\" on the way: %s", decision->variant, there.variant, wire);
    }
    ruleset_free(rules);
    json_free(arrived);
    free(wire);
}

static void check_flag(struct json *flag, const struct json *attributes)
{
    struct err err = {0};
    struct ruleset *rules = build(flag);
    bool good = flag_check(flag, &err) == ERR_OK;
    struct decision decision;

    CHECK(good || (err.code != ERR_OK && err.msg[0] != '\0'));
    CHECK(!good || rules != NULL);
    CHECK(!flag_reassigns(flag, flag) || !good);
    if (rules != NULL) {
        const char *unusable = flag_unusable(ruleset_at(rules, 0));

        if (good && unusable != NULL) {
            fuzz_fail("flag_check() takes what cannot be used: %s", unusable);
        }
        CHECK(decide(rules, NULL, &decision, flag)); /* an empty context is always good */
        if (unusable == NULL) {
            check_outcome(flag, decision.variant);
        }
        if (decide(rules, attributes, &decision, flag) && unusable == NULL) {
            check_outcome(flag, decision.variant);
            check_travel(flag, attributes, &decision);
        }
    }
    ruleset_free(rules);
    if (!good && json_kind(flag) == JSON_OBJECT && flag_complete(flag, &err) == ERR_OK) {
        rules = build(flag);
        ruleset_free(rules);
    }
}

/* ---- a whole ruleset, with segments, prerequisites and layers ---- */

static void ask_all(const struct ruleset *rules, const struct json *attributes)
{
    static struct context ctx;
    struct err err = {0};

    if (context_init(&ctx, rules, attributes, NOW_MS, &err) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        const struct flag *flag = ruleset_at(rules, i);
        struct decision decision;

        evaluate_flag(rules, flag, &ctx, &decision);
        CHECK((decision.variant != NULL) == (flag_unusable(flag) == NULL));
        check_explain(rules, flag, &ctx, &decision);
    }
    context_fini(&ctx);
}

static const struct json *find_flag(void *ctx, const char *key)
{
    for (const struct json *at = json_first(ctx); at != NULL; at = json_next(at)) {
        if (strcmp(json_get_text(at, "key", ""), key) == 0) {
            return at;
        }
    }
    return NULL;
}

static void see_name(void *ctx, enum flag_name_kind kind, const char *key)
{
    (void)ctx;
    CHECK(kind == NAMES_FLAG || kind == NAMES_SEGMENT);
    CHECK(key != NULL);
}

/* What is checked in the world of its ruleset can be used in it, and answers what it said it could. */
static void check_in_world(struct json *document, const struct ruleset *rules)
{
    const struct json *segments = json_get(document, "segments");
    struct flag_world world = {.segments = json_kind(segments) == JSON_ARRAY ? segments : NULL,
                               .flag = find_flag,
                               .ctx = json_get(document, "flags")};
    static struct context ctx;
    struct err err = {0};

    CHECK(context_init(&ctx, rules, NULL, NOW_MS, &err) == ERR_OK);
    for (const struct json *at = json_first(world.ctx); at != NULL; at = json_next(at)) {
        const char *key = json_text(json_get(at, "key"));
        const struct flag *flag = key != NULL ? ruleset_find(rules, key) : NULL;
        struct wanted wanted = {.variant = ""};
        struct decision decision;

        CHECK(flag_names(at, see_name, NULL, &err) == ERR_OK);
        if (flag_check_in(at, &world, &err) != ERR_OK || flag == NULL) {
            continue;
        }
        if (flag_unusable(flag) != NULL) {
            fuzz_fail("flag_check_in() takes what cannot be used: %s", flag_unusable(flag));
        }
        evaluate_flag(rules, flag, &ctx, &decision);
        wanted.variant = decision.variant;
        CHECK(flag_outcomes_in(at, &world, see, &wanted, &err) == ERR_OK && wanted.found);
    }
    for (const struct json *at = json_first(world.segments); at != NULL; at = json_next(at)) {
        CHECK(segment_check(at, &world, &err) == ERR_OK || err.msg[0] != 0);
    }
    context_fini(&ctx);
}

static void check_ruleset(struct json *document, const struct json *attributes)
{
    struct ruleset *rules = NULL;
    struct err err = {0};

    if (ruleset_build(document, &rules, &err) != ERR_OK) {
        CHECK(err.code != ERR_OK && err.msg[0] != '\0');
        return;
    }
    ask_all(rules, NULL);
    if (attributes != NULL) {
        ask_all(rules, attributes);
    }
    check_in_world(document, rules);
    ruleset_free(rules);
}

/* ---- layers, and splits that change ---- */

static void check_layer(struct json *layer)
{
    struct json *before = json_copy(layer);
    struct err err = {0};

    if (layer_check(layer, &err) == ERR_OK) {
        const struct json *first = json_first(json_get(layer, "flags"));
        char key[200];

        snprintf(key, sizeof key, "%s", first != NULL ? json_key(first) : "new");
        if (layer_resize(layer, key, 12.5, &err) == ERR_OK) {
            CHECK(layer_check(layer, &err) == ERR_OK);
            CHECK(!(layer_moved(before, layer) > 0));
        }
        json_free(layer_part_json(layer, key));
    } else {
        CHECK(err.msg[0] != '\0');
        (void)layer_moved(before, layer);
    }
    json_free(before);
}

static void check_reweighed(const struct json *flag, const struct json *other)
{
    struct json *after = json_copy(flag);
    struct err err = {0};
    bool good = flag_check(flag, &err) == ERR_OK;

    CHECK(flag_keep_ranges(other, after));
    CHECK(!good || flag_check(after, &err) == ERR_OK);
    json_free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str document, context;
    struct json *flag, *attributes;

    fuzz_halves(data, size, &document, &context);
    flag = parse(document);
    attributes = context.len > 0 ? parse(context) : NULL;
    if (flag != NULL && json_kind(json_get(flag, "flags")) == JSON_ARRAY) {
        check_ruleset(flag, attributes);
    } else if (flag != NULL && json_get(flag, "flags") != NULL) {
        check_layer(flag);
    } else if (flag != NULL) {
        check_flag(flag, attributes);
        check_reweighed(flag, attributes);
    }
    json_free(flag);
    json_free(attributes);
    return 0;
}
