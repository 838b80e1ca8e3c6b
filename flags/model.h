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
#include "flags/domain_shard.h"
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

struct segment;

struct rule {
    const char *name;  /* or NULL */
    const char *label; /* "rule 2 (staff)": rules count from 1 for people */
    struct condition *when;
    const struct segment *segment; /* of "segment": when asks for it and nothing else; or NULL */
    struct serve serve;
    bool skip_on_error;
};

struct individual {
    const char *key;
    uint32_t len;
    uint16_t variant;
};

/* What another flag has to answer. */
struct prerequisite {
    const char *key;
    const char *const *names; /* of the variants that will do */
    size_t count;
    const struct flag *needs; /* linked: with all of a ruleset's flags there */
    const uint16_t *variants; /* the same as indices of needs */
};

/* The part of a layer's buckets that is this flag's own. */
struct layer_range {
    uint32_t from, to; /* buckets from..to-1 */
};
struct layer_part {
    const char *key; /* NULL: the flag is in no layer */
    struct bucket_salt salt;
    const char *bucket_by;
    size_t key_index;
    const struct layer_range *ranges; /* sorted, none touches another */
    size_t count;
};

struct flag {
    const char *key;
    const char *unusable; /* why, or NULL; then nothing but key and type below is filled */
    enum flag_type type;
    bool on, targeted, reads_now, tied;
    bool before_rules; /* there are prerequisites, a layer, individuals or domain rules */
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
    struct prerequisite *prerequisites;
    size_t prerequisite_count;
    struct layer_part layer;
    struct domain_shard **shards; /* of a domain set; the flag keeps them */
    uint32_t shard_count;
};

/* A named set of subjects: those of the keys, those of the domains, and whom `when` matches. */
struct segment {
    const char *key;
    const char *unusable; /* why, or NULL */
    const struct individual *keys;
    size_t key_count;
    struct domains domains;
    struct condition *when; /* or NULL */
    bool reads_now;
    unsigned depth;       /* 1, and one more than the deepest that it asks */
    const uint16_t *asks; /* indices of segments that `when` names */
    size_t ask_count;
};

struct segments {
    struct segment *at; /* sorted by key */
    size_t count;
    bool *asked; /* of at: named by the condition that was compiled last; any: one was */
    bool any_asked;
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
    struct segments segments;
    uint64_t epoch, revision;
    const char *environment;
    bool evaluates;                 /* as in struct parse, */
    const struct domain_pool *pool; /* while it is built */
    _Atomic(unsigned char) *used; /* a mark for each flag, in their order; see ruleset_note_use() */
};

/* ---- parse.c ---- */

struct parse {
    struct arena *arena;
    struct condition_env *env;
    struct key_paths *paths;
    struct segments *segments;
    struct flag *flag; /* NULL while segments are parsed */
    struct err *err;
    bool evaluates; /* what is parsed will be evaluated: domain sets must be there, */
    const struct domain_pool *pool; /* in it (NULL: none is) */
};

/* An environment for the conditions of flags: open, with "now" and "domain" declared, asking for
 * segments by these functions. NULL: no memory. */
struct condition_env *flag_condition_env(condition_segment_known *known, void *known_ctx,
                                         condition_segment_fn *ask);

bool key_is_good(const char *key); /* of flags, segments and layers */

/* Fills *parse->flag from a document. ERR_INVALID with the member's path and what would be right;
 * ERR_NOMEM. After a failure the flag holds no compiled condition. */
MUST_USE enum err_code flag_parse(struct parse *parse, const struct json *document);
void flag_fini(struct flag *flag); /* frees its conditions */

/* Reads member "salt" or the like. */
MUST_USE enum err_code salt_parse(struct parse *parse, const struct json *document,
                                  const char *member, struct bucket_salt *out);
/* Reads "bucket_by" into a path of the ruleset's. */
MUST_USE enum err_code bucket_by_parse(struct parse *parse, const struct json *document,
                                       const char **path, size_t *index);
/* "uses": features that the document depends on; each must be one that is known here. */
MUST_USE enum err_code uses_parse(struct parse *parse, const struct json *document);

/* ---- parse_variants.c, parse_rules.c: members of the document ---- */
/* Compiles the condition of a rule or a segment, found at member path at. */
MUST_USE enum err_code when_parse(struct parse *parse, const struct json *when, const char *at,
                                  struct condition **out, bool *reads_now);
/* Sorts subjects; false: *twice is there twice. */
bool individuals_sort(struct individual *all, size_t count, const char **twice);
MUST_USE enum err_code variants_parse(struct parse *parse, const struct json *document);
MUST_USE enum err_code individual_parse(struct parse *parse, const struct json *document);
MUST_USE enum err_code rules_parse(struct parse *parse, const struct json *document);
/* Names of variants and rules: 1 to LIMIT_KEY_BYTES bytes of text without control characters. */
bool name_is_good(const char *name);

/* ---- ruleset.c ---- */

/* ruleset_build() without prerequisites_link() and without domain sets, for whoever has one more flag to
 * link and evaluates none. */
MUST_USE enum err_code ruleset_build_unlinked(const struct json *document, struct ruleset **out,
                                              struct err *err);

/* ---- parse_prerequisites.c ---- */
MUST_USE enum err_code prerequisites_parse(struct parse *parse, const struct json *document);
/* Finds the flags that flags ask for: those of rules, and extra (NULL, or one that is parsed but not
 * among them). A flag that asks in a circle, or for what is not there or cannot be used, becomes
 * unusable. */
MUST_USE enum err_code prerequisites_link(struct ruleset *rules, struct flag *extra,
                                          struct err *err);
/* "a -> b -> a", from the last place of its first name on. NULL: no memory. */
char *cycle_print(struct arena *arena, const char *const *path, size_t count, const char *again);

/* ---- parse_layer.c ---- */
MUST_USE enum err_code layer_part_parse(struct parse *parse, const struct json *document);
/* Whether the subject of this key is the flag's. */
bool layer_part_has(const struct layer_part *part, const struct context_key *key, int32_t *bucket);

/* ---- parse_split.c ---- */
/* [from, to] in percent, as buckets. */
MUST_USE enum err_code range_parse(struct parse *parse, const struct json *pair, const char *at,
                                   uint32_t *from, uint32_t *to);
MUST_USE enum err_code split_parse(struct parse *parse, const struct json *object, const char *at,
                                   uint32_t *out);
MUST_USE enum err_code no_variant(struct parse *parse, const char *text, const char *kind,
                                  const char *at);
bool variant_named(const struct flag *flag, const char *name, uint16_t *out);

/* ---- segment.c ---- */

/* Fills rules->segments from the array (NULL: none). What cannot be used is kept with its reason. */
MUST_USE enum err_code segments_parse(struct ruleset *rules, const struct json *array,
                                      struct err *err);
void segments_fini(struct segments *segments); /* their conditions */
/* For condition_env_set_segments(): known_ctx is a struct segments, host a struct context. */
condition_segment_known segment_known;
condition_segment_fn segment_ask;

enum segment_answer { SEGMENT_UNASKED, SEGMENT_OUT, SEGMENT_IN, SEGMENT_FAILED };
/* Decided at most once a context. */
enum segment_answer segment_decide(const struct segment *segment, struct context *ctx);
const struct segment *segment_find(const struct segments *segments, const char *name, size_t len);

/* ---- key_paths.c ---- */

/* The index of path among paths, added if it is new; path is copied into arena. */
MUST_USE enum err_code key_paths_add(struct key_paths *paths, struct arena *arena, const char *path,
                                     size_t *index, struct err *err);
void key_paths_fini(struct key_paths *paths);

/* ---- parse_serve.c ---- */

/* A percentage as thousandths, exactly: 12.345 -> 12345. */
MUST_USE enum err_code percent_parse(struct parse *parse, const struct json *json, const char *at,
                                     uint32_t *out);

/* Parses SERVE at member path `at`. in_domain allows {"rules": true}. */
MUST_USE enum err_code serve_parse(struct parse *parse, const struct json *document, const char *at,
                                   bool in_domain, struct serve *out);
/* The index of the variant of that name, or ERR_INVALID naming those that exist. */
MUST_USE enum err_code variant_index(struct parse *parse, const struct json *name, const char *at,
                                     uint16_t *out);
/* ---- parse_domains.c: "domains" as a table ---- */

/* The canonical name of "acme.com" or "*.acme.com" (wild); 0: it is no domain. */
#define DOMAIN_NAME_BYTES 256 /* DOMAIN_BYTES_MAX and NUL */
size_t domain_pattern(const char *text, bool *wild, char name[DOMAIN_NAME_BYTES]);
/* One table as all tables of a flag or a segment; {0} if it is empty. */
MUST_USE enum err_code domains_of_table(struct parse *parse, const struct domain_table *table,
                                        const struct serve *serves, uint32_t serve_count,
                                        struct domains *out);
MUST_USE enum err_code domains_parse(struct parse *parse, const struct json *document);
/* ---- parse_domain_set.c: "domain_set", many of them ---- */
MUST_USE enum err_code domain_set_parse(struct parse *parse, const struct json *document);
void domain_set_fini(struct flag *flag);

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
const struct individual *individual_find(const struct individual *all, size_t count,
                                         const struct context_key *key);
/* The first prerequisite that is not met, or NULL; *found (may be NULL) is what it answers. */
const struct prerequisite *prerequisite_unmet(const struct ruleset *rules, const struct flag *flag,
                                              struct context *ctx, struct decision *found);

/* ---- parse.c: messages ---- */

/* "a number", or "missing". */
const char *kind_of(const struct json *json);
enum err_code no_memory(struct err *err);

#endif
