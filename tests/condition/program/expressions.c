/*
 * expressions - random conditions and what they come to, for another engine to compare:
 *
 *     expressions SEED COUNT
 *
 * prints JSON lines: first {"vars": [{"name", "type", "sources": [...]}]}, the variables and, in
 * CEL, their values in each set; then COUNT times {"e": expression, "v": set, "c": whether it is
 * checked, "r": result, "w": why it is an error}. The result is "error", "limit" or a value as write_result() writes it. The
 * same seed gives the same lines. Each expression is also printed as canonical source and run from
 * that; another result ends the program with 1.
 */
#include "condition/condition.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 4000u
#define SETS 4u
#define DEPTH_MAX 5u

/* ---- chance ---- */

static uint64_t seed;

static uint32_t chance(uint32_t below)
{
    seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}

/* ---- what there is to choose from ---- */

/* Types are letters: Bool Int Uint Double String bYtes L list(int) T list(string) M map(string,
 * int) N map(int, string) W timestamp R duration X dyn K type O optional(int) P a constant pattern
 * F a format Z a time zone. */
static const struct variable {
    const char *name, *type;
    char letter;
    const char *sources[SETS];
} variables[] = {
    {"b", "bool", 'B', {"true", "false", "true", "false"}},
    {"i", "int", 'I', {"7", "-3", "9223372036854775807", "0"}},
    {"j", "int", 'I', {"2", "-9223372036854775808", "-1", "64"}},
    {"u", "uint", 'U', {"5u", "0u", "18446744073709551615u", "9223372036854775808u"}},
    {"d", "double", 'D', {"2.5", "-0.0", "double('NaN')", "double('-Infinity')"}},
    {"f", "double", 'D', {"1e15", "0.1", "9223372036854775807.0", "-1.5"}},
    {"s", "string", 'S', {"'hello'", "''", "'h\\u00e9llo w\\u00f6rld'", "'Aa1 _-\\n'"}},
    {"t", "string", 'S', {"'l'", "'12'", "'\\U0001F600x'", "'true'"}},
    {"y", "bytes", 'Y', {"b'abc'", "b''", "b'\\xff\\x00'", "b'h\\303\\251'"}},
    {"l", "list(int)", 'L', {"[1, 2, 3]", "[]", "[-1, 9223372036854775807]", "[5, 5, 0]"}},
    {"ls", "list(string)", 'T', {"['a', 'b', 'a']", "['']", "[]", "['h\\u00e9', 'l', '1']"}},
    {"m", "map(string, int)", 'M', {"{'a': 1, 'b': 2}", "{}", "{'': 0}", "{'l': -5, 'a': 0}"}},
    {"n", "map(int, string)", 'N', {"{1: 'a', 2: 'b'}", "{}", "{-1: ''}", "{0: 'x', 7: 'l'}"}},
    {"w",
     "google.protobuf.Timestamp",
     'W',
     {"timestamp('2026-11-21T08:30:00.5Z')", "timestamp('1969-12-31T23:59:59.999Z')",
      "timestamp('9999-12-31T23:59:59Z')", "timestamp('2024-02-29T00:00:00Z')"}},
    {"r",
     "google.protobuf.Duration",
     'R',
     {"duration('90m')", "duration('-1.5s')", "duration('9223372036s')", "duration('0s')"}},
    {"x", "dyn", 'X', {"1", "'a'", "{'a': 1, 'b': {'c': [1]}}", "[1, 2u, 3.0, 'a', null, true]"}},
    {"z", "dyn", 'X', {"1.0", "2u", "null", "timestamp(0)"}},
};

/* Result: template. {A} is an expression of type A; %A a new variable of type A, in scope for what
 * follows in the template. */
static const struct rule {
    char result;
    const char *text;
} rules[] = {
    {'B', "{B} && {B}"},
    {'B', "{B} || {B}"},
    {'B', "{B} && {B} && {B}"},
    {'B', "{B} || {B} || {B}"},
    {'B', "!{B}"},
    {'B', "{I} == {I}"},
    {'B', "{X} == {X}"},
    {'B', "{X} != {X}"},
    {'B', "{D} == {D}"},
    {'B', "{S} == {S}"},
    {'B', "{S} != {S}"},
    {'B', "{L} == {L}"},
    {'B', "{M} == {M}"},
    {'B', "{Y} == {Y}"},
    {'B', "{W} == {W}"},
    {'B', "{I} < {I}"},
    {'B', "{U} <= {U}"},
    {'B', "{D} > {D}"},
    {'B', "{I} >= {D}"},
    {'B', "{U} < {I}"},
    {'B', "{D} <= {U}"},
    {'B', "{S} < {S}"},
    {'B', "{Y} > {Y}"},
    {'B', "{B} >= {B}"},
    {'B', "{W} < {W}"},
    {'B', "{R} <= {R}"},
    {'B', "{X} < {X}"},
    {'B', "{I} in {L}"},
    {'B', "{S} in {T}"},
    {'B', "{S} in {M}"},
    {'B', "{X} in {X}"},
    {'B', "{D} in {L}"},
    {'B', "{X} in [{X}, {X}, {X}]"},
    {'B', "{S}.contains({S})"},
    {'B', "{S}.startsWith({S})"},
    {'B', "{S}.endsWith({S})"},
    {'B', "{S}.matches({P})"},
    {'B', "matches({S}, {P})"},
    {'B', "{L}.all(%I, {B})"},
    {'B', "{L}.exists(%I, {B})"},
    {'B', "{L}.exists_one(%I, {B})"},
    {'B', "{T}.all(%S, {B})"},
    {'B', "{T}.exists(%S, {B})"},
    {'B', "{M}.exists(%S, {B})"},
    {'B', "{N}.all(%I, {B})"},
    {'B', "{X}.exists(%X, {B})"},
    {'B', "{L}.all(%I, %I, {B})"},
    {'B', "{M}.exists(%S, %I, {B})"},
    {'B', "{T}.existsOne(%I, %S, {B})"},
    {'B', "has({X}.a)"},
    {'B', "has({M}.a)"},
    {'B', "has({X}.b.c)"},
    {'B', "{O}.hasValue()"},
    {'B', "bool({S})"},
    {'B', "math.isNaN({D})"},
    {'B', "math.isInf({D})"},
    {'B', "math.isFinite({D})"},
    {'B', "{K} == {K}"},
    {'B', "{O} == {O}"},
    {'I', "{I} + {I}"},
    {'I', "{I} - {I}"},
    {'I', "{I} * {I}"},
    {'I', "{I} / {I}"},
    {'I', "{I} % {I}"},
    {'I', "-{I}"},
    {'I', "size({S})"},
    {'I', "{S}.size()"},
    {'I', "size({L})"},
    {'I', "{M}.size()"},
    {'I', "size({Y})"},
    {'I', "size({X})"},
    {'I', "int({D})"},
    {'I', "int({U})"},
    {'I', "int({S})"},
    {'I', "int({W})"},
    {'I', "int({X})"},
    {'I', "{L}[{I}]"},
    {'I', "{M}[{S}]"},
    {'I', "{M}.a"},
    {'I', "{L}[{D}]"},
    {'I', "{O}.orValue({I})"},
    {'I', "{O}.value()"},
    {'I', "{W}.getFullYear()"},
    {'I', "{W}.getMonth({Z})"},
    {'I', "{W}.getDate({Z})"},
    {'I', "{W}.getDayOfMonth()"},
    {'I', "{W}.getDayOfWeek({Z})"},
    {'I', "{W}.getDayOfYear({Z})"},
    {'I', "{W}.getHours({Z})"},
    {'I', "{W}.getMinutes({Z})"},
    {'I', "{W}.getSeconds()"},
    {'I', "{W}.getMilliseconds()"},
    {'I', "{R}.getHours()"},
    {'I', "{R}.getMinutes()"},
    {'I', "{R}.getSeconds()"},
    {'I', "{S}.indexOf({S})"},
    {'I', "{S}.indexOf({S}, {I})"},
    {'I', "{S}.lastIndexOf({S})"},
    {'I', "{S}.lastIndexOf({S}, {I})"},
    {'I', "math.greatest({I}, {I})"},
    {'I', "math.least({I}, {I}, {I})"},
    {'I', "math.abs({I})"},
    {'I', "math.sign({I})"},
    {'I', "math.bitAnd({I}, {I})"},
    {'I', "math.bitOr({I}, {I})"},
    {'I', "math.bitXor({I}, {I})"},
    {'I', "math.bitNot({I})"},
    {'I', "math.bitShiftLeft({I}, {I})"},
    {'I', "math.bitShiftRight({I}, {I})"},
    {'I', "cel.bind(%I, {I}, {I})"},
    {'U', "{U} + {U}"},
    {'U', "{U} - {U}"},
    {'U', "{U} * {U}"},
    {'U', "{U} / {U}"},
    {'U', "{U} % {U}"},
    {'U', "uint({I})"},
    {'U', "uint({D})"},
    {'U', "uint({S})"},
    {'U', "math.bitNot({U})"},
    {'U', "math.bitShiftRight({U}, {I})"},
    {'U', "math.bitShiftLeft({U}, {I})"},
    {'D', "{D} + {D}"},
    {'D', "{D} - {D}"},
    {'D', "{D} * {D}"},
    {'D', "{D} / {D}"},
    {'D', "-{D}"},
    {'D', "double({I})"},
    {'D', "double({U})"},
    {'D', "double({S})"},
    {'D', "math.ceil({D})"},
    {'D', "math.floor({D})"},
    {'D', "math.round({D})"},
    {'D', "math.trunc({D})"},
    {'D', "math.sign({D})"},
    {'D', "math.abs({D})"},
    {'D', "math.sqrt({D})"},
    {'D', "math.greatest({D}, {D})"},
    {'S', "{S} + {S}"},
    {'S', "string({I})"},
    {'S', "string({U})"},
    {'S', "string({Y})"},
    {'S', "string({B})"},
    {'S', "string({W})"},
    {'S', "string({R})"},
    {'S', "string({X})"},
    {'S', "{T}[{I}]"},
    {'S', "{N}[{I}]"},
    {'S', "{S}.charAt({I})"},
    {'S', "{S}.lowerAscii()"},
    {'S', "{S}.upperAscii()"},
    {'S', "{S}.replace({S}, {S})"},
    {'S', "{S}.replace({S}, {S}, {I})"},
    {'S', "{S}.substring({I})"},
    {'S', "{S}.substring({I}, {I})"},
    {'S', "{S}.trim()"},
    {'S', "{S}.reverse()"},
    {'S', "{T}.join()"},
    {'S', "{T}.join({S})"},
    {'S', "strings.quote({S})"},
    {'S', "{F}.format([{X}, {X}])"},
    {'S', "{F}.format([{I}, {D}])"},
    {'S', "{F}.format([{S}, {L}])"},
    {'S', "base64.encode({Y})"},
    {'Y', "{Y} + {Y}"},
    {'Y', "bytes({S})"},
    {'Y', "base64.decode({S})"},
    {'L', "{L} + {L}"},
    {'L', "[{I}, {I}]"},
    {'L', "[?{O}, {I}]"},
    {'L', "{L}.map(%I, {I})"},
    {'L', "{L}.map(%I, {B}, {I})"},
    {'L', "{L}.filter(%I, {B})"},
    {'L', "{T}.map(%S, {I})"},
    {'L', "{L}.transformList(%I, %I, {I})"},
    {'L', "{M}.transformList(%S, %I, {B}, {I})"},
    {'T', "{T} + {T}"},
    {'T', "[{S}, {S}]"},
    {'T', "{T}.filter(%S, {B})"},
    {'T', "{T}.map(%S, {S})"},
    {'T', "{L}.map(%I, {S})"},
    {'T', "{M}.filter(%S, {B})"},
    {'T', "{S}.split({S})"},
    {'T', "{S}.split({S}, {I})"},
    {'M', "{'a': {I}, 'b': {I}}"},
    {'M', "{{S}: {I}, {S}: {I}}"},
    {'M', "{?'a': {O}, 'c': {I}}"},
    {'M', "{M}.transformMap(%S, %I, {I})"},
    {'M', "{M}.transformMap(%S, %I, {B}, {I})"},
    {'M', "{T}.transformMapEntry(%I, %S, {{S}: {I}})"},
    {'N', "{1: {S}, {I}: {S}}"},
    {'W', "{W} + {R}"},
    {'W', "{W} - {R}"},
    {'W', "{R} + {W}"},
    {'W', "timestamp({S})"},
    {'W', "timestamp({I})"},
    {'R', "{R} + {R}"},
    {'R', "{R} - {R}"},
    {'R', "{W} - {W}"},
    {'R', "duration({S})"},
    {'X', "dyn({I})"},
    {'X', "dyn({D})"},
    {'X', "dyn({U})"},
    {'X', "dyn({S})"},
    {'X', "dyn({L})"},
    {'X', "dyn({M})"},
    {'X', "{X}.a"},
    {'X', "{X}.b.c"},
    {'X', "{X}[{X}]"},
    {'X', "{X}[{I}]"},
    {'X', "{X} + {X}"},
    {'X', "{X} - {X}"},
    {'X', "{X} * {X}"},
    {'X', "{X} / {X}"},
    {'X', "-{X}"},
    {'X', "[{X}, {X}]"},
    {'X', "{{X}: {X}}"},
    {'X', "{X}.?a.orValue({X})"},
    {'X', "{X}[?{I}].orValue({X})"},
    {'X', "{X}.map(%X, {X})"},
    {'X', "{X}.filter(%X, {B})"},
    {'X', "{B} ? {X} : {X}"},
    {'K', "type({X})"},
    {'K', "type({I})"},
    {'O', "optional.of({I})"},
    {'O', "optional.ofNonZeroValue({I})"},
    {'O', "{L}[?{I}]"},
    {'O', "{M}[?{S}]"},
    {'O', "{M}.?a"},
    {'O', "{O}.or({O})"},
    {'O', "{O}.optMap(%I, {I})"},
    {'O', "{O}.optFlatMap(%I, {O})"},
};

static const char *const literals[128][24] = {
    ['B'] = {"true", "false"},
    ['I'] = {"0", "1", "-1", "2", "3", "10", "63", "64", "-7", "0x1F", "9223372036854775807",
             "-9223372036854775808", "9007199254740993", "4611686018427387904"},
    ['U'] = {"0u", "1u", "2u", "7U", "0xFFu", "18446744073709551615u", "9007199254740993u"},
    ['D'] = {"0.0", "-0.0", "1.0", "0.5", "-2.5", "1e3", ".25", "1e308", "4.9e-324", "0.1",
             "9007199254740992.0", "9223372036854775808.0", "18446744073709551616.0", "1.5", "2.0"},
    ['S'] = {"''",         "'a'",      "\"l\"",         "'hello'",      "'h\\u00e9llo'",
             "'12'",       "'-7'",     "'1.5'",         "'true'",       "r'\\d'",
             "'''it's'''", "'  x\\t'", "'\\U0001F600'", "'1h30m'",      "'2026-11-21T08:30:00Z'",
             "'aGk='",     "'%d'",     "'A-b_C'",       "'\\x41\\101'", "'T'",
             "'f'"},
    ['Y'] = {"b''", "b'abc'", "b'\\xff'", "b'\\303\\251'", "b'h\\u00e9'", "b'l'", "br'\\n'"},
    ['L'] = {"[]", "[1]", "[1, 2, 3]", "[0, -1]"},
    ['T'] = {"[]", "['a']", "['l', 'o', '']", "['1', '2']"},
    ['M'] = {"{}", "{'a': 1}", "{'a': 1, 'l': 2}"},
    ['N'] = {"{}", "{1: 'a'}", "{0: '', 1: 'l'}"},
    ['W'] = {"timestamp(0)", "timestamp('2026-03-29T01:00:00Z')", "timestamp(-62135596800)",
             "timestamp('2026-11-21T08:30:00.123456789+02:00')", "timestamp(253402300799)"},
    ['R'] = {"duration('1s')", "duration('-1h')", "duration('1.5ms')", "duration('3h2m1s')",
             "duration('1us')", "duration('2562047h')"},
    ['X'] = {"null", "1", "2u", "1.0", "'a'", "b'a'", "true", "[1, 'a']", "{'a': 1}", "{'b': {}}",
             "dyn(1)", "dyn('l')", "dyn([1, 2])", "dyn({'a': {'c': 2}, 'b': {'c': 3}})",
             "timestamp(0)", "{1: 1, 2u: 2}"},
    ['K'] = {"int", "string", "type(null)", "list", "map", "bool", "double", "uint", "bytes",
             "type"},
    ['O'] = {"optional.none()", "optional.of(1)", "optional.of(0)"},
    ['Z'] = {"'UTC'", "'+02:00'", "'-08:30'", "'America/New_York'", "'Asia/Kathmandu'",
             "'Europe/Berlin'", "'Nowhere/There'", "''", "'02:00'", "'Australia/Lord_Howe'"},
    ['F'] = {"'%s %s'", "'%d-%d'", "'%s:%d'", "'%.2f %f'", "'%e|%.3e'", "'%x %X'", "'%b %o'",
             "'100%% %s %s'", "'%s'", "'%d %.1f'", "'%q'", "'%s %.0f'"},
};

/* ---- making text ---- */

static char text[TEXT_MAX + 200];
static uint32_t text_len;

static struct {
    char name[8], letter;
} locals[32];
static uint32_t local_count, local_turn;

static void put(const char *at)
{
    size_t n = strlen(at);

    if (text_len + n < TEXT_MAX) {
        memcpy(text + text_len, at, n);
        text_len += (uint32_t)n;
    }
}

static void put_literal(char letter)
{
    uint32_t count = 0;

    while (count < COUNT(literals[0]) && literals[(unsigned char)letter][count])
        count++;
    put(literals[(unsigned char)letter][chance(count)]);
}

static bool put_variable(char letter)
{
    for (int tries = 0; tries < 8 && local_count; tries++) {
        uint32_t k = chance(local_count);
        if (locals[k].letter == letter) {
            put(locals[k].name);
            return true;
        }
    }
    for (int tries = 0; tries < 24; tries++) {
        const struct variable *v = &variables[chance(COUNT(variables))];
        if (v->letter == letter) {
            put(v->name);
            return true;
        }
    }
    return false;
}

static void put_pattern_piece(unsigned depth)
{
    static const char *const atoms[] = {
        "a",   "l",         "e",           "h",       "1",     ".",     "[a-e]", "[^l]",
        "\\d", "\\w",       "\\s",         "\\D",     "\\W",   "\\S",   "\\b",   "^",
        "$",   "\\B",       "[[:alpha:]]", "[\\d_-]", "\\x41", "\\pL",  "o",     "ll",
        "\\.", "[^a-z\\d]", "(?i)A",       "\\A",     "\\z",   "\u00e9"};
    static const char *const repeats[] = {"*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "??"};

    if (depth && chance(4) == 0) {
        put(chance(2) ? "(" : "(?:");
        put_pattern_piece(depth - 1);
        if (chance(2))
            put("|");
        put_pattern_piece(depth - 1);
        put(")");
    } else {
        put(atoms[chance(COUNT(atoms))]);
    }
    if (chance(3) == 0)
        put(repeats[chance(COUNT(repeats))]);
    if (depth && chance(2))
        put_pattern_piece(depth - 1);
}

static void put_expression(char letter, unsigned depth);

static void put_rule(const char *rule, unsigned depth)
{
    uint32_t scope = local_count;

    for (const char *at = rule; *at; at++) {
        if (*at == '{' && at[1] >= 'A' && at[1] <= 'Z' && at[2] == '}') {
            put_expression(at[1], depth - 1);
            at += 2;
        } else if (*at == '%' && at[1] >= 'A' && at[1] <= 'Z' && at[2] != '}' &&
                   local_count < COUNT(locals)) {
            snprintf(locals[local_count].name, sizeof locals[0].name, "v%u", local_turn++ % 1000u);
            locals[local_count].letter = at[1];
            put(locals[local_count++].name);
            at++;
        } else {
            char one[2] = {*at, '\0'};
            put(one);
        }
    }
    local_count = scope;
}

static void put_expression(char letter, unsigned depth)
{
    const struct rule *rule;
    bool parentheses;

    if (letter == 'P') {
        put("r'");
        put_pattern_piece(2);
        put("'");
        return;
    }
    if (letter == 'Z' || letter == 'F') {
        put_literal(letter);
        return;
    }
    if (chance(200) == 0) /* of another type than is wanted */
        letter = "BIUDSYLTMNWRXKO"[chance(15)];
    if (depth == 0 || text_len > TEXT_MAX / 4 || chance(5) == 0) {
        if (chance(2) || !put_variable(letter))
            put_literal(letter);
        return;
    }
    do
        rule = &rules[chance(COUNT(rules))];
    while (rule->result != letter);
    parentheses = chance(12) != 0;
    put(parentheses ? "(" : "");
    if (chance(20) == 0) {
        char choice[] = "{B} ? {_} : {_}";
        choice[7] = choice[13] = letter;
        put_rule(choice, depth);
    } else {
        put_rule(rule->text, depth);
    }
    put(parentheses ? ")" : "");
}

/* ---- results ---- */

static char why[sizeof((struct condition_diag *)0)->msg]; /* of an error */
static char result[1u << 17];
static size_t result_len;

static void write_text(const char *at)
{
    size_t n = strlen(at);

    if (result_len + n < sizeof result) {
        memcpy(result + result_len, at, n + 1);
        result_len += n;
    }
}

static void write_hex(const char *at, uint32_t len)
{
    char two[3];

    for (uint32_t i = 0; i < len; i++) {
        snprintf(two, sizeof two, "%02x", (unsigned)(unsigned char)at[i]);
        write_text(two);
    }
}

static void write_result(const struct condition_value *v);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of their texts: a map has none of its own. */
static void write_entries(const struct condition_value *map)
{
    char **texts = calloc(map->size + 1u, sizeof *texts);
    size_t before = result_len;

    for (uint32_t i = 0; texts && i < map->size; i++) {
        write_result(&map->as.entries[i].key);
        write_text("=");
        write_result(&map->as.entries[i].value);
        write_text(",");
        texts[i] = strdup(result + before);
        result_len = before;
        result[before] = '\0';
    }
    if (texts)
        qsort(texts, map->size, sizeof *texts, by_text);
    for (uint32_t i = 0; texts && i < map->size; i++) {
        write_text(texts[i] ? texts[i] : "?");
        free(texts[i]);
    }
    free(texts);
}

/* i:-1 u:1 d:<bits in hex, or nan> s:<hex> y:<hex> t:seconds.nanos r:nanoseconds k:type [a,b] {k=v,}
 * o(v) o() null true false */
static void write_result(const struct condition_value *v)
{
    char number[64];
    uint64_t bits;

    *number = '\0';
    switch (v->kind) {
    case CONDITION_NULL: write_text("null"); break;
    case CONDITION_BOOL: write_text(v->as.truth ? "true" : "false"); break;
    case CONDITION_INT: snprintf(number, sizeof number, "i:%" PRId64, v->as.i); break;
    case CONDITION_UINT: snprintf(number, sizeof number, "u:%" PRIu64, v->as.u); break;
    case CONDITION_DOUBLE:
        memcpy(&bits, &v->as.d, sizeof bits);
        if (isnan(v->as.d))
            write_text("d:nan");
        else
            snprintf(number, sizeof number, "d:%016" PRIx64, bits);
        break;
    case CONDITION_STRING:
    case CONDITION_BYTES:
        write_text(v->kind == CONDITION_STRING ? "s:" : "y:");
        write_hex(v->as.bytes, v->size);
        break;
    case CONDITION_TIMESTAMP:
        snprintf(number, sizeof number, "t:%" PRId64 ".%09d", v->as.i, (int)(int32_t)v->size);
        break;
    case CONDITION_DURATION:
        snprintf(number, sizeof number, "r:%" PRId64, v->as.i * 1000000000 + (int32_t)v->size);
        break;
    case CONDITION_TYPE_VALUE:
        snprintf(number, sizeof number, "k:%.*s", (int)v->size, v->as.bytes);
        break;
    case CONDITION_LIST:
        write_text("[");
        for (uint32_t i = 0; i < v->size; i++) {
            write_result(&v->as.items[i]);
            write_text(",");
        }
        write_text("]");
        break;
    case CONDITION_MAP:
        write_text("{");
        write_entries(v);
        write_text("}");
        break;
    case CONDITION_OPTIONAL:
        write_text("o(");
        if (v->as.items)
            write_result(v->as.items);
        write_text(")");
        break;
    default: write_text("?");
    }
    write_text(number);
}

/* ---- running ---- */

static struct condition_env *envs[2];                            /* unchecked, checked */
static struct condition *value_programs[SETS][COUNT(variables)]; /* own what the values point to */
static struct condition_entry entries[SETS][COUNT(variables)];
static _Alignas(16) char value_scratch[1u << 16], scratch[1u << 16];

static void die(const char *what, const char *source)
{
    fprintf(stderr, "expressions: %s: %s\n", what, source);
    exit(1);
}

static struct condition_env *open_env(bool check)
{
    struct condition_env *env = condition_env_new();

    if (!env)
        die("out of memory", "");
    condition_env_set_check(env, check);
    for (size_t i = 0; i < COUNT(variables); i++)
        if (condition_env_declare_type(env, variables[i].name, variables[i].type))
            die("no such type", variables[i].type);
    return env;
}

static void make_values(struct condition_env *env)
{
    size_t used = 0;

    for (size_t set = 0; set < SETS; set++)
        for (size_t i = 0; i < COUNT(variables); i++) {
            const char *source = variables[i].sources[set];
            struct condition_input in = {.scratch = value_scratch + used, .scratch_bytes = 512};
            struct condition **cond = &value_programs[set][i];
            struct condition_diag diag;
            if (condition_compile(env, source, strlen(source), cond, &diag) ||
                condition_run(*cond, &in, &entries[set][i].value, &diag))
                die(diag.msg, source);
            entries[set][i].key = condition_string(variables[i].name, strlen(variables[i].name));
            used += 512;
        }
}

/* Leaves the result's text in result. */
static void evaluate(bool check, uint32_t set, const char *source, size_t len,
                     struct condition **kept)
{
    struct condition_value root = {CONDITION_MAP, 0, 0, COUNT(variables), {0}}, out;
    struct condition_value slots[64];
    struct condition_env *env = envs[check];
    struct condition_diag diag = {0};
    struct condition *cond = NULL;
    enum condition_status status = condition_compile(env, source, len, &cond, &diag);

    result_len = 0;
    root.as.entries = entries[set];
    if (!status) {
        size_t count = condition_env_slot_count(env);
        struct condition_input in = {.slots = slots,
                                     .slot_count = count,
                                     .scratch = scratch,
                                     .scratch_bytes = sizeof scratch};
        if (count > COUNT(slots))
            die("more slots than there are variables", source);
        condition_slots_fill(env, &root, slots, count);
        status = condition_run(cond, &in, &out, &diag);
        if (!status)
            write_result(&out);
    }
    if (status)
        write_text(status == CONDITION_EXHAUSTED ? "limit" : "error");
    snprintf(why, sizeof why, "%s", status ? diag.msg : "");
    if (kept)
        *kept = cond;
    else
        condition_free(cond);
}

/* The canonical source comes to the same. */
static void check_printed(bool check, uint32_t set, const struct condition *cond)
{
    static char printed[6 * TEXT_MAX], first[sizeof result];
    size_t len = condition_print(cond, printed, sizeof printed);

    memcpy(first, result, result_len + 1);
    if (len >= sizeof printed)
        die("too long when printed", text);
    evaluate(check, set, printed, len, NULL);
    if (strcmp(first, result) != 0)
        die("another result when printed", text);
    memcpy(result, first, strlen(first) + 1);
}

static void print_json(const char *at)
{
    for (; *at; at++)
        if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if ((unsigned char)*at < 0x20)
            printf("\\u%04x", (unsigned)*at);
        else
            putchar(*at);
}

static void print_variables(void)
{
    printf("{\"vars\":[");
    for (size_t i = 0; i < COUNT(variables); i++) {
        printf("%s{\"name\":\"%s\",\"type\":\"%s\",\"sources\":[", i ? "," : "", variables[i].name,
               variables[i].type);
        for (size_t set = 0; set < SETS; set++) {
            printf("%s\"", set ? "," : "");
            print_json(variables[i].sources[set]);
            printf("\"");
        }
        printf("]}");
    }
    printf("]}\n");
}

int main(int argc, char **argv)
{
    struct condition_env *env;
    unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (argc != 3 || count == 0) {
        fputs("usage: expressions SEED COUNT\n", stderr);
        return 2;
    }
    seed = strtoull(argv[1], NULL, 10);
    env = condition_env_new();
    if (!env)
        die("out of memory", "");
    make_values(env);
    print_variables();
    for (unsigned long k = 0; k < count; k++) {
        bool check = chance(2);
        uint32_t set = chance(SETS);
        struct condition *cond;

        if (k % 1000 == 0)
            for (int i = 0; i < 2; i++) {
                condition_env_free(envs[i]);
                envs[i] = open_env(i);
            }
        text_len = 0;
        local_turn = 0;
        put_expression("BBBBIIUDDSSYLTMNWRXXKO"[chance(22)], 1 + chance(DEPTH_MAX));
        text[text_len] = '\0';
        evaluate(check, set, text, text_len, &cond);
        if (cond)
            check_printed(check, set, cond);
        condition_free(cond);
        printf("{\"e\":\"");
        print_json(text);
        printf("\",\"v\":%u,\"c\":%s,\"r\":\"%s\",\"w\":\"", (unsigned)set,
               check ? "true" : "false", result);
        print_json(why);
        printf("\"}\n");
    }
    for (int i = 0; i < 2; i++)
        condition_env_free(envs[i]);
    for (size_t i = 0; i < SETS * COUNT(variables); i++)
        condition_free(value_programs[i / COUNT(variables)][i % COUNT(variables)]);
    condition_env_free(env);
    return 0;
}
