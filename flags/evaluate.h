/*
 * evaluate - what does this flag answer for this context, and why?
 *
 *     struct context ctx;
 *     context_init(&ctx, rules, json_context, now_ms, &err);   // once a request
 *     evaluate_flag(rules, flag, &ctx, &decision);              // any number of flags
 *     context_fini(&ctx);
 *
 * Order: off; prerequisites; layer; individual; domain rule; rules, first match; fall-through (DESIGN.md, flags). Without
 * allocation, lock or system call; safe on any thread, a context by one thread at a time.
 */
#ifndef FLAGS_EVALUATE_H
#define FLAGS_EVALUATE_H

#include "base/arena.h"
#include "condition/condition.h"
#include "flags/ruleset.h"

struct context_key; /* flags/model.h */

/* An evaluation context, prepared for one ruleset: slots filled, domain canonical. */
struct context {
    const struct ruleset *rules;
    struct arena arena;
    struct condition_value root; /* a map: the context's attributes, "domain" and "now" added */
    struct condition_value *slots;
    size_t slot_count;
    struct context_key *keys; /* what flags bucket by, one a path; [0] is targetingKey */
    const char *domain;       /* canonical, or NULL when absent */
    size_t domain_len;
    uint8_t *segments; /* what each segment was found to answer */
    bool domain_unfit; /* context.domain was given and is no domain name, so it is absent */
    int64_t now_ms;
    /* Set by a client: how long ago the server confirmed the ruleset, and whether that was to a process
     * before this one. A tied flag that another has as a prerequisite is answered by it (base/lease.h). */
    int64_t age_us;
    bool from_cache;
    struct condition_input
        in; /* what a rule's condition runs over: the slots, the scratch, the context */
    char scratch[CONDITION_SCRATCH_DEFAULT] __attribute__((aligned(16)));
};

/* Prepares from a JSON object (NULL: an empty context). domain = context.domain (null and "" count as
 * absent, and what is no domain name is absent), else what follows the last '@' of context.email if
 * that is a domain, else absent.
 * ERR_INVALID: not an object, over LIMIT_CONTEXT_BYTES large or CONDITION_JSON_DEPTH_MAX deep, a
 * key twice. On failure nothing is kept. attributes may be freed
 * afterwards; a context is good for rules alone, must not outlive it, and stays where it is. */
MUST_USE enum err_code context_init(struct context *ctx, const struct ruleset *rules,
                                    const struct json *attributes, int64_t now_ms, struct err *err);
void context_fini(struct context *ctx);

/* OpenFeature's reasons and error codes, by name in flag_reason_name() and flag_error_name(). */
enum flag_reason {
    FLAG_STATIC,  /* the fall-through of a flag without any targeting */
    FLAG_DEFAULT, /* the fall-through after rules that did not match */
    FLAG_TARGETING_MATCH,
    FLAG_SPLIT, /* by bucket: a ramp or a split */
    FLAG_DISABLED,
    FLAG_STALE, /* the SDK, past a lease */
    FLAG_ERROR
};
enum flag_error {
    FLAG_NO_ERROR,
    FLAG_NOT_FOUND,
    FLAG_TARGETING_KEY_MISSING,
    FLAG_INVALID_CONTEXT,
    FLAG_PARSE_ERROR,
    FLAG_TYPE_MISMATCH,
    FLAG_NOT_READY,
    FLAG_GENERAL
};
const char *flag_reason_name(enum flag_reason reason);
const char *flag_error_name(enum flag_error error);

/* A variant's value, made when the ruleset is built. */
struct flag_value {
    const char *json; /* one line */
    size_t json_len;
    const char *text; /* of a string flag: the string itself; else NULL */
    size_t text_len;
    double number; /* of a number flag */
    bool truth;    /* of a boolean flag */
};

/* Everything is lent by the ruleset, but message, which is the decision's own. A rule whose key
 * for bucketing was missing is passed over: then error is FLAG_TARGETING_KEY_MISSING although
 * reason says which later step answered. Only reason FLAG_ERROR is a failure. */
struct decision {
    const char *variant;            /* name; NULL if there is none to give */
    const char *value_json;         /* the variant's value as canonical JSON; NULL likewise */
    const struct flag_value *value; /* the same, decoded */
    enum flag_reason reason;
    enum flag_error error; /* with FLAG_ERROR (or a key that was missed on the way) */
    const char *where;     /* "off", "prerequisite", "layer", "individual", "domain", "rule",
                              "fallthrough" */
    const char *rule;      /* the other flag's key, the layer, the domain pattern, the rule's name,
                              or NULL */
    int rule_index;        /* rules: from 0; else -1 */
    int32_t
        bucket; /* the ramp's (else the split's; where the layer decided, its own), 0..99,999; -1 if none was asked */
    char message[200]; /* for FLAG_ERROR; else "" */
};

void evaluate_flag(const struct ruleset *rules, const struct flag *flag, struct context *ctx,
                   struct decision *out);

/* The same decision with every step as a JSON document, for "why is this off for acme.com?":
 * {"variant","value","reason","steps":[{"step":"rule 1 (staff)","matched":false,
 *  "condition":[{"text","value","depth"}...]}]}. NULL when out of memory; the caller frees it. */
struct json *evaluate_explain(const struct ruleset *rules, const struct flag *flag,
                              struct context *ctx);

/* The value to fall back on when the flag's path must be safe (a tied flag past its lease): the tie's
 * safe variant, reason STALE. false if flag is not tied. */
bool evaluate_safe(const struct flag *flag, struct decision *out);
/* Seconds of the tie's lease, 0 if the flag is not tied. */
unsigned flag_lease_s(const struct flag *flag);

#endif
