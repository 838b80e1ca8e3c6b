/*
 * domain_csv - domain rules as CSV (RFC 4180; libcsv behind it): a heading that names the columns "domain",
 * "variant" and "percent" in any order, then a row a rule.
 *
 *     domain,variant,percent
 *     acme.com,on,
 *     *.globex.com,on,25
 *     initech.com,(rules),
 *
 * A byte order mark, CRLF, empty lines, and ';' or a tab in place of ',' are all right. A row serves its variant, or
 * (with a percentage) ramps into it; without a variant the only other one than the off variant; "(rules)" leaves
 * it to the rules; a variant that begins with '{' is a SERVE as docs/ruleset.md has it.
 *
 * A spreadsheet takes a cell that begins with = + - @ for a formula: such cells are written with an apostrophe in
 * front, which is taken away again when they are read.
 */
#ifndef FLAGS_PROGRAM_DOMAIN_CSV_H
#define FLAGS_PROGRAM_DOMAIN_CSV_H

#include <stdio.h>

#include "base/buf.h"
#include "flags/domain_set.h"

#define DOMAIN_CSV_PROBLEMS 20u /* are told; more are counted */
#define DOMAIN_CSV_CELL 4096u   /* bytes of one cell */
#define DOMAIN_CSV_COLUMNS 16u

struct domain_csv_problem {
    uint32_t line;
    uint32_t column; /* from 1; 0: the whole line */
    char text[240];
};

struct domain_csv {
    const struct json *flag;                    /* whose variants rows may name */
    struct domain_list *list;                   /* where rows go, with their lines */
    void (*progress)(void *ctx, uint64_t rows); /* or NULL */
    void *ctx;
    /* what came of it */
    uint64_t rows;
    size_t problem_count; /* all; the first are kept */
    struct domain_csv_problem problems[DOMAIN_CSV_PROBLEMS];
};

/* Reads all of it. ERR_OK although there are problems: they are in csv. ERR_IO: file cannot be read; ERR_NOMEM. */
MUST_USE enum err_code domain_csv_read(struct domain_csv *csv, FILE *file, struct err *err);
void domain_csv_problem(struct domain_csv *csv, uint32_t line, uint32_t column, const char *fmt,
                        ...) PRINTF_LIKE(4, 5);

/* The heading, and one row for each rule of a settled list, into text. */
void domain_csv_write(const struct domain_list *list, struct buf *text);

#endif
