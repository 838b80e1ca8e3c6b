/*
 * model - the compiled form of a flag, shared by the files of this room alone. Everything that is
 * pointed to lives in the arena of the ruleset (or of the check) that parsed it, the compiled
 * conditions in their environment; nothing here changes once it is built.
 */
#ifndef FLAGS_MODEL_H
#define FLAGS_MODEL_H

#include "base/arena.h"
#include "condition/bucket.h"
#include "condition/condition.h"
#include "flags/domain_table.h"
#include "flags/evaluate.h"
#include "flags/ruleset.h"
#include "flags/serve.h"

#define LEASE_S_MAX 86400u /* a day: a longer one would make every step back wait for it */
#define INDIVIDUAL_MAX                                                                             \
    100000u              /* pinned subjects of one flag; more is a rule's or a segment's work */
#define KEY_PARTS_MAX 8u /* dots in "bucket_by" */

struct variant {
    const char *name;
    struct flag_value value;
};

struct split_range {
    uint32_t end; /* the first bucket behind it; a range begins where the one before ends */
    uint16_t variant;
};

struct split {
    const struct split_range *ranges;
    uint32_t count;
};

struct rule {
    const char *name;  /* or NULL */
    const char *label; /* "rule 2 (staff)": rules count from 1 for people */
    struct condition *when;
    struct serve serve;
    bool skip_on_error;
};

struct individual {
    const char *key;
    uint32_t len;
    uint16_t variant;
};

struct flag {
    const char *key;
    const char *unusable; /* why, or NULL; then nothing but key and type below is filled */
    enum flag_type type;
    bool on, targeted, reads_now, tied;
    uint16_t variant_count, off_variant, safe_variant;
    unsigned lease_s;
    const struct variant *variants;
    struct bucket_salt salt, split_salt;
    const char *bucket_by;
    size_t key_index;                     /* into the context's keys */
    const struct individual *individuals; /* sorted by bytes */
    size_t individual_count;
    struct domains domains;
    struct rule *rules;
    size_t rule_count;
    struct split *splits;
    uint32_t split_count;
    struct serve fallthrough;
};

/* The attribute paths that flags bucket by, each once; 0 is always "targetingKey". */
struct key_path {
    const char *path;
    const char *parts[KEY_PARTS_MAX];
    size_t lens[KEY_PARTS_MAX];
    size_t count;
};

struct key_paths {
    struct key_path *at; /* malloc'd */
    size_t count, room;
};

struct ruleset {
    struct arena arena;
    struct condition_env *env;
    struct flag *flags; /* sorted by key */
    size_t count;
    uint32_t *slots; /* hash table of index + 1; 0 is empty */
    uint32_t mask;
    uint32_t seed;
    struct key_paths paths;
    uint64_t epoch, revision;
    const char *environment;
};

/* ---- parse.c ---- */

struct parse {
    struct arena *arena;
    struct condition_env *env;
    struct key_paths *paths;
    struct flag *flag;
    struct err *err;
};

/* An environment for the conditions of flags: open, with "now" and "domain" declared. NULL: no
 * memory. */
struct condition_env *flag_condition_env(void);

/* Fills *parse->flag from a document. ERR_INVALID with the member's path and what would be right;
 * ERR_NOMEM. After a failure the flag holds no compiled condition. */
MUST_USE enum err_code flag_parse(struct parse *parse, const struct json *document);
void flag_fini(struct flag *flag); /* frees its conditions */

/* ---- parse_variants.c, parse_rules.c: members of the document ---- */
MUST_USE enum err_code variants_parse(struct parse *parse, const struct json *document);
MUST_USE enum err_code individual_parse(struct parse *parse, const struct json *document);
MUST_USE enum err_code rules_parse(struct parse *parse, const struct json *document);
/* Names of variants and rules: 1 to LIMIT_KEY_BYTES bytes of text without control characters. */
bool name_is_good(const char *name);

/* ---- key_paths.c ---- */

/* The index of path among paths, added if it is new; path is copied into arena. */
MUST_USE enum err_code key_paths_add(struct key_paths *paths, struct arena *arena, const char *path,
                                     size_t *index, struct err *err);
void key_paths_fini(struct key_paths *paths);

/* ---- parse_serve.c ---- */

/* Parses SERVE at member path `at`. in_domain allows {"rules": true}. */
MUST_USE enum err_code serve_parse(struct parse *parse, const struct json *document, const char *at,
                                   bool in_domain, struct serve *out);
/* The index of the variant of that name, or ERR_INVALID naming those that exist. */
MUST_USE enum err_code variant_index(struct parse *parse, const struct json *name, const char *at,
                                     uint16_t *out);
/* ---- parse_domains.c: "domains" as a table ---- */
MUST_USE enum err_code domains_parse(struct parse *parse, const struct json *document);

/* ---- context.c ---- */

/* A key for bucketing: text of the context, at NULL when absent. */
struct context_key {
    const char *at;
    size_t len;
};

/* ---- evaluate.c ---- */

/* Runs one rule's condition: CONDITION_OK and *matched, or the error (diag may be NULL). */
enum condition_status rule_run(const struct rule *rule, struct context *ctx, bool *matched,
                               struct condition_diag *diag);
const struct individual *individual_find(const struct flag *flag, const struct context_key *key);

/* ---- parse.c: messages ---- */

/* "a number", or "missing". */
const char *kind_of(const struct json *json);
enum err_code no_memory(struct err *err);

#endif
