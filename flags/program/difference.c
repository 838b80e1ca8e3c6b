#include "flags/program/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/program/table.h"

enum { VALUE_BYTES = 60 };

static const char *shortly(const struct json *value, char out[VALUE_BYTES + 4])
{
    char *text = value != NULL ? json_print(value) : NULL;

    snprintf(out, VALUE_BYTES + 4, "%.*s%s", VALUE_BYTES, text != NULL ? text : "nothing",
             text != NULL && strlen(text) > VALUE_BYTES ? "..." : "");
    free(text);
    return out;
}

void difference_print(const struct json *difference)
{
    for (const struct json *one = json_first(difference); one != NULL; one = json_next(one)) {
        char was[VALUE_BYTES + 4], now[VALUE_BYTES + 4], line[400];

        snprintf(line, sizeof line, "    %.200s: %s -> %s", json_get_text(one, "at", ""),
                 shortly(json_get(one, "was"), was), shortly(json_get(one, "now"), now));
        table_print_line(line);
    }
}
