/*
 * disk - the file operations of this process, counted, and made to go wrong at the n-th.
 *
 *     disk_begin(&(struct disk_plan){.folder = folder, .act = DISK_KILL, .at = 57});
 *     ... whatever uses SQLite; the 57th operation below folder is its last ...
 *
 * The calls of the C library (open, pwrite, ftruncate, fsync, unlink, the wall clock ...) are
 * defined here anew, so that SQLite's and our own all come by. Counted are those that change
 * something: a creation, a write, a truncation, a sync, a removal; with reads, reading too. Nothing
 * is ever really synced: what a power cut would have kept is known from disk_image.
 *
 * For a process that was forked for it: there is one plan, and no end to it.
 */
#ifndef TESTS_WALK_DISK_H
#define TESTS_WALK_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_act {
    DISK_COUNT, /* nothing goes wrong */
    DISK_KILL,  /* kill -9, before the operation or behind it */
    DISK_STOP,  /* SIGSTOP before the operation; it goes on with SIGCONT */
    DISK_FAIL,  /* the operation fails */
    DISK_CUT,   /* the power goes: what is on the disk is written to image, and the process ends */
};

#define DISK_CUT_EXIT 77 /* the exit code of a process whose power went */

struct disk_plan {
    const char *folder; /* operations on files in it are seen */
    enum disk_act act;
    long at;       /* the n-th, from 1; 0: never */
    bool behind;   /* KILL: when the operation is done */
    int error;     /* FAIL: errno */
    bool for_good; /* FAIL: and all behind it */
    bool half;     /* FAIL: of a write, half is done and told; the next operation has the error */
    bool clocks; /* count looks at the clock alone: those made with no file locked are among them */
    bool reads;  /* count reads too */
    const char *image;     /* CUT: an empty folder */
    uint64_t seed;         /* CUT: what is lost */
    bool lazy_names;       /* CUT: creations and removals that nobody synced may be undone */
    long clock_at;         /* from this operation on ... */
    int64_t clock_shift_s; /* ... the wall clock is off by so much */
};

void disk_begin(const struct disk_plan *plan);
/* Operations up to now. */
long disk_count(void);

#endif
