/*
 * builtin_product - what decisions about releases ask for: semver, domains, buckets, segments.
 */
#include "condition/bucket.h"
#include "condition/domain.h"
#include "condition/number.h"
#include "condition/operate.h"
#include "condition/program.h"
#include "condition/value.h"

#include <string.h>

/* ---- semantic versions (semver.org 2.0.0) ---- */

static bool parse_number(const char **at, const char *end, uint64_t *out)
{
    const char *from = *at;

    while (*at < end && **at >= '0' && **at <= '9')
        (*at)++;
    if (*at == from || (*at - from > 1 && *from == '0'))
        return false;
    return cel_parse_uint(from, (size_t)(*at - from), out);
}

/* Identifiers joined by dots; numeric ones have no leading zero in a pre-release. */
static bool parse_identifiers(const char **at, const char *end, bool strict, struct cel_text *out)
{
    const char *from = *at, *part = *at;
    bool numeric = true;

    for (;; (*at)++) {
        char ch = *at < end ? **at : '\0';
        if ((ch >= '0' && ch <= '9') || ch == '-' || (ch >= 'a' && ch <= 'z') ||
            (ch >= 'A' && ch <= 'Z')) {
            numeric &= ch >= '0' && ch <= '9';
            continue;
        }
        if (*at == part || (strict && numeric && *at - part > 1 && *part == '0'))
            return false;
        if (ch != '.' || *at >= end)
            break;
        part = *at + 1;
        numeric = true;
    }
    out->at = from;
    out->len = (uint32_t)(*at - from);
    return true;
}

static bool parse_semver(const struct condition_value *text, struct cel_semver *out)
{
    const char *at = text->as.bytes, *end = at + text->size;
    uint64_t *parts[3] = {&out->major, &out->minor, &out->patch};

    memset(out, 0, sizeof *out);
    out->text.at = at;
    out->text.len = text->size;
    for (int i = 0; i < 3; i++) {
        if (i && (at >= end || *at++ != '.'))
            return false;
        if (!parse_number(&at, end, parts[i]))
            return false;
    }
    if (at < end && *at == '-') {
        at++;
        if (!parse_identifiers(&at, end, true, &out->prerelease))
            return false;
    }
    if (at < end && *at == '+') {
        at++;
        if (!parse_identifiers(&at, end, false, &out->build))
            return false;
    }
    return at == end;
}

static struct cel_text take_part(struct cel_text *rest)
{
    const char *dot = rest->len ? memchr(rest->at, '.', rest->len) : NULL;
    struct cel_text part = {rest->at, dot ? (uint32_t)(dot - rest->at) : rest->len};
    uint32_t used = part.len + (dot != NULL);

    rest->at += used;
    rest->len -= used;
    return part;
}

static bool is_numeric(struct cel_text part)
{
    for (uint32_t i = 0; i < part.len; i++)
        if (part.at[i] < '0' || part.at[i] > '9')
            return false;
    return true;
}

static int compare_texts(struct cel_text a, struct cel_text b)
{
    struct condition_value x = condition_string(a.at, a.len), y = condition_string(b.at, b.len);

    return cel_compare(&x, &y);
}

static int compare_prerelease(struct cel_text a, struct cel_text b)
{
    if (a.len == 0 || b.len == 0) /* a release comes after its pre-releases */
        return (a.len == 0) - (b.len == 0);
    while (a.len && b.len) {
        struct cel_text x = take_part(&a), y = take_part(&b);
        bool x_number = is_numeric(x), y_number = is_numeric(y);
        int order;
        if (x_number != y_number)
            return x_number ? -1 : 1;
        if (x_number && x.len != y.len) /* no leading zeros: more digits are more */
            return x.len < y.len ? -1 : 1;
        order = compare_texts(x, y);
        if (order)
            return order;
    }
    return (a.len > 0) - (b.len > 0);
}

int cel_semver_compare(const struct cel_semver *a, const struct cel_semver *b)
{
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    if (a->patch != b->patch)
        return a->patch < b->patch ? -1 : 1;
    return compare_prerelease(a->prerelease, b->prerelease);
}

enum cel_fault cel_fn_semver(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_semver *version;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    version = cel_scratch(f, sizeof *version);
    if (!version)
        return FAULT_SCRATCH;
    if (!parse_semver(&args[0], version))
        return cel_fault_text(f, "this is no semantic version (1.2.3, 1.2.3-rc.1)");
    memset(&args[0], 0, sizeof args[0]);
    args[0].kind = CONDITION_OPAQUE;
    args[0].sub = OPAQUE_SEMVER;
    args[0].as.opaque = version;
    return FAULT_NONE;
}

enum cel_fault cel_fn_is_semver(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_semver version;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    args[0] = condition_bool(parse_semver(&args[0], &version));
    return FAULT_NONE;
}

static bool semvers(const struct condition_value *args, uint32_t count, uint32_t wanted)
{
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != CONDITION_OPAQUE || args[i].sub != OPAQUE_SEMVER)
            return false;
    return count == wanted;
}

#define SEMVER_FUNCTION(name, wanted, expression)                                                  \
    enum cel_fault cel_fn_##name(struct cel_frame *f, struct condition_value *args,                \
                                 uint32_t count)                                                   \
    {                                                                                              \
        const struct cel_semver *a = args[0].as.opaque, *b = NULL;                                 \
        if (!semvers(args, count, wanted))                                                         \
            return cel_fault_overload(f, args, count);                                             \
        b = wanted == 2 ? args[1].as.opaque : a;                                                   \
        (void)b;                                                                                   \
        args[0] = expression;                                                                      \
        return FAULT_NONE;                                                                         \
    }

SEMVER_FUNCTION(is_less_than, 2, condition_bool(cel_semver_compare(a, b) < 0))
SEMVER_FUNCTION(is_greater_than, 2, condition_bool(cel_semver_compare(a, b) > 0))
SEMVER_FUNCTION(compare_to, 2, condition_int(cel_semver_compare(a, b)))
SEMVER_FUNCTION(major, 1, condition_int((int64_t)a->major))
SEMVER_FUNCTION(minor, 1, condition_int((int64_t)a->minor))
SEMVER_FUNCTION(patch, 1, condition_int((int64_t)a->patch))

/* ---- domains ---- */

static bool is_ascii(const struct condition_value *v)
{
    for (uint32_t i = 0; i < v->size; i++)
        if ((unsigned char)v->as.bytes[i] >= 0x80)
            return false;
    return true;
}

/* domain("Alice@Mail.ACME.com") -> "mail.acme.com" */
enum cel_fault cel_fn_domain(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    char out[DOMAIN_BYTES_MAX + 1];
    size_t len;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    if (is_ascii(&args[0]))
        len = domain_canonical_ascii(args[0].as.bytes, args[0].size, out, sizeof out);
    else if (f->may_allocate)
        len = domain_canonical(args[0].as.bytes, args[0].size, out, sizeof out);
    else /* libidn2 allocates, and a run must not */
        return cel_fault_text(f, "a domain that is not ASCII must be made canonical by the host");
    if (len == 0)
        return cel_fault_text(f, "this is not a domain name");
    return cel_make_string(f, out, len, &args[0]);
}

/* domain() of what the compiler would have folded, which may allocate: in an explanation. */
enum cel_fault cel_fn_domain_constant(struct cel_frame *f, struct condition_value *args,
                                      uint32_t count)
{
    bool may_allocate = f->may_allocate;
    enum cel_fault fault;

    f->may_allocate = true;
    fault = cel_fn_domain(f, args, count);
    f->may_allocate = may_allocate;
    return fault;
}

/* The two arguments, canonical; ASCII capitals are all that is put right here. */
static enum cel_fault domain_pair(struct cel_frame *f, struct condition_value *args, uint32_t count,
                                  char lower[DOMAIN_BYTES_MAX + 1])
{
    if (count != 2 || args[0].kind != CONDITION_STRING || args[1].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (args[0].size > DOMAIN_BYTES_MAX)
        return cel_fault_text(f, "this is not a domain name");
    for (uint32_t i = 0; i < args[0].size; i++) {
        char ch = args[0].as.bytes[i];
        if ((unsigned char)ch >= 0x80)
            return cel_fault_text(f, "a domain that is not ASCII must be made canonical: "
                                     "domain(...)");
        lower[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch | 0x20) : ch;
    }
    return FAULT_NONE;
}

enum cel_fault cel_fn_under(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    char lower[DOMAIN_BYTES_MAX + 1];
    enum cel_fault fault = domain_pair(f, args, count, lower);

    if (!fault)
        args[0] = condition_bool(domain_under(lower, args[0].size, args[1].as.bytes, args[1].size));
    return fault;
}

enum cel_fault cel_fn_matches_domain(struct cel_frame *f, struct condition_value *args,
                                     uint32_t count)
{
    char lower[DOMAIN_BYTES_MAX + 1];
    enum cel_fault fault = domain_pair(f, args, count, lower);

    if (!fault)
        args[0] =
            condition_bool(domain_matches(lower, args[0].size, args[1].as.bytes, args[1].size));
    return fault;
}

/* ---- buckets and segments ---- */

enum cel_fault cel_fn_bucket(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    char text[72];
    const char *key = args[0].as.bytes;
    size_t len = args[0].size;

    if (count != 2 || args[1].kind != CONDITION_STRING ||
        (args[0].kind != CONDITION_STRING && args[0].kind != CONDITION_INT))
        return cel_fault_overload(f, args, count);
    if (args[0].kind == CONDITION_INT) {
        len = cel_print_int(args[0].as.i, text);
        key = text;
    }
    if (!cel_charge(f, len + args[1].size))
        return FAULT_STEPS;
    args[0] = condition_int(bucket_of(args[1].as.bytes, args[1].size, key, len));
    return FAULT_NONE;
}

enum cel_fault cel_fn_segment(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    bool inside = false;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (!f->program->segment_fn)
        return cel_fault_text(f, "there are no segments here");
    if (!f->program->segment_fn(f->host, args[0].as.bytes, args[0].size, &inside))
        return cel_fault_text(f, "segment '%.*s' cannot be decided",
                              (int)(args[0].size > 60 ? 60 : args[0].size), args[0].as.bytes);
    args[0] = condition_bool(inside);
    return FAULT_NONE;
}
