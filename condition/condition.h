/*
 * condition - CEL (Common Expression Language) for C: compile once, evaluate many times.
 *
 *     struct condition_env *env = condition_env_new();
 *     condition_env_declare(env, "version", CONDITION_INT);
 *     condition_env_set_open(env, true);              // any other name is a dynamic attribute
 *
 *     struct condition *cond;
 *     struct condition_diag diag;
 *     if (condition_compile(env, text, strlen(text), &cond, &diag) == CONDITION_OK) {
 *         // condition_env_slot_count(env) attribute paths are read by all programs of this env;
 *         // fill one value a path, once a request, then run any number of programs over them
 *         struct condition_input in = {.slots = slots, .slot_count = n, ...};
 *         condition_run(cond, &in, &value, &diag);
 *         condition_free(cond);
 *     }
 *     condition_env_free(env);
 *
 * This header stands alone: it needs libcondition.a and the C library's headers, nothing else.
 *
 * Threads: an env is changed by declare, function and compile, from one thread at a time. A
 * compiled condition never changes: any number of threads may run it at once, each with its own
 * input and scratch. condition_run() calls no malloc, takes no lock and makes no system call
 * (except inside functions that the host registered), and always ends: CONDITION_STEPS_MAX bounds
 * its work.
 *
 * Language: github.com/google/cel-spec doc/langdef.md, without protobuf messages.
 * This module knows nothing of flags, migrations, HTTP or SQLite. Keep it so.
 */
#ifndef CONDITION_H
#define CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CONDITION_MUST_USE __attribute__((warn_unused_result))
#else
#define CONDITION_MUST_USE
#endif

/* ---- outcomes ---- */

enum condition_status {
    CONDITION_OK = 0,
    CONDITION_SYNTAX,    /* compile: the text is not CEL; diag has the place */
    CONDITION_TYPE,      /* compile: no such overload, variable or function; types do not agree */
    CONDITION_EVAL,      /* run: a CEL error (absent attribute, overflow, no overload, ...) */
    CONDITION_EXHAUSTED, /* a limit: steps, scratch, depth, sizes; never absorbed by || or && */
    CONDITION_NOMEM      /* compile only */
};

/* Why, for people. [from, to) are byte offsets into the source; line and column count from 1, the
 * column in code points. msg is one line without the place; hint ("did you mean 'version'?") may
 * be empty. */
struct condition_diag {
    uint32_t from, to;
    uint32_t line, column;
    char msg[200];
    char hint[120];
};

/* Writes "ERROR: <msg>" with the line of source and a caret span under it, as a terminal shows it,
 * into out (always NUL-terminated, cut to out_size). Returns what snprintf would. */
int condition_diag_print(const struct condition_diag *diag, const char *source, size_t source_len,
                         char *out, size_t out_size);

/* ---- values ---- */

enum condition_kind {
    CONDITION_ABSENT = 0, /* in a slot: the attribute is not there. Never a result. */
    CONDITION_NULL,
    CONDITION_BOOL,
    CONDITION_INT,
    CONDITION_UINT,
    CONDITION_DOUBLE,
    CONDITION_STRING,
    CONDITION_BYTES,
    CONDITION_LIST,
    CONDITION_MAP,
    CONDITION_TIMESTAMP, /* seconds since 1970 and nanoseconds 0..999,999,999 */
    CONDITION_DURATION,  /* seconds and nanoseconds of the same sign */
    CONDITION_TYPE_VALUE,
    CONDITION_OPTIONAL, /* as.items is NULL (none) or one value */
    CONDITION_OPAQUE,   /* a product type: ip, cidr, semver; see condition_type_name() */
    CONDITION_DYN       /* in declarations only: decided when it runs */
};

struct condition_entry;

/* 16 bytes, a view: it owns nothing. What it points to belongs to the program (constants), to the
 * host (slots) or to the scratch of the run that made it, and lives as long as that does. */
struct condition_value {
    uint8_t kind;  /* enum condition_kind */
    uint8_t sub;   /* for the engine: which opaque type; host values leave it 0 */
    uint16_t pad;  /* 0 */
    uint32_t size; /* STRING, BYTES: bytes; LIST: items; MAP: entries; TIMESTAMP, DURATION: the
                      nanoseconds as int32_t */
    union {
        bool truth;
        int64_t i; /* INT; seconds of TIMESTAMP and DURATION */
        uint64_t u;
        double d;
        const char *bytes; /* STRING (valid UTF-8, not NUL-terminated) and BYTES */
        const struct condition_value *items;
        const struct condition_entry *entries; /* MAP, in the order given; keys are unique */
        const void *opaque;
    } as;
};

struct condition_entry {
    struct condition_value key, value;
};

/* Plain constructors; text is borrowed. */
static inline struct condition_value condition_bool(bool truth)
{
    struct condition_value v = {CONDITION_BOOL, 0, 0, 0, {0}};
    v.as.truth = truth;
    return v;
}
static inline struct condition_value condition_int(int64_t i)
{
    struct condition_value v = {CONDITION_INT, 0, 0, 0, {0}};
    v.as.i = i;
    return v;
}
static inline struct condition_value condition_double(double d)
{
    struct condition_value v = {CONDITION_DOUBLE, 0, 0, 0, {0}};
    v.as.d = d;
    return v;
}
static inline struct condition_value condition_string(const char *utf8, size_t bytes)
{
    struct condition_value v = {CONDITION_STRING, 0, 0, 0, {0}};
    v.size = (uint32_t)bytes;
    v.as.bytes = utf8 ? utf8 : "";
    return v;
}
static inline struct condition_value condition_timestamp(int64_t seconds, int32_t nanos)
{
    struct condition_value v = {CONDITION_TIMESTAMP, 0, 0, 0, {0}};
    v.size = (uint32_t)nanos;
    v.as.i = seconds;
    return v;
}
static inline struct condition_value condition_duration(int64_t seconds, int32_t nanos)
{
    struct condition_value v = {CONDITION_DURATION, 0, 0, 0, {0}};
    v.size = (uint32_t)nanos;
    v.as.i = seconds;
    return v;
}

/* CEL equality over all kinds, numbers on one line (1 == 1u == 1.0); NaN equals nothing. */
bool condition_equal(const struct condition_value *a, const struct condition_value *b);

/* The CEL name of a value's type ("int", "google.protobuf.Timestamp", "net.IP"); lent. */
const char *condition_type_name(const struct condition_value *v);

/* Writes the value as CEL source ("abc", 3u, [1, 2], timestamp("...")) into out, cut to out_size
 * and always NUL-terminated. Returns what snprintf would. */
size_t condition_value_print(const struct condition_value *v, char *out, size_t out_size);

/* ---- environment: what programs may name ---- */

struct condition_env;

struct condition_env *condition_env_new(void);      /* NULL when out of memory */
void condition_env_free(struct condition_env *env); /* NULL allowed; its programs end with it, so
                                                       free those first */

/* Declares a variable or a dotted attribute path ("flag.stable_for") and its type; CONDITION_DYN
 * leaves the type open. Declaring a name twice with another type is CONDITION_TYPE. */
CONDITION_MUST_USE enum condition_status
condition_env_declare(struct condition_env *env, const char *path, enum condition_kind type);

/* The same with a type as CEL writes it: "list(string)", "map(string, int)",
 * "google.protobuf.Duration". CONDITION_TYPE if type is none. */
CONDITION_MUST_USE enum condition_status
condition_env_declare_type(struct condition_env *env, const char *path, const char *type);

/* Open: a name that was not declared is a dynamic attribute (flags: the evaluation context).
 * Closed (the default): it is a compile error with the nearest declared name as hint. */
void condition_env_set_open(struct condition_env *env, bool open);

/* Allows patterns of matches() that are not constant; such a run may allocate. Default: no. */
void condition_env_set_dynamic_patterns(struct condition_env *env, bool allowed);

/* Checks: false leaves all typing to run time (CEL's "disable_check"). Default: true. */
void condition_env_set_check(struct condition_env *env, bool check);

/* The container for name resolution ("acme.rules"); NULL or "" for none. Copied. */
CONDITION_MUST_USE enum condition_status condition_env_set_container(struct condition_env *env,
                                                                     const char *container);

/* A function of the host. args are count values (the receiver first, if member). Returns false
 * after writing a message into msg; the call is then a CEL error. Runs on evaluating threads, so
 * it must be thread-safe; it should not allocate or block. What *out points to must outlive the
 * run. */
typedef bool condition_function(void *ctx, const struct condition_value *args, size_t count,
                                struct condition_value *out, char *msg, size_t msg_size);

/* Registers name(params) -> result; member makes it a method of its first parameter. */
CONDITION_MUST_USE enum condition_status
condition_env_function(struct condition_env *env, const char *name, bool member,
                       const enum condition_kind *params, size_t param_count,
                       enum condition_kind result, condition_function *fn, void *ctx);

/* The same with types as CEL writes them; a single capital letter is a type parameter, as in
 * "list(A)", "A". fn may be NULL for a function that is only checked: a call is then an error. */
CONDITION_MUST_USE enum condition_status
condition_env_declare_function(struct condition_env *env, const char *name, bool member,
                               const char *const *params, size_t param_count, const char *result,
                               condition_function *fn, void *ctx);

#define CONDITION_ARGUMENTS_MAX 16u /* of a host's function */

/* segment("beta") asks the host at run time whether the subject of this input is in a segment; false
 * (it does not know, or cannot tell) makes the call an error. known() is asked at compile time for
 * constant names, so that a misspelt one is an error, and with NULL for a name that is no constant:
 * false refuses it. known may be NULL. It must not compile anything in the same env. */
typedef bool condition_segment_known(void *ctx, const char *name, size_t len);
typedef bool condition_segment_fn(void *host, const char *name, size_t len, bool *in_segment);
void condition_env_set_segments(struct condition_env *env, condition_segment_known *known,
                                void *known_ctx, condition_segment_fn *fn);

/* ---- programs ---- */

struct condition; /* a compiled program: immutable */

/* Compiles len bytes of source. On CONDITION_OK *out belongs to the caller (condition_free()).
 * On failure *out is untouched and *diag says why and where. source is not kept by reference.
 * Each attribute path that the program reads gets a slot in env. */
CONDITION_MUST_USE enum condition_status condition_compile(struct condition_env *env,
                                                           const char *source, size_t len,
                                                           struct condition **out,
                                                           struct condition_diag *diag);
void condition_free(struct condition *cond); /* NULL allowed */

const char *condition_source(const struct condition *cond); /* lent, NUL-terminated */

/* Writes the program as canonical source into out, cut to out_size and NUL-terminated: one line,
 * even spacing, needed parentheses alone, literals in one form, without comments. Compiled again it
 * gives the same results, and printed again the same text (which may be longer than the source was).
 * Returns what snprintf would; 0 when out of memory: unlike condition_run() this allocates. */
size_t condition_print(const struct condition *cond, char *out, size_t out_size);

/* What the checker found: "bool", "list(int)", "dyn", ...; lent. A host that needs a bool accepts
 * "bool" and "dyn". */
const char *condition_result_type(const struct condition *cond);

/* Whether this program reads the attribute path (or something below or above it), e.g. "now". */
bool condition_reads(const struct condition *cond, const char *path);

/* The slots that this program reads: condition_read_slot(cond, 0 .. count - 1). */
size_t condition_read_count(const struct condition *cond);
size_t condition_read_slot(const struct condition *cond, size_t index);

/* Writes the bytecode for people into out, cut to out_size and NUL-terminated. Returns what
 * snprintf would. */
size_t condition_disassemble(const struct condition *cond, char *out, size_t out_size);

/* ---- slots: attributes, resolved once a request ---- */

/* A slot is an attribute path that some program of env reads, as far as it is plain field
 * selection: in  user.email.endsWith(x) && user.roles[0] == "a" && has(user.plan)  these are
 * user.email, user.roles, user.plan. Slots are numbered from 0 in order of first use and never
 * change. Programs compiled later may add more. Paths are joined with '.', lent; path_parts gives
 * the pieces exactly (back-quoted names may hold dots). */
size_t condition_env_slot_count(const struct condition_env *env);
const char *condition_env_slot_path(const struct condition_env *env, size_t slot);
size_t condition_env_slot_parts(const struct condition_env *env, size_t slot,
                                const char *const **parts);

/* Fills slots[0..slot_count) of env from a CONDITION_MAP with string keys (the root names); what
 * is not found becomes CONDITION_ABSENT. The values stay borrowed from root. */
void condition_slots_fill(const struct condition_env *env, const struct condition_value *root,
                          struct condition_value *slots, size_t slot_count);

/* ---- evaluation ---- */

#define CONDITION_SCRATCH_DEFAULT 4096u /* bytes that results of +, map, filter, format may take */
#define CONDITION_STEPS_MAX 10000u      /* instructions and tenths of bytes, an evaluation */

struct condition_input {
    const struct condition_value *slots;
    size_t slot_count;
    char *scratch; /* 16-byte aligned; NULL: nothing can be built (an error when needed) */
    size_t scratch_bytes;
    void *host; /* handed to condition_segment_fn */
};

/* Runs cond. On CONDITION_OK *out is the result (a view). On CONDITION_EVAL or
 * CONDITION_EXHAUSTED *diag has reason and place, and *out is untouched. diag may be NULL: then
 * no message is made, which is faster where errors are common. */
CONDITION_MUST_USE enum condition_status condition_run(const struct condition *cond,
                                                       const struct condition_input *in,
                                                       struct condition_value *out,
                                                       struct condition_diag *diag);

/* ---- explanation: why did this not match? ---- */

/* Called once a subexpression, in source order, outermost first: its text is source[from, to),
 * depth counts from 0. value is NULL when it was not evaluated or ended in an error; then text
 * says "not evaluated" or the error. Inside a macro the value of the first round counts. */
typedef void condition_explain_fn(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                                  const struct condition_value *value, const char *text);

/* Runs cond as condition_run() does and reports subexpressions. Unlike it, this may allocate, and
 * it compiles once more: not while another thread compiles in the same environment. The result and
 * the values reported live until the next call at most as far as they stand in the scratch, the
 * slots or the callback; copy what is to be kept. */
CONDITION_MUST_USE enum condition_status condition_explain(const struct condition *cond,
                                                           const struct condition_input *in,
                                                           condition_explain_fn *report, void *ctx,
                                                           struct condition_value *out,
                                                           struct condition_diag *diag);

#ifdef __cplusplus
}
#endif

#endif
