/*
 * serve - what a place of a flag's document serves ("SERVE" in docs/ruleset.md): percentages in and
 * out of it, for people.
 */
#ifndef FLAGS_PROGRAM_SERVE_H
#define FLAGS_PROGRAM_SERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/* Parses "25%", "25" or "0.125%": 0 to 100 with at most three decimals. */
bool serve_parse_percent(const char *text, double *out);

/* The variant that "on" means: the wanted one, else the one that a place serves now besides the off
 * variant, else the only other one. NULL: it has to be said. Lent by flag. */
const char *serve_on_variant(const struct json *flag, const struct json *serve, const char *wanted);

/* A serve for percent of the variant, keeping the split that serve (may be NULL) has, unless a
 * variant was asked for by name. 0 and 100 need no bucket and are plain variants. New. */
struct json *serve_at_percent(const struct json *flag, const struct json *serve, double percent,
                              const char *variant, bool named);

/* "25 %", "0 %", "100 %", "variant blue", "25 % split a 50, b 50"; returns out. */
const char *serve_text(const struct json *flag, const struct json *serve, char *out, size_t size);

/* How many of a hundred get anything but the off variant; -1 where the rules decide. */
double serve_percent(const struct json *flag, const struct json *serve);

#endif
