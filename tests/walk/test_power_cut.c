/*
 * The power goes in mid-walk: of what was not synced a random part stays, torn at sectors. Then the
 * database opens, is sound, its journal is in a legal state, the walk goes on or turns round, and
 * every write that was durable when SQLite acknowledged it is there.
 *
 * A walker and a writer share the disk, and lose it together. CHECK_FULL=1: at least 1,000 cuts over
 * every case folder. POWER_CASE=name: that one alone; POWER_SEED=n: from other luck.
 */
#include <sys/wait.h>

#include "tests/migrator/unit.h"

#include "base/file.h"
#include "tests/migrator/play.h"
#include "tests/walk/route.h"

/* What a disk and a setting promise. */
struct promise {
    const char *name;
    bool wal;
    int synchronous; /* of the writer; the walker leaves SQLite's own: FULL */
    bool lazy_names; /* creations and removals are on the disk when their folder was synced, only */
    bool durable;    /* an acknowledged write stays; else the last may go, but nothing is torn */
};
static const struct promise promises[] = {
    {"WAL, FULL", true, 2, false, true},
    {"DELETE, FULL", false, 2, false, true},
    {"WAL, FULL, lazy names", true, 2, true, true},
    {"WAL, NORMAL", true, 1, true, false},
    /* SQLite syncs the removal of a journal in EXTRA alone; in FULL the last commit may go. */
    {"DELETE, FULL, lazy names", false, 2, true, false},
};
static int cuts[COUNT(promises)], missed[COUNT(promises)], lost[COUNT(promises)];
static int acknowledged, torn_points;
static uint64_t luck = 1;

static unsigned chance(unsigned below)
{
    luck = luck * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(luck >> 33) % below;
}

/* Whoever purged made a copy before: it must be on the disk, whole. */
static void check_recovery_point(struct route *r)
{
    struct err err = {0};
    char **names = NULL, path[700];
    size_t count = 0;
    int sound = 0;

    if (strcmp(route_state(r), "purged") != 0 || !route_drops(r)) {
        return;
    }
    assert_int_equal(file_list(r->disk, &names, &count, &err), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i], ".point-") != NULL && strstr(names[i], "-journal") == NULL) {
            sqlite3 *app;
            char *rows;
            snprintf(path, sizeof path, "%s/%s", r->disk, names[i]);
            app = app_open(path);
            rows = app_rows(app, "PRAGMA integrity_check");
            sound += strcmp(rows, "ok\n") == 0 &&
                     app_number(app, "SELECT count(*) FROM sqlite_master WHERE sql LIKE "
                                     "'%lockstep_7_%'") > 0;
            free(rows);
            app_close(app);
        }
    }
    file_list_free(names, count);
    torn_points += sound == 0;
    if (sound == 0) {
        fail_msg("%s is purged, and its recovery point is gone", r->name);
    }
}

static void one_cut(struct route *r, size_t kind, long at)
{
    const struct promise *promise = &promises[kind];
    const struct leg *leg = route_leg(r);
    struct attempt attempt = {
        .plan = {.act = DISK_CUT, .at = at, .seed = luck, .lazy_names = promise->lazy_names},
        .writer = WRITER_INSIDE,
        .synchronous = promise->synchronous};
    struct outcome out;
    int writes = -1, acked;

    route_try(r, &attempt, &out);
    if (!WIFEXITED(out.status) || WEXITSTATUS(out.status) != DISK_CUT_EXIT) {
        if (out.status != 0) {
            fail_msg("%s, %s to %s, status %d: %s", r->name, leg->from, leg->to, out.status,
                     out.msg);
        }
        missed[kind]++;
        return; /* it had ended before */
    }
    cuts[kind]++;
    acked = route_log()->acked;
    acknowledged += acked;
    print_message("%s, %s to %s: %s, cut at %ld, %d acknowledged\n", r->name, leg->from, leg->to,
                  promise->name, at, acked); /* the last one told is the one that failed */
    route_take_image(r);
    check_recovery_point(r);
    route_finish(r, chance(2), &writes, promise->durable ? 0 : promise->wal ? WRITES_MAX : 1);
    lost[kind] += writes < acked ? acked - writes : 0;
}

static void cut_walk(struct route *r, size_t kind, int times)
{
    do {
        struct outcome out;
        if (strcmp(route_leg(r)->from, "pending") == 0 &&
            strcmp(route_leg(r)->to, "contracted") == 0) {
            continue;
        }
        if (strcmp(route_leg(r)->from, "contracted") == 0 &&
            strcmp(route_leg(r)->to, "pending") == 0) {
            continue;
        }
        route_try(r,
                  &(struct attempt){
                      .plan = {.act = DISK_COUNT}, .writer = WRITER_INSIDE, .synchronous = 2},
                  &out);
        if (out.code == ERR_CONFLICT) {
            continue;
        }
        for (int i = 0; i < times; i++) {
            one_cut(r, kind,
                    1 + (out.operations * i + (long)chance((unsigned)out.operations)) / times);
        }
    } while (route_advance(r));
    route_close(r);
}

static void nothing_durable_is_lost(void **state)
{
    const char *san = getenv("SAN");
    bool full = getenv("CHECK_FULL") != NULL, slow = san != NULL && *san != '\0';
    const char *one = getenv("POWER_CASE"), *seed = getenv("POWER_SEED");
    int walked = 0, all = 0;
    struct route route;
    size_t count;
    char **names = route_cases(&count);

    /* Enough of them, however many cases there are. */
    size_t kinds = !full || one != NULL || count < 8 ? COUNT(promises) : count < 20 ? 3 : 1;

    (void)state;
    luck = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    for (size_t i = 0; i < count; i++) {
        if (one != NULL ? strcmp(one, names[i]) != 0
                        : !full && strcmp(names[i], "split_email") != 0) {
            continue;
        }
        if (slow && full && one == NULL && i % 4 != 0) {
            continue; /* what a sanitizer finds, it finds in any of them */
        }
        for (size_t k = 0; k < kinds; k++) {
            size_t kind = (i + k) % COUNT(promises);
            if (route_open(&route, names[i], promises[kind].wal, walked % 2 == 0 ? 450 : 5)) {
                cut_walk(&route, kind, full && !slow ? (count < 20 ? 7 : 4) : 1);
                walked++;
            }
        }
    }
    route_cases_free(names, count);
    for (size_t kind = 0; kind < COUNT(promises); kind++) {
        print_message("proof: %-26s %5d cuts, %d acknowledged writes gone, %d ended before\n",
                      promises[kind].name, cuts[kind], lost[kind], missed[kind]);
        all += cuts[kind];
        assert_true(!promises[kind].durable || lost[kind] == 0);
    }
    print_message("proof: %d cuts, %d acknowledged writes looked for\n", all, acknowledged);
    assert_true(one != NULL || all >= (full && !slow ? 1000 : 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_durable_is_lost)};

    return cmocka_run_group_tests_name("power cut", tests, NULL, NULL);
}
