/* cli: what is parsed, what is refused and how it is said, in text and in JSON. */
#include "tests/base/unit.h"

#include <unistd.h>

#include "base/cli.h"
#include "base/json.h"
#include "base/version.h"
#include "tests/base/capture.h"

/* What the last command saw. */
struct seen {
    int runs, operand_count;
    char operands[200], to[40], tags[80], server[40];
    bool force, json;
};

static int run_ramp(struct cli *cli, void *ctx)
{
    struct seen *seen = ctx;
    const char *to = cli_option(cli, "to"), *server = cli_option(cli, "server");

    seen->runs++;
    seen->operand_count = cli_operand_count(cli);
    for (int i = 0; i < cli_operand_count(cli); i++) {
        size_t used = strlen(seen->operands);
        snprintf(seen->operands + used, sizeof seen->operands - used, "<%s>", cli_operand(cli, i));
    }
    assert_null(cli_operand(cli, cli_operand_count(cli)));
    assert_null(cli_operand(cli, -1));
    snprintf(seen->to, sizeof seen->to, "%s", to != NULL ? to : "(none)");
    snprintf(seen->server, sizeof seen->server, "%s", server != NULL ? server : "(none)");
    for (size_t i = 0; cli_option_at(cli, "tag", i) != NULL; i++) {
        size_t used = strlen(seen->tags);
        snprintf(seen->tags + used, sizeof seen->tags - used, "<%s>", cli_option_at(cli, "tag", i));
    }
    seen->force = cli_given(cli, "force");
    seen->json = cli_json(cli);
    return 0;
}

static int run_fail(struct cli *cli, void *ctx)
{
    struct err err;

    (void)ctx;
    err_set(&err, ERR_CONFLICT, "the flag \"%s\" is held", cli_operand(cli, 0));
    return cli_fail(cli, &err);
}

static int run_document(struct cli *cli, void *ctx)
{
    struct json *document = json_object();

    (void)cli, (void)ctx;
    json_put_bool(document, "done", true);
    cli_print_json(document);
    return 5;
}

static const struct cli_option global_options[] = {
    {.name = "server", .argument = "URL", .help = "the flag server"},
    {0},
};
static const struct cli_option ramp_options[] = {
    {.name = "to", .letter = 't', .argument = "PERCENT", .help = "raise or lower to this"},
    {.name = "tag", .argument = "TAG", .help = "a tag", .many = true},
    {.name = "force", .letter = 'f', .help = "do it"},
    {.name = "verbose", .letter = 'v', .help = "say more"},
    {0},
};
static const struct cli_command commands[] = {
    {"ramp", "KEY [FILE]", "ramp a flag", "First paragraph.\n\n    ramp x --to 25%\n.dot \\ line",
     ramp_options, 1, 2, run_ramp},
    {"fail", "KEY", "always fails", NULL, NULL, 1, 1, run_fail},
    {"list", NULL, "list flags", NULL, NULL, 0, 0, run_document},
    {"many", "WORD...", "many words", NULL, NULL, 0, -1, run_ramp},
    {0},
};
static const struct cli_section sections[] = {{"STATES", "One:\n\n  on   - lit\n.off is dark"},
                                              {0}};

static const struct cli_program program = {"flags",
                                           "features, customer by customer",
                                           global_options,
                                           commands,
                                           "LOCKSTEP_URL is the server when --server is not given.",
                                           sections};

struct result {
    int code;
    char *out, *err;
};

static struct result run(struct seen *seen, const char *const *words)
{
    char *argv[20] = {"flags"};
    struct capture out, err;
    struct result result;
    int argc = 1;

    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    memset(seen, 0, sizeof *seen);
    capture_begin(&out, STDOUT_FILENO);
    capture_begin(&err, STDERR_FILENO);
    result.code = cli_main(&program, argc, argv, seen);
    result.err = capture_end(&err);
    result.out = capture_end(&out);
    return result;
}

static void end(struct result *result)
{
    free(result->out);
    free(result->err);
}

#define RUN(seen, ...) run(seen, (const char *const[]){__VA_ARGS__, NULL})

static void options_and_operands_in_any_order(void **state)
{
    static const struct {
        const char *words[10];
        const char *operands, *to, *tags, *server;
        bool force;
    } rows[] = {
        {{"ramp", "key"}, "<key>", "(none)", "", "(none)", false},
        {{"ramp", "key", "--to", "25%"}, "<key>", "25%", "", "(none)", false},
        {{"ramp", "--to=25%", "key"}, "<key>", "25%", "", "(none)", false},
        {{"ramp", "--to=", "key"}, "<key>", "", "", "(none)", false},
        {{"ramp", "-t", "25", "key"}, "<key>", "25", "", "(none)", false},
        {{"ramp", "-t25", "key"}, "<key>", "25", "", "(none)", false},
        {{"ramp", "-fvt", "5", "key"}, "<key>", "5", "", "(none)", true},
        {{"ramp", "-fvt5", "key"}, "<key>", "5", "", "(none)", true},
        {{"--server", "x", "ramp", "key"}, "<key>", "(none)", "", "x", false},
        {{"ramp", "key", "file", "--server=y"}, "<key><file>", "(none)", "", "y", false},
        {{"ramp", "--tag", "a", "key", "--tag=b"}, "<key>", "(none)", "<a><b>", "(none)", false},
        {{"ramp", "--", "--to", "-x"}, "<--to><-x>", "(none)", "", "(none)", false},
        {{"ramp", "-", "-5"}, "<-><-5>", "(none)", "", "(none)", false},
        {{"ramp", "key", "--to", "--force"}, "<key>", "--force", "", "(none)", false},
        {{"ramp", "help"}, "<help>", "(none)", "", "(none)", false},
        {{"ramp", "-f", "-f", "key"}, "<key>", "(none)", "", "(none)", true},
        {{"ramp", ""}, "<>", "(none)", "", "(none)", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;
        struct result result = run(&seen, rows[i].words);

        assert_string_equal(result.err, "");
        assert_int_equal(result.code, 0);
        assert_int_equal(seen.runs, 1);
        assert_string_equal(seen.operands, rows[i].operands);
        assert_string_equal(seen.to, rows[i].to);
        assert_string_equal(seen.tags, rows[i].tags);
        assert_string_equal(seen.server, rows[i].server);
        assert_int_equal(seen.force, rows[i].force);
        end(&result);
    }
}

static void bad_use_says_what_and_exits_2(void **state)
{
    static const struct {
        const char *words[6];
        const char *said;
    } rows[] = {
        {{NULL}, "flags: which command? 'flags help' lists them\nSee: flags --help\n"},
        {{"rmap", "x"}, "flags: unknown command 'rmap'; did you mean 'ramp'?\nSee: flags --help\n"},
        {{"frobnicate"}, "flags: unknown command 'frobnicate'\nSee: flags --help\n"},
        {{"help", "lits"},
         "flags: unknown command 'lits'; did you mean 'list'?\nSee: flags --help\n"},
        {{"ramp", "k", "--ot", "5"},
         "flags ramp: unknown option '--ot'; did you mean '--to'?\nSee: flags ramp --help\n"},
        {{"ramp", "k", "--forc"}, /* no abbreviations: a new option could take their name */
         "flags ramp: unknown option '--forc'; did you mean '--force'?\nSee: flags ramp --help\n"},
        {{"ramp", "k", "--fource=1"},
         "flags ramp: unknown option '--fource'; did you mean '--force'?\nSee: flags ramp "
         "--help\n"},
        {{"ramp", "k", "--zzzzzz"},
         "flags ramp: unknown option '--zzzzzz' (an operand that begins with '-' goes behind "
         "'--')\nSee: flags ramp --help\n"},
        {{"ramp", "k", "-x"},
         "flags ramp: unknown option '-x' (an operand that begins with '-' goes behind '--')\n"
         "See: flags ramp --help\n"},
        {{"list", "--to", "5"},
         "flags list: unknown option '--to' (an operand that begins with '-' goes behind '--')\n"
         "See: flags list --help\n"},
        {{"ramp", "k", "--to"},
         "flags ramp: --to needs an argument: --to PERCENT\nSee: flags ramp --help\n"},
        {{"ramp", "k", "-t"},
         "flags ramp: -t needs an argument: -t PERCENT\nSee: flags ramp --help\n"},
        {{"ramp", "k", "--force=1"},
         "flags ramp: --force takes no argument\nSee: flags ramp --help\n"},
        {{"ramp", "k", "--to=1", "-t2"},
         "flags ramp: --to was given twice\nSee: flags ramp --help\n"},
        {{"ramp"},
         "flags ramp: something is missing: flags ramp KEY [FILE]\nSee: flags ramp --help\n"},
        {{"ramp", "a", "b", "c"}, "flags ramp: unexpected 'c'\nSee: flags ramp --help\n"},
        {{"list", "a"}, "flags list: unexpected 'a'\nSee: flags list --help\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;
        struct result result = run(&seen, rows[i].words);

        assert_string_equal(result.err, rows[i].said);
        assert_string_equal(result.out, "");
        assert_int_equal(result.code, 2);
        assert_int_equal(seen.runs, 0);
        end(&result);
    }
}

static void any_number_of_operands(void **state)
{
    struct seen seen;
    struct result result = RUN(&seen, "many");

    (void)state;
    assert_int_equal(result.code, 0);
    assert_int_equal(seen.operand_count, 0);
    end(&result);
    result = run(&seen, (const char *const[]){"many", "1", "2", "3", "4", "5", "6", NULL});
    assert_string_equal(seen.operands, "<1><2><3><4><5><6>");
    end(&result);
}

static void assert_json_error(const struct result *result, const char *code, const char *message)
{
    struct json *document = NULL;

    assert_string_equal(result->err, "");
    assert_int_equal(json_parse(result->out, strlen(result->out), &document, NULL), ERR_OK);
    assert_int_equal(json_count(document), 1);
    assert_string_equal(json_get_text(json_get(document, "error"), "code", ""), code);
    assert_string_equal(json_get_text(json_get(document, "error"), "message", ""), message);
    json_free(document);
}

static void failures_are_documents_with_json(void **state)
{
    struct seen seen;
    struct result result = RUN(&seen, "fail", "k\"1", "--json");

    (void)state;
    assert_int_equal(result.code, 3);
    assert_json_error(&result, "conflict", "the flag \"k\"1\" is held");
    end(&result);
    result = RUN(&seen, "--json", "rmap");
    assert_int_equal(result.code, 2);
    assert_json_error(&result, "invalid", "unknown command 'rmap'; did you mean 'ramp'?");
    end(&result);
    result = RUN(&seen, "ramp", "--wrong-option", "k", "--json"); /* --json comes too late, yet */
    assert_int_equal(result.code, 2);
    assert_json_error(
        &result, "invalid",
        "unknown option '--wrong-option' (an operand that begins with '-' goes behind "
        "'--')");
    end(&result);
}

static void failures_are_lines_without_json(void **state)
{
    struct seen seen;
    struct result result = RUN(&seen, "fail", "k");

    (void)state;
    assert_int_equal(result.code, 3);
    assert_string_equal(result.err, "flags fail: the flag \"k\" is held\n");
    assert_string_equal(result.out, "");
    end(&result);
    result = RUN(&seen, "fail", "--", "--json"); /* an operand, no option */
    assert_string_equal(result.err, "flags fail: the flag \"--json\" is held\n");
    end(&result);
}

static void documents_and_exit_codes_pass_through(void **state)
{
    struct seen seen;
    struct result result = RUN(&seen, "list", "--json");

    (void)state;
    assert_int_equal(result.code, 5);
    assert_string_equal(result.out, "{\n  \"done\": true\n}\n");
    end(&result);
}

static void help_of_the_program(void **state)
{
    static const char expected[] =
        "flags - features, customer by customer\n"
        "\n"
        "Usage: flags COMMAND [OPTION...] [OPERAND...]\n"
        "\n"
        "Commands:\n"
        "  ramp  ramp a flag\n"
        "  fail  always fails\n"
        "  list  list flags\n"
        "  many  many words\n"
        "  help  explain a command: help COMMAND\n"
        "\n"
        "Options of every command:\n"
        "      --server URL          the flag server\n"
        "  -h, --help                show this help\n"
        "      --version             show the version\n"
        "      --json                print one JSON document, on failure too\n"
        "\n"
        "LOCKSTEP_URL is the server when --server is not given.\n"
        "\n"
        "Exit codes: 0 done, 1 failed, 2 wrong use or bad input, 3 refused (nothing\n"
        "changed), 4 locked or busy, 5 changes pending.\n";
    static const char *const ways[][2] = {{"help", NULL}, {"--help", NULL}, {"-h", NULL}};

    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct seen seen;
        struct result result = run(&seen, ways[i]);

        assert_string_equal(result.out, expected);
        assert_string_equal(result.err, "");
        assert_int_equal(result.code, 0);
        end(&result);
    }
}

static void help_of_a_command(void **state)
{
    static const char expected[] =
        "Usage: flags ramp [OPTION...] KEY [FILE]\n"
        "\n"
        "ramp a flag\n"
        "\n"
        "First paragraph.\n\n    ramp x --to 25%\n.dot \\ line\n"
        "\n"
        "Options:\n"
        "  -t, --to PERCENT          raise or lower to this\n"
        "      --tag TAG             a tag (may be given more than once)\n"
        "  -f, --force               do it\n"
        "  -v, --verbose             say more\n"
        "\n"
        "Options of every command:\n"
        "      --server URL          the flag server\n"
        "  -h, --help                show this help\n"
        "      --version             show the version\n"
        "      --json                print one JSON document, on failure too\n";
    static const char *const ways[][3] = {
        {"help", "ramp", NULL}, {"ramp", "--help", NULL}, {"-h", "ramp", NULL}};

    (void)state;
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct seen seen;
        struct result result = run(&seen, ways[i]); /* operands may be missing then */

        assert_string_equal(result.out, expected);
        assert_int_equal(result.code, 0);
        assert_int_equal(seen.runs, 0);
        end(&result);
    }
}

static void version(void **state)
{
    struct seen seen;
    struct result result = RUN(&seen, "--version");

    (void)state;
    assert_string_equal(result.out, "flags " LOCKSTEP_VERSION "\n");
    assert_int_equal(result.code, 0);
    end(&result);
}

static void man_page(void **state)
{
    struct seen seen;
    struct result result = RUN(&seen, "help", "--man");
    static const char *const held[] = {
        ".TH \"FLAGS\" 1 \"\" \"Lockstep " LOCKSTEP_VERSION "\"\n",
        ".SH NAME\nflags \\- features, customer by customer\n",
        ".SS ramp\n\\fBflags ramp\\fR [\\fIOPTION\\fR...] KEY [FILE]\n",
        "First paragraph.\n.PP\n.PP\n.EX\n    ramp x \\-\\-to 25%\n.EE\n\\&.dot \\e line\n",
        ".TP\n\\fB\\-t\\fR, \\fB\\-\\-to\\fR \\fIPERCENT\\fR\nraise or lower to this\n",
        ".TP\n\\fB\\-\\-tag\\fR \\fITAG\\fR\na tag (may be given more than once)\n",
        ".SS list\n\\fBflags list\\fR [\\fIOPTION\\fR...]\n",
        ".SH ENVIRONMENT AND FILES\nLOCKSTEP_URL is the server when \\-\\-server is not given.\n",
        ".SH EXIT STATUS\n",
        ".SH STATES\nOne:\n.PP\n.PP\n.EX\n  on   \\- lit\n.EE\n\\&.off is dark\n.SH OPTIONS OF "
        "EVERY",
    };

    (void)state;
    assert_int_equal(result.code, 0);
    for (size_t i = 0; i < COUNT(held); i++) {
        if (strstr(result.out, held[i]) == NULL) {
            fail_msg("not in the page: %s\n%s", held[i], result.out);
        }
    }
    end(&result);
}

static void a_full_disk_is_no_success(void **state)
{
    char *argv[] = {"flags", "help", NULL};
    struct capture err;
    char *said;
    int code, saved, full;

    (void)state;
    fflush(NULL);
    saved = dup(STDOUT_FILENO);
    assert_non_null(freopen("/dev/full", "w", stdout));
    capture_begin(&err, STDERR_FILENO);
    code = cli_main(&program, 2, argv, NULL);
    said = capture_end(&err);
    full = fileno(stdout);
    assert_int_equal(dup2(saved, full), full);
    clearerr(stdout);
    close(saved);
    assert_int_equal(code, 1);
    assert_string_equal(said, "flags: cannot write to standard output\n");
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_in_any_order),
        cmocka_unit_test(bad_use_says_what_and_exits_2),
        cmocka_unit_test(any_number_of_operands),
        cmocka_unit_test(failures_are_documents_with_json),
        cmocka_unit_test(failures_are_lines_without_json),
        cmocka_unit_test(documents_and_exit_codes_pass_through),
        cmocka_unit_test(help_of_the_program),
        cmocka_unit_test(help_of_a_command),
        cmocka_unit_test(version),
        cmocka_unit_test(man_page),
        cmocka_unit_test(a_full_disk_is_no_success),
    };

    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
