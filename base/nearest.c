#include "base/nearest.h"

#include <limits.h>
#include <string.h>

#define NAME_BYTES_MAX 64u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance and swaps of neighbours. */
unsigned nearest_distance(const char *a, const char *b)
{
    unsigned rows[3][NAME_BYTES_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > NAME_BYTES_MAX || b_len > NAME_BYTES_MAX) {
        return UINT_MAX;
    }
    for (unsigned j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned replace = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replace, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

const char *nearest_name(const char *text, const char *const *names, size_t count)
{
    unsigned allowed = (unsigned)(strlen(text) / 3), best = UINT_MAX;
    const char *found = NULL;

    allowed = allowed < 1 ? 1 : allowed;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = nearest_distance(text, names[i]);
        if (distance <= allowed && distance < best) {
            best = distance;
            found = names[i];
        }
    }
    return found;
}
