/*
 * A condition's source, compiled with and without the checker.
 *
 * Beside not crashing: a failure has a message that points into the source; what compiles is printed
 * as canonical source, which compiles, has the same type, reads the same attributes, and is printed
 * the same again; what is cut when it is printed is as long as what is not.
 */
#include "tests/fuzz/environment.h"

#include <stdlib.h>
#include <string.h>

static bool same_reads(const struct condition *a, const struct condition *b)
{
    if (condition_read_count(a) != condition_read_count(b)) {
        return false;
    }
    for (size_t i = 0; i < condition_read_count(a); i++) {
        if (condition_read_slot(a, i) != condition_read_slot(b, i)) {
            return false;
        }
    }
    return true;
}

static char *print(const struct condition *cond)
{
    char small[8];
    size_t len = condition_print(cond, small, sizeof small);
    char *text = malloc(len + 1);

    CHECK(len > 0 && text != NULL);
    CHECK(strlen(small) == (len < sizeof small ? len : sizeof small - 1));
    CHECK(condition_print(cond, text, len + 1) == len && strlen(text) == len);
    CHECK(strncmp(text, small, strlen(small)) == 0);
    return text;
}

/* Disassembled into any room: never more than fits, and always as long. */
static void check_disassembly(const struct condition *cond)
{
    char small[40];
    size_t len = condition_disassemble(cond, small, sizeof small);

    CHECK(len > 0 && strlen(small) == (len < sizeof small ? len : sizeof small - 1));
}

static void check_printed(struct condition_env *env, const struct condition *cond)
{
    struct condition *again = NULL;
    struct condition_diag diag;
    char *text = print(cond);
    enum condition_status status = condition_compile(env, text, strlen(text), &again, &diag);

    /* Escapes and numbers may be longer than they were. */
    if (status != CONDITION_OK && status != CONDITION_EXHAUSTED) {
        fuzz_fail("printed as %s it does not compile: %s", text, diag.msg);
    }
    if (status == CONDITION_OK) {
        char *text_again = print(again);

        if (strcmp(text, text_again) != 0) {
            fuzz_fail("printed as %s, and then as %s", text, text_again);
        }
        if (strcmp(condition_result_type(cond), condition_result_type(again)) != 0) {
            fuzz_fail("%s is %s, and was %s", text, condition_result_type(again),
                      condition_result_type(cond));
        }
        if (!same_reads(cond, again)) {
            fuzz_fail("%s reads other attributes than before", text);
        }
        free(text_again);
    }
    condition_free(again);
    free(text);
}

static enum condition_status compile(enum fuzz_env which, struct str source)
{
    struct condition_env *env = fuzz_env(which);
    struct condition *cond = NULL;
    struct condition_diag diag;
    enum condition_status status = condition_compile(env, source.at, source.len, &cond, &diag);

    if (status == CONDITION_OK) {
        CHECK(cond != NULL && strlen(condition_source(cond)) <= source.len);
        CHECK(condition_result_type(cond)[0] != '\0');
        for (size_t i = 0; i < condition_read_count(cond); i++) {
            CHECK(condition_read_slot(cond, i) < condition_env_slot_count(env));
        }
        check_disassembly(cond);
        check_printed(env, cond);
    } else {
        CHECK(cond == NULL && status != CONDITION_NOMEM && status != CONDITION_EVAL);
        fuzz_check_diag(&diag, source);
    }
    condition_free(cond);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str source = {(const char *)data, size};
    enum condition_status checked, unchecked;

    source.at = fuzz_exact(source);
    checked = compile(FUZZ_ENV_CHECKED, source);
    unchecked = compile(FUZZ_ENV_UNCHECKED, source);
    /* The checker only ever refuses: its types and names, never what is a condition without it. */
    if (checked == CONDITION_OK && unchecked != CONDITION_OK && unchecked != CONDITION_EXHAUSTED) {
        fuzz_fail("checked it compiles, unchecked it ends with %d", (int)unchecked);
    }
    if (checked == CONDITION_SYNTAX && unchecked != CONDITION_SYNTAX) {
        fuzz_fail("a syntax error for the checker alone");
    }
    fuzz_release();
    return 0;
}
