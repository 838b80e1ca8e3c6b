/*
 * The n-th file operation fails, for n = 1, 2, 3 ... until the move succeeds without: an I/O error
 * (of a write, a sync, a removal, a read), a full disk (once, and from then on), half a write. Each
 * failure is said in clear words and the right code, leaves a legal state, and the next run goes on
 * or turns round with nothing missing.
 *
 * CHECK_FULL=1: every case folder, every n. FAULT_CASE=name: that one alone.
 */
#include <errno.h>
#include <sys/wait.h>

#include "tests/migrator/unit.h"

#include "tests/walk/route.h"

struct kind {
    const char *name;
    int error;
    bool for_good, half, reads;
};
static const struct kind fault_kinds[] = {
    {"I/O error", EIO, false, false, false},
    {"I/O error for good", EIO, true, false, false},
    {"disk full", ENOSPC, false, false, false},
    {"disk full for good", ENOSPC, true, false, false},
    {"half a write", ENOSPC, false, true, false},
    {"unreadable", EIO, false, false, true},
};
static int refused[COUNT(fault_kinds)], survived[COUNT(fault_kinds)];
static int full_disks, said_full;
static uint64_t luck = 1;

static unsigned chance(unsigned below)
{
    luck = luck * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(luck >> 33) % below;
}

static void check_said(const struct route *r, const struct kind *kind, long n,
                       const struct outcome *out)
{
    static const char *const clear[] = {"I/O error",         "no room left",   "damaged",
                                        "cannot be written", "permission",     "unable to open",
                                        "could not",         "cannot be read", "locked",
                                        "no SQLite database"};
    bool is_clear = false;

    for (size_t i = 0; i < COUNT(clear); i++) {
        is_clear = is_clear || strstr(out->msg, clear[i]) != NULL;
    }
    /* A page that cannot be read is a damaged file to SQLite's own check, and so to a gate. */
    if (!is_clear || out->code == ERR_OK ||
        (out->code == ERR_CONFLICT && strstr(out->msg, "damaged") == NULL)) {
        fail_msg("%s, %s to %s, operation %ld, %s: %s: %s", r->name, route_leg(r)->from,
                 route_leg(r)->to, n, kind->name, err_code_name(out->code), out->msg);
    }
    /* Not all: SQLite tries a file that it cannot make again for reading, and forgets why. */
    full_disks += kind->error == ENOSPC;
    said_full += kind->error == ENOSPC && out->code == ERR_FULL;
}

/* false: the move ended before its n-th operation. */
static bool one_fault(struct route *r, size_t k, long n)
{
    const struct kind *kind = &fault_kinds[k];
    struct outcome out;
    int writes = 0;

    route_try(r,
              &(struct attempt){.plan = {.act = DISK_FAIL,
                                         .at = n,
                                         .error = kind->error,
                                         .for_good = kind->for_good,
                                         .half = kind->half,
                                         .reads = kind->reads}},
              &out);
    if (!WIFEXITED(out.status) || WEXITSTATUS(out.status) > 1) {
        fail_msg("%s, operation %ld, %s: status %d", r->name, n, kind->name, out.status);
    }
    if (out.code != ERR_OK) {
        check_said(r, kind, n, &out);
        refused[k]++;
    } else if (strcmp(route_state(r), route_leg(r)->to) != 0) {
        fail_msg("%s, operation %ld, %s: it says that it succeeded, and is %s", r->name, n,
                 kind->name, route_state(r));
    } else {
        survived[k]++;
    }
    route_finish(r, chance(2), &writes, 0);
    return out.operations >= n;
}

static bool is_whole_walk(const struct leg *leg)
{
    return (strcmp(leg->from, "pending") == 0 && strcmp(leg->to, "contracted") == 0) ||
           (strcmp(leg->from, "contracted") == 0 && strcmp(leg->to, "pending") == 0);
}

/* step: of n. */
static void fail_walk(struct route *r, size_t kind, long step)
{
    do {
        struct outcome out;
        long n = step > 1 ? 1 + (long)chance((unsigned)step) : 1;
        if (is_whole_walk(route_leg(r))) {
            continue; /* each of its legs was */
        }
        route_try(r, &(struct attempt){.plan = {.act = DISK_COUNT}}, &out);
        if (out.code == ERR_CONFLICT) {
            continue; /* no such way */
        }
        while (one_fault(r, kind, n)) {
            n += step;
        }
    } while (route_advance(r));
    route_close(r);
}

static void each_failure_is_said_and_nothing_is_half_done(void **state)
{
    bool full = getenv("CHECK_FULL") != NULL, slow = *getenv("SAN") != '\0';
    const char *one = getenv("FAULT_CASE");
    int all = 0;
    struct route route;
    size_t count;
    char **names = route_cases(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool whole = strcmp("split_email", names[i]) == 0;
        if (one != NULL ? strcmp(one, names[i]) != 0
                        : !full && strcmp(names[i], "split_email") != 0) {
            continue;
        }
        for (size_t kind = 0; kind < COUNT(fault_kinds); kind++) {
            long step = slow ? 200 : !full ? 80 : one != NULL || whole ? 1 : 40;
            if (full && one == NULL && (i + kind) % 3 != 0) {
                continue; /* a third of the kinds for each case */
            }
            if (!route_open(&route, names[i], (i + kind) % 2 == 0, 3)) {
                break;
            }
            fail_walk(&route, kind, fault_kinds[kind].reads && step == 1 ? 5 : step);
        }
    }
    for (int wal = 0; wal < 2; wal++) {
        for (size_t kind = 0; kind < COUNT(fault_kinds); kind++) {
            assert_true(route_open_fresh(&route, "split_email", wal != 0));
            fail_walk(&route, kind, full && !slow ? 2 : 300);
            route_open_plain(&route, wal != 0);
            fail_walk(&route, kind, full && !slow ? 2 : 300);
        }
    }
    route_cases_free(names, count);
    for (size_t kind = 0; kind < COUNT(fault_kinds); kind++) {
        print_message("%-20s %5d refused, %d survived\n", fault_kinds[kind].name, refused[kind],
                      survived[kind]);
        all += refused[kind] + survived[kind];
    }
    print_message("%d faults; of %d full disks %d were told as such\n", all, full_disks, said_full);
    assert_true(said_full * 2 > full_disks);
    assert_true(one != NULL || all > (full && !slow ? 1000 : 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_is_said_and_nothing_is_half_done)};

    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
