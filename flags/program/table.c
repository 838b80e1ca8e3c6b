#include "flags/program/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { GAP = 2, COLUMN_MIN = 3 };

struct table {
    size_t columns, rows, room;
    char **cells; /* row by row, headings first */
};

/* Characters, not bytes: what takes a place on the screen. */
static size_t shown_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static char *plain_copy(const char *text)
{
    char *copy = strdup(text);

    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        bool c1 = byte == 0xc2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xa0;

        if (byte < ' ' || byte == 0x7f) {
            *c = '?';
        } else if (c1) { /* U+0080 to U+009F, which some terminals obey too */
            c[0] = c[1] = '?';
        }
    }
    return copy;
}

void table_print_line(const char *text)
{
    char *plain = plain_copy(text);

    printf("%s\n", plain != NULL ? plain : "");
    free(plain);
}

static bool add_row(struct table *table, const char *first, va_list args)
{
    if (table->rows == table->room) {
        size_t room = table->room * 2 + 16;
        char **cells = realloc(table->cells, room * table->columns * sizeof *cells);

        if (cells == NULL) {
            return false;
        }
        table->cells = cells;
        table->room = room;
    }
    for (size_t i = 0; i < table->columns; i++) {
        const char *text = i == 0 ? first : va_arg(args, const char *);

        table->cells[table->rows * table->columns + i] = plain_copy(text != NULL ? text : "");
    }
    table->rows++;
    return true;
}

struct table *table_new(const char *first, ...)
{
    struct table *table = calloc(1, sizeof *table);
    va_list args;

    if (table == NULL) {
        return NULL;
    }
    va_start(args, first);
    table->columns = 1;
    while (table->columns < TABLE_COLUMNS_MAX && va_arg(args, const char *) != NULL) {
        table->columns++;
    }
    va_end(args);
    va_start(args, first);
    (void)add_row(table, first, args);
    va_end(args);
    return table;
}

void table_add(struct table *table, const char *first, ...)
{
    va_list args;

    if (table != NULL) {
        va_start(args, first);
        (void)add_row(table, first, args);
        va_end(args);
    }
}

/* Columns of the terminal; 0: not a terminal, nothing is cut. */
static size_t terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size = {0};

    if (!isatty(STDOUT_FILENO)) {
        return 0;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return columns != NULL ? (size_t)strtoul(columns, NULL, 10) : 80;
}

/* Takes from the widest column until the line fits. */
static void fit(size_t *widths, size_t columns, size_t limit)
{
    for (;;) {
        size_t total = (columns - 1) * GAP, widest = 0;

        for (size_t i = 0; i < columns; i++) {
            total += widths[i];
            widest = widths[i] > widths[widest] ? i : widest;
        }
        if (limit == 0 || total <= limit || widths[widest] <= COLUMN_MIN) {
            return;
        }
        widths[widest]--;
    }
}

/* blanks: what stands between the cell before and this one, held back until there is more to come, so
 * that no line ends in blanks. */
static void print_cell(const char *text, size_t width, size_t *blanks)
{
    size_t have = shown_width(text);
    size_t keep = have > width ? width - 1 : have;
    size_t count = 0;
    const char *c = text;

    for (; *c != '\0'; c++) { /* up to the first byte of the character that is too many */
        count += ((unsigned char)*c & 0xc0) != 0x80;
        if (count > keep) {
            break;
        }
    }
    if (have > 0) {
        printf("%*s%.*s%s", (int)*blanks, "", (int)(c - text), text, have > width ? "…" : "");
        *blanks = 0;
    }
    *blanks += (have > width ? 0 : width - have) + GAP;
}

void table_free(struct table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}

void table_print(struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t width = table->cells[i] != NULL ? shown_width(table->cells[i]) : 0;

        if (width > widths[i % table->columns]) {
            widths[i % table->columns] = width;
        }
    }
    fit(widths, table->columns, terminal_width());
    for (size_t row = 0; row < table->rows; row++) {
        size_t blanks = 0;

        for (size_t i = 0; i < table->columns; i++) {
            const char *text = table->cells[row * table->columns + i];

            print_cell(text != NULL ? text : "", widths[i], &blanks);
        }
        putchar('\n');
    }
    table_free(table);
}
