/*
 * A pattern and, behind a byte 0xff, a subject. matches() means the same however it is reached: by
 * cel_regex_match(), by the short cut for plain text, in a constant expression, with the subject in a
 * slot, and with the pattern in a slot too.
 */
#include "tests/fuzz/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "condition/limits.h"
#include "condition/regex.h"

enum answer { NO, YES, ENDED, REFUSED };

static const char *const names[] = {"no", "yes", "a limit", "refused"};

static void quote(struct buf *buf, struct str text)
{
    struct condition_value value = condition_string(text.at, text.len);
    size_t len = condition_value_print(&value, NULL, 0);
    char *printed = malloc(len + 1);

    CHECK(printed != NULL && condition_value_print(&value, printed, len + 1) == len);
    buf_text(buf, printed);
    free(printed);
}

/* "s" and "p" are attributes. */
static enum answer run(const char *source, struct str subject, struct str pattern, bool dynamic)
{
    struct condition_env *env = fuzz_env(dynamic ? FUZZ_ENV_PATTERNS : FUZZ_ENV_TEXTS);
    struct condition *cond = NULL;
    struct condition_diag diag;
    struct condition_value slots[2], result;
    enum answer answer = REFUSED;
    enum condition_status status;

    status = condition_compile(env, source, strlen(source), &cond, &diag);
    if (status == CONDITION_OK) {
        struct condition_input in = {.slots = slots, .slot_count = condition_env_slot_count(env)};

        CHECK(in.slot_count <= 2);
        for (size_t i = 0; i < in.slot_count; i++) {
            struct str text = condition_env_slot_path(env, i)[0] == 's' ? subject : pattern;
            slots[i] = condition_string(text.at, text.len);
        }
        status = condition_run(cond, &in, &result, &diag);
        CHECK(status != CONDITION_OK || result.kind == CONDITION_BOOL);
        answer = status == CONDITION_EXHAUSTED ? ENDED
                 : status != CONDITION_OK      ? REFUSED
                 : result.as.truth             ? YES
                                               : NO;
    } else {
        CHECK(diag.msg[0] != '\0' && diag.from <= diag.to && diag.to <= strlen(source));
    }
    condition_free(cond);
    return answer;
}

static enum answer match(struct str pattern, struct str subject)
{
    char msg[200] = "";
    struct cel_regex *regex = NULL;
    size_t at = 0;
    enum cel_regex_error error =
        cel_regex_compile(pattern.at, pattern.len, &regex, msg, sizeof msg, &at);
    int found;

    CHECK(error != REGEX_NOMEM);
    if (error != REGEX_OK) {
        CHECK(regex == NULL && msg[0] != '\0' && at <= pattern.len);
        return REFUSED;
    }
    found = cel_regex_match(regex, subject.at, subject.len);
    CHECK(found >= -1 && found <= 1);
    cel_regex_free(regex);
    return found == 1 ? YES : found == 0 ? NO : ENDED;
}

static bool plain_holds(enum cel_regex_plain plain, struct str text, struct str subject)
{
    switch (plain) {
    case REGEX_PREFIX: return memcmp(subject.at, text.at, text.len) == 0;
    case REGEX_SUFFIX: return memcmp(subject.at + subject.len - text.len, text.at, text.len) == 0;
    case REGEX_EQUAL: return str_equal(subject, text);
    case REGEX_CONTAINS: return memmem(subject.at, subject.len, text.at, text.len) != NULL;
    case REGEX_NOT_PLAIN: break;
    }
    return false;
}

static void check_plain(struct str pattern, struct str subject, enum answer want)
{
    char *out = malloc(pattern.len + 1);
    size_t len = 0;
    enum cel_regex_plain plain;
    bool holds;

    CHECK(out != NULL);
    plain = cel_regex_plain(pattern.at, pattern.len, out, &len);
    if (plain != REGEX_NOT_PLAIN) {
        CHECK(len <= pattern.len);
        holds = len <= subject.len && plain_holds(plain, (struct str){out, len}, subject);
        if (want == REFUSED || (want != ENDED && (want == YES) != holds)) {
            fuzz_fail("plain text says %s, the pattern %s", holds ? "yes" : "no", names[want]);
        }
    }
    free(out);
}

/* A limit may be met by one way and not by another. */
static void check_same(const char *way, enum answer got, enum answer want)
{
    if (got != want && got != ENDED && want != ENDED) {
        fuzz_fail("%s says %s, the pattern alone %s", way, names[got], names[want]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str pattern, subject;
    struct buf source = {0};
    enum answer want;

    fuzz_halves(data, size, &pattern, &subject);
    pattern.at = fuzz_exact(pattern);
    subject.at = fuzz_exact(subject);
    if (utf8_valid(pattern.at, pattern.len) && utf8_valid(subject.at, subject.len) &&
        size < CEL_SOURCE_MAX / 8) {
        want = match(pattern, subject);
        check_plain(pattern, subject, want);
        buf_text(&source, "s.matches(");
        quote(&source, pattern);
        buf_text(&source, ")");
        check_same("a constant pattern", run(buf_cstr(&source), subject, pattern, false), want);
        buf_clear(&source);
        quote(&source, subject);
        buf_text(&source, ".matches(");
        quote(&source, pattern);
        buf_text(&source, ")");
        check_same("a constant call", run(buf_cstr(&source), subject, pattern, false), want);
        check_same("a pattern in a slot", run("matches(s, p)", subject, pattern, true), want);
        CHECK(run("matches(s, p)", subject, pattern, false) == REFUSED);
    } else {
        (void)match(pattern, subject);
    }
    buf_fini(&source);
    fuzz_release();
    return 0;
}
