/*
 * patterns - regular expressions, subjects and what matches() makes of them, for RE2 to compare:
 *
 *     patterns SEED COUNT        random ones
 *     patterns table FILE        those of a table (tests/condition/regexes.txt)
 *
 * prints JSON lines {"p": pattern, "s": [subjects], "r": answers, "w": why it is refused}. The
 * answers are a letter for each subject, y, n or e (a limit was reached), or "refused". The same
 * seed gives the same lines. Where a pattern needs no regular expression (cel_regex_plain) both
 * ways are taken; another answer ends the program with 1.
 */
#include "base/json.h"
#include "condition/limits.h"
#include "condition/regex.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SUBJECTS_MAX 16u
#define DEPTH_MAX 4u

struct text {
    char at[CEL_PATTERN_MAX + 1];
    size_t len;
};

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

static void add(struct text *t, const char *piece)
{
    size_t n = strlen(piece);

    if (n < sizeof t->at - t->len) {
        memcpy(t->at + t->len, piece, n + 1);
        t->len += n;
    }
}

#define ADD_ONE_OF(t, list) add(t, (list)[chance(COUNT(list))])

/* ---- random patterns ---- */

static const char *const characters[] = {"a", "b", "c", "A", "B", "0", "1", "_", " ",  "-", ":",
                                         "k", "s", "é", "É", "ſ", "K", "☃", "😀", "]",  "}", "{",
                                         ",", "=", "!", "<", ">", "#", "&", "~", "\"", "/"};
static const char *const escapes[] = {
    "\\d",     "\\D",     "\\s",      "\\S",        "\\w",   "\\W",     "\\n",       "\\t",
    "\\r",     "\\f",     "\\v",      "\\a",        "\\x41", "\\x{e9}", "\\x{212a}", "\\x{1F600}",
    "\\0",     "\\01",    "\\101",    "\\12",       "\\.",   "\\*",     "\\[",       "\\]",
    "\\-",     "\\\\",    "\\^",      "\\$",        "\\_",   "\\pL",    "\\PL",      "\\p{Greek}",
    "\\p{Lu}", "\\P{Lu}", "\\p{^Lu}", "\\p{Latin}", "\\pN"};
static const char *const odd[] = {
    "\\1",  "\\e",    "\\c",    "\\h",     "\\R",      "\\X",   "\\K",   "\\G",         "\\Z",
    "\\N",  "\\C",    "\\p{",   "\\pX",    "\\p{Foo}", "\\x",   "\\x{",  "\\x{110000}", "\\8",
    "\\é",  "(?=a)",  "(?!a)",  "(?<=a)",  "(?<!a)",   "(?>a)", "(?#a)", "(?|a)",       "(?R)",
    "(?1)", "(?P=n)", "(?P>n)", "(*F)",    "(?",       "(?i",   "(?P<",  "(?^)",        "(?x)",
    "a++",  "a*+",    "a{1}+",  "a{2}{3}", "a**",      "(?-)",  "(?i-)", ")",           "(",
    "[",    "[]",     "[^]",    "[z-a]",   "[a-\\d]",  "\\",    "\\E",   "*",           "+",
    "?",    "{2}",    "{,2}",   "a{2,1}",  "a{1001}",  "a{01}", "a{ 1}", "[[:foo:]]",   "(?'n'a)"};
static const char *const asserts[] = {"^", "$", "\\b", "\\B", "\\A", "\\z"};
static const char *const repeats[] = {"*",   "+",    "?",    "*?",    "+?",     "??",    "{2}",
                                      "{0}", "{1,}", "{,2}", "{1,2}", "{0,3}?", "{2,}?", "{a}"};
static const char *const openings[] = {
    "(",    "(?:",   "(?P<n>", "(?<n>", "(?i:",     "(?s:",   "(?m:",
    "(?U:", "(?-i:", "(?i-s:", "(?im:", "(?P<1_n>", "(?sU-i:"};
static const char *const flags[] = {"(?i)", "(?s)", "(?m)", "(?U)", "(?-i)", "(?)", "(?is-m)"};
static const char *const posix[] = {
    "[:alpha:]",  "[:^alpha:]", "[:digit:]", "[:space:]", "[:word:]",  "[:punct:]",
    "[:ascii:]",  "[:^upper:]", "[:blank:]", "[:print:]", "[:graph:]", "[:cntrl:]",
    "[:xdigit:]", "[:w:]",      "[=a=]",     "[.a.]",     "[:alpha"};

static void class_item(struct text *t)
{
    switch (chance(6)) {
    case 0: ADD_ONE_OF(t, escapes); break;
    case 1: ADD_ONE_OF(t, posix); break;
    case 2: add(t, chance(2) ? "a-c" : "A-Z"); break;
    case 3: add(t, chance(2) ? "-" : "^"); break;
    case 4:
        ADD_ONE_OF(t, characters);
        add(t, "-");
        ADD_ONE_OF(t, characters);
        break;
    default: ADD_ONE_OF(t, characters);
    }
}

static void alternation(struct text *t, unsigned depth);

static void atom(struct text *t, unsigned depth)
{
    switch (chance(depth ? 16 : 12)) {
    case 0: add(t, "."); break;
    case 1:
    case 2: ADD_ONE_OF(t, escapes); break;
    case 3: ADD_ONE_OF(t, asserts); break;
    case 4:
    case 5:
        add(t, chance(4) ? "[" : "[^");
        for (uint32_t i = 1 + chance(3); i > 0; i--)
            class_item(t);
        add(t, "]");
        break;
    case 6:
        if (chance(3) == 0)
            ADD_ONE_OF(t, flags);
        break;
    case 7:
        if (chance(12) == 0)
            add(t, chance(2) ? "\\Qa.b*\\E" : "\\Q(");
        break;
    case 12:
    case 13:
    case 14:
    case 15:
        ADD_ONE_OF(t, openings);
        alternation(t, depth - 1);
        add(t, ")");
        break;
    default: ADD_ONE_OF(t, characters);
    }
}

static void alternation(struct text *t, unsigned depth)
{
    do {
        for (uint32_t i = chance(4); i > 0; i--) {
            atom(t, depth);
            if (chance(3) == 0)
                ADD_ONE_OF(t, repeats);
            if (chance(40) == 0)
                ADD_ONE_OF(t, odd);
        }
    } while (chance(4) == 0 && (add(t, "|"), true));
}

static void random_subject(struct text *t)
{
    static const char *const words[] = {"a", "b", "ab", "abc", "A", "B", "aB", "0",  "1",
                                        "_", " ", "\n", "\t",  "-", ".", "é",  "É",  "☃",
                                        "😀", "K", "k",  "s",   "ſ", "S", "[",  "]",  "\v",
                                        "{", "}", ":",  "\r",  "^", "α", "Ω",  "\f", "z"};

    t->len = 0;
    t->at[0] = '\0';
    for (uint32_t i = chance(9); i > 0; i--)
        ADD_ONE_OF(t, words);
}

/* ---- answers ---- */

static bool plain_holds(enum cel_regex_plain plain, const char *text, size_t len,
                        const char *subject, size_t subject_len)
{
    if (len > subject_len)
        return false;
    switch (plain) {
    case REGEX_PREFIX: return memcmp(subject, text, len) == 0;
    case REGEX_SUFFIX: return memcmp(subject + subject_len - len, text, len) == 0;
    case REGEX_EQUAL: return len == subject_len && memcmp(subject, text, len) == 0;
    default: return memmem(subject, subject_len, text, len) != NULL;
    }
}

static bool answer(const struct text *pattern, struct json *subjects, char out[SUBJECTS_MAX + 8],
                   char *why, size_t why_size)
{
    char text[CEL_PATTERN_MAX + 1];
    struct cel_regex *regex = NULL;
    size_t at, len = 0, count = 0;
    enum cel_regex_plain plain = cel_regex_plain(pattern->at, pattern->len, text, &len);

    *why = '\0';
    if (cel_regex_compile(pattern->at, pattern->len, &regex, why, why_size, &at) != REGEX_OK) {
        memcpy(out, "refused", sizeof "refused");
        return plain == REGEX_NOT_PLAIN;
    }
    for (struct json *s = json_first(subjects); s != NULL; s = json_next(s)) {
        const char *subject = json_text(s);
        size_t subject_len = strlen(subject);
        int found = cel_regex_match(regex, subject, subject_len);

        out[count++] = found < 0 ? 'e' : found > 0 ? 'y' : 'n';
        if (plain != REGEX_NOT_PLAIN && found >= 0 &&
            plain_holds(plain, text, len, subject, subject_len) != (found > 0)) {
            cel_regex_free(regex);
            return false;
        }
    }
    out[count] = '\0';
    cel_regex_free(regex);
    return true;
}

/* Prints the line of pattern; subjects is given away. */
static void print(const struct text *pattern, struct json *subjects)
{
    struct json *line = json_object();
    char answers[SUBJECTS_MAX + 8], why[200], *printed;

    if (!answer(pattern, subjects, answers, why, sizeof why)) {
        fprintf(stderr, "patterns: %s is plain text, and means something else\n", pattern->at);
        exit(1);
    }
    json_put_text(line, "p", pattern->at);
    json_put(line, "s", subjects);
    json_put_text(line, "r", answers);
    json_put_text(line, "w", why);
    printed = json_print(line);
    puts(printed);
    free(printed);
    json_free(line);
}

static void print_random(unsigned long count)
{
    static struct text pattern, subject;

    while (count-- > 0) {
        struct json *subjects = json_array();

        pattern.len = 0;
        pattern.at[0] = '\0';
        alternation(&pattern, DEPTH_MAX);
        for (unsigned i = 0; i < 6; i++) {
            random_subject(&subject);
            json_append(subjects, json_string(subject.at));
        }
        print(&pattern, subjects);
    }
}

/* Lines: "# comment", "= [subjects]" for those that follow, "answers<TAB>pattern". */
static int print_table(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[CEL_PATTERN_MAX + 100];
    struct json *subjects = NULL;
    struct text pattern;

    if (file == NULL) {
        perror(path);
        return 1;
    }
    while (fgets(line, (int)sizeof line, file) != NULL) {
        const char *tab = strchr(line, '\t');

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '=') {
            json_free(subjects);
            if (json_parse(line + 1, strlen(line + 1), &subjects, NULL) != ERR_OK ||
                json_count(subjects) > SUBJECTS_MAX) {
                fprintf(stderr, "patterns: %s: no list of subjects: %s\n", path, line);
                return 1;
            }
        } else if (line[0] != '#' && tab != NULL) {
            pattern.len = 0;
            pattern.at[0] = '\0';
            add(&pattern, tab + 1);
            print(&pattern, json_copy(subjects));
        }
    }
    json_free(subjects);
    fclose(file);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "table") == 0)
        return print_table(argv[2]);
    if (argc != 3) {
        fprintf(stderr, "usage: patterns SEED COUNT | table FILE\n");
        return 2;
    }
    seed = strtoull(argv[1], NULL, 10);
    print_random(strtoul(argv[2], NULL, 10));
    return 0;
}
