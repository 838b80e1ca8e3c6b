/*
 * eval - what a run is made of: the frame that every built-in function gets, faults, scratch.
 *
 * A built-in reads args[0..count), writes its result to args[0] and returns FAULT_NONE, or returns
 * a fault. It never allocates: what it must build goes to the scratch. Arguments may be of any
 * kind: the checker is gradual, so each built-in looks for itself and answers FAULT_NO_OVERLOAD.
 * As many arguments as no overload has never reach it (generate.c).
 */
#ifndef CONDITION_EVAL_H
#define CONDITION_EVAL_H

#include "condition/condition.h"
#include "condition/pool.h"

/* name, message. Those from FAULT_STEPS on are limits: no && or || absorbs them. */
#define CEL_FAULTS(X)                                                                              \
    X(FAULT_NONE, "")                                                                              \
    X(FAULT_NO_OVERLOAD, "no such overload") /* detail.kinds */                                    \
    X(FAULT_ABSENT, "is absent")             /* detail.slot */                                     \
    X(FAULT_KEY, "no such key")              /* detail.text */                                     \
    X(FAULT_INDEX, "index out of range")     /* detail.number */                                   \
    X(FAULT_OVERFLOW, "the result does not fit into 64 bits")                                      \
    X(FAULT_DIVIDE, "division by zero")                                                            \
    X(FAULT_MODULUS, "modulus by zero")                                                            \
    X(FAULT_TIME_RANGE, "the result is no timestamp (years 1 to 9999) or duration (292 years)")    \
    X(FAULT_TEXT, "") /* detail.text: the whole message */                                         \
    X(FAULT_STEPS, "this evaluation takes too many steps")                                         \
    X(FAULT_SCRATCH, "the results of this evaluation do not fit into its scratch memory")          \
    X(FAULT_PATTERN, "matching this regular expression takes too many steps")                      \
    X(FAULT_SUBJECT, "matches() takes texts of at most 4096 bytes")

enum cel_fault {
#define X(name, text) name,
    CEL_FAULTS(X)
#undef X
};

/* 8 bytes, so that a waiting error fits into a stack value. */
union cel_detail {
    uint8_t kinds[8]; /* of the arguments; 0 ends them; 0x80 | sub for opaque types */
    int64_t number;
    uint64_t slot;
    const char *text; /* detail_len bytes */
};

#define CEL_FAULT_TEXT 160u
#define CEL_FAULT_TEXTS 4u

struct cel_frame {
    char *scratch, *scratch_end;
    int64_t steps; /* left */
    const struct condition *program;
    void *host;
    const struct condition_value *slots;
    bool wants_text;   /* somebody reads the message */
    bool may_allocate; /* folding, or dynamic patterns were allowed */
    union cel_detail detail;
    uint16_t detail_len;
    uint8_t text_turn;
    char texts[CEL_FAULT_TEXTS][CEL_FAULT_TEXT]; /* of errors that wait, and of a new one */
};

typedef enum cel_fault cel_builtin(struct cel_frame *f, struct condition_value *args,
                                   uint32_t count);

/* Takes 16-byte aligned scratch; NULL: return FAULT_SCRATCH. */
void *cel_scratch(struct cel_frame *f, size_t bytes);
/* Takes work's tenth from the budget; false: return FAULT_STEPS. */
static inline bool cel_charge(struct cel_frame *f, size_t bytes)
{
    f->steps -= (int64_t)(bytes / 10);
    return f->steps >= 0;
}

/* Each sets the detail and returns the fault. */
enum cel_fault cel_fault_overload(struct cel_frame *f, const struct condition_value *args,
                                  uint32_t count);
enum cel_fault cel_fault_text(struct cel_frame *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum cel_fault cel_fault_key(struct cel_frame *f, const struct condition_value *key);

/* A name for messages: "int", "google.protobuf.Timestamp", "net.IP". */
const char *cel_detail_kind(uint8_t kind);
uint8_t cel_detail_kind_of(const struct condition_value *v);

/* Fills diag from a fault of program at pc. */
void cel_fault_report(const struct condition *program, enum cel_fault fault, uint32_t pc,
                      union cel_detail detail, uint16_t detail_len, struct condition_diag *diag);

/* The loop itself (eval.c). */
struct cel_note;
enum cel_fault cel_execute(struct cel_frame *f, struct condition_value *out, uint32_t *failed_at,
                           struct cel_note *notes);

/* ---- for built-ins ---- */

/* Makes a list or string of scratch; FAULT_SCRATCH if it does not fit. */
enum cel_fault cel_make_string(struct cel_frame *f, const char *at, size_t len,
                               struct condition_value *out);
enum cel_fault cel_make_optional(struct cel_frame *f, const struct condition_value *of,
                                 struct condition_value *out);
static inline struct condition_value cel_none(void)
{
    struct condition_value v = {CONDITION_OPTIONAL, 0, 0, 0, {0}};
    v.as.items = NULL;
    return v;
}

/* clang-format off */
#define CEL_BUILTINS(X) \
    X(size) X(contains) X(starts_with) X(ends_with) X(matches) X(to_bool) X(to_int) \
    X(to_uint) X(to_double) X(to_string) X(to_bytes) X(to_timestamp) X(to_duration) X(type) \
    X(dyn) X(get_full_year) X(get_month) X(get_date) X(get_day_of_month) X(get_day_of_week) \
    X(get_day_of_year) X(get_hours) X(get_minutes) X(get_seconds) X(get_milliseconds) \
    X(optional_of) X(optional_of_non_zero) X(optional_none) X(optional_has_value) \
    X(optional_value) X(optional_or) X(optional_or_value) X(char_at) X(index_of) \
    X(last_index_of) X(lower_ascii) X(upper_ascii) X(replace) X(split) X(join) X(substring) \
    X(trim) X(reverse) X(quote) X(format) X(greatest) X(least) X(ceil) X(floor) X(round) \
    X(trunc) X(abs) X(sign) X(is_nan) X(is_inf) X(is_finite) X(bit_and) X(bit_or) X(bit_xor) \
    X(bit_not) X(shift_left) X(shift_right) X(sqrt) X(base64_encode) X(base64_decode) X(ip) \
    X(is_ip) X(ip_is_canonical) X(family) X(is_unspecified) X(is_loopback) \
    X(is_global_unicast) X(is_link_local_multicast) X(is_link_local_unicast) X(cidr) \
    X(is_cidr) X(contains_ip) X(contains_cidr) X(masked) X(prefix_length) X(semver) \
    X(is_semver) X(is_less_than) X(is_greater_than) X(compare_to) X(major) X(minor) X(patch) \
    X(domain) X(domain_constant) X(under) X(matches_domain) X(bucket) X(segment) X(no_overload)
/* clang-format on */

#define X(name) cel_builtin cel_fn_##name;
CEL_BUILTINS(X)
#undef X

#endif
