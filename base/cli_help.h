/* cli_help - the help texts that base/cli makes from its tables; for base/cli.c alone. */
#ifndef BASE_CLI_HELP_H
#define BASE_CLI_HELP_H

#include <stdio.h>

#include "base/cli.h"

/* The options that every command of every program has. */
extern const struct cli_option cli_common_options[];

void cli_help_program(const struct cli_program *program, FILE *out);
void cli_help_command(const struct cli_program *program, const struct cli_command *command,
                      FILE *out);

#endif
