#include "tests/migrator/words.h"

#include <string.h>

#define D "substr(email, instr(email, '@') + 1)"
#define M "substr(email, 1, instr(email, '@') - 1)"
#define FIRST "substr(full, 1, instr(full, '-') - 1)"
#define LAST "substr(full, instr(full, '-') + 1)"

const struct change_kind change_kinds[] = {
    {.name = "split",
     .json = "\"add\": {\"mailbox\": {\"type\": \"TEXT\"}, \"domain\": {\"type\": \"TEXT\"}}, "
             "\"forward\": {\"mailbox\": \"" M "\", \"domain\": \"" D "\"}, \"drop\": [\"email\"], "
             "\"reverse\": {\"email\": \"mailbox || '@' || domain\"}",
     .old_columns = {"email"},
     .new_columns = {"mailbox", "domain"},
     .old_types = "email TEXT NOT NULL",
     .new_types = "mailbox TEXT, domain TEXT",
     .old_value = "'%@d.example'",
     .new_value = "'%', 'd.example'",
     .new_of_old = M ", " D,
     .old_of_new = "mailbox || '@' || domain",
     .forward_holds = "mailbox IS " M " AND domain IS " D,
     .reverse_holds = "email IS mailbox || '@' || domain",
     .unfilled = "mailbox IS NULL AND domain IS NULL",
     .aside = {"email"}},
    {.name = "merge",
     .json = "\"add\": {\"full\": {\"type\": \"TEXT\"}}, \"forward\": {\"full\": \"first || '-' || "
             "last\"}, \"drop\": [\"first\", \"last\"], \"reverse\": {\"first\": \"" FIRST
             "\", \"last\": \"" LAST "\"}",
     .old_columns = {"first", "last"},
     .new_columns = {"full"},
     .old_types = "first TEXT, last TEXT",
     .new_types = "full TEXT",
     .old_value = "'%', 'x'",
     .new_value = "'%-x'",
     .new_of_old = "first || '-' || last",
     .old_of_new = FIRST ", " LAST,
     .forward_holds = "full IS first || '-' || last",
     .reverse_holds = "first IS " FIRST " AND last IS " LAST,
     .unfilled = "full IS NULL",
     .aside = {"first", "last"}},
    {.name = "rename",
     .json = "\"add\": {\"mail\": {\"type\": \"TEXT\"}}, \"forward\": {\"mail\": \"email\"}, "
             "\"drop\": [\"email\"], \"reverse\": {\"email\": \"mail\"}",
     .old_columns = {"email"},
     .new_columns = {"mail"},
     .old_types = "email TEXT",
     .new_types = "mail TEXT",
     .old_value = "'%'",
     .new_value = "'%'",
     .new_of_old = "email",
     .old_of_new = "mail",
     .forward_holds = "mail IS email",
     .reverse_holds = "email IS mail",
     .unfilled = "mail IS NULL",
     .aside = {"email"}},
    {.name = "lower",
     .json = "\"add\": {\"mail\": {\"type\": \"TEXT\"}}, \"forward\": {\"mail\": "
             "\"lower(email)\"}, \"drop\": [\"email\"], \"reverse\": {\"email\": \"mail\"}, "
             "\"lossy\": true",
     .old_columns = {"email"},
     .new_columns = {"mail"},
     .old_types = "email TEXT",
     .new_types = "mail TEXT",
     .old_value = "'%Zed'",
     .new_value = "'%zed'",
     .new_of_old = "lower(email)",
     .old_of_new = NULL,
     .forward_holds = "mail IS lower(email)",
     .reverse_holds = "email IS mail",
     .unfilled = "mail IS NULL",
     .aside = {"email"}},
    {.name = "derive",
     .json = "\"add\": {\"domain\": {\"type\": \"TEXT\"}}, \"forward\": {\"domain\": \"" D "\"}",
     .old_columns = {"email"},
     .new_columns = {"email", "domain"},
     .old_types = "email TEXT",
     .new_types = "email TEXT, domain TEXT",
     .old_value = "'a@%'",
     .new_value = "'a@%', '%'",
     .new_of_old = "email, " D,
     .old_of_new = "email",
     .forward_holds = "domain IS " D,
     .reverse_holds = NULL,
     .unfilled = "domain IS NULL"},
};

const size_t change_kind_count = sizeof change_kinds / sizeof change_kinds[0];

static void add_columns(const struct wording *w, const char *prefix, struct buf *out)
{
    const char *const *lists[2] = {w->kind->old_columns, w->kind->new_columns};
    bool any = false;

    for (int side = 0; side < 2; side++) {
        if (w->words == (side == 0 ? WORDS_NEW : WORDS_OLD)) {
            continue;
        }
        for (size_t i = 0; lists[side][i] != NULL; i++) {
            buf_print(out, "%s%s%s", any ? ", " : "", prefix, lists[side][i]);
            any = true;
        }
    }
}

static void add_value(const char *value, const char *token, size_t len, const char *tail,
                      struct buf *out)
{
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '%') {
            buf_print(out, "%.*s%s", (int)len, token, tail);
        } else {
            buf_char(out, *p);
        }
    }
}

static void add_values(const struct wording *w, const char *token, size_t len, struct buf *out)
{
    if (w->words != WORDS_NEW) {
        add_value(w->kind->old_value, token, len, w->words == WORDS_CLASH ? "else" : "", out);
    }
    buf_text(out, w->words == WORDS_BOTH || w->words == WORDS_CLASH ? ", " : "");
    if (w->words != WORDS_OLD) {
        add_value(w->kind->new_value, token, len, "", out);
    }
}

void words_add(const struct wording *w, const char *text, struct buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        const char *token = p + 3;
        if (*p != '$') {
            buf_char(out, *p);
            continue;
        }
        switch (*++p) {
        case 'C': add_columns(w, "", out); break;
        case 'K': buf_text(out, w->key); break;
        case 'V':
            add_values(w, token, strcspn(token, ")"), out);
            p += 2 + strcspn(token, ")");
            break;
        default:
            buf_char(out, '(');
            add_columns(w, "", out);
            buf_text(out, ") = (");
            if (*p == 'S') {
                add_values(w, token, strcspn(token, ")"), out);
                p += 2 + strcspn(token, ")");
            } else {
                add_columns(w, "excluded.", out);
            }
            buf_char(out, ')');
        }
    }
}

bool words_neutral(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '$' && p[1] != 'K') {
            return false;
        }
    }
    return true;
}
