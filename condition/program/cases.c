/*
 * cases - see cases.h. Typed values are written {"int": "1"}, {"map": [[key, value], ...]} and so
 * on; see typed_value().
 */
#include "condition/program/cases.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CASES_BYTES_MAX (64u << 20)
/* ---- NUL in strings ---- */

/* base/json.h keeps NUL out of its strings, but CEL's may hold one. So \\u0000 is read as a code point
 * for private use, which no case needs for itself, and put right in the value. */
#define NUL_ESCAPE "\\ue000"
#define NUL_UTF8 "\xEE\x80\x80"

static void hide_nul(char *json, size_t len)
{
    for (size_t i = 0; i + 5 < len; i++) {
        if (json[i] != '\\')
            continue;
        if (memcmp(json + i, "\\u0000", 6) == 0)
            memcpy(json + i, NUL_ESCAPE, 6);
        i++; /* whatever is escaped is no backslash of its own */
    }
}

static size_t show_nul(char *text, size_t len)
{
    size_t to = 0;

    for (size_t i = 0; i < len; i++) {
        if (len - i >= 3 && memcmp(text + i, NUL_UTF8, 3) == 0) {
            text[to++] = '\0';
            i += 2;
        } else {
            text[to++] = text[i];
        }
    }
    return to;
}

/* ---- typed values ---- */

static bool typed_value(struct arena *arena, const struct json *json, struct condition_value *out);

static bool read_base64(struct arena *arena, const char *text, struct condition_value *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *bytes = arena_take(arena, strlen(text) + 1);
    size_t len = 0;
    unsigned held = 0, bits = 0;

    if (!bytes)
        return false;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit)
            return false;
        held = (held << 6 | (unsigned)(digit - digits)) & 0xFFFFFFu;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[len++] = (char)(unsigned char)(held >> bits);
        }
    }
    *out = condition_string(bytes, len);
    out->kind = CONDITION_BYTES;
    return true;
}

static bool read_items(struct arena *arena, const struct json *json, struct condition_value *out)
{
    size_t count = json_count(json), i = 0;
    struct condition_value *items = arena_zero(arena, count + 1, sizeof *items);

    if (!items)
        return false;
    for (const struct json *at = json_first(json); at; at = json_next(at))
        if (!typed_value(arena, at, &items[i++]))
            return false;
    memset(out, 0, sizeof *out);
    out->kind = CONDITION_LIST;
    out->size = (uint32_t)count;
    out->as.items = items;
    return true;
}

static bool read_entries(struct arena *arena, const struct json *json, struct condition_value *out)
{
    size_t count = json_count(json), i = 0;
    struct condition_entry *entries = arena_zero(arena, count + 1, sizeof *entries);

    if (!entries)
        return false;
    for (const struct json *at = json_first(json); at; at = json_next(at), i++)
        if (json_count(at) != 2 || !typed_value(arena, json_first(at), &entries[i].key) ||
            !typed_value(arena, json_next(json_first(at)), &entries[i].value))
            return false;
    memset(out, 0, sizeof *out);
    out->kind = CONDITION_MAP;
    out->size = (uint32_t)count;
    out->as.entries = entries;
    return true;
}

/* ["seconds", nanos] */
static bool read_moment(const struct json *json, enum condition_kind kind,
                        struct condition_value *out)
{
    const char *seconds = json_text(json_first(json));
    int64_t nanos;

    if (!seconds || !json_int(json_next(json_first(json)), &nanos))
        return false;
    *out = kind == CONDITION_TIMESTAMP
               ? condition_timestamp(strtoll(seconds, NULL, 10), (int32_t)nanos)
               : condition_duration(strtoll(seconds, NULL, 10), (int32_t)nanos);
    return true;
}

static bool read_double(const char *text, struct condition_value *out)
{
    if (strcmp(text, "NaN") == 0)
        *out = condition_double((double)NAN);
    else if (strcmp(text, "Infinity") == 0)
        *out = condition_double((double)INFINITY);
    else if (strcmp(text, "-Infinity") == 0)
        *out = condition_double(-(double)INFINITY);
    else
        *out = condition_double(strtod(text, NULL));
    return true;
}

static bool typed_value(struct arena *arena, const struct json *json, struct condition_value *out)
{
    const struct json *v = json_first(json);
    const char *kind = json_kind(json) == JSON_OBJECT && v ? json_key(v) : "", *text = json_text(v);

    memset(out, 0, sizeof *out);
    if (strcmp(kind, "null") == 0) {
        out->kind = CONDITION_NULL;
        return true;
    }
    if (strcmp(kind, "bool") == 0) {
        *out = condition_bool(json_is_true(v));
        return true;
    }
    if (strcmp(kind, "list") == 0)
        return read_items(arena, v, out);
    if (strcmp(kind, "map") == 0)
        return read_entries(arena, v, out);
    if (strcmp(kind, "timestamp") == 0)
        return read_moment(v, CONDITION_TIMESTAMP, out);
    if (strcmp(kind, "duration") == 0)
        return read_moment(v, CONDITION_DURATION, out);
    if (!text)
        return false;
    if (strcmp(kind, "int") == 0) {
        *out = condition_int(strtoll(text, NULL, 10));
    } else if (strcmp(kind, "uint") == 0) {
        out->kind = CONDITION_UINT;
        out->as.u = strtoull(text, NULL, 10);
    } else if (strcmp(kind, "double") == 0) {
        return read_double(text, out);
    } else if (strcmp(kind, "string") == 0 || strcmp(kind, "type") == 0) {
        char *copy = arena_text(arena, text, strlen(text));
        *out = condition_string(copy, copy ? show_nul(copy, strlen(text)) : 0);
        if (*kind == 't')
            out->kind = CONDITION_TYPE_VALUE;
        return copy != NULL;
    } else if (strcmp(kind, "bytes") == 0) {
        return read_base64(arena, text, out);
    } else {
        return false;
    }
    return true;
}

/* ---- comparing with what is expected ---- */

/* Exactly the same: kinds too, NaN is NaN, -0.0 is not 0.0; maps in any order. */
static bool identical(const struct condition_value *a, const struct condition_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case CONDITION_DOUBLE:
        if (isnan(a->as.d) || isnan(b->as.d))
            return isnan(a->as.d) && isnan(b->as.d);
        return a->as.d == b->as.d && signbit(a->as.d) == signbit(b->as.d);
    case CONDITION_LIST:
        if (a->size != b->size)
            return false;
        for (uint32_t i = 0; i < a->size; i++)
            if (!identical(&a->as.items[i], &b->as.items[i]))
                return false;
        return true;
    case CONDITION_MAP:
        if (a->size != b->size)
            return false;
        for (uint32_t i = 0; i < a->size; i++) {
            bool found = false;
            for (uint32_t k = 0; k < b->size && !found; k++)
                found = identical(&a->as.entries[i].key, &b->as.entries[k].key) &&
                        identical(&a->as.entries[i].value, &b->as.entries[k].value);
            if (!found)
                return false;
        }
        return true;
    default: return condition_equal(a, b);
    }
}

/* ---- one case ---- */

static enum condition_status declare_function(struct cases_case *c, const char *name,
                                              const struct json *overload)
{
    const struct json *params = json_get(overload, "params");
    size_t count = json_count(params), i = 0;
    const char **texts = arena_zero(&c->arena, count + 1, sizeof *texts);

    if (!texts)
        return CONDITION_NOMEM;
    for (const struct json *at = json_first(params); at; at = json_next(at))
        texts[i++] = json_text(at) ? json_text(at) : "";
    return condition_env_declare_function(c->env, name, json_is_true(json_get(overload, "method")),
                                          texts, count, json_get_text(overload, "result", ""), NULL,
                                          NULL);
}

static enum condition_status declare_all(struct cases_case *c)
{
    enum condition_status status = CONDITION_OK;

    for (const struct json *at = json_first(json_get(c->test, "type_env")); at && !status;
         at = json_next(at)) {
        const char *name = json_get_text(at, "name", "");
        const struct json *overload = json_first(json_get(at, "function"));
        if (json_get_text(at, "type", NULL))
            status = condition_env_declare_type(c->env, name, json_get_text(at, "type", ""));
        for (; overload && !status; overload = json_next(overload))
            status = declare_function(c, name, overload);
    }
    if (!status)
        status = condition_env_set_container(c->env, json_get_text(c->test, "container", NULL));
    return status;
}

static bool read_bindings(struct cases_case *c, struct condition_value *root)
{
    const struct json *bindings = json_get(c->test, "bindings");
    size_t count = json_count(bindings), i = 0;
    struct condition_entry *entries = arena_zero(&c->arena, count + 1, sizeof *entries);

    if (!entries)
        return false;
    for (const struct json *at = json_first(bindings); at; at = json_next(at), i++) {
        char *key = arena_text(&c->arena, json_key(at), strlen(json_key(at)));
        if (!key || !typed_value(&c->arena, at, &entries[i].value))
            return false;
        entries[i].key = condition_string(key, strlen(key));
    }
    memset(root, 0, sizeof *root);
    root->kind = CONDITION_MAP;
    root->size = (uint32_t)count;
    root->as.entries = entries;
    return true;
}

static bool fill_slots(struct cases_case *c)
{
    size_t count = condition_env_slot_count(c->env);
    struct condition_value *slots = arena_zero(&c->arena, count + 1, sizeof *slots), root;

    if (!slots || !read_bindings(c, &root))
        return false;
    condition_slots_fill(c->env, &root, slots, count);
    c->in.slots = slots;
    c->in.slot_count = count;
    return true;
}

bool cases_open(struct cases_case *c, const struct json *test)
{
    const char *text = json_get_text(test, "expr", NULL);
    const struct json *value = json_get(json_get(test, "expect"), "value");
    char *expr;

    memset(c, 0, sizeof *c);
    c->test = test;
    c->status = CONDITION_NOMEM;
    c->env = condition_env_new();
    c->source = expr = text ? arena_text(&c->arena, text, strlen(text)) : NULL;
    if (!c->env || !expr || (value && !typed_value(&c->arena, value, &c->wanted))) {
        snprintf(c->diag.msg, sizeof c->diag.msg, "the case cannot be read");
        return false;
    }
    c->source_len = show_nul(expr, strlen(text));
    c->status = declare_all(c);
    if (c->status) {
        snprintf(c->diag.msg, sizeof c->diag.msg, "bad declarations");
        return false;
    }
    condition_env_set_check(c->env, !json_is_true(json_get(test, "disable_check")));
    c->status = condition_compile(c->env, c->source, c->source_len, &c->cond, &c->diag);
    if (!c->status && !fill_slots(c)) {
        snprintf(c->diag.msg, sizeof c->diag.msg, "the case cannot be read");
        return false;
    }
    return true;
}

/* The program's canonical source, in the arena; NULL when out of memory. */
static char *canonical(struct cases_case *c, size_t *len)
{
    size_t needed = condition_print(c->cond, NULL, 0);
    char *text = needed ? arena_take(&c->arena, needed + 1) : NULL;

    if (!text)
        return NULL;
    *len = condition_print(c->cond, text, needed + 1);
    return *len == needed ? text : NULL;
}

bool cases_reprint(struct cases_case *c)
{
    size_t len = 0, again_len = 0;
    char *text, *again;

    if (!c->cond)
        return true;
    text = canonical(c, &len);
    condition_free(c->cond);
    c->cond = NULL;
    if (!text) {
        snprintf(c->diag.msg, sizeof c->diag.msg, "it cannot be printed");
        return false;
    }
    c->source = text;
    c->source_len = len;
    c->status = condition_compile(c->env, text, len, &c->cond, &c->diag);
    if (c->status)
        return false;
    again = canonical(c, &again_len);
    if (!again || again_len != len || memcmp(text, again, len) != 0) {
        snprintf(c->diag.msg, sizeof c->diag.msg, "it is printed differently the next time");
        return false;
    }
    return fill_slots(c);
}

bool cases_check(struct cases_case *c, char *scratch, size_t scratch_bytes)
{
    const struct json *expect = json_get(c->test, "expect");
    const char *type = json_get_text(expect, "type", NULL);

    if (c->cond && !json_is_true(json_get(c->test, "check_only"))) {
        c->in.scratch = scratch;
        c->in.scratch_bytes = scratch_bytes;
        c->status = condition_run(c->cond, &c->in, &c->value, &c->diag);
    }
    if (json_get(expect, "error"))
        return c->status != CONDITION_OK;
    if (type && (!c->cond || strcmp(type, condition_result_type(c->cond)) != 0))
        return false;
    if (!json_get(expect, "value"))
        return type != NULL;
    return c->status == CONDITION_OK && identical(&c->wanted, &c->value);
}

void cases_report(const struct cases_case *c, FILE *out)
{
    char got[300], *wanted = json_print(json_get(c->test, "expect"));

    if (!c->status)
        condition_value_print(&c->value, got, sizeof got);
    else
        snprintf(got, sizeof got, "error: %s", c->diag.msg);
    fprintf(out, "FAILED %s/%s/%s: %.*s\n    expected %s, got %s (type %s)\n",
            json_get_text(c->test, "suite", "-"), json_get_text(c->test, "section", "-"),
            json_get_text(c->test, "name", "-"), (int)c->source_len, c->source ? c->source : "",
            wanted ? wanted : "?", got, c->cond ? condition_result_type(c->cond) : "not known");
    free(wanted);
}

void cases_close(struct cases_case *c)
{
    condition_free(c->cond);
    condition_env_free(c->env);
    arena_fini(&c->arena);
}

/* ---- a file ---- */

enum err_code cases_read(const char *path, struct json **document, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum err_code code = file_read(path, CASES_BYTES_MAX, &text, &len, err);

    if (code)
        return code;
    hide_nul(text, len);
    code = json_parse(text, len, document, err);
    free(text);
    if (code) {
        err_wrap(err, "%s", path);
        return code;
    }
    if (json_kind(json_get(*document, "tests")) != JSON_ARRAY) {
        json_free(*document);
        *document = NULL;
        return err_set(err, ERR_INVALID, "%s: the document has no list \"tests\"", path);
    }
    return ERR_OK;
}

enum err_code cases_run(const char *path, int tier, bool printed, FILE *out,
                        struct cases_result *result, struct err *err)
{
    struct json *document = NULL;
    enum err_code code = cases_read(path, &document, err);
    char *scratch;

    memset(result, 0, sizeof *result);
    if (code)
        return code;
    scratch = malloc(CASES_SCRATCH_BYTES);
    if (!scratch)
        code = err_set(err, ERR_NOMEM, "out of memory");
    for (const struct json *test = json_first(json_get(document, "tests")); test && scratch;
         test = json_next(test)) {
        struct cases_case c;
        bool passed;
        int64_t its_tier = 1;
        (void)json_int(json_get(test, "tier"), &its_tier); /* a case without one is of tier 1 */
        if (tier && its_tier != tier)
            continue;
        passed = cases_open(&c, test) && (!printed || cases_reprint(&c)) &&
                 cases_check(&c, scratch, CASES_SCRATCH_BYTES);
        if (passed)
            result->passed++;
        else
            result->failed++;
        if (!passed)
            cases_report(&c, out);
        cases_close(&c);
    }
    free(scratch);
    json_free(document);
    return code;
}
