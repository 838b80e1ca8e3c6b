/*
 * regex - see regex.h. The only file that includes pcre2.h. What a pattern may be is in pattern.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "condition/regex.h"

#include "condition/limits.h"
#include "condition/pattern.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPILED_MAX (64u << 10)

struct cel_regex {
    pcre2_code *code;
};

/* ---- plain patterns ---- */

static bool is_alnum(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

enum cel_regex_plain cel_regex_plain(const char *pattern, size_t len, char *out, size_t *out_len)
{
    bool front = false, back = false;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char ch = pattern[i];
        if (ch == '^' && i == 0) {
            front = true;
        } else if (ch == '$' && i + 1 == len) {
            back = true;
        } else if (ch == '\\' && i + 1 < len && (unsigned char)pattern[i + 1] < 0x80 &&
                   !is_alnum(pattern[i + 1])) {
            out[n++] = pattern[++i];
        } else if (strchr("^$\\.[]|()*+?{}", ch) || ch == '\0') {
            return REGEX_NOT_PLAIN;
        } else {
            out[n++] = ch;
        }
    }
    *out_len = n;
    return front ? (back ? REGEX_EQUAL : REGEX_PREFIX) : (back ? REGEX_SUFFIX : REGEX_CONTAINS);
}

/* ---- compiling ---- */

static pcre2_code *compile(const char *pattern, size_t len, bool wrap, int *error)
{
    static const char prefix[] = "\\A(?s:.*?)(?:";
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    char text[sizeof prefix + CEL_PATTERN_OUT + 1];
    size_t at = 0, where = 0;
    pcre2_code *code;

    if (!context) {
        *error = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    if (wrap) {
        memcpy(text, prefix, sizeof prefix - 1);
        at = sizeof prefix - 1;
    }
    memcpy(text + at, pattern, len);
    at += len;
    if (wrap)
        text[at++] = ')';
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, CEL_PATTERN_NESTING_MAX + 2);
    code = pcre2_compile((PCRE2_SPTR)text, at, options, error, &where, context);
    pcre2_compile_context_free(context);
    return code;
}

enum cel_regex_error cel_regex_compile(const char *pattern, size_t len, struct cel_regex **out,
                                       char *msg, size_t msg_size, size_t *at)
{
    char rewritten[CEL_PATTERN_OUT];
    struct cel_regex *regex;
    uint32_t all_options = 0;
    size_t size = 0, used = 0;
    int error = 0;
    enum cel_regex_error refused;

    refused = cel_pattern_rewrite(pattern, len, rewritten, &used, msg, msg_size, at);
    if (refused)
        return refused;
    regex = calloc(1, sizeof *regex);
    if (!regex)
        return REGEX_NOMEM;
    /* One start offset: the match limit is counted for each, so an unanchored pattern is made to
     * begin at the start of the subject and skip by itself. */
    regex->code = compile(rewritten, used, false, &error);
    if (regex->code) {
        (void)pcre2_pattern_info(regex->code, PCRE2_INFO_ALLOPTIONS, &all_options);
        if (!(all_options & PCRE2_ANCHORED)) {
            pcre2_code_free(regex->code);
            regex->code = compile(rewritten, used, true, &error);
        }
    }
    if (!regex->code) {
        free(regex);
        if (error == PCRE2_ERROR_NOMEMORY || error == 121 /* heap failed */)
            return REGEX_NOMEM;
        if (pcre2_get_error_message(error, (PCRE2_UCHAR *)msg, msg_size) < 0)
            snprintf(msg, msg_size, "error %d", error);
        return REGEX_BAD;
    }
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
    if (size > COMPILED_MAX) {
        cel_regex_free(regex);
        snprintf(msg, msg_size, "the pattern is too large when compiled");
        return REGEX_TOO_LARGE;
    }
    /* Where the machine has no JIT, the interpreter gives the same answers. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    *out = regex;
    return REGEX_OK;
}

void cel_regex_free(struct cel_regex *regex)
{
    if (regex) {
        pcre2_code_free(regex->code);
        free(regex);
    }
}

/* ---- matching ---- */

/*
 * PCRE2 wants its match data and context allocated. Each thread has them once, from memory that
 * lies in the thread itself, so that a match calls no malloc. What is left over serves the
 * interpreter where JIT is missing or its stack is too small; more than that is refused, and the
 * match then ends as over the limit.
 */
struct thread_memory {
    bool ready;
    size_t used;
    pcre2_match_data *data;
    pcre2_match_context *context;
    _Alignas(16) char bytes[48u << 10];
};

static _Thread_local struct thread_memory memory;

static void *take_memory(size_t size, void *ctx)
{
    struct thread_memory *m = ctx;
    size_t rounded = (size + 15u) & ~(size_t)15u;

    if (rounded < size || rounded > sizeof m->bytes - m->used)
        return NULL;
    m->used += rounded;
    return m->bytes + m->used - rounded;
}

static void give_memory(void *at, void *ctx)
{
    (void)at; /* nothing is given back: what a match takes beyond the first is cut off after it */
    (void)ctx;
}

static bool prepare(struct thread_memory *m)
{
    pcre2_general_context *general = pcre2_general_context_create(take_memory, give_memory, m);

    if (!general)
        return false;
    m->data = pcre2_match_data_create(1, general);
    m->context = pcre2_match_context_create(general);
    if (!m->data || !m->context)
        return false;
    pcre2_set_heap_limit(m->context, sizeof m->bytes / 1024);
    m->ready = true;
    return true;
}

int cel_regex_match(const struct cel_regex *regex, const char *subject, size_t len)
{
    struct thread_memory *m = &memory;
    uint32_t limit = 1000u + 20u * (uint32_t)(len < CEL_SUBJECT_MAX ? len : CEL_SUBJECT_MAX);
    int found;

    if (len > CEL_SUBJECT_MAX || (!m->ready && !prepare(m)))
        return -1;
    if (!subject)
        subject = "";
    pcre2_set_match_limit(m->context, limit);
    found = pcre2_jit_match(regex->code, (PCRE2_SPTR)subject, len, 0, 0, m->data, m->context);
    if (found == PCRE2_ERROR_JIT_BADOPTION || found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = pcre2_match(regex->code, (PCRE2_SPTR)subject, len, 0, PCRE2_NO_JIT, m->data,
                            m->context);
    if (found >= 0)
        return 1;
    return found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}
