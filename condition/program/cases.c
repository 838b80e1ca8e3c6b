/*
 * cases - see cases.h. Typed values are written {"int": "1"}, {"map": [[key, value], ...]} and so
 * on; see typed_value().
 */
#include "condition/program/cases.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "condition/condition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CASES_BYTES_MAX (64u << 20)
#define SCRATCH_BYTES (64u << 10) /* roomy: the cases are about results, not about limits */

struct run {
    FILE *out;
    struct arena arena; /* of one case */
    char *scratch;
};

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

static bool typed_value(struct run *r, const struct json *json, struct condition_value *out);

static bool read_base64(struct run *r, const char *text, struct condition_value *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *bytes = arena_take(&r->arena, strlen(text) + 1);
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

static bool read_items(struct run *r, const struct json *json, struct condition_value *out)
{
    size_t count = json_count(json), i = 0;
    struct condition_value *items = arena_zero(&r->arena, count + 1, sizeof *items);

    if (!items)
        return false;
    for (const struct json *at = json_first(json); at; at = json_next(at))
        if (!typed_value(r, at, &items[i++]))
            return false;
    memset(out, 0, sizeof *out);
    out->kind = CONDITION_LIST;
    out->size = (uint32_t)count;
    out->as.items = items;
    return true;
}

static bool read_entries(struct run *r, const struct json *json, struct condition_value *out)
{
    size_t count = json_count(json), i = 0;
    struct condition_entry *entries = arena_zero(&r->arena, count + 1, sizeof *entries);

    if (!entries)
        return false;
    for (const struct json *at = json_first(json); at; at = json_next(at), i++)
        if (json_count(at) != 2 || !typed_value(r, json_first(at), &entries[i].key) ||
            !typed_value(r, json_next(json_first(at)), &entries[i].value))
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

static bool typed_value(struct run *r, const struct json *json, struct condition_value *out)
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
        return read_items(r, v, out);
    if (strcmp(kind, "map") == 0)
        return read_entries(r, v, out);
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
        char *copy = arena_text(&r->arena, text, strlen(text));
        *out = condition_string(copy, copy ? show_nul(copy, strlen(text)) : 0);
        if (*kind == 't')
            out->kind = CONDITION_TYPE_VALUE;
        return copy != NULL;
    } else if (strcmp(kind, "bytes") == 0) {
        return read_base64(r, text, out);
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

struct outcome {
    enum condition_status status;
    bool compiled;
    struct condition_value value;
    struct condition_diag diag;
    char type[200];
};

static enum condition_status declare_function(struct run *r, struct condition_env *env,
                                              const char *name, const struct json *overload)
{
    const struct json *params = json_get(overload, "params");
    size_t count = json_count(params), i = 0;
    const char **texts = arena_zero(&r->arena, count + 1, sizeof *texts);

    if (!texts)
        return CONDITION_NOMEM;
    for (const struct json *at = json_first(params); at; at = json_next(at))
        texts[i++] = json_text(at) ? json_text(at) : "";
    return condition_env_declare_function(env, name, json_is_true(json_get(overload, "method")),
                                          texts, count, json_get_text(overload, "result", ""), NULL,
                                          NULL);
}

static enum condition_status declare_all(struct run *r, struct condition_env *env,
                                         const struct json *test)
{
    enum condition_status status = CONDITION_OK;

    for (const struct json *at = json_first(json_get(test, "type_env")); at && !status;
         at = json_next(at)) {
        const char *name = json_get_text(at, "name", "");
        const struct json *overload = json_first(json_get(at, "function"));
        if (json_get_text(at, "type", NULL))
            status = condition_env_declare_type(env, name, json_get_text(at, "type", ""));
        for (; overload && !status; overload = json_next(overload))
            status = declare_function(r, env, name, overload);
    }
    if (!status)
        status = condition_env_set_container(env, json_get_text(test, "container", NULL));
    return status;
}

static bool read_bindings(struct run *r, const struct json *test, struct condition_value *root)
{
    const struct json *bindings = json_get(test, "bindings");
    size_t count = json_count(bindings), i = 0;
    struct condition_entry *entries = arena_zero(&r->arena, count + 1, sizeof *entries);

    if (!entries)
        return false;
    for (const struct json *at = json_first(bindings); at; at = json_next(at), i++) {
        char *key = arena_text(&r->arena, json_key(at), strlen(json_key(at)));
        if (!key || !typed_value(r, at, &entries[i].value))
            return false;
        entries[i].key = condition_string(key, strlen(key));
    }
    memset(root, 0, sizeof *root);
    root->kind = CONDITION_MAP;
    root->size = (uint32_t)count;
    root->as.entries = entries;
    return true;
}

static void evaluate(struct run *r, const struct condition_env *env, const struct condition *cond,
                     const struct condition_value *root, struct outcome *out)
{
    size_t count = condition_env_slot_count(env);
    struct condition_value *slots = arena_zero(&r->arena, count + 1, sizeof *slots);
    struct condition_input in = {
        .slots = slots, .slot_count = count, .scratch = r->scratch, .scratch_bytes = SCRATCH_BYTES};

    if (!slots) {
        out->status = CONDITION_NOMEM;
        return;
    }
    condition_slots_fill(env, root, slots, count);
    out->status = condition_run(cond, &in, &out->value, &out->diag);
}

static bool matches(struct run *r, const struct json *expect, const struct outcome *o)
{
    const struct json *value = json_get(expect, "value");
    const char *type = json_get_text(expect, "type", NULL);
    const char *error = json_get_text(expect, "error", NULL);
    struct condition_value wanted;

    if (error)
        return o->status != CONDITION_OK;
    if (type && (!o->compiled || strcmp(type, o->type) != 0))
        return false;
    if (!value)
        return type != NULL;
    return o->status == CONDITION_OK && typed_value(r, value, &wanted) &&
           identical(&wanted, &o->value);
}

static void report(struct run *r, const struct json *test, const struct outcome *o)
{
    char got[300], *wanted = json_print(json_get(test, "expect"));

    if (!o->status)
        condition_value_print(&o->value, got, sizeof got);
    else
        snprintf(got, sizeof got, "error: %s", o->diag.msg);
    fprintf(r->out, "FAILED %s/%s/%s: %s\n    expected %s, got %s (type %s)\n",
            json_get_text(test, "suite", "-"), json_get_text(test, "section", "-"),
            json_get_text(test, "name", "-"), json_get_text(test, "expr", ""),
            wanted ? wanted : "?", got, o->compiled ? o->type : "not known");
    free(wanted);
}

static bool run_case(struct run *r, const struct json *test)
{
    const char *text = json_get_text(test, "expr", NULL);
    char *expr = text ? arena_text(&r->arena, text, strlen(text)) : NULL;
    size_t len = expr ? show_nul(expr, strlen(text)) : 0;
    struct condition_env *env = condition_env_new();
    struct outcome o = {.status = CONDITION_NOMEM};
    struct condition_value root;
    struct condition *cond = NULL;
    bool ok = false;

    if (!env || !expr || !read_bindings(r, test, &root)) {
        snprintf(o.diag.msg, sizeof o.diag.msg, "the case cannot be read");
    } else if ((o.status = declare_all(r, env, test)) != CONDITION_OK) {
        snprintf(o.diag.msg, sizeof o.diag.msg, "bad declarations");
    } else {
        condition_env_set_check(env, !json_is_true(json_get(test, "disable_check")));
        o.status = condition_compile(env, expr, len, &cond, &o.diag);
        if (o.status == CONDITION_OK) {
            o.compiled = true;
            snprintf(o.type, sizeof o.type, "%s", condition_result_type(cond));
            if (!json_is_true(json_get(test, "check_only")))
                evaluate(r, env, cond, &root, &o);
        }
        ok = matches(r, json_get(test, "expect"), &o);
    }
    if (!ok)
        report(r, test, &o);
    condition_free(cond);
    condition_env_free(env);
    return ok;
}

enum err_code cases_run(const char *path, int tier, FILE *out, struct cases_result *result,
                        struct err *err)
{
    struct run r = {.out = out};
    struct json *document = NULL;
    char *text = NULL;
    size_t len = 0;
    enum err_code code = file_read(path, CASES_BYTES_MAX, &text, &len, err);

    memset(result, 0, sizeof *result);
    if (code)
        return code;
    hide_nul(text, len);
    code = json_parse(text, len, &document, err);
    free(text);
    if (code) {
        err_wrap(err, "%s", path);
        return code;
    }
    r.scratch = malloc(SCRATCH_BYTES);
    if (!r.scratch) {
        code = err_set(err, ERR_NOMEM, "out of memory");
    } else if (json_kind(json_get(document, "tests")) != JSON_ARRAY) {
        code = err_set(err, ERR_INVALID, "%s: the document has no list \"tests\"", path);
    } else {
        for (const struct json *test = json_first(json_get(document, "tests")); test;
             test = json_next(test)) {
            int64_t its_tier = 1;
            (void)json_int(json_get(test, "tier"), &its_tier); /* a case without one is of tier 1 */
            if (tier && its_tier != tier)
                continue;
            if (run_case(&r, test))
                result->passed++;
            else
                result->failed++;
            arena_fini(&r.arena);
        }
    }
    free(r.scratch);
    json_free(document);
    return code;
}
