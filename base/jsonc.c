#include "base/jsonc.h"

#include <stdlib.h>
#include <string.h>

/* Behind the string that begins at i. */
static size_t pass_string(const char *text, size_t len, size_t i)
{
    for (i++; i < len && text[i] != '"'; i++) {
        i += text[i] == '\\';
    }
    return i + 1;
}

/* Behind the comment that begins at i, or i. */
static size_t pass_comment(const char *text, size_t len, size_t i)
{
    if (i + 1 >= len || text[i] != '/' || (text[i + 1] != '/' && text[i + 1] != '*')) {
        return i;
    }
    if (text[i + 1] == '/') {
        while (i < len && text[i] != '\n') {
            i++;
        }
        return i;
    }
    for (i += 2; i + 1 < len && (text[i] != '*' || text[i + 1] != '/'); i++) {
    }
    return i + 1 < len ? i + 2 : len;
}

/* Blanks in the place of what JSON does not have, so that places stay what they were. */
static void blank(char *text, size_t len)
{
    size_t comma = len; /* the one that may be the last */
    char before = '[';  /* what stood in front of it */

    for (size_t i = 0; i < len;) {
        size_t behind = pass_comment(text, len, i);
        if (behind > i) {
            for (; i < behind; i++) {
                text[i] = text[i] == '\n' ? '\n' : ' ';
            }
            continue;
        }
        if (text[i] == '"') {
            i = pass_string(text, len, i);
            comma = len;
            before = '"';
            continue;
        }
        if ((text[i] == '}' || text[i] == ']') && comma < len) {
            text[comma] = ' ';
        }
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0') {
            comma = text[i] == ',' && strchr("[{,", before) == NULL ? i : len;
            before = text[i];
        }
        i++;
    }
}

enum err_code jsonc_parse(const char *text, size_t len, struct json **out, struct err *err)
{
    char *copy = malloc(len + 1);
    enum err_code rc;

    if (copy == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    blank(copy, len);
    rc = json_parse(copy, len, out, err);
    free(copy);
    return rc;
}
