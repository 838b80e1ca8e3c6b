/*
 * ruleset - the immutable compiled form of one environment's flags, built from its document
 * (docs/ruleset.md), and the cell that holds the current one.
 *
 *     struct ruleset *rules;
 *     rc = ruleset_build(document, &rules, &err);
 *     ruleset_cell_swap(&cell, rules);                 // the cell owns it now
 *
 *     const struct ruleset *now = ruleset_cell_enter(&cell, &ticket);   // any thread, no lock
 *     ... evaluate (flags/evaluate.h) ...
 *     ruleset_cell_leave(&cell, &ticket);
 *
 * Server and SDK build and evaluate with this same code. A ruleset never changes: any number of
 * threads read it. Unknown members of the document are ignored; a flag that uses what this code
 * does not know (a serve, an operator, a condition that does not compile) is kept as unusable with
 * its reason: it answers ERROR, the others work.
 */
#ifndef FLAGS_RULESET_H
#define FLAGS_RULESET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

#define RULESET_FORMAT 1 /* "format" of the document; a larger one is refused */

struct ruleset;
struct flag; /* one flag of a ruleset; lives as long as it */

enum flag_type { FLAG_BOOLEAN, FLAG_STRING, FLAG_NUMBER, FLAG_OBJECT };
const char *flag_type_name(enum flag_type type);

/* Builds from a parsed ruleset document. ERR_INVALID when the document as a whole is not one (a
 * wrong format, no flags member, two flags of one key). Nothing stays borrowed from document. */
MUST_USE enum err_code ruleset_build(const struct json *document, struct ruleset **out,
                                     struct err *err);
/* The same where flags have domain sets (flags/domain_shard.h): their shards must be in pool, and are kept
 * by the ruleset, shared with any other that names them. A flag with one that is not there is unusable. */
struct domain_pool;
MUST_USE enum err_code ruleset_build_with(const struct json *document,
                                          const struct domain_pool *pool, struct ruleset **out,
                                          struct err *err);
void ruleset_free(struct ruleset *rules); /* NULL allowed */

uint64_t ruleset_epoch(const struct ruleset *rules);
uint64_t ruleset_revision(const struct ruleset *rules);
const char *ruleset_environment(const struct ruleset *rules);

const struct flag *ruleset_find(const struct ruleset *rules, const char *key); /* NULL if none */
size_t ruleset_count(const struct ruleset *rules);
const struct flag *ruleset_at(const struct ruleset *rules, size_t index); /* sorted by key */

const char *flag_key(const struct flag *flag);
enum flag_type flag_type(const struct flag *flag);
bool flag_reads_now(const struct flag *flag);       /* an answer may change by time alone */
const char *flag_unusable(const struct flag *flag); /* why it cannot be evaluated, or NULL */

/* ---- which flags are asked for? ---- */

/* Marks a flag of this ruleset, and those that it needs, as asked for, which is the only thing of a ruleset that ever changes. Any
 * thread, no lock. Evaluating does not mark: whoever does it for a client says so. */
void ruleset_note_use(const struct ruleset *rules, const struct flag *flag);
bool ruleset_was_used(const struct ruleset *rules, size_t index);
void ruleset_forget_use(const struct ruleset *rules, size_t index);
/* Marks in `to` what is marked in `from` (NULL allowed), by key. */
void ruleset_carry_use(const struct ruleset *from, const struct ruleset *to);

/* ---- one flag's document, before it is stored ---- */

/* Checks a flag document for people: every mistake that ruleset_build() would turn into an unusable
 * flag is ERR_INVALID (ERR_LIMIT: too many or too large) here, saying member, cause and what would be
 * right; conditions with line and column. */
MUST_USE enum err_code flag_check(const struct json *flag, struct err *err);

/* Fills in what a new flag may leave out: variants of a boolean, off_variant, fallthrough, salts
 * (random), state "off". Changes flag. */
MUST_USE enum err_code flag_complete(struct json *flag, struct err *err);

/* The member of the flag's "domains" that is for the same domain as text, however each is spelt
 * ("BÜCHER.example.", "xn--bcher-kva.example"). Lent; NULL if there is none. */
const char *flag_find_domain(const struct json *flag, const char *text);

/* ---- what can a flag answer? (coupling) ---- */

/* Calls seen(variant) for every variant that some context could get from this flag document as it
 * stands, with the member that gives it: "off_variant" (the flag is off), "individual user-1",
 * "domain acme.com", "rule 2 (staff)", "fallthrough"; a ramp adds " at 25 %", a way that is taken on
 * an error or without a bucket key says so in brackets. Never misses one; may name one that no real
 * context reaches, and may name one twice. The texts are lent for the call. ERR_INVALID: the flag is
 * unusable, so that only a client's own fallback answers; nothing was reported then. */
typedef void flag_outcome_fn(void *ctx, const char *variant, const char *where);
MUST_USE enum err_code flag_outcomes(const struct json *flag, flag_outcome_fn *seen, void *ctx,
                                     struct err *err);

/* The first outcome that is none of allowed[0..count). ERR_OK and *outside: variant and where say
 * which ("" if there is none). Either text may be NULL; they are cut to their size. */
MUST_USE enum err_code flag_outside(const struct json *flag, const char *const *allowed,
                                    size_t count, bool *outside, char *variant, size_t variant_size,
                                    char *where, size_t where_size, struct err *err);

/* ---- the current ruleset ---- */

struct ruleset_cell; /* opaque: atomic pointer and reader tickets */
struct ruleset_ticket {
    void *cell_private[2];
};

struct ruleset_cell *ruleset_cell_new(void);
void ruleset_cell_free(struct ruleset_cell *cell); /* no reader inside any more */
/* The current ruleset or NULL if none yet. No lock, no allocation; it stays alive until leave. */
const struct ruleset *ruleset_cell_enter(struct ruleset_cell *cell, struct ruleset_ticket *ticket);
void ruleset_cell_leave(struct ruleset_cell *cell, struct ruleset_ticket *ticket);
/* Makes rules current and frees the one before as soon as no reader is inside it (may wait for
 * readers; one writer at a time). */
void ruleset_cell_swap(struct ruleset_cell *cell, struct ruleset *rules);

#endif
