/*
 * route - a case folder of tests/migrator/cases, walked leg by leg, with something going wrong on
 * each leg and a writer at work; and what must be so afterwards.
 *
 *     route_open(&route, "split_email", true);
 *     for each leg: route_try() as often as wanted, then route_advance()
 *     route_close(&route);
 *
 * Every try begins with the same database: a copy from before the leg. What must be so is known
 * from a model: the same copy with the acknowledged writes and the same moves, and nothing wrong.
 */
#ifndef TESTS_WALK_ROUTE_H
#define TESTS_WALK_ROUTE_H

#include "base/err.h"
#include "migrator/folder/state.h"
#include "tests/walk/disk.h"
#include "tests/walk/writer.h"

struct leg {
    const char *from, *to;
    bool back;
    char writes;           /* code of the (o)ld shape, the (n)ew one, (b)oth; '-': nobody */
    const char *replay_at; /* the state in which a model bears those writes; NULL: from */
};

struct route {
    char name[80];
    char folder[600]; /* of the case */
    char base[400];   /* all below is in it */
    char disk[500], db[520], stage[520], model[520], image[520], migrations[520];
    char migration[40];
    char *read_old, *read_new;
    struct writer old, new;
    const struct leg *legs; /* ended by .from NULL */
    int leg;                /* the one that is next */
    bool fresh;
    char *untouched[MIG_STATE_COUNT]; /* what a model without writes looks like at the leg's end */
};

/* rows: how many are added. false: it cannot be walked without somebody's consent. */
bool route_open(struct route *route, const char *name, bool wal, int rows);
/* Two migrations of plain SQL, one with a way back; and a case on a database without rows. */
void route_open_plain(struct route *route, bool wal);
bool route_open_fresh(struct route *route, const char *name, bool wal);
void route_close(struct route *route);
/* The leg that is next, or NULL behind the last. */
const struct leg *route_leg(const struct route *route);
/* Walks it with nothing wrong. false: there is no such way (refused); the next leg that there is
 * is next then. */
bool route_advance(struct route *route);

/* Whether the migration removes anything, so that purge makes a copy before. */
bool route_drops(const struct route *route);

/* The names of case folders that are walked (not those that are refused). free_names() */
char **route_cases(size_t *count);
void route_cases_free(char **names, size_t count);

/* ---- a try ---- */

enum route_writer { WRITER_NONE, WRITER_BESIDE, WRITER_INSIDE }; /* in which process it is */

struct outcome {
    int status;         /* of the process, as waitpid() gives it */
    enum err_code code; /* of the move, if it came to its end */
    char msg[ERR_MSG_BYTES];
    long operations; /* up to its end */
};

struct attempt {
    struct disk_plan plan;
    enum route_writer writer;
    int synchronous;     /* of the writer inside: 1 NORMAL, 2 FULL, 3 EXTRA */
    const char *program; /* the real one, killed after delay_us; the plan is not used */
    long delay_us;
};

/* Puts the copy in its place and makes the leg's move in a process of its own. What was written is
 * in route_log(). */
void route_try(struct route *route, const struct attempt *attempt, struct outcome *out);
struct write_log *route_log(void);
/* Brings what survived a power cut to the database's place. */
void route_take_image(struct route *route);

/* ---- what must be so ---- */

/* The state after it went wrong: one of the leg's two, or the test fails. Lent. */
const char *route_state(struct route *route);
/* Goes on (to the leg's end) or turns round (back to pending; forth to in-sync), and compares all
 * with the model. writes: how many of the log are asked for; *writes < 0: those that were
 * acknowledged but for the last may_lose commits, set to what was found. */
void route_finish(struct route *route, bool turn_round, int *writes, int may_lose);

#endif
