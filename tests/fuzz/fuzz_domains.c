/*
 * CSV of domain rules: whatever is in it, each mistake has its line; what is taken by a flag is exported as CSV
 * that reads back as the same rules. The same bytes as a shard: what is taken is printed as it was.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/program/domain_csv.h"
#include "flags/ruleset.h"

static const char flag_text[] = "{\"key\":\"f\",\"type\":\"string\",\"state\":\"on\",\"variants\":{"
                                "\"off\":\"0\",\"on\":\"1\",\"=2\":"
                                "\"2\"},\"off_variant\":\"off\",\"salt\":\"a\",\"split_salt\":"
                                "\"b\",\"fallthrough\":{\"variant\":"
                                "\"off\"}}";

static void read_csv(const char *text, size_t len, const struct json *flag,
                     struct domain_list *list, struct domain_csv *csv)
{
    FILE *file = len > 0 ? fmemopen((void *)(uintptr_t)text, len, "rb") : fopen("/dev/null", "rb");
    struct err err = {0};

    CHECK(file != NULL);
    *csv = (struct domain_csv){.flag = flag, .list = list};
    if (domain_csv_read(csv, file, &err) != ERR_OK)
        fuzz_fail("not read: %s", err.msg);
    fclose(file);
    for (size_t i = 0; i < csv->problem_count && i < DOMAIN_CSV_PROBLEMS; i++)
        CHECK(csv->problems[i].line > 0 && csv->problems[i].text[0] != '\0' &&
              strchr(csv->problems[i].text, '\n') == NULL);
}

static void told(void *ctx, const struct domain_rule *first, const struct domain_rule *again)
{
    CHECK(strcmp(first->pattern, again->pattern) == 0 && first->line <= again->line);
    *(bool *)ctx = true;
}

static void same(const struct domain_list *a, const struct domain_list *b, const char *text)
{
    CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->rules[i].pattern, b->rules[i].pattern) != 0 ||
            strcmp(a->serves[a->rules[i].serve].text, b->serves[b->rules[i].serve].text) != 0)
            fuzz_fail("rule %zu is another one behind an export:\n%s", i, text);
    }
}

static void check_csv(const char *data, size_t size, struct json *flag)
{
    struct domain_list list = {0}, again = {0};
    struct domain_csv csv;
    struct domain_sink none = {0};
    struct buf text = {0};
    bool twice = false;

    read_csv(data, size, flag, &list, &csv);
    if (csv.problem_count == 0 && domain_list_settle(&list, told, &twice, NULL) == ERR_OK &&
        list.count <= DOMAIN_INLINE_MAX && domain_list_write(&list, flag, &none, NULL) == ERR_OK &&
        flag_check(flag, NULL) == ERR_OK) {
        domain_csv_write(&list, &text);
        CHECK(!buf_failed(&text));
        read_csv(text.at, text.len, flag, &again, &csv);
        if (csv.problem_count > 0)
            fuzz_fail("line %u: %s\n%s", csv.problems[0].line, csv.problems[0].text, text.at);
        CHECK(domain_list_settle(&again, NULL, NULL, NULL) == ERR_OK);
        same(&list, &again, text.at);
    }
    buf_fini(&text);
    domain_list_fini(&list);
    domain_list_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct domain_shard *shard = NULL;
    struct json *flag = NULL;
    struct err err = {0};

    CHECK(json_parse(flag_text, sizeof flag_text - 1, &flag, NULL) == ERR_OK);
    check_csv((const char *)data, size, flag);
    json_free(flag);
    if (domain_shard_parse(data != NULL ? (const char *)data : "", size, &shard, &err) == ERR_OK) {
        size_t len;
        char *text = domain_shard_print(shard, &len);

        CHECK(len == size && (size == 0 || memcmp(text, data, size) == 0));
        free(text);
        domain_shard_drop(shard);
    } else {
        CHECK(shard == NULL && strstr(err.msg, "line ") != NULL);
    }
    return 0;
}
