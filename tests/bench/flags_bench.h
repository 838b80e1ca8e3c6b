/*
 * flags_bench - what the parts of bench_flags share.
 */
#ifndef TESTS_BENCH_FLAGS_BENCH_H
#define TESTS_BENCH_FLAGS_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "flags/ruleset.h"

/* ' stands for ", and where a text must hold an apostrophe it stands between \" and \". */
struct json *bench_json(const char *text);
/* A boolean flag that is on, with one more member (taken over). */
struct json *bench_flag(const char *key, const char *member, struct json *value);
/* A ruleset of these flags, which it frees. */
struct ruleset *bench_rules(struct json *flags);

double bench_process_ns(void);                      /* processor time of the process, */
double bench_thread_ns(void);                       /* of this thread, */
double bench_wall_ns(void);                         /* and of the clock on the wall */
double bench_median(double *figures, size_t count); /* sorts them */

/* Prints one figure; true if it is at most bar. */
bool bench_tell(const char *what, double is, double bar);
bool bench_tell_at_least(const char *what, double is, double bar);

/* ---- flags_many.c: true if all bars are met ---- */
bool bench_many_flags(void);
bool bench_many_domains(void);

#endif
