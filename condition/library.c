/*
 * library - the table of CEL's own functions: names, signatures, implementations.
 *
 * A signature is "(parameters)result"; one that begins with a dot is a method of its first
 * parameter; "..." before the closing parenthesis takes any number of arguments from one on.
 */
#include "condition/env.h"

#include <string.h>

enum { IMPURE = 1, ZONE = 2 };

#define MOMENT_ACCESSOR ".(timestamp)int .(timestamp,string)int"
#define BOTH_ACCESSOR ".(timestamp)int .(timestamp,string)int .(duration)int"
#define NUMBERS "(int,int)int (uint,uint)uint"

static const struct {
    const char *name;
    cel_builtin *fn;
    unsigned flags;
    const char *signatures;
} library[] = {
    {"size", cel_fn_size, 0,
     "(string)int (bytes)int (list(A))int (map(A,B))int "
     ".(string)int .(bytes)int .(list(A))int .(map(A,B))int"},
    {"contains", cel_fn_contains, 0, ".(string,string)bool"},
    {"startsWith", cel_fn_starts_with, 0, ".(string,string)bool"},
    {"endsWith", cel_fn_ends_with, 0, ".(string,string)bool"},
    {"matches", cel_fn_matches, 0, ".(string,string)bool (string,string)bool"},
    /* conversions */
    {"bool", cel_fn_to_bool, 0, "(bool)bool (string)bool"},
    {"int", cel_fn_to_int, 0, "(int)int (uint)int (double)int (string)int (timestamp)int"},
    {"uint", cel_fn_to_uint, 0, "(uint)uint (int)uint (double)uint (string)uint"},
    {"double", cel_fn_to_double, 0, "(double)double (int)double (uint)double (string)double"},
    {"string", cel_fn_to_string, 0,
     "(string)string (bool)string (int)string (uint)string (double)string (bytes)string "
     "(timestamp)string (duration)string (net.IP)string (net.CIDR)string (semver)string"},
    {"bytes", cel_fn_to_bytes, 0, "(bytes)bytes (string)bytes"},
    {"timestamp", cel_fn_to_timestamp, 0, "(timestamp)timestamp (string)timestamp (int)timestamp"},
    {"duration", cel_fn_to_duration, 0, "(duration)duration (string)duration"},
    {"type", cel_fn_type, 0, "(A)type"},
    {"dyn", cel_fn_dyn, 0, "(A)dyn"},
    /* time */
    {"getFullYear", cel_fn_get_full_year, ZONE, MOMENT_ACCESSOR},
    {"getMonth", cel_fn_get_month, ZONE, MOMENT_ACCESSOR},
    {"getDate", cel_fn_get_date, ZONE, MOMENT_ACCESSOR},
    {"getDayOfMonth", cel_fn_get_day_of_month, ZONE, MOMENT_ACCESSOR},
    {"getDayOfWeek", cel_fn_get_day_of_week, ZONE, MOMENT_ACCESSOR},
    {"getDayOfYear", cel_fn_get_day_of_year, ZONE, MOMENT_ACCESSOR},
    {"getHours", cel_fn_get_hours, ZONE, BOTH_ACCESSOR},
    {"getMinutes", cel_fn_get_minutes, ZONE, BOTH_ACCESSOR},
    {"getSeconds", cel_fn_get_seconds, ZONE, BOTH_ACCESSOR},
    {"getMilliseconds", cel_fn_get_milliseconds, ZONE, BOTH_ACCESSOR},
    /* optionals */
    {"optional.of", cel_fn_optional_of, 0, "(A)optional_type(A)"},
    {"optional.ofNonZeroValue", cel_fn_optional_of_non_zero, 0, "(A)optional_type(A)"},
    {"optional.none", cel_fn_optional_none, 0, "()optional_type(A)"},
    {"hasValue", cel_fn_optional_has_value, 0, ".(optional_type(A))bool"},
    {"value", cel_fn_optional_value, 0, ".(optional_type(A))A"},
    {"or", cel_fn_optional_or, 0, ".(optional_type(A),optional_type(A))optional_type(A)"},
    {"orValue", cel_fn_optional_or_value, 0, ".(optional_type(A),A)A"},
    /* strings */
    {"charAt", cel_fn_char_at, 0, ".(string,int)string"},
    {"indexOf", cel_fn_index_of, 0, ".(string,string)int .(string,string,int)int"},
    {"lastIndexOf", cel_fn_last_index_of, 0, ".(string,string)int .(string,string,int)int"},
    {"lowerAscii", cel_fn_lower_ascii, 0, ".(string)string"},
    {"upperAscii", cel_fn_upper_ascii, 0, ".(string)string"},
    {"replace", cel_fn_replace, 0,
     ".(string,string,string)string .(string,string,string,int)string"},
    {"split", cel_fn_split, 0, ".(string,string)list(string) .(string,string,int)list(string)"},
    {"join", cel_fn_join, 0, ".(list(string))string .(list(string),string)string"},
    {"substring", cel_fn_substring, 0, ".(string,int)string .(string,int,int)string"},
    {"trim", cel_fn_trim, 0, ".(string)string"},
    {"reverse", cel_fn_reverse, 0, ".(string)string"},
    {"strings.quote", cel_fn_quote, 0, "(string)string"},
    {"format", cel_fn_format, 0, ".(string,list(dyn))string"},
    /* math */
    {"math.greatest", cel_fn_greatest, 0,
     "(int)int (uint)uint (double)double (int,int)int (uint,uint)uint (double,double)double "
     "(list(int))int (list(uint))uint (list(double))double (list(dyn))dyn (dyn,...)dyn"},
    {"math.least", cel_fn_least, 0,
     "(int)int (uint)uint (double)double (int,int)int (uint,uint)uint (double,double)double "
     "(list(int))int (list(uint))uint (list(double))double (list(dyn))dyn (dyn,...)dyn"},
    {"math.ceil", cel_fn_ceil, 0, "(double)double"},
    {"math.floor", cel_fn_floor, 0, "(double)double"},
    {"math.round", cel_fn_round, 0, "(double)double"},
    {"math.trunc", cel_fn_trunc, 0, "(double)double"},
    {"math.sqrt", cel_fn_sqrt, 0, "(double)double (int)double (uint)double"},
    {"math.abs", cel_fn_abs, 0, "(int)int (uint)uint (double)double"},
    {"math.sign", cel_fn_sign, 0, "(int)int (uint)uint (double)double"},
    {"math.isNaN", cel_fn_is_nan, 0, "(double)bool"},
    {"math.isInf", cel_fn_is_inf, 0, "(double)bool"},
    {"math.isFinite", cel_fn_is_finite, 0, "(double)bool"},
    {"math.bitAnd", cel_fn_bit_and, 0, NUMBERS},
    {"math.bitOr", cel_fn_bit_or, 0, NUMBERS},
    {"math.bitXor", cel_fn_bit_xor, 0, NUMBERS},
    {"math.bitNot", cel_fn_bit_not, 0, "(int)int (uint)uint"},
    {"math.bitShiftLeft", cel_fn_shift_left, 0, "(int,int)int (uint,int)uint"},
    {"math.bitShiftRight", cel_fn_shift_right, 0, "(int,int)int (uint,int)uint"},
    {"base64.encode", cel_fn_base64_encode, 0, "(bytes)string"},
    {"base64.decode", cel_fn_base64_decode, 0, "(string)bytes"},
    /* network */
    {"ip", cel_fn_ip, 0, "(string)net.IP .(net.CIDR)net.IP"},
    {"isIP", cel_fn_is_ip, 0, "(string)bool"},
    {"ip.isCanonical", cel_fn_ip_is_canonical, 0, "(string)bool"},
    {"family", cel_fn_family, 0, ".(net.IP)int"},
    {"isUnspecified", cel_fn_is_unspecified, 0, ".(net.IP)bool"},
    {"isLoopback", cel_fn_is_loopback, 0, ".(net.IP)bool"},
    {"isGlobalUnicast", cel_fn_is_global_unicast, 0, ".(net.IP)bool"},
    {"isLinkLocalMulticast", cel_fn_is_link_local_multicast, 0, ".(net.IP)bool"},
    {"isLinkLocalUnicast", cel_fn_is_link_local_unicast, 0, ".(net.IP)bool"},
    {"cidr", cel_fn_cidr, 0, "(string)net.CIDR"},
    {"isCIDR", cel_fn_is_cidr, 0, "(string)bool"},
    {"containsIP", cel_fn_contains_ip, 0, ".(net.CIDR,net.IP)bool .(net.CIDR,string)bool"},
    {"containsCIDR", cel_fn_contains_cidr, 0, ".(net.CIDR,net.CIDR)bool .(net.CIDR,string)bool"},
    {"masked", cel_fn_masked, 0, ".(net.CIDR)net.CIDR"},
    {"prefixLength", cel_fn_prefix_length, 0, ".(net.CIDR)int"},
    /* versions */
    {"semver", cel_fn_semver, 0, "(string)semver"},
    {"isSemver", cel_fn_is_semver, 0, "(string)bool"},
    {"isLessThan", cel_fn_is_less_than, 0, ".(semver,semver)bool"},
    {"isGreaterThan", cel_fn_is_greater_than, 0, ".(semver,semver)bool"},
    {"compareTo", cel_fn_compare_to, 0, ".(semver,semver)int"},
    {"major", cel_fn_major, 0, ".(semver)int"},
    {"minor", cel_fn_minor, 0, ".(semver)int"},
    {"patch", cel_fn_patch, 0, ".(semver)int"},
    /* the product's own */
    {"domain", cel_fn_domain, 0, "(string)string"},
    {"under", cel_fn_under, 0, ".(string,string)bool"},
    {"matches_domain", cel_fn_matches_domain, 0, ".(string,string)bool"},
    {"bucket", cel_fn_bucket, 0, "(string,string)int (int,string)int"},
    {"segment", cel_fn_segment, IMPURE, "(string)bool"},
};

/* Reads one signature at *at. NULL when out of memory. */
static struct cel_overload *parse_signature(struct cel_pool *pool, const char **at)
{
    struct cel_overload *o = cel_pool_take(pool, sizeof *o);

    if (!o || !(o->params = cel_pool_take(pool, 4 * sizeof *o->params)))
        return NULL;
    o->member = **at == '.';
    *at += o->member;
    (*at)++; /* ( */
    while (**at != ')') {
        if (strncmp(*at, "...", 3) == 0) {
            o->variadic = true;
            *at += 3;
        } else if (!(o->params[o->param_count++] = cel_type_parse(pool, at))) {
            return NULL;
        }
        *at += **at == ',';
    }
    (*at)++;
    o->result = cel_type_parse(pool, at);
    return o->result ? o : NULL;
}

bool cel_library_declare(struct condition_env *env)
{
    for (size_t i = 0; i < sizeof library / sizeof *library; i++) {
        struct cel_function *f = cel_env_function(env, library[i].name);
        const char *at = library[i].signatures;
        struct cel_overload **end;
        if (!f)
            return false;
        f->builtin = library[i].fn;
        f->impure = (library[i].flags & IMPURE) != 0;
        f->zone = (library[i].flags & ZONE) != 0;
        for (end = &f->overloads; *at; end = &(*end)->next) {
            *end = parse_signature(&env->pool, &at);
            if (!*end)
                return false;
            at += *at == ' ';
        }
    }
    return true;
}
