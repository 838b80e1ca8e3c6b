/*
 * kill -9 over every arrow of the journal, at each file operation in turn and at random instants,
 * with a writer at work. After each the walk goes on or turns round, ends in a legal state, and
 * every write that was acknowledged is there, whole, in every shape.
 *
 * CHECK_FULL=1: every case folder, at least 500 kills and 10 on each arrow. CRASH_CASE=name walks
 * one case alone.
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/migrator/unit.h"

#include "tests/migrator/play.h"
#include "tests/walk/route.h"

#define KINDS_MAX 32
#define ROWS 900 /* more than two batches of the backfill */

/* Hits of one arrow. */
struct hits {
    const char *from, *to;
    int kills, before, behind; /* the state that the kill left */
    int random;                /* kills of the program itself, at random instants */
    int missed;                /* it had ended */
};
static struct hits table[KINDS_MAX];
static size_t kinds;
static int writes_seen;
static uint64_t luck = 1;

static unsigned chance(unsigned below)
{
    luck = luck * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(luck >> 33) % below;
}

static struct hits *hits_of(const struct leg *leg)
{
    for (size_t i = 0; i < kinds; i++) {
        if (strcmp(table[i].from, leg->from) == 0 && strcmp(table[i].to, leg->to) == 0) {
            return &table[i];
        }
    }
    assert_true(kinds < KINDS_MAX);
    table[kinds] = (struct hits){.from = leg->from, .to = leg->to};
    return &table[kinds++];
}

static long count_operations(struct route *r)
{
    struct outcome out;

    route_try(r, &(struct attempt){.plan = {.act = DISK_COUNT}}, &out);
    if (out.code == ERR_CONFLICT) {
        return 0; /* there is no such way */
    }
    if (out.status != 0) {
        fail_msg("%s: %s", r->name, out.msg);
    }
    assert_true(out.operations > 0);
    return out.operations;
}

static void one_kill(struct route *r, const struct attempt *attempt, bool turn_round)
{
    const struct leg *leg = route_leg(r);
    struct hits *hits = hits_of(leg);
    struct outcome out;
    int writes;

    route_try(r, attempt, &out);
    if (!WIFSIGNALED(out.status)) {
        if (out.status != 0) {
            fail_msg("%s, %s to %s: %s", r->name, leg->from, leg->to, out.msg);
        }
        hits->missed++;
    } else {
        assert_int_equal(WTERMSIG(out.status), SIGKILL);
        hits->random += attempt->program != NULL;
        hits->kills += attempt->program == NULL;
        hits->before += strcmp(route_state(r), leg->from) == 0;
        hits->behind += strcmp(route_state(r), leg->to) == 0;
    }
    writes = route_log()->acked;
    writes_seen += writes;
    route_finish(r, turn_round, &writes, 0);
}

/* kills spread over the operations of the leg that is next. */
static void kill_leg(struct route *r, int kills, int random)
{
    char program[600];
    long operations = count_operations(r);

    snprintf(program, sizeof program, "%s/migrate", getenv("BUILD"));
    for (int i = 0; i < kills && operations > 0; i++) {
        long at = 1 + (operations * i + (long)chance((unsigned)operations)) / kills;
        one_kill(r,
                 &(struct attempt){.plan = {.act = DISK_KILL, .at = at, .behind = chance(2)},
                                   .writer = chance(4) > 0 ? WRITER_BESIDE : WRITER_NONE},
                 chance(2));
    }
    for (int i = 0; i < random && operations > 0; i++) {
        one_kill(r,
                 &(struct attempt){.program = program,
                                   .delay_us = 500 + (long)chance(12000),
                                   .writer = WRITER_BESIDE},
                 chance(2));
    }
}

static void kill_walk(struct route *r, int kills, int random)
{
    do {
        kill_leg(r, kills, random);
    } while (route_advance(r));
    route_close(r);
}

static void print_table(void)
{
    int kills = 0, random = 0;

    print_message("proof: %-14s %-14s %6s %7s %7s %7s %7s\n", "from", "to", "aimed", "random",
                  "before", "behind", "missed");
    for (size_t i = 0; i < kinds; i++) {
        const struct hits *h = &table[i];
        print_message("proof: %-14s %-14s %6d %7d %7d %7d %7d\n", h->from, h->to, h->kills,
                      h->random, h->before, h->behind, h->missed);
        kills += h->kills;
        random += h->random;
    }
    print_message(
        "proof: %d kills (%d of them at random instants), %d acknowledged writes looked for\n",
        kills + random, random, writes_seen);
}

static void killed_anywhere_it_goes_on(void **state)
{
    const char *san = getenv("SAN");
    bool full = getenv("CHECK_FULL") != NULL, slow = san != NULL && *san != '\0';
    const char *one = getenv("CRASH_CASE");
    int kills, walked = 0, all = 0;
    struct route route;
    size_t count;
    char **names = route_cases(&count);

    (void)state;
    kills = !full || slow ? 2 : count < 20 ? 10 : 4; /* on each leg of each case */
    for (size_t i = 0; i < count; i++) {
        if (one != NULL ? strcmp(one, names[i]) != 0
                        : !full && strcmp(names[i], "split_email") != 0 &&
                              strcmp(names[i], "retype") != 0) {
            continue;
        }
        if (slow && full && one == NULL && i % 4 != 0) {
            continue; /* what a sanitizer finds, it finds in any of them */
        }
        if (!route_open(&route, names[i], walked % 2 == 0, walked % 3 == 0 ? ROWS : 5)) {
            continue;
        }
        kill_walk(&route, kills, full ? 2 : 1);
        if (walked++ == 0) {
            assert_true(route_open_fresh(&route, names[i], full));
            kill_walk(&route, full ? 30 : 3, 0);
        }
    }
    route_open_plain(&route, full);
    kill_walk(&route, full ? 30 : 3, full ? 10 : 1);
    route_cases_free(names, count);
    print_table();
    for (size_t i = 0; i < kinds; i++) {
        all += table[i].kills + table[i].random;
        if (full && !slow && one == NULL && table[i].kills < 10) {
            fail_msg("only %d kills from %s to %s", table[i].kills, table[i].from, table[i].to);
        }
    }
    assert_true(one != NULL || all >= (full && !slow ? 500 : 40));
    assert_true(one != NULL || walked >= (full ? 8 : 2));
}

/* Each heading of docs/operations.md, and a case of those walked above that does just that. */
static const struct {
    const char *heading, *name;
} covered[] = {
    {"Add a column", "add_default"},        {"Drop a column", "drop_reverse"},
    {"Rename a column", "rename_declared"}, {"Change a column's type", "retype_scaled"},
    {"Split and merge", "merge_columns"},   {"Set NOT NULL, add a CHECK", "alter_not_null_fill"},
    {"Allow NULL", "alter_null_allowed"},   {"Create and drop an index", "drop_index"},
    {"Create a table", "create_table"},     {"Drop a table", "drop_table"},
    {"Rename a table", "rename_table"},     {"Hand-written SQL", "handwritten_move"},
    {"Expressions", "json_member"},         {"What cannot be done yet", NULL},
    {"One migration after another", NULL}, /* tests/walk/several.test.sh */
};

static void every_operation_is_among_the_walks(void **state)
{
    char *text = play_read("docs/operations.md"), *save = NULL, **names;
    size_t count, headings = 0;

    (void)state;
    names = route_cases(&count);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        size_t at = 0, there = 0;
        if (strncmp(line, "## ", 3) != 0) {
            continue;
        }
        while (at < COUNT(covered) && strcmp(covered[at].heading, line + 3) != 0) {
            at++;
        }
        if (at == COUNT(covered)) {
            fail_msg("which case walks \"%s\" of docs/operations.md? Name it in covered[]",
                     line + 3);
        }
        for (size_t i = 0; i < count && covered[at].name != NULL; i++) {
            there += strcmp(names[i], covered[at].name) == 0;
        }
        if (there == 0 && covered[at].name != NULL) {
            fail_msg("there is no case %s", covered[at].name);
        }
        headings++;
    }
    assert_true(headings >= 12);
    route_cases_free(names, count);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation_is_among_the_walks),
                                       cmocka_unit_test(killed_anywhere_it_goes_on)};

    return cmocka_run_group_tests_name("crash loop", tests, NULL, NULL);
}
