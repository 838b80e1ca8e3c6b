#include "tests/walk/fault_walk.h"

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
#define KINDS_OF_WRITES (COUNT(fault_kinds) - 1) /* the last is of reads */
static int full_disks, said_full, legs;
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

/* Whether the next leg is to be walked with faults: it exists, and its parts were not walked. */
static bool is_own_leg(struct route *r)
{
    struct outcome out;

    if (is_whole_walk(route_leg(r))) {
        return false;
    }
    route_try(r, &(struct attempt){.plan = {.act = DISK_COUNT}}, &out);
    return out.code != ERR_CONFLICT;
}

#define EVERY_KIND COUNT(fault_kinds)

/* Each step-th operation fails. EVERY_KIND: in the way that is next, but for reads, which are
 * counted with other operations. */
static void fail_walk(struct route *r, size_t kind, long step)
{
    size_t turn = chance(KINDS_OF_WRITES);

    do {
        long n = step > 1 ? 1 + (long)chance((unsigned)step) : 1;
        if (!is_own_leg(r)) {
            continue;
        }
        legs++;
        while (one_fault(r, kind == EVERY_KIND ? turn++ % KINDS_OF_WRITES : kind, n)) {
            n += step;
        }
    } while (route_advance(r));
    route_close(r);
}

/* How densely; 0: not at all. */
struct density {
    long turns; /* each step-th operation, in one way after another */
    long each;  /* each step-th operation in every way */
    long reads; /* each step-th, reads among them, cannot be read */
};

static void fail_case(const char *name, size_t at, const struct density *density)
{
    struct route r;

    for (size_t kind = 0; kind < COUNT(fault_kinds) && density->each > 0; kind++) {
        if (route_open(&r, name, (at + kind) % 2 == 0, 3)) {
            fail_walk(&r, kind, density->each * (fault_kinds[kind].reads ? 5 : 1));
        }
    }
    if (density->turns > 0 && route_open(&r, name, at % 2 == 0, 3)) {
        fail_walk(&r, EVERY_KIND, density->turns);
    }
    if (density->reads > 0 && route_open(&r, name, at % 2 != 0, 3)) {
        fail_walk(&r, KINDS_OF_WRITES, density->reads);
    }
}

static void fail_others(unsigned part, unsigned parts, long step)
{
    struct route r;

    for (size_t i = 0; i < 2 * COUNT(fault_kinds); i++) {
        if (i % parts == part) {
            assert_true(route_open_fresh(&r, "split_email", i % 4 < 2));
            fail_walk(&r, i / 2, step);
            route_open_plain(&r, i % 4 < 2);
            fail_walk(&r, i / 2, step);
        }
    }
}

static void print_counts(size_t walked)
{
    int all = 0;

    for (size_t kind = 0; kind < COUNT(fault_kinds); kind++) {
        print_message("proof: %-20s %5d refused, %d survived\n", fault_kinds[kind].name,
                      refused[kind], survived[kind]);
        all += refused[kind] + survived[kind];
    }
    print_message(
        "proof: %d faults on %d legs of %zu cases; of %d full disks %d were told as such\n", all,
        legs, walked, full_disks, said_full);
}

void fault_walk_part(unsigned part, unsigned parts)
{
    const char *one = getenv("FAULT_CASE"), *san = getenv("SAN");
    bool full = getenv("CHECK_FULL") != NULL, slow = san != NULL && *san != '\0';
    size_t count, walked = 0;
    char **names = route_cases(&count);
    int all = 0;

    for (size_t i = 0; i < count; i++) {
        bool dense = strcmp("split_email", names[i]) == 0;
        struct density density = {0};
        if (one != NULL ? strcmp(one, names[i]) != 0 || part != 0 : i % parts != part) {
            continue;
        }
        if (one != NULL) {
            density.each = full ? 1 : 80;
        } else if (slow) {
            density.turns = !full && i / parts == 0 ? 30 : full && (i / parts) % 4 == 0 ? 60 : 0;
        } else if (full) {
            density = (struct density){.turns = dense ? 0 : 1, .each = dense, .reads = 25};
        } else { /* a slice of every route would take a minute: of three, and of all ways here */
            density.each = dense ? 80 : 0;
            density.turns = !dense && (i / parts) % 12 == 0 ? 40 : 0;
        }
        walked += density.each + density.turns > 0;
        fail_case(names[i], i, &density);
    }
    route_cases_free(names, count);
    if (one == NULL) {
        fail_others(part, parts, full && !slow ? 1 : 300);
    }
    print_counts(walked);
    for (size_t kind = 0; kind < COUNT(fault_kinds); kind++) {
        all += refused[kind] + survived[kind];
    }
    assert_true(said_full * 2 >= full_disks);
    assert_true(one != NULL || all > (full && !slow ? 10000 : 30));
}
