/*
 * cli - one table of commands and options makes the parsing (GNU conventions), the help and
 * the man page, so that they cannot part.
 *
 *     static const struct cli_option options[] = {
 *         {"to", 't', "PERCENT", "raise or lower to this percentage"}, {0}};
 *     static const struct cli_command commands[] = {
 *         {"ramp", "KEY", "ramp a flag", "Long help ...", options, 1, 1, run_ramp}, {0}};
 *     static const struct cli_program program = {"flags", "...", global_options, commands, epilog};
 *     int main(int argc, char **argv) { return cli_main(&program, argc, argv, &ctx); }
 *
 * Exit codes are those of enum err_code (base/err.h): 0 done, 1 failed, 2 usage or bad input,
 * 3 refused, 4 busy, 5 changes pending. --help (and `help COMMAND`), --version and --json are
 * there for every command. An unknown command or option says the nearest one and exits 2; with
 * --json every failure is one document on stdout: {"error": {"code": "...", "message": "..."}}.
 */
#ifndef BASE_CLI_H
#define BASE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct cli_option {
    const char *name;     /* "to", used as --to; NULL ends the table */
    char letter;          /* 't' for -t, or 0 */
    const char *argument; /* "PERCENT", or NULL for a switch */
    const char *help;     /* one line */
    bool many;            /* may be given more than once */
};

struct cli;

struct cli_command {
    const char *name;                 /* NULL ends the table */
    const char *operands;             /* as the usage line shows them: "KEY [FILE]" */
    const char *summary;              /* one line */
    const char *help;                 /* paragraphs for --help and the man page; may be NULL */
    const struct cli_option *options; /* or NULL */
    int operands_min, operands_max;   /* -1: no maximum */
    /* Does it. Returns an exit code; most end in `return cli_fail(cli, &err)`. */
    int (*run)(struct cli *cli, void *ctx);
};

struct cli_section {
    const char *heading; /* "STATES"; NULL ends the table */
    const char *text;    /* paragraphs; lines that begin with a blank keep their shape */
};

struct cli_program {
    const char *name;
    const char *summary;
    const struct cli_option *options; /* good for every command; or NULL */
    const struct cli_command *commands;
    const char *epilog;               /* environment variables, files; may be NULL */
    const struct cli_section *manual; /* for the man page alone, behind its commands; or NULL */
};

/* Parses and runs. Returns the exit code. */
int cli_main(const struct cli_program *program, int argc, char **argv, void *ctx);

/* ---- for commands ---- */
/* The option's argument, or NULL if it was not given (a switch: "" when given). */
const char *cli_option(const struct cli *cli, const char *name);
bool cli_given(const struct cli *cli, const char *name);
/* The index-th value of an option that may be given many times, or NULL. */
const char *cli_option_at(const struct cli *cli, const char *name, size_t index);
int cli_operand_count(const struct cli *cli);
const char *cli_operand(const struct cli *cli, int index); /* NULL past the end */
bool cli_json(const struct cli *cli);                      /* --json was given */
bool cli_color(const struct cli *cli); /* stdout is a terminal and NO_COLOR is not set */

struct json;
/* Prints the document on stdout, once, and frees it. */
void cli_print_json(struct json *document);

/* Says the error (stderr: "migrate apply: message", or the JSON document) and returns its exit
 * code. */
int cli_fail(const struct cli *cli, const struct err *err);
/* The same for a wrong use of the command, with a pointer to its help; returns 2. */
int cli_usage(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3); /* exit code 2 */

/* Writes the man page (roff) made from the tables. */
void cli_man_page(const struct cli_program *program, FILE *out);

#endif
