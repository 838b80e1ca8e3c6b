/*
 * condition - the program: evaluates, explains and tests conditions from the command line.
 */
#include "base/arena.h"
#include "base/cli.h"
#include "base/clock.h"
#include "base/json.h"
#include "condition/condition.h"
#include "condition/condition_json.h"
#include "condition/program/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BYTES (64u << 10)
#define TEXT_BYTES (64u << 10)

/* What eval and explain have in common: a compiled condition and its filled slots. */
struct session {
    struct condition_env *env;
    struct condition *cond;
    struct arena arena;
    struct json *vars;
    struct condition_value *slots;
    struct condition_input in;
    char *scratch;
};

static void session_fini(struct session *s)
{
    condition_free(s->cond);
    condition_env_free(s->env);
    json_free(s->vars);
    arena_fini(&s->arena);
    free(s->scratch);
}

/* The value of `now`: --now, or the clock. It is a literal of CEL, so the engine reads it. */
static enum err_code read_now(const struct cli *cli, struct condition_value *out, struct err *err)
{
    const char *text = cli_option(cli, "now");
    int64_t ms = clock_wall_ms();
    struct condition_env *env;
    struct condition *cond = NULL;
    struct condition_diag diag;
    char expression[120];
    enum err_code code = ERR_OK;

    *out = condition_timestamp(ms / 1000, (int32_t)(ms % 1000) * 1000000);
    if (!text)
        return ERR_OK;
    if (strlen(text) > 60 || strpbrk(text, "'\\\n"))
        return err_set(err, ERR_INVALID, "--now takes a time such as 2026-11-21T08:30:00Z");
    snprintf(expression, sizeof expression, "timestamp('%s')", text);
    env = condition_env_new();
    if (!env)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (condition_compile(env, expression, strlen(expression), &cond, &diag) != CONDITION_OK ||
        condition_run(cond, &(struct condition_input){0}, out, &diag) != CONDITION_OK)
        code = err_set(err, ERR_INVALID, "--now takes a time such as 2026-11-21T08:30:00Z");
    condition_free(cond);
    condition_env_free(env);
    return code;
}

/* Reads --vars and adds now to it. */
static enum err_code read_vars(struct session *s, const struct cli *cli,
                               struct condition_value *root, struct err *err)
{
    const char *text = cli_option(cli, "vars");
    struct condition_value vars, now;
    struct condition_entry *entries;
    enum err_code code;

    if (!text)
        text = "{}";
    code = json_parse(text, strlen(text), &s->vars, err);
    if (!code && json_kind(s->vars) != JSON_OBJECT)
        code = err_set(err, ERR_INVALID, "it must be an object, as in '{\"plan\": \"pro\"}'");
    if (!code)
        code = condition_from_json(s->vars, &s->arena, &vars, err);
    if (code) {
        err_wrap(err, "--vars");
        return code;
    }
    code = read_now(cli, &now, err);
    if (code)
        return code;
    entries = arena_zero(&s->arena, vars.size + 1u, sizeof *entries);
    if (!entries)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(entries, vars.as.entries, vars.size * sizeof *entries);
    *root = vars;
    root->as.entries = entries;
    for (uint32_t i = 0; i < vars.size; i++)
        if (entries[i].key.size == 3 && memcmp(entries[i].key.as.bytes, "now", 3) == 0)
            return ERR_OK; /* the caller's own now */
    entries[root->size].key = condition_string("now", 3);
    entries[root->size++].value = now;
    return ERR_OK;
}

/* --declare NAME:TYPE, any number of times. */
static enum err_code declare_all(struct session *s, const struct cli *cli, struct err *err)
{
    const char *text;

    for (size_t i = 0; (text = cli_option_at(cli, "declare", i)) != NULL; i++) {
        const char *colon = strchr(text, ':');
        char *name =
            colon && colon > text ? arena_text(&s->arena, text, (size_t)(colon - text)) : NULL;
        if (!name)
            return err_set(err, ERR_INVALID, "--declare takes NAME:TYPE, not '%s'", text);
        switch (condition_env_declare_type(s->env, name, colon + 1)) {
        case CONDITION_OK: break;
        case CONDITION_NOMEM: return err_set(err, ERR_NOMEM, "out of memory");
        default:
            return err_set(err, ERR_INVALID,
                           "--declare %s: this is no type, or '%s' has another one "
                           "(types are int, string, list(string), map(string, dyn), ...)",
                           text, name);
        }
    }
    return ERR_OK;
}

static enum err_code open_env(struct session *s, const struct cli *cli, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->env = condition_env_new();
    s->scratch = malloc(SCRATCH_BYTES);
    if (!s->env || !s->scratch)
        return err_set(err, ERR_NOMEM, "out of memory");
    condition_env_set_open(s->env, !cli_option(cli, "declare"));
    if (condition_env_declare(s->env, "now", CONDITION_TIMESTAMP))
        return err_set(err, ERR_NOMEM, "out of memory");
    return declare_all(s, cli, err);
}

static struct json *diag_json(const struct condition_diag *diag, enum err_code code)
{
    struct json *error = json_object();

    json_put_text(error, "code", code == ERR_INVALID ? err_code_name(code) : "evaluation_failed");
    json_put_text(error, "message", diag->msg);
    if (*diag->hint)
        json_put_text(error, "hint", diag->hint);
    json_put_number(error, "line", diag->line);
    json_put_number(error, "column", diag->column);
    json_put_number(error, "from", diag->from);
    json_put_number(error, "to", diag->to);
    return error;
}

/* Says where and why, with the caret, or as JSON. */
static int fail_diag(const struct cli *cli, const char *source, const struct condition_diag *diag,
                     enum err_code code)
{
    char text[2048];
    struct json *document;

    if (cli_json(cli)) {
        document = json_object();
        json_put(document, "error", diag_json(diag, code));
        cli_print_json(document);
    } else {
        condition_diag_print(diag, source, strlen(source), text, sizeof text);
        fputs(text, stderr);
    }
    return code == ERR_INVALID ? 2 : 1;
}

/* Compiles the operand and fills its slots. Returns 0, or the exit code after saying why not. */
static int prepare(struct session *s, const struct cli *cli)
{
    const char *source = cli_operand(cli, 0);
    struct condition_diag diag;
    struct condition_value root;
    struct err err;

    if (open_env(s, cli, &err) || read_vars(s, cli, &root, &err))
        return cli_fail(cli, &err);
    if (condition_compile(s->env, source, strlen(source), &s->cond, &diag) != CONDITION_OK)
        return fail_diag(cli, source, &diag, ERR_INVALID);
    s->in.slot_count = condition_env_slot_count(s->env);
    s->slots = arena_zero(&s->arena, s->in.slot_count + 1, sizeof *s->slots);
    if (!s->slots) {
        err_set(&err, ERR_NOMEM, "out of memory");
        return cli_fail(cli, &err);
    }
    condition_slots_fill(s->env, &root, s->slots, s->in.slot_count);
    s->in.slots = s->slots;
    s->in.scratch = s->scratch;
    s->in.scratch_bytes = SCRATCH_BYTES;
    return 0;
}

static char *value_text(const struct condition_value *v)
{
    size_t len = condition_value_print(v, NULL, 0);
    char *text = malloc(len + 1);

    if (text)
        condition_value_print(v, text, len + 1);
    return text;
}

static void put_value(struct json *document, const struct condition_value *v)
{
    char *text = value_text(v);

    json_put(document, "value", condition_to_json(v));
    json_put_text(document, "cel", text);
    json_put_text(document, "type", condition_type_name(v));
    free(text);
}

static int print_value(const struct cli *cli, const struct session *s,
                       const struct condition_value *v)
{
    struct json *document;
    char *text;

    if (cli_json(cli)) {
        document = json_object();
        put_value(document, v);
        json_put_text(document, "checked_type", condition_result_type(s->cond));
        cli_print_json(document);
    } else {
        text = value_text(v);
        puts(text ? text : "out of memory");
        free(text);
    }
    return 0;
}

static int run_eval(struct cli *cli, void *ctx)
{
    struct session s;
    struct condition_diag diag;
    struct condition_value value;
    int code = prepare(&s, cli);

    (void)ctx;
    if (!code) {
        if (condition_run(s.cond, &s.in, &value, &diag) == CONDITION_OK)
            code = print_value(cli, &s, &value);
        else
            code = fail_diag(cli, cli_operand(cli, 0), &diag, ERR_CONFLICT);
    }
    session_fini(&s);
    return code;
}

struct explaining {
    const char *source;
    struct json *list; /* NULL: print lines */
};

static void explain_line(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                         const struct condition_value *value, const char *text)
{
    struct explaining *e = ctx;
    char *shown = value ? value_text(value) : NULL;
    struct json *item;

    if (!e->list) {
        printf("%*s%.*s  =>  %s\n", (int)(2 * depth), "", (int)(to - from), e->source + from,
               value ? (shown ? shown : "?") : text);
    } else {
        item = json_object();
        json_put(item, "expression", json_string_n(e->source + from, to - from));
        json_put_number(item, "from", from);
        json_put_number(item, "to", to);
        json_put_number(item, "depth", depth);
        if (value) {
            json_put(item, "value", condition_to_json(value));
            json_put_text(item, "cel", shown);
        } else {
            json_put_text(item, strcmp(text, "not evaluated") == 0 ? "skipped" : "error", text);
        }
        json_append(e->list, item);
    }
    free(shown);
}

static int run_explain(struct cli *cli, void *ctx)
{
    struct session s;
    struct explaining e = {.source = cli_operand(cli, 0)};
    struct condition_diag diag;
    struct condition_value value;
    struct json *document;
    int code = prepare(&s, cli);

    (void)ctx;
    if (!code) {
        e.list = cli_json(cli) ? json_array() : NULL;
        if (condition_explain(s.cond, &s.in, explain_line, &e, &value, &diag) != CONDITION_OK)
            code = 1;
        if (e.list) {
            document = json_object();
            if (code)
                json_put(document, "error", diag_json(&diag, ERR_CONFLICT));
            else
                put_value(document, &value);
            json_put(document, "explanation", e.list);
            cli_print_json(document);
        } else if (code) {
            fflush(stdout); /* the explanation first, then what it comes to */
            fail_diag(cli, e.source, &diag, ERR_CONFLICT);
        }
    }
    session_fini(&s);
    return code;
}

/* Compiles the operand without variables. Returns 0, or the exit code after saying why not. */
static int compile_only(struct session *s, const struct cli *cli)
{
    const char *source = cli_operand(cli, 0);
    struct condition_diag diag;
    struct err err;

    if (open_env(s, cli, &err))
        return cli_fail(cli, &err);
    if (condition_compile(s->env, source, strlen(source), &s->cond, &diag) != CONDITION_OK)
        return fail_diag(cli, source, &diag, ERR_INVALID);
    return 0;
}

typedef size_t text_of_condition(const struct condition *cond, char *out, size_t out_size);

/* What print and disassemble have in common: a text as it is, or as a member. */
static int show_text(struct cli *cli, text_of_condition *print, const char *member)
{
    struct session s;
    int code = compile_only(&s, cli);

    if (!code) {
        size_t len = print(s.cond, NULL, 0);
        char *text = malloc(len + 1);
        struct err err;
        if (!text || !len) {
            err_set(&err, ERR_NOMEM, "out of memory");
            code = cli_fail(cli, &err);
        } else {
            print(s.cond, text, len + 1);
            if (cli_json(cli)) {
                struct json *document = json_object();
                json_put_text(document, member, text);
                cli_print_json(document);
            } else {
                printf("%s%s", text, text[len - 1] == '\n' ? "" : "\n");
            }
        }
        free(text);
    }
    session_fini(&s);
    return code;
}

static int run_disassemble(struct cli *cli, void *ctx)
{
    (void)ctx;
    return show_text(cli, condition_disassemble, "code");
}

static int run_print(struct cli *cli, void *ctx)
{
    (void)ctx;
    return show_text(cli, condition_print, "source");
}

static int run_reads(struct cli *cli, void *ctx)
{
    struct session s;
    int code = compile_only(&s, cli);

    (void)ctx;
    if (!code) {
        struct json *document = json_object(), *attributes = json_array();
        bool now = condition_reads(s.cond, "now");
        for (size_t i = 0; i < condition_read_count(s.cond); i++) {
            const char *path = condition_env_slot_path(s.env, condition_read_slot(s.cond, i));
            json_append(attributes, json_string(path));
            if (!cli_json(cli))
                puts(path);
        }
        json_put(document, "attributes", attributes);
        json_put(document, "now", json_bool(now));
        json_put_text(document, "type", condition_result_type(s.cond));
        if (cli_json(cli))
            cli_print_json(document);
        else
            json_free(document);
    }
    session_fini(&s);
    return code;
}

static int run_test(struct cli *cli, void *ctx)
{
    const char *tier = cli_option(cli, "tier");
    struct cases_result result;
    struct err err;

    (void)ctx;
    if (tier && (strlen(tier) != 1 || *tier < '1' || *tier > '9'))
        return cli_usage(cli, "--tier takes a number from 1 to 9, not '%s'", tier);
    if (cases_run(cli_operand(cli, 0), tier ? *tier - '0' : 0, cli_option(cli, "printed") != NULL,
                  cli_json(cli) ? stderr : stdout, &result, &err))
        return cli_fail(cli, &err);
    if (cli_json(cli)) {
        struct json *document = json_object();
        json_put_number(document, "passed", (double)result.passed);
        json_put_number(document, "failed", (double)result.failed);
        cli_print_json(document);
    } else {
        printf("%zu passed, %zu failed\n", result.passed, result.failed);
    }
    return result.failed ? 1 : 0;
}

static const struct cli_option eval_options[] = {
    {"vars", 'v', "JSON", "an object whose members are the variables", false},
    {"declare", 'd', "NAME:TYPE", "a variable and its type; then no others are known", true},
    {"now", 'n', "TIME", "the value of now, as in 2026-11-21T08:30:00Z; else the clock's", false},
    {0}};

static const struct cli_option declare_options[] = {
    {"declare", 'd', "NAME:TYPE", "a variable and its type; then no others are known", true}, {0}};

static const struct cli_option test_options[] = {
    {"tier", 't', "N", "only the cases of this tier", false},
    {"printed", 'p', NULL, "run each condition's canonical source in its place", false},
    {0}};

static const struct cli_command commands[] = {
    {"eval", "EXPRESSION", "evaluate a condition and print its value",
     "Prints the value as CEL source, or with --json as JSON. An error is shown under the place "
     "that it belongs to. Exit code 2: the text is no valid condition; 1: evaluating it failed.\n\n"
     "    condition eval 'plan == \"pro\" && version >= 42' --vars "
     "'{\"plan\":\"pro\",\"version\":50}'",
     eval_options, 1, 1, run_eval},
    {"explain", "EXPRESSION", "show the value of every subexpression",
     "Answers \"why did this not match?\". A subexpression that was not needed says so.",
     eval_options, 1, 1, run_explain},
    {"test", "FILE", "run a file of test cases",
     "The file is a JSON document with a list \"tests\"; docs/condition.md has the format. Each "
     "failure is a line, the last line is \"N passed, N failed\".",
     test_options, 1, 1, run_test},
    {"print", "EXPRESSION", "print a condition as canonical source",
     "One line, even spacing, needed parentheses alone, literals in one form; comments are "
     "dropped. "
     "Printed again it stays as it is.\n\n"
     "    condition print '((plan==\'pro\')) && (a || (b))'",
     declare_options, 1, 1, run_print},
    {"reads", "EXPRESSION", "list the attributes that a condition reads",
     "One path a line, in the order of first use. 'now' among them means that the answer changes "
     "with time; --json says so on its own, beside the type of the result.",
     declare_options, 1, 1, run_reads},
    {"disassemble", "EXPRESSION", "show the bytecode of a condition", NULL, declare_options, 1, 1,
     run_disassemble},
    {0}};

static const struct cli_program program = {
    "condition", "evaluates conditions in CEL, the Common Expression Language",
    NULL,        commands,
    NULL,        NULL};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv, NULL);
}
