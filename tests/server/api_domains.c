#include "tests/server/api_domains.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flags/domain_set.h"

#define FLAGS "/api/v1/flags"
#define ON "{\"variant\":\"on\"}"

static struct rig *rig;

static void assert_says(const char *part)
{
    if (strstr(rig->reply.body, part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, rig->reply.body);
    }
}

static void change(int status, const char *method, const char *path, const char *body)
{
    json_free(rig_call(rig, status, method, path, NULL, "If-Match: *\r\n", body));
}

/* What the server answers for a domain, as "variant". */
static void answers(const char *key, const char *domain, const char *variant)
{
    char path[200], body[200], want[60];

    snprintf(path, sizeof path, "/ofrep/v1/evaluate/flags/%s", key);
    snprintf(body, sizeof body, "{\"context\":{\"domain\":\"%s\"}}", domain);
    rig_does(rig, 200, "POST", path, body);
    snprintf(want, sizeof want, "\"variant\":\"%s\"", variant);
    assert_says(want);
}

static void one_rule_is_put_and_removed(void **state)
{
    (void)state;
    rig_does(rig, 201, "POST", FLAGS, "{\"key\":\"customers\",\"state\":\"on\"}");
    change(200, "PUT", FLAGS "/customers/domains/Acme.COM.", ON);
    assert_says("\"acme.com\":{\"variant\":\"on\"}");
    answers("customers", "acme.com", "on");
    answers("customers", "x.acme.com", "off");
    change(200, "PUT", FLAGS "/customers/domains/*.acme.com",
           "{\"ramp\":{\"percent\":100,\"variant\":\"on\"}}");
    answers("customers", "x.acme.com", "on");
    change(200, "PUT", FLAGS "/customers/domains/acme.com", "{\"rules\":true}");
    assert_says("\"acme.com\":{\"rules\":true}");
    change(400, "PUT", FLAGS "/customers/domains/acme.com", "{\"variant\":\"blue\"}");
    change(400, "PUT", FLAGS "/customers/domains/acme.com", "{}");
    change(400, "PUT", FLAGS "/customers/domains/a@acme.com", ON);
    change(404, "PUT", FLAGS "/none/domains/acme.com", ON);
    json_free(rig_call(rig, 428, "PUT", FLAGS "/customers/domains/acme.com", NULL, NULL, ON));
    json_free(rig_call(rig, 412, "PUT", FLAGS "/customers/domains/acme.com", NULL,
                       "If-Match: \"1\"\r\n", ON));
    change(200, "DELETE", FLAGS "/customers/domains/ACME.com", NULL);
    change(404, "DELETE", FLAGS "/customers/domains/acme.com", NULL);
}

static void public_suffixes_need_a_word(void **state)
{
    static const char *const wide[] = {"com", "*.com", "*.co.uk", "github.io", "*.GitHub.IO."};
    static const char *const fine[] = {"acme.co.uk", "*.acme.github.io", "localhost", "*.intranet"};
    char path[200];

    (void)state;
    rig_does(rig, 201, "POST", FLAGS, "{\"key\":\"wide\",\"state\":\"on\"}");
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        snprintf(path, sizeof path, FLAGS "/wide/domains/%s", wide[i]);
        change(409, "PUT", path, ON);
        assert_says("anybody can register");
    }
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        snprintf(path, sizeof path, FLAGS "/wide/domains/%s", fine[i]);
        change(200, "PUT", path, ON);
    }
    change(200, "PUT", FLAGS "/wide/domains/*.com?wide=true", ON);
    answers("wide", "anything.com", "on");
    /* it is known now: other changes do not ask again, in a whole document neither */
    change(200, "PUT", FLAGS "/wide/domains/acme.com", "{\"variant\":\"off\"}");
    rig_set(rig, 200, "wide", "description", "\"for all of com\"");
    rig_set(rig, 409, "wide", "domains", "{\"*.com\":" ON ",\"*.org\":" ON "}");
    rig_does(rig, 409, "POST", FLAGS,
             "{\"key\":\"wide-2\",\"domains\":{\"*.com\":" ON "},\"state\":\"on\"}");
}

/* ---- many ---- */

static enum err_code get(void *ctx, const char *hash, struct domain_shard **out, struct err *err)
{
    char path[200];

    (void)ctx;
    snprintf(path, sizeof path, "/sdk/v1/domains/%s", hash);
    json_free(rig_call(rig, 200, "GET", path, NULL, NULL, NULL));
    return domain_shard_parse(rig->reply.body, rig->reply.body_len, out, err);
}

static enum err_code put(void *ctx, struct domain_shard *shard, struct err *err)
{
    size_t len;
    char *text = domain_shard_print(shard, &len), path[200];

    (void)ctx;
    (void)err;
    snprintf(path, sizeof path, "/api/v1/domains/%s", domain_shard_hash(shard));
    json_free(rig_call(rig, 204, "PUT", path, NULL, "Content-Type: text/plain\r\n", text));
    free(text);
    return ERR_OK;
}

static const struct domain_source source = {get, NULL};
static const struct domain_sink sink = {put, NULL};

static struct json *fetch_flag(const char *key)
{
    char path[200];

    snprintf(path, sizeof path, FLAGS "/%s", key);
    return rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
}

static void put_flag(int status, const char *key, const struct json *flag, const char *query)
{
    char path[200], *text = json_print(flag);

    snprintf(path, sizeof path, FLAGS "/%s%s", key, query);
    change(status, "PUT", path, text);
    free(text);
}

/* Gives the flag `count` rules "c-N.example" -> on, and one for wide, as a client does. */
static void send_many(const char *key, int count, const char *wide, int status, const char *query)
{
    struct domain_list list = {0};
    struct json *flag = fetch_flag(key), *on = NULL;
    uint16_t number;

    assert_int_equal(json_parse(ON, strlen(ON), &on, NULL), ERR_OK);
    assert_int_equal(domain_list_serve(&list, on, &number, NULL), ERR_OK);
    for (int i = 0; i < count; i++) {
        char name[40];

        snprintf(name, sizeof name, "c-%d.example", i);
        assert_int_equal(domain_list_add(&list, name, number, 1, NULL), ERR_OK);
    }
    if (wide != NULL) {
        assert_int_equal(domain_list_add(&list, wide, number, 1, NULL), ERR_OK);
    }
    assert_int_equal(domain_list_settle(&list, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(domain_list_write(&list, flag, &sink, NULL), ERR_OK);
    put_flag(status, key, flag, query);
    domain_list_fini(&list);
    json_free(flag);
    json_free(on);
}

#define MANY 9000

static void many_rules_are_sent_in_parts_and_taken_at_once(void **state)
{
    struct json *flag, *set, *shards;
    char body[300];

    (void)state;
    rig_does(rig, 201, "POST", FLAGS, "{\"key\":\"many\",\"state\":\"on\"}");
    send_many("many", MANY, NULL, 200, "");
    answers("many", "c-8999.example", "on");
    answers("many", "c-9000.example", "off");
    flag = fetch_flag("many");
    set = json_get(flag, "domain_set");
    assert_int_equal(json_count(json_get(set, "shards")), 2);
    assert_int_equal(domain_set_check(flag, &source, NULL), ERR_OK);
    /* one rule, on the server */
    change(200, "PUT", FLAGS "/many/domains/*.c-1.example", ON);
    answers("many", "x.c-1.example", "on");
    change(200, "DELETE", FLAGS "/many/domains/c-2.example", NULL);
    answers("many", "c-2.example", "off");
    change(404, "DELETE", FLAGS "/many/domains/c-2.example", NULL);
    change(409, "PUT", FLAGS "/many/domains/*.co.uk", ON);
    /* what a client says of its set is not believed */
    json_put_number(json_first(json_get(set, "serves")), "count", 5);
    put_flag(400, "many", flag, "");
    assert_says("is that of 9000 rules, not of 5");
    json_free(flag);
    send_many("many", MANY, "*.github.io", 409, "");
    assert_says("github.io");
    send_many("many", MANY, "*.github.io", 200, "?wide=true");
    answers("many", "me.github.io", "on");
    /* sent under another name, or not sent at all */
    snprintf(body, sizeof body, "/api/v1/domains/%064d", 0);
    json_free(rig_call(rig, 400, "PUT", body, NULL, NULL, "a.example 0\n"));
    json_free(rig_call(rig, 400, "PUT", body, NULL, NULL, "no domain\n"));
    snprintf(body, sizeof body, "/sdk/v1/domains/%064d", 0);
    json_free(rig_call(rig, 404, "GET", body, NULL, NULL, NULL));
    flag = fetch_flag("many");
    snprintf(body, sizeof body, "%064d", 0);
    shards = json_array();
    json_append(shards, json_string(body));
    json_put(json_get(flag, "domain_set"), "shards", shards);
    put_flag(400, "many", flag, "");
    assert_says("are not here");
    json_free(flag);
}

static void many_rules_outlive_a_kill(void **state)
{
    (void)state;
    assert_int_equal(rig_stop(rig, SIGKILL), 128 + SIGKILL);
    rig_serve(rig, NULL);
    answers("many", "c-8999.example", "on");
    answers("many", "me.github.io", "on");
    answers("many", "c-9000.example", "off");
}

int api_domains_tests(struct rig *of)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rule_is_put_and_removed),
        cmocka_unit_test(public_suffixes_need_a_word),
        cmocka_unit_test(many_rules_are_sent_in_parts_and_taken_at_once),
        cmocka_unit_test(many_rules_outlive_a_kill),
    };

    rig = of;
    return cmocka_run_group_tests_name("domains", tests, NULL, NULL);
}
