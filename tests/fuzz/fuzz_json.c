/* What json_parse() takes is printed as JSON that means the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct json *parse_again(const char *printed)
{
    struct json *json = NULL;
    struct err err = {0};

    CHECK(printed != NULL);
    if (json_parse(printed, strlen(printed), &json, &err) != ERR_OK) {
        fuzz_fail("does not parse any more: %s\n%s", err.msg, printed);
    }
    return json;
}

/* Whether an object anywhere in it holds one key twice. */
static bool repeats(const struct json *json)
{
    if (json_kind(json) == JSON_OBJECT && json_has_duplicate_keys(json, NULL)) {
        return true;
    }
    for (const struct json *at = json_first(json); at != NULL; at = json_next(at)) {
        if (repeats(at)) {
            return true;
        }
    }
    return false;
}

static void check_access(const struct json *json)
{
    size_t count = 0;

    for (const struct json *at = json_first(json); at != NULL; at = json_next(at), count++) {
        if (json_kind(json) == JSON_OBJECT) {
            CHECK(json_key(at) != NULL && json_get(json, json_key(at)) != NULL);
        }
        check_access(at);
    }
    CHECK(count == json_count(json));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *json = NULL, *copy, *again;
    struct err err = {0};
    char *line, *pretty, *canonical, *second;

    if (json_parse((const char *)data, size, &json, &err) != ERR_OK) {
        CHECK(json == NULL && err.code == ERR_INVALID && strstr(err.msg, "line ") != NULL);
        return 0;
    }
    check_access(json);
    copy = json_copy(json);
    CHECK(json_equal(json, copy) && json_equal(copy, json) && json_equal(json, json));
    line = json_print(json);
    pretty = json_print_pretty(json);
    canonical = json_print_canonical(json);

    again = parse_again(line);
    CHECK(strchr(line, '\n') == NULL && json_equal(json, again));
    second = json_print(again);
    CHECK(strcmp(line, second) == 0);
    free(second);
    json_free(again);

    again = parse_again(pretty);
    CHECK(pretty[strlen(pretty) - 1] == '\n' && json_equal(json, again));
    json_free(again);

    again = parse_again(canonical);
    CHECK(repeats(json) || json_equal(json, again));
    second = json_print_canonical(again);
    CHECK(strcmp(canonical, second) == 0);
    free(second);
    json_free(again);

    free(line);
    free(pretty);
    free(canonical);
    json_free(copy);
    json_free(json);
    return 0;
}
