#include "tests/migrator/random_case.h"

#include <stdio.h>

#include "tests/migrator/random_parts.h"
#include "tests/migrator/unit.h"

/* Where every column may be left out. */
static const char *const short_writes[] = {
    "INSERT #INTO $t(id, code) VALUES(@, '~')",
    "INSERT #INTO $t(id, note) VALUES(@, 'short'), (@, NULL)",
    "INSERT INTO $t(id, code) VALUES(@, '~') ON CONFLICT(code) DO UPDATE SET id = @, $S",
};

/* # a conflict clause, @ a key, ~ a code: few, so that they meet. $C a side's columns, $V values,
 * $S a SET list, $O one of a single operation, $X one from excluded. NOT INDEXED: which row is in
 * the way depends on the order in which a plan takes them. */
static const char *const writes[] = {
    "INSERT #INTO $t(id, $C, code) VALUES(@, $V, '~')",
    "INSERT #INTO $t(id, $C, code) VALUES(@, $V, '~'), (@, $V, '~'), (@, $V, NULL)",
    "INSERT #INTO $t(id, $C, note) SELECT id + @, $V, note FROM $t ORDER BY id LIMIT 3",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT DO NOTHING",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT(code) DO UPDATE SET note = 9, $X",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT(code) DO UPDATE SET id = @, $S",
    "UPDATE #$t NOT INDEXED SET $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET $O WHERE id < @",
    "UPDATE #$t NOT INDEXED SET $S WHERE id % 2 = 0",
    "UPDATE #$t NOT INDEXED SET $S",
    "UPDATE #$t NOT INDEXED SET $O, code = '~' WHERE id < @",
    "UPDATE #$t NOT INDEXED SET id = id + @, $S WHERE id > @",
    "UPDATE #$t NOT INDEXED SET id = @, $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET id = @ WHERE id = @",
    "UPDATE #$t NOT INDEXED SET id = -id",
    "UPDATE #$t NOT INDEXED SET part = '~', $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET note = 'bell', $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET note = 'no', $S WHERE id < @",
    "UPDATE #$t NOT INDEXED SET code = '~' WHERE id = @",
    "UPDATE #$t NOT INDEXED SET ref = @, $O WHERE id = @",
    "REPLACE INTO $t(id, $C, code) VALUES(@, $V, '~'), (@, $V, '~')",
    "DELETE FROM $t WHERE id = @",
    "DELETE FROM $t WHERE code = '~' OR id > 40",
    "INSERT #INTO $t(id, $C) VALUES(@, $V), (9223372036854775807, $V), (-9223372036854775808, $V)",
};

static void add_set(const struct random_case *c, unsigned at, bool new_side, bool excluded,
                    struct buf *out)
{
    struct buf columns = {0};

    if (!random_add_columns(c, at, new_side, "", &columns)) {
        buf_text(out, "note = 'none'");
        buf_fini(&columns);
        return;
    }
    buf_print(out, "(%s) = (", buf_cstr(&columns));
    if (excluded) {
        (void)random_add_columns(c, at, new_side, "excluded.", out);
    } else {
        random_add_values(c, at, new_side, out);
    }
    buf_char(out, ')');
    buf_fini(&columns);
}

const char *random_case_write(const struct random_case *given, bool new_side)
{
    static const char *const clauses[] = {
        "", "", "OR ABORT ", "OR FAIL ", "OR IGNORE ", "OR REPLACE ", "OR ROLLBACK "};
    static char kept[4000];
    struct random_case own = random_case_of(given, new_side);
    const struct random_case *c = &own;
    struct buf out = {0};
    unsigned all = c->operation_count;
    const char *start =
        c->may_leave_out && random_below(8) == 0 ? RANDOM_PICK(short_writes) : RANDOM_PICK(writes);

    for (const char *p = start; *p != '\0'; p++) {
        p += *p == '$';
        switch (p > start && p[-1] == '$' ? *p : *p == '#' || *p == '@' || *p == '~' ? *p : 0) {
        case '#': buf_text(&out, RANDOM_PICK(clauses)); break;
        case '@': buf_print(&out, "%u", 1 + random_below(12)); break;
        case '~': buf_char(&out, "kKlLmMn"[random_below(7)]); break;
        case 0: buf_char(&out, *p); break;
        case 't': buf_sql_name(&out, str_of(c->table)); break;
        case 'C': (void)random_add_columns(c, all, new_side, "", &out); break;
        case 'V': random_add_values(c, all, new_side, &out); break;
        case 'S': add_set(c, all, new_side, false, &out); break;
        case 'O': add_set(c, random_below(all), new_side, false, &out); break;
        default: add_set(c, all, new_side, true, &out);
        }
    }
    assert_true(out.len < sizeof kept);
    snprintf(kept, sizeof kept, "%s", buf_cstr(&out));
    buf_fini(&out);
    return kept;
}
