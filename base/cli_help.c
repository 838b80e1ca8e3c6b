#include "base/cli_help.h"

#include <stdio.h>
#include <string.h>

#include "base/version.h"

#define COLUMN 28 /* where the explanations of options begin */
#define WIDTH 80  /* a terminal, or a page of documentation */

const struct cli_option cli_common_options[] = {
    {.name = "help", .letter = 'h', .help = "show this help"},
    {.name = "version", .help = "show the version"},
    {.name = "json", .help = "print one JSON document, on failure too"},
    {0},
};

/* Prints text from column on, words wrapped at WIDTH and further lines indented to `indent`. A line
 * that begins with a blank keeps its shape. */
static void print_wrapped(const char *text, int column, int indent, FILE *out)
{
    bool shaped = *text == ' ';

    while (*text != '\0') {
        int word = (int)strcspn(text, " \n");
        int blanks = (int)strspn(text + word, " ");

        if (!shaped && column > indent && column + word > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        fprintf(out, "%.*s", word, text);
        text += word;
        column += word;
        if (*text == '\n') {
            fputc('\n', out);
            text++;
            shaped = *text == ' ';
            column = 0;
            if (!shaped && *text != '\n' && *text != '\0') {
                column = fprintf(out, "%*s", indent, "");
            }
        } else if (*text == ' ') {
            text += blanks;
            if (shaped || column + 1 + (int)strcspn(text, " \n") <= WIDTH) {
                column += fprintf(out, "%*s", blanks, "");
            } else if (*text != '\0') {
                fprintf(out, "\n%*s", indent, "");
                column = indent;
            }
        }
    }
    fputc('\n', out);
}

static void print_options(const struct cli_option *options, FILE *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        char help[400];
        int width;

        if (options->letter != 0) {
            width = fprintf(out, "  -%c, --%s", options->letter, options->name);
        } else {
            width = fprintf(out, "      --%s", options->name);
        }
        if (options->argument != NULL) {
            width += fprintf(out, " %s", options->argument);
        }
        if (width > COLUMN - 2) {
            fputc('\n', out);
            width = 0;
        }
        fprintf(out, "%*s", COLUMN - width, "");
        (void)snprintf(help, sizeof help, "%s%s", options->help,
                       options->many ? " (may be given more than once)" : "");
        print_wrapped(help, COLUMN, COLUMN, out);
    }
}

static void print_usage(const struct cli_program *program, const struct cli_command *command,
                        FILE *out)
{
    const char *operands = command->operands != NULL ? command->operands : "";

    fprintf(out, "%s %s [OPTION...]%s%s\n", program->name, command->name,
            operands[0] != '\0' ? " " : "", operands);
}

void cli_help_program(const struct cli_program *program, FILE *out)
{
    size_t longest = 4;

    for (const struct cli_command *c = program->commands; c->name != NULL; c++) {
        longest = strlen(c->name) > longest ? strlen(c->name) : longest;
    }
    fprintf(out, "%s - %s\n\nUsage: %s COMMAND [OPTION...] [OPERAND...]\n\nCommands:\n",
            program->name, program->summary, program->name);
    for (const struct cli_command *c = program->commands; c->name != NULL; c++) {
        fprintf(out, "  %-*s  %s\n", (int)longest, c->name, c->summary);
    }
    fprintf(out, "  %-*s  %s\n\nOptions of every command:\n", (int)longest, "help",
            "explain a command: help COMMAND");
    print_options(program->options, out);
    print_options(cli_common_options, out);
    if (program->epilog != NULL) {
        fputc('\n', out);
        print_wrapped(program->epilog, 0, 0, out);
    }
    fputc('\n', out);
    print_wrapped("Exit codes: 0 done, 1 failed, 2 wrong use or bad input, 3 refused (nothing "
                  "changed), 4 locked or busy, 5 changes pending.",
                  0, 0, out);
}

void cli_help_command(const struct cli_program *program, const struct cli_command *command,
                      FILE *out)
{
    fputs("Usage: ", out);
    print_usage(program, command, out);
    fprintf(out, "\n%s\n", command->summary);
    if (command->help != NULL) {
        fputc('\n', out);
        print_wrapped(command->help, 0, 0, out);
    }
    if (command->options != NULL && command->options->name != NULL) {
        fputs("\nOptions:\n", out);
        print_options(command->options, out);
    }
    fputs("\nOptions of every command:\n", out);
    print_options(program->options, out);
    print_options(cli_common_options, out);
}

/* ---- the man page: roff with the man macros, see man(7) ---- */

static void roff(const char *text, FILE *out)
{
    bool line_start = true;

    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out); /* or it would be a request */
        }
        line_start = *text == '\n';
        if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out); /* or it would be a hyphen that nobody can copy */
        } else {
            fputc(*text, out);
        }
    }
}

/* Paragraphs; lines that begin with a blank keep their shape. */
static void roff_text(const char *text, FILE *out)
{
    bool shaped = false;

    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        char line[512];

        if (len == 0) {
            fputs(shaped ? ".EE\n.PP\n" : ".PP\n", out);
            shaped = false;
        } else {
            bool indented = text[0] == ' ';
            if (indented != shaped) {
                fputs(indented ? ".PP\n.EX\n" : ".EE\n", out);
                shaped = indented;
            }
            snprintf(line, sizeof line, "%.*s", (int)(len < 511 ? len : 511), text);
            roff(line, out);
            fputc('\n', out);
        }
        text += len + (end != NULL);
    }
    if (shaped) {
        fputs(".EE\n", out);
    }
}

static void roff_options(const struct cli_option *options, FILE *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        fputs(".TP\n\\fB", out);
        if (options->letter != 0) {
            fprintf(out, "\\-%c\\fR, \\fB", options->letter);
        }
        fputs("\\-\\-", out);
        roff(options->name, out);
        fputs("\\fR", out);
        if (options->argument != NULL) {
            fputs(" \\fI", out);
            roff(options->argument, out);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        roff(options->help, out);
        fputs(options->many ? " (may be given more than once)\n" : "\n", out);
    }
}

static void roff_heading(const char *macro, const char *text, FILE *out)
{
    fprintf(out, "%s ", macro);
    roff(text, out);
    fputc('\n', out);
}

void cli_man_page(const struct cli_program *program, FILE *out)
{
    fputs(".TH \"", out);
    for (const char *c = program->name; *c != '\0'; c++) {
        fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, out);
    }
    fprintf(out, "\" 1 \"\" \"Lockstep %s\"\n.SH NAME\n", LOCKSTEP_VERSION);
    roff(program->name, out);
    fputs(" \\- ", out);
    roff(program->summary, out);
    fputs("\n.SH SYNOPSIS\n\\fB", out);
    roff(program->name, out);
    fputs("\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIOPERAND\\fR...]\n.SH COMMANDS\n", out);
    for (const struct cli_command *c = program->commands; c->name != NULL; c++) {
        bool operands = c->operands != NULL && c->operands[0] != '\0';

        roff_heading(".SS", c->name, out);
        fputs("\\fB", out);
        roff(program->name, out);
        fputc(' ', out);
        roff(c->name, out);
        fputs(operands ? "\\fR [\\fIOPTION\\fR...] " : "\\fR [\\fIOPTION\\fR...]", out);
        roff(operands ? c->operands : "", out);
        fputs("\n.PP\n", out);
        roff_text(c->summary, out);
        if (c->help != NULL) {
            fputs(".PP\n", out);
            roff_text(c->help, out);
        }
        roff_options(c->options, out);
    }
    for (const struct cli_section *s = program->manual; s != NULL && s->heading != NULL; s++) {
        roff_heading(".SH", s->heading, out);
        roff_text(s->text, out);
    }
    fputs(".SH OPTIONS OF EVERY COMMAND\n", out);
    roff_options(program->options, out);
    roff_options(cli_common_options, out);
    if (program->epilog != NULL) {
        fputs(".SH ENVIRONMENT AND FILES\n", out);
        roff_text(program->epilog, out);
    }
    fputs(".SH EXIT STATUS\n"
          "0 done, 1 failed, 2 wrong use or bad input, 3 refused (nothing changed), 4 locked or "
          "busy, 5 changes pending.\n",
          out);
}
