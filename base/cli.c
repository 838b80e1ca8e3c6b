#include "base/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cli_help.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/version.h"

#define NAMES_MAX 64 /* commands or options of one program that a misspelt one is compared with */

struct cli_given {
    const struct cli_option *option;
    const char *value; /* "" for a switch */
};

struct cli {
    const struct cli_program *program;
    const struct cli_command *command; /* NULL until it is known */
    struct cli_given *given;           /* room for one an argument and a letter */
    size_t given_count;
    const char **operands;
    int operand_count;
    bool json;
};

/* ---- tables ---- */

static const struct cli_option *find_in(const struct cli_option *options, const char *name,
                                        size_t len, char letter)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (name != NULL ? strlen(options->name) == len && memcmp(options->name, name, len) == 0
                         : options->letter == letter) {
            return options;
        }
    }
    return NULL;
}

/* Looks an option up by its name, or by its letter if name is NULL. */
static const struct cli_option *find_option(const struct cli *cli, const char *name, size_t len,
                                            char letter)
{
    const struct cli_option *found = NULL;

    if (cli->command != NULL) {
        found = find_in(cli->command->options, name, len, letter);
    }
    if (found == NULL) {
        found = find_in(cli->program->options, name, len, letter);
    }
    return found != NULL ? found : find_in(cli_common_options, name, len, letter);
}

static const struct cli_command *find_command(const struct cli_program *program, const char *name)
{
    for (const struct cli_command *c = program->commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static size_t add_names(const char **names, size_t count, const struct cli_option *options)
{
    for (; options != NULL && options->name != NULL && count < NAMES_MAX; options++) {
        names[count++] = options->name;
    }
    return count;
}

static const char *nearest_option(const struct cli *cli, const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;

    if (cli->command != NULL) {
        count = add_names(names, count, cli->command->options);
    }
    count = add_names(names, count, cli->program->options);
    count = add_names(names, count, cli_common_options);
    return nearest_name(name, names, count);
}

/* ---- failures ---- */

static void print_failure(const struct cli *cli, enum err_code code, const char *message,
                          bool usage)
{
    const char *command = cli->command != NULL ? cli->command->name : "";

    if (cli->json) {
        struct json *document = json_object();
        struct json *error = json_put(document, "error", json_object());
        json_put_text(error, "code", err_code_name(code));
        json_put_text(error, "message", message);
        cli_print_json(document);
        return;
    }
    fprintf(stderr, "%s%s%s: %s\n", cli->program->name, command[0] != '\0' ? " " : "", command,
            message);
    if (usage) {
        fprintf(stderr, "See: %s%s%s%s\n", cli->program->name, command[0] != '\0' ? " " : "",
                command, " --help");
    }
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    struct err err;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.msg, sizeof err.msg, fmt, ap);
    va_end(ap);
    print_failure(cli, ERR_INVALID, err.msg, true);
    return err_exit_code(ERR_INVALID);
}

int cli_fail(const struct cli *cli, const struct err *err)
{
    print_failure(cli, err->code, err->msg, false);
    return err_exit_code(err->code);
}

static int unknown_option(const struct cli *cli, const char *shown, const char *nearest)
{
    if (nearest != NULL) {
        return cli_usage(cli, "unknown option '%s'; did you mean '--%s'?", shown, nearest);
    }
    return cli_usage(cli, "unknown option '%s' (an operand that begins with '-' goes behind '--')",
                     shown);
}

static int unknown_command(const struct cli *cli, const char *name)
{
    const char *names[NAMES_MAX] = {"help"};
    size_t count = 1;
    const char *nearest;

    for (const struct cli_command *c = cli->program->commands; c->name != NULL; c++) {
        if (count < NAMES_MAX) {
            names[count++] = c->name;
        }
    }
    nearest = nearest_name(name, names, count);
    if (nearest != NULL) {
        return cli_usage(cli, "unknown command '%s'; did you mean '%s'?", name, nearest);
    }
    return cli_usage(cli, "unknown command '%s'", name);
}

/* ---- parsing ---- */

/* Takes note of an option. Returns 0, or the exit code after saying what is wrong. */
static int take_option(struct cli *cli, const struct cli_option *option, const char *value)
{
    if (!option->many && option->argument != NULL && cli_given(cli, option->name)) {
        return cli_usage(cli, "--%s was given twice", option->name);
    }
    cli->given[cli->given_count++] =
        (struct cli_given){option, option->argument != NULL ? value : ""};
    return 0;
}

/* "--name", "--name=value" or "--name value"; *at moves past what was used. */
static int parse_long(struct cli *cli, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct cli_option *option = find_option(cli, name, len, 0);
    char shown[80];

    if (option == NULL) {
        snprintf(shown, sizeof shown, "--%.*s", (int)(len < 70 ? len : 70), name);
        return unknown_option(cli, shown, nearest_option(cli, shown + 2));
    }
    (*at)++;
    if (option->argument == NULL) {
        if (equals != NULL) {
            return cli_usage(cli, "--%s takes no argument", option->name);
        }
        return take_option(cli, option, "");
    }
    if (equals != NULL) {
        return take_option(cli, option, equals + 1);
    }
    if (*at == argc) {
        return cli_usage(cli, "--%s needs an argument: --%s %s", option->name, option->name,
                         option->argument);
    }
    return take_option(cli, option, argv[(*at)++]);
}

/* "-a", "-abc" (switches), "-tvalue" or "-t value". */
static int parse_letters(struct cli *cli, int argc, char **argv, int *at)
{
    const char *letters = argv[(*at)++] + 1;

    for (; *letters != '\0'; letters++) {
        const struct cli_option *option = find_option(cli, NULL, 0, *letters);
        const char *value = letters + 1;
        int rc;

        if (option == NULL) {
            char shown[] = {'-', *letters, '\0'};
            return unknown_option(cli, shown, NULL);
        }
        if (option->argument == NULL) {
            rc = take_option(cli, option, "");
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        if (*value == '\0') {
            if (*at == argc) {
                return cli_usage(cli, "-%c needs an argument: -%c %s", *letters, *letters,
                                 option->argument);
            }
            value = argv[(*at)++];
        }
        return take_option(cli, option, value);
    }
    return 0;
}

static bool is_option(const char *argument)
{
    /* "-" names a stream and "-5" is a number; no program here has digits for letters. */
    return argument[0] == '-' && argument[1] != '\0' && !(argument[1] >= '0' && argument[1] <= '9');
}

/* The command is the first argument that is neither an option nor an option's argument; options and
 * operands may stand in any order. A program-wide option may stand in front of the command. */
static int parse(struct cli *cli, int argc, char **argv)
{
    bool options_ended = false;
    int at = 1, rc;

    while (at < argc) {
        if (!options_ended && strcmp(argv[at], "--") == 0) {
            options_ended = true;
            at++;
        } else if (!options_ended && is_option(argv[at])) {
            rc = argv[at][1] == '-' ? parse_long(cli, argc, argv, &at)
                                    : parse_letters(cli, argc, argv, &at);
            if (rc != 0) {
                return rc;
            }
        } else if (cli->command == NULL && cli->operand_count == 0 &&
                   strcmp(argv[at], "help") != 0) {
            cli->command = find_command(cli->program, argv[at]);
            if (cli->command == NULL) {
                return unknown_command(cli, argv[at]);
            }
            at++;
        } else {
            cli->operands[cli->operand_count++] = argv[at++];
        }
    }
    return 0;
}

/* ---- running ---- */

/* `help`, `help COMMAND` and the hidden `help --man` (the option is not in any table). */
static int run_help(struct cli *cli)
{
    const struct cli_command *command;

    if (cli->operand_count < 2) {
        cli_help_program(cli->program, stdout);
        return 0;
    }
    command = find_command(cli->program, cli->operands[1]);
    if (command == NULL) {
        return unknown_command(cli, cli->operands[1]);
    }
    cli_help_command(cli->program, command, stdout);
    return 0;
}

static int check_operands(const struct cli *cli)
{
    const struct cli_command *command = cli->command;
    const char *operands = command->operands != NULL ? command->operands : "";

    if (cli->operand_count < command->operands_min) {
        return cli_usage(cli, "something is missing: %s %s %s", cli->program->name, command->name,
                         operands);
    }
    if (command->operands_max >= 0 && cli->operand_count > command->operands_max) {
        return cli_usage(cli, "unexpected '%s'", cli->operands[command->operands_max]);
    }
    return 0;
}

static int run(struct cli *cli, void *ctx)
{
    int rc;

    if (cli_given(cli, "version")) {
        printf("%s %s\n", cli->program->name, LOCKSTEP_VERSION);
        return 0;
    }
    if (cli->command == NULL && cli->operand_count > 0) {
        return run_help(cli);
    }
    if (cli_given(cli, "help")) {
        if (cli->command != NULL) {
            cli_help_command(cli->program, cli->command, stdout);
        } else {
            cli_help_program(cli->program, stdout);
        }
        return 0;
    }
    if (cli->command == NULL) {
        return cli_usage(cli, "which command? '%s help' lists them", cli->program->name);
    }
    rc = check_operands(cli);
    return rc != 0 ? rc : cli->command->run(cli, ctx);
}

/* A failure before --json was reached must be JSON too. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

int cli_main(const struct cli_program *program, int argc, char **argv, void *ctx)
{
    struct cli cli = {.program = program, .json = wants_json(argc, argv)};
    size_t room = 1;
    int rc;

    if (argc == 3 && strcmp(argv[1], "help") == 0 && strcmp(argv[2], "--man") == 0) {
        cli_man_page(program, stdout);
        return 0;
    }
    for (int i = 0; i < argc; i++) {
        room += strlen(argv[i]); /* as many as the letters of "-abc" at most */
    }
    cli.given = calloc(room, sizeof *cli.given);
    cli.operands = calloc((size_t)argc + 1, sizeof *cli.operands);
    if (cli.given == NULL || cli.operands == NULL) {
        rc = cli_fail(&cli, &(struct err){ERR_NOMEM, "not enough memory"});
    } else {
        rc = parse(&cli, argc, argv);
        rc = rc != 0 ? rc : run(&cli, ctx);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == 0) {
        fprintf(stderr, "%s: cannot write to standard output\n", program->name);
        rc = 1;
    }
    free(cli.given);
    free(cli.operands);
    return rc;
}

/* ---- for commands ---- */

/* Commands share functions, so an option of another command is merely not given. */
static bool some_table_has(const struct cli_program *program, const char *name)
{
    size_t len = strlen(name);

    for (const struct cli_command *c = program->commands; c->name != NULL; c++) {
        if (find_in(c->options, name, len, 0) != NULL) {
            return true;
        }
    }
    return find_in(program->options, name, len, 0) != NULL ||
           find_in(cli_common_options, name, len, 0) != NULL;
}

const char *cli_option_at(const struct cli *cli, const char *name, size_t index)
{
    CHECK(some_table_has(cli->program, name)); /* or the name is misspelt in our own code */
    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, name) == 0 && index-- == 0) {
            return cli->given[i].value;
        }
    }
    return NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    return cli_option_at(cli, name, 0);
}

bool cli_given(const struct cli *cli, const char *name)
{
    return cli_option(cli, name) != NULL;
}

int cli_operand_count(const struct cli *cli)
{
    return cli->operand_count;
}

const char *cli_operand(const struct cli *cli, int index)
{
    return index >= 0 && index < cli->operand_count ? cli->operands[index] : NULL;
}

bool cli_json(const struct cli *cli)
{
    return cli->json;
}

bool cli_color(const struct cli *cli)
{
    const char *no_color = getenv("NO_COLOR");

    return !cli->json && isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
}

void cli_print_json(struct json *document)
{
    char *text = document != NULL ? json_print_pretty(document) : NULL;

    fputs(text != NULL ? text
                       : "{\"error\": {\"code\": \"nomem\", \"message\": \"not enough memory\"}}\n",
          stdout);
    free(text);
    json_free(document);
}
