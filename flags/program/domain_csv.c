#include "flags/program/domain_csv.h"

#include <csv.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "flags/program/serve.h"

enum { CHUNK = 65536, REMEMBERED = 1024 };
enum column { COLUMN_DOMAIN, COLUMN_VARIANT, COLUMN_PERCENT, COLUMNS };
static const char *const names[COLUMNS] = {"domain", "variant", "percent"};

/* What a pair of variant and percentage serves, so that a million rows are not a million documents. */
struct memory {
    char *variant, *percent;
    uint16_t serve;
};

struct reader {
    struct domain_csv *csv;
    char *cells[DOMAIN_CSV_COLUMNS];
    size_t count;
    uint32_t line, row_line; /* where the reader is; where its row began */
    int where[COLUMNS];      /* which cell is which, from 0; -1: none */
    bool heading, too_long, begun, decimal_comma;
    enum err_code rc;
    struct err *err;
    struct memory memory[REMEMBERED];
};

void domain_csv_problem(struct domain_csv *csv, uint32_t line, uint32_t column, const char *fmt,
                        ...)
{
    struct domain_csv_problem *at;
    va_list args;

    if (csv->problem_count++ >= DOMAIN_CSV_PROBLEMS)
        return;
    at = &csv->problems[csv->problem_count - 1];
    at->line = line;
    at->column = column;
    va_start(args, fmt);
    vsnprintf(at->text, sizeof at->text, fmt, args);
    va_end(args);
    for (char *c = at->text; *c != '\0'; c++) /* one line, and nothing that a terminal obeys */
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
}

/* ---- one row ---- */

static void read_heading(struct reader *reader)
{
    for (int i = 0; i < COLUMNS; i++)
        reader->where[i] = -1;
    for (size_t i = 0; i < reader->count; i++) {
        int column = 0;

        while (column < COLUMNS && strcmp(names[column], reader->cells[i]) != 0)
            column++;
        if (column == COLUMNS)
            domain_csv_problem(reader->csv, reader->row_line, (uint32_t)i + 1,
                               "column '%.40s' is not known; the heading names domain, variant and "
                               "percent",
                               reader->cells[i]);
        else if (reader->where[column] >= 0)
            domain_csv_problem(reader->csv, reader->row_line, (uint32_t)i + 1,
                               "column '%s' is there twice", names[column]);
        else
            reader->where[column] = (int)i;
    }
    if (reader->where[COLUMN_DOMAIN] < 0)
        domain_csv_problem(
            reader->csv, reader->row_line, 0,
            "the first line must be a heading that names the column domain, such as: "
            "domain,variant,percent");
    reader->heading = true;
}

static const char *cell(const struct reader *reader, enum column column)
{
    int at = reader->where[column];

    return at >= 0 && (size_t)at < reader->count ? reader->cells[at] : "";
}

static bool read_percent(const struct reader *reader, const char *text, double *percent)
{
    char copy[32];
    size_t len = strlen(text);

    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len + 1);
    while (len > 0 && copy[len - 1] == ' ')
        copy[--len] = '\0';
    if (len > 1 && copy[len - 1] == '%' && copy[len - 2] == ' ')
        memcpy(copy + len - 2, "%", 2);
    for (char *at = copy; reader->decimal_comma && *at != '\0'; at++)
        *at = *at == ',' ? '.' : *at;
    return serve_parse_percent(copy, percent);
}

/* The SERVE of a row's cells; NULL after a problem. */
static struct json *make_serve(struct reader *reader, const char *variant, const char *percent)
{
    const struct json *flag = reader->csv->flag;
    struct json *out = NULL;
    double number = 100;

    if (variant[0] == '{') {
        struct err err = {0};

        if (percent[0] == '\0' && json_parse(variant, strlen(variant), &out, &err) == ERR_OK)
            return out;
        domain_csv_problem(
            reader->csv, reader->row_line, (uint32_t)reader->where[COLUMN_VARIANT] + 1, "%s",
            percent[0] != '\0' ? "a SERVE has its own percentage: leave percent empty" : err.msg);
        return NULL;
    }
    if (percent[0] != '\0' && !read_percent(reader, percent, &number)) {
        domain_csv_problem(reader->csv, reader->row_line,
                           (uint32_t)reader->where[COLUMN_PERCENT] + 1,
                           "'%.40s' is no percentage from 0 to 100", percent);
        return NULL;
    }
    if (strcmp(variant, "(rules)") == 0) {
        out = json_object();
        json_put_bool(out, "rules", true);
        return out;
    }
    if (serve_on_variant(flag, NULL, variant[0] != '\0' ? variant : NULL) == NULL) {
        domain_csv_problem(
            reader->csv, reader->row_line,
            variant[0] != '\0' ? (uint32_t)reader->where[COLUMN_VARIANT] + 1 : 0,
            variant[0] != '\0'
                ? "'%.60s' is no variant of this flag"
                : "which variant%.0s? the flag has several: say it in the column variant",
            variant);
        return NULL;
    }
    variant = serve_on_variant(flag, NULL, variant[0] != '\0' ? variant : NULL);
    return serve_at_percent(flag, NULL, number, variant, true);
}

static bool find_serve(struct reader *reader, const char *variant, const char *percent,
                       uint16_t *number)
{
    uint32_t hash = 5381;
    struct memory *at;
    struct json *serve;

    for (const char *c = variant; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    for (const char *c = percent; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c + 1;
    at = &reader->memory[hash % REMEMBERED];
    if (at->variant != NULL && strcmp(at->variant, variant) == 0 &&
        strcmp(at->percent, percent) == 0) {
        *number = at->serve;
        return true;
    }
    serve = make_serve(reader, variant, percent);
    if (serve == NULL)
        return false;
    reader->rc = domain_list_serve(reader->csv->list, serve, number, reader->err);
    json_free(serve);
    if (reader->rc != ERR_OK)
        return false;
    free(at->variant);
    free(at->percent);
    *at = (struct memory){strdup(variant), strdup(percent), *number};
    if (at->variant == NULL || at->percent == NULL) {
        free(at->variant);
        free(at->percent);
        *at = (struct memory){NULL, NULL, 0};
    }
    return true;
}

static void read_rule(struct reader *reader)
{
    const char *domain = cell(reader, COLUMN_DOMAIN);
    struct err err = {0};
    uint16_t number;

    reader->csv->rows++;
    if (reader->csv->progress != NULL)
        reader->csv->progress(reader->csv->ctx, reader->csv->rows);
    if (reader->too_long || !utf8_valid(domain, strlen(domain))) {
        domain_csv_problem(reader->csv, reader->row_line, 0,
                           reader->too_long
                               ? "a cell is longer than 4,096 bytes, or there are more "
                                 "than 16 of them"
                               : "the domain is no UTF-8: save the file as UTF-8");
        return;
    }
    if (!find_serve(reader, cell(reader, COLUMN_VARIANT), cell(reader, COLUMN_PERCENT), &number))
        return;
    if (domain_list_add(reader->csv->list, domain, number, reader->row_line, &err) == ERR_NOMEM)
        reader->rc = err_set(reader->err, ERR_NOMEM, "out of memory");
    else if (err.msg[0] != '\0')
        domain_csv_problem(reader->csv, reader->row_line,
                           (uint32_t)reader->where[COLUMN_DOMAIN] + 1, "%s", err.msg);
}

/* ---- libcsv ---- */

static void on_cell(void *at, size_t len, void *reader_of)
{
    struct reader *reader = reader_of;
    const char *text = at != NULL ? at : "";
    char *copy;

    if (!reader->begun)
        reader->row_line = reader->line;
    reader->begun = true;
    for (size_t i = 0; i < len; i++)
        reader->line += text[i] == '\n';
    if (len > DOMAIN_CSV_CELL || reader->count == DOMAIN_CSV_COLUMNS ||
        memchr(text, '\0', len) != NULL) {
        reader->too_long = true;
        return;
    }
    if (len > 1 && text[0] == '\'' && strchr("=+-@'", text[1]) != NULL) {
        text++;
        len--;
    }
    copy = malloc(len + 1);
    if (copy == NULL) {
        reader->rc = err_set(reader->err, ERR_NOMEM, "out of memory");
        return;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    reader->cells[reader->count++] = copy;
}

static void on_row(int end, void *reader_of)
{
    struct reader *reader = reader_of;
    bool empty =
        !reader->begun || (reader->count == 1 && reader->cells[0][0] == '\0' && !reader->too_long);

    if (reader->rc == ERR_OK && !empty) {
        if (!reader->heading)
            read_heading(reader);
        else
            read_rule(reader);
    }
    for (size_t i = 0; i < reader->count; i++)
        free(reader->cells[i]);
    reader->count = 0;
    reader->begun = reader->too_long = false;
    reader->line += end == '\n';
}

/* CRLF and CR become LF, so that each line ends once; returns the new length. */
static size_t line_ends(char *text, size_t len, bool *cr)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        bool after_cr = *cr;

        *cr = text[i] == '\r';
        if (text[i] == '\n' && after_cr)
            continue;
        text[out++] = text[i] == '\r' ? '\n' : text[i];
    }
    return out;
}

static char delimiter_of(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);
    size_t line = end != NULL ? (size_t)(end - text) : len;

    if (memchr(text, ',', line) != NULL)
        return ',';
    if (memchr(text, ';', line) != NULL)
        return ';';
    return memchr(text, '\t', line) != NULL ? '\t' : ',';
}

static enum err_code read_all(struct reader *reader, struct csv_parser *parser, FILE *file,
                              struct err *err)
{
    char chunk[CHUNK];
    bool cr = false, first = true;
    size_t len;

    while (reader->rc == ERR_OK && reader->csv->problem_count < 100000 &&
           (len = fread(chunk, 1, sizeof chunk, file)) > 0) {
        char *at = chunk;

        if (first && len >= 3 && memcmp(chunk, "\xef\xbb\xbf", 3) == 0) {
            at += 3;
            len -= 3;
        }
        len = line_ends(at, len, &cr);
        if (first) {
            char delimiter = delimiter_of(at, len);

            csv_set_delim(parser, (unsigned char)delimiter);
            reader->decimal_comma = delimiter != ',';
        }
        first = false;
        if (csv_parse(parser, at, len, on_cell, on_row, reader) != len) {
            domain_csv_problem(
                reader->csv, reader->line, 0,
                "%s: a quoted cell must end with one quote, and a quote inside it is "
                "written twice",
                csv_strerror(csv_error(parser)));
            return reader->rc;
        }
    }
    if (ferror(file))
        return err_set(err, ERR_IO, "the file cannot be read");
    if (reader->rc == ERR_OK && csv_fini(parser, on_cell, on_row, reader) != 0)
        domain_csv_problem(reader->csv, reader->line, 0, "the file ends inside a quoted cell");
    return reader->rc;
}

enum err_code domain_csv_read(struct domain_csv *csv, FILE *file, struct err *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    struct csv_parser parser;
    enum err_code rc;

    if (reader == NULL || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0) {
        free(reader);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    reader->csv = csv;
    reader->line = 1;
    reader->err = err;
    rc = read_all(reader, &parser, file, err);
    if (rc == ERR_OK && !reader->heading && csv->problem_count == 0)
        domain_csv_problem(csv, 1, 0,
                           "there is nothing in the file, not even a heading: "
                           "domain,variant,percent");
    for (size_t i = 0; i < reader->count; i++)
        free(reader->cells[i]);
    for (size_t i = 0; i < REMEMBERED; i++) {
        free(reader->memory[i].variant);
        free(reader->memory[i].percent);
    }
    csv_free(&parser);
    free(reader);
    return rc;
}

/* ---- writing ---- */

static void write_cell(struct buf *text, const char *cell)
{
    bool formula = cell[0] != '\0' && strchr("=+-@'\t\r", cell[0]) != NULL;

    if (!formula && strpbrk(cell, ",;\"\n\r\t ") == NULL) {
        buf_text(text, cell);
        return;
    }
    buf_char(text, '"');
    if (formula)
        buf_char(text, '\'');
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            buf_char(text, '"');
        buf_char(text, *cell);
    }
    buf_char(text, '"');
}

/* ",variant,percent\n" of a SERVE. */
static char *end_of_row(const char *serve)
{
    struct json *json = NULL;
    const struct json *ramp;
    struct buf text = {0};
    double percent;

    if (json_parse(serve, strlen(serve), &json, NULL) != ERR_OK)
        return NULL;
    ramp = json_get(json, "ramp");
    percent = json_number(json_get(ramp, "percent"), -1);
    buf_char(&text, ',');
    if (json_get_text(json, "variant", NULL) != NULL &&
        json_get_text(json, "variant", "")[0] != '{' &&
        strcmp(json_get_text(json, "variant", ""), "(rules)") != 0) {
        write_cell(&text, json_get_text(json, "variant", ""));
        buf_char(&text, ',');
    } else if (json_is_true(json_get(json, "rules"))) {
        buf_text(&text, "(rules),");
    } else if (json_count(ramp) == 2 && json_get_text(ramp, "variant", NULL) != NULL &&
               percent > 0 && percent < 100 && json_get_text(ramp, "variant", "")[0] != '{') {
        write_cell(&text, json_get_text(ramp, "variant", ""));
        buf_print(&text, ",%.10g", percent);
    } else {
        write_cell(&text, serve);
        buf_char(&text, ',');
    }
    buf_text(&text, "\r\n");
    json_free(json);
    return buf_take(&text);
}

void domain_csv_write(const struct domain_list *list, struct buf *text)
{
    char **ends = calloc(list->serve_count + 1, sizeof *ends);

    buf_text(text, "domain,variant,percent\r\n");
    for (size_t i = 0; ends != NULL && i < list->serve_count; i++)
        ends[i] = end_of_row(list->serves[i].text);
    for (size_t i = 0; ends != NULL && i < list->count; i++) {
        write_cell(text, list->rules[i].pattern);
        buf_text(text, ends[list->rules[i].serve] != NULL ? ends[list->rules[i].serve] : ",,\r\n");
    }
    text->failed = text->failed || ends == NULL;
    for (size_t i = 0; ends != NULL && i < list->serve_count; i++)
        free(ends[i]);
    free(ends);
}
