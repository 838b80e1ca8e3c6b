/*
 * domain_set: many domain rules beside the document say what the same rules in it say; one changed rule
 * is one changed shard; what is wrong is refused.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/diff.h"
#include "flags/domain_set.h"
#include "flags/evaluate.h"

#define RULES 20000

static enum err_code get(void *ctx, const char *hash, struct domain_shard **out, struct err *err)
{
    struct domain_shard *shard = domain_pool_find(ctx, hash);

    if (shard == NULL)
        return err_set(err, ERR_NOT_FOUND, "no shard %.8s", hash);
    *out = domain_shard_keep(shard);
    return ERR_OK;
}

static enum err_code put(void *ctx, struct domain_shard *shard, struct err *err)
{
    return domain_pool_add(ctx, shard, err);
}

struct play {
    struct domain_pool *pool;
    struct domain_source source;
    struct domain_sink sink;
    struct json *flag;
};

static const char *const serves[] = {"{'variant':'on'}", "{'ramp':{'percent':25,'variant':'on'}}",
                                     "{'rules':true}", "{'variant':'off'}"};

static struct json *new_flag(void)
{
    return make_json("{'key':'f','type':'boolean','state':'on','variants':{'on':true,'off':false},"
                     "'off_variant':'off','salt':'s1','split_salt':'s2','bucket_by':'targetingKey',"
                     "'fallthrough':{'variant':'off'}}");
}

static void name_of(int i, char name[64])
{
    snprintf(name, 64, "%scustomer-%d.%s", i % 3 == 0 ? "*." : "", i,
             i % 2 == 0 ? "example.com"
                        : "b\xc3\xbc"
                          "cher.example");
}

/* A flag with `count` rules, written as a list. */
static void play_init(struct play *play, int count)
{
    struct domain_list list = {0};
    uint16_t numbers[4];

    play->pool = domain_pool_new();
    play->source = (struct domain_source){get, play->pool};
    play->sink = (struct domain_sink){put, play->pool};
    play->flag = new_flag();
    for (int i = 0; i < 4; i++) {
        struct json *serve = make_json(serves[i]);

        assert_int_equal(domain_list_serve(&list, serve, &numbers[i], NULL), ERR_OK);
        json_free(serve);
    }
    for (int i = 0; i < count; i++) {
        char name[64];

        name_of(i, name);
        assert_int_equal(domain_list_add(&list, name, numbers[i % 4], 1, NULL), ERR_OK);
    }
    assert_int_equal(domain_list_settle(&list, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(domain_list_write(&list, play->flag, &play->sink, NULL), ERR_OK);
    domain_list_fini(&list);
}

static void play_fini(struct play *play)
{
    json_free(play->flag);
    domain_pool_free(play->pool);
}

static struct ruleset *build(const struct play *play, const struct json *flag)
{
    struct json *document = make_json("{'format':1,'environment':'e','epoch':1,'revision':1}");
    struct json *flags = json_array();
    struct ruleset *rules = NULL;

    json_append(flags, json_copy(flag));
    json_put(document, "flags", flags);
    assert_int_equal(ruleset_build_with(document, play->pool, &rules, NULL), ERR_OK);
    json_free(document);
    return rules;
}

/* "variant reason rule" for a domain. */
static const char *answer(const struct ruleset *rules, const char *domain)
{
    static char text[2][400];
    static int turn;
    struct json *attributes = make_json("{'targetingKey':'user-1'}");
    struct context ctx;
    struct decision decision;

    json_put_text(attributes, "domain", domain);
    assert_int_equal(context_init(&ctx, rules, attributes, 0, NULL), ERR_OK);
    evaluate_flag(rules, ruleset_at(rules, 0), &ctx, &decision);
    turn = !turn;
    snprintf(text[turn], sizeof text[turn], "%s %s %s",
             decision.variant != NULL ? decision.variant : "-", flag_reason_name(decision.reason),
             decision.rule != NULL ? decision.rule : decision.message);
    context_fini(&ctx);
    json_free(attributes);
    return text[turn];
}

static void a_set_says_what_the_same_rules_in_the_document_say(void **state)
{
    struct play play;
    struct json *inlined = new_flag(), *domains = json_object();
    struct ruleset *set, *whole;

    (void)state;
    play_init(&play, RULES);
    assert_null(json_get(play.flag, "domains"));
    assert_int_equal(domain_rules_count(play.flag), RULES);
    assert_int_equal(json_count(json_get(json_get(play.flag, "domain_set"), "shards")), 4);
    assert_int_equal(flag_check(play.flag, NULL), ERR_OK);
    assert_int_equal(domain_set_check(play.flag, &play.source, NULL), ERR_OK);
    for (int i = 0; i < RULES; i++) {
        char name[64];

        name_of(i, name);
        json_put_new(domains, name, make_json(serves[i % 4]));
    }
    json_put(inlined, "domains", domains);
    set = build(&play, play.flag);
    whole = build(&play, inlined);
    assert_null(flag_unusable(ruleset_at(set, 0)));
    for (int i = 0; i < RULES + 10; i += 7) {
        char name[64], below[80];

        name_of(i, name);
        snprintf(below, sizeof below, "a.%s", name[0] == '*' ? name + 2 : name);
        assert_string_equal(answer(set, below), answer(whole, below));
        assert_string_equal(answer(set, below + 2), answer(whole, below + 2));
    }
    ruleset_free(set);
    ruleset_free(whole);
    json_free(inlined);
    play_fini(&play);
}

static unsigned shards_that_differ(const struct json *a, const struct json *b)
{
    const struct json *x = json_first(json_get(json_get(a, "domain_set"), "shards"));
    const struct json *y = json_first(json_get(json_get(b, "domain_set"), "shards"));
    unsigned differ = 0;

    for (; x != NULL && y != NULL; x = json_next(x), y = json_next(y))
        differ += strcmp(json_text(x), json_text(y)) != 0;
    return differ;
}

static void one_changed_rule_is_one_changed_shard(void **state)
{
    struct play play;
    struct json *before, *was = NULL, *half = make_json("{'ramp':{'percent':50,'variant':'on'}}");
    struct ruleset *rules;
    struct err err;

    (void)state;
    play_init(&play, RULES);
    before = json_copy(play.flag);
    assert_int_equal(domain_set_put(play.flag, "New.Customer.Example.", half, &play.source,
                                    &play.sink, &was, NULL),
                     ERR_OK);
    assert_null(was);
    assert_int_equal(shards_that_differ(before, play.flag), 1);
    assert_int_equal(domain_rules_count(play.flag), RULES + 1);
    assert_int_equal(domain_set_check(play.flag, &play.source, NULL), ERR_OK);
    rules = build(&play, play.flag);
    assert_string_equal(answer(rules, "new.customer.example"), "off SPLIT new.customer.example");
    ruleset_free(rules);

    assert_int_equal(domain_set_put(play.flag, "new.customer.example", NULL, &play.source,
                                    &play.sink, &was, NULL),
                     ERR_OK);
    assert_true(json_equal(was, half));
    json_free(was);
    assert_int_equal(domain_rules_count(play.flag), RULES);
    assert_int_equal(shards_that_differ(before, play.flag), 0);
    assert_int_equal(domain_set_check(play.flag, &play.source, NULL), ERR_OK);
    assert_int_equal(domain_set_put(play.flag, "new.customer.example", NULL, &play.source,
                                    &play.sink, NULL, &err),
                     ERR_NOT_FOUND);
    assert_int_equal(
        domain_set_put(play.flag, "no domain", half, &play.source, &play.sink, NULL, &err),
        ERR_INVALID);
    /* replaced, with a SERVE that takes the place of the one that no rule has any more */
    assert_int_equal(domain_set_put(play.flag, "customer-2.example.com", half, &play.source,
                                    &play.sink, &was, NULL),
                     ERR_OK);
    assert_true(json_is_true(json_get(was, "rules")));
    json_free(was);
    assert_int_equal(json_count(json_get(json_get(play.flag, "domain_set"), "serves")), 5);
    assert_int_equal(domain_set_check(play.flag, &play.source, NULL), ERR_OK);
    assert_int_equal(flag_check(play.flag, NULL), ERR_OK);
    json_free(before);
    json_free(half);
    play_fini(&play);
}

static void a_small_set_stands_in_the_document(void **state)
{
    struct play play;
    struct json *on = make_json("{'variant':'on'}");

    (void)state;
    play_init(&play, (int)DOMAIN_INLINE_MAX);
    assert_int_equal(json_count(json_get(play.flag, "domains")), DOMAIN_INLINE_MAX);
    assert_null(json_get(play.flag, "uses"));
    assert_int_equal(
        domain_set_put(play.flag, "more.example", on, &play.source, &play.sink, NULL, NULL),
        ERR_OK);
    assert_null(json_get(play.flag, "domains"));
    assert_int_equal(domain_rules_count(play.flag), DOMAIN_INLINE_MAX + 1);
    assert_int_equal(json_count(json_get(play.flag, "uses")), 1);
    for (int i = 0; i < 2; i++) {
        char name[64];

        name_of(i, name);
        assert_int_equal(
            domain_set_put(play.flag, name, NULL, &play.source, &play.sink, NULL, NULL), ERR_OK);
        assert_int_equal(domain_set_check(play.flag, &play.source, NULL), ERR_OK);
    }
    assert_null(json_get(play.flag, "domain_set"));
    assert_null(json_get(play.flag, "uses"));
    assert_int_equal(json_count(json_get(play.flag, "domains")), DOMAIN_INLINE_MAX - 1);
    assert_int_equal(flag_check(play.flag, NULL), ERR_OK);
    json_free(on);
    play_fini(&play);
}

static void a_set_that_is_not_here_makes_its_flag_unusable(void **state)
{
    struct play play;
    struct domain_pool *none = domain_pool_new(), *all;
    struct ruleset *rules;

    (void)state;
    play_init(&play, 2000);
    all = play.pool;
    play.pool = none;
    rules = build(&play, play.flag);
    assert_non_null(strstr(flag_unusable(ruleset_at(rules, 0)), "not here"));
    assert_non_null(strstr(answer(rules, "customer-1.example.com"), "- ERROR"));
    ruleset_free(rules);
    play.pool = all;
    /* a ruleset keeps what it serves when the pool lets go of it */
    rules = build(&play, play.flag);
    domain_pool_free(all);
    play.pool = none;
    assert_string_equal(answer(rules, "customer-4.example.com"),
                        "on TARGETING_MATCH customer-4.example.com");
    ruleset_free(rules);
    play_fini(&play);
}

static void shards_are_read_as_they_are_written(void **state)
{
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"", NULL},
        {"*.acme.com 0\na.com 1\nacme.com 4095\n", NULL},
        {"acme.com 0", "line 1 does not end"},
        {"acme.com\n", "line 1 is no canonical"},
        {"acme.com 0\n\n", "line 2 is no canonical"},
        {"Acme.com 0\n", "line 1 is no canonical"},
        {"acme.com. 0\n", "line 1 is no canonical"},
        {"b\xc3\xbc"
         "cher.example 0\n",
         "line 1 is no canonical"},
        {"* 0\n", "line 1 is no canonical"},
        {"*. 0\n", "line 1 is no canonical"},
        {"*.*.com 0\n", "line 1 is no canonical"},
        {"a@acme.com 0\n", "line 1 is no canonical"},
        {"acme.com:80 0\n", "line 1 is no canonical"},
        {" 0\n", "line 1 is no canonical"},
        {"acme.com \n", "line 1 has no number"},
        {"acme.com 4096\n", "line 1 has no number"},
        {"acme.com 99999\n", "line 1 has no number"},
        {"acme.com 00\n", "line 1 has no number"},
        {"acme.com -1\n", "line 1 has no number"},
        {"acme.com 1 \n", "line 1 has no number"},
        {"acme.com  1\n", "line 1 has no number"},
        {"a.com 0\na.com 0\n", "line 2 is out of order"},
        {"b.com 0\na.com 0\n", "line 2 is out of order"},
        {"a.com 0\na.co 0\n", "line 2 is out of order"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct domain_shard *shard = NULL;
        struct err err = {0};
        enum err_code rc = domain_shard_parse(cases[i].text, strlen(cases[i].text), &shard, &err);

        if (cases[i].wrong != NULL) {
            if (rc != ERR_INVALID || strstr(err.msg, cases[i].wrong) == NULL)
                fail_msg("'%s': %s", cases[i].text, err.msg);
        } else {
            size_t len;
            char *again, hash[DIGEST_HEX_BYTES];

            assert_int_equal(rc, ERR_OK);
            again = domain_shard_print(shard, &len);
            assert_int_equal(len, strlen(cases[i].text));
            assert_string_equal(again, cases[i].text);
            assert_string_equal(domain_shard_hash(shard), digest_hex(again, len, hash));
            free(again);
            domain_shard_drop(shard);
        }
    }
}

/* Changes a copy of a good flag and wants it refused. */
static void refused(const struct play *play, const char *member, const char *value,
                    const char *wrong)
{
    struct json *flag = json_copy(play->flag), *set = json_get(flag, "domain_set");
    struct err err = {0};

    if (strcmp(member, "uses") == 0)
        json_remove(flag, "uses");
    else if (strcmp(member, "domains") == 0)
        json_put(flag, "domains", make_json(value));
    else if (strcmp(member, "domain_set") == 0)
        json_put(flag, "domain_set", make_json(value));
    else
        json_put(set, member, make_json(value));
    if (flag_check(flag, &err) == ERR_OK)
        assert_int_not_equal(domain_set_check(flag, &play->source, &err), ERR_OK);
    if (strstr(err.msg, wrong) == NULL)
        fail_msg("%s %s: %s", member, value, err.msg);
    json_free(flag);
}

static void what_is_wrong_with_a_set_is_refused(void **state)
{
    struct play play;
    struct json *set, *shards, *swapped, *serves_of;
    char *text;

    (void)state;
    play_init(&play, RULES);
    refused(&play, "uses", "", "must name \"domain-set\"");
    refused(&play, "domains", "{'acme.com':{'variant':'on'}}", "this one has both");
    refused(&play, "domain_set", "[]", "must be an object");
    refused(&play, "domain_set", "{'count':-1}", "must be an object");
    refused(&play, "count", "1000001", "must be an object");
    refused(&play, "count", "5", "there are 20000 rules, not 5");
    refused(&play, "serves", "[]", "must be an array of 1");
    refused(&play, "serves", "[{'count':20000,'serve':{'variant':'blue'}}]", "no variant");
    refused(&play, "serves", "[{'count':20000,'serve':{'variant':'on'}}]", "names serve 3 of 1");
    refused(&play, "serves", "[{'serve':{'variant':'on'}}]", "serves[0].count");
    refused(&play, "shards", "[]", "must be an array of 1, 2, 4");
    refused(&play, "shards", "['a','b','c']", "must be an array of 1, 2, 4");
    refused(&play, "shards", "['a']", "SHA-256 of 64 digits");
    refused(&play, "shards", "['0000000000000000000000000000000000000000000000000000000000000000']",
            "no shard");
    /* right shards in the wrong order: none of their rules would be found */
    set = json_get(play.flag, "domain_set");
    shards = json_get(set, "shards");
    swapped = json_array();
    json_append(swapped, json_copy(json_next(json_first(shards))));
    json_append(swapped, json_copy(json_first(shards)));
    for (struct json *at = json_next(json_next(json_first(shards))); at != NULL; at = json_next(at))
        json_append(swapped, json_copy(at));
    text = json_print(swapped);
    refused(&play, "shards", text, "and belongs into");
    free(text);
    json_free(swapped);
    /* a serve that says it is that of nobody would not be proved to fit a schema */
    serves_of = json_copy(json_get(set, "serves"));
    json_put_number(json_first(serves_of), "count", 0);
    text = json_print(serves_of);
    refused(&play, "serves", text, "is that of 5000 rules, not of 0");
    free(text);
    json_free(serves_of);
    play_fini(&play);
}

/* Whether the change of one customer's rule asks for a word about reassigned subjects. */
static bool put_moves(struct play *play, const char *domain, const char *serve)
{
    struct json *before = json_copy(play->flag), *json = make_json(serve);
    bool moves;

    assert_int_equal(
        domain_set_put(play->flag, domain, json, &play->source, &play->sink, NULL, NULL), ERR_OK);
    moves = flag_reassigns(before, play->flag);
    json_free(before);
    json_free(json);
    return moves;
}

static void other_weights_in_a_set_are_noticed(void **state)
{
    struct play play;

    (void)state;
    play_init(&play, 2000);
    assert_false(put_moves(&play, "a.example", "{'split':{'on':50,'off':50}}"));
    assert_false(put_moves(&play, "b.example", "{'split':{'on':50,'off':50}}"));
    assert_false(
        put_moves(&play, "b.example", "{'ramp':{'percent':10,'split':{'on':50,'off':50}}}"));
    assert_false(put_moves(&play, "c.example", "{'variant':'off'}"));
    assert_true(put_moves(&play, "a.example", "{'split':{'on':60,'off':40}}"));
    assert_false(put_moves(&play, "a.example", "{'split':{'on':50,'off':50}}"));
    play_fini(&play);
}

static void told(void *ctx, const struct domain_rule *first, const struct domain_rule *again)
{
    snprintf(ctx, 100, "%s %u %u", first->pattern, first->line, again->line);
}

static void of_two_rules_for_a_domain_the_file_wins_and_says_so(void **state)
{
    struct play play;
    struct domain_list list = {0};
    struct json *off = make_json("{'variant':'off'}");
    uint16_t number;
    char said[100] = "";

    (void)state;
    play_init(&play, 10);
    assert_int_equal(domain_list_read(&list, play.flag, &play.source, NULL), ERR_OK);
    assert_int_equal(list.count, 10);
    assert_int_equal(domain_list_serve(&list, off, &number, NULL), ERR_OK);
    assert_int_equal(domain_list_add(&list, "CUSTOMER-4.example.com", number, 7, NULL), ERR_OK);
    assert_int_equal(domain_list_add(&list, "x.example", number, 9, NULL), ERR_OK);
    assert_int_equal(domain_list_add(&list, "X.example.", number, 8, NULL), ERR_OK);
    assert_int_equal(domain_list_add(&list, "http://x.example", number, 8, NULL), ERR_INVALID);
    assert_int_equal(domain_list_settle(&list, told, said, NULL), ERR_OK);
    assert_string_equal(said, "x.example 8 9");
    assert_int_equal(list.count, 11);
    assert_int_equal(domain_list_write(&list, play.flag, &play.sink, NULL), ERR_OK);
    assert_true(
        json_equal(json_get(json_get(play.flag, "domains"), "customer-4.example.com"), off));
    domain_list_fini(&list);
    json_free(off);
    play_fini(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_says_what_the_same_rules_in_the_document_say),
        cmocka_unit_test(one_changed_rule_is_one_changed_shard),
        cmocka_unit_test(a_small_set_stands_in_the_document),
        cmocka_unit_test(a_set_that_is_not_here_makes_its_flag_unusable),
        cmocka_unit_test(shards_are_read_as_they_are_written),
        cmocka_unit_test(what_is_wrong_with_a_set_is_refused),
        cmocka_unit_test(other_weights_in_a_set_are_noticed),
        cmocka_unit_test(of_two_rules_for_a_domain_the_file_wins_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
