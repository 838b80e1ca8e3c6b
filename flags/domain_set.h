/*
 * domain_set - the domain rules of a flag's document, read, changed and written as a list:
 *
 *     struct domain_list list = {0};
 *     rc = domain_list_read(&list, flag, &source, &err);           // what the flag has
 *     rc = domain_list_serve(&list, serve, &number, &err);          // a SERVE that rules may name
 *     ok = domain_list_add(&list, "Bücher.example", number, 17);    // line 17 of a file
 *     rc = domain_list_settle(&list, duplicate, ctx, &err);         // sorted, each once
 *     rc = domain_list_write(&list, flag, &sink, &err);
 *     domain_list_fini(&list);
 *
 * Up to DOMAIN_INLINE_MAX rules stand in the document as "domains"; more are a "domain_set": shards
 * (flags/domain_shard.h) beside the document, which names them by their hashes. Documents are changed in
 * memory alone: who stores the document stores the shards first.
 *
 * One thread at a time.
 */
#ifndef FLAGS_DOMAIN_SET_H
#define FLAGS_DOMAIN_SET_H

#include "base/arena.h"
#include "base/json.h"
#include "flags/domain_shard.h"

#define DOMAIN_SET_FEATURE "domain-set" /* in the "uses" of a flag that has one */
#define DOMAIN_INLINE_MAX 1000u
#define DOMAIN_SHARD_RULES 8192u /* wanted: one changed rule is sent as one shard */
#define DOMAIN_SHARD_BYTES (512u << 10)
#define DOMAIN_SHARDS_MAX 1024u

/* Where shards come from and go to. */
struct domain_source {
    /* A shard that the caller drops. ERR_NOT_FOUND: there is none of this hash. */
    enum err_code (*get)(void *ctx, const char *hash, struct domain_shard **out, struct err *err);
    void *ctx;
};
struct domain_sink {
    enum err_code (*put)(void *ctx, struct domain_shard *shard, struct err *err);
    void *ctx;
};

struct domain_rule {
    const char *pattern; /* canonical */
    uint32_t line;       /* of the file that it came from; 0: it was in the flag */
    uint16_t serve;
};

struct domain_list {
    struct arena arena;
    struct domain_rule *rules;
    size_t count, room;
    struct {
        const char *text; /* canonical JSON */
        uint32_t rules;   /* counted by settle */
    } * serves;
    size_t serve_count;
};

void domain_list_fini(struct domain_list *list);

/* Appends the flag's rules. */
MUST_USE enum err_code domain_list_read(struct domain_list *list, const struct json *flag,
                                        const struct domain_source *source, struct err *err);
/* The number of a SERVE, which may be new. ERR_LIMIT: too many different ones. */
MUST_USE enum err_code domain_list_serve(struct domain_list *list, const struct json *serve,
                                         uint16_t *number, struct err *err);
/* Appends a rule. ERR_INVALID: text is no domain and no "*.domain". */
MUST_USE enum err_code domain_list_add(struct domain_list *list, const char *text, uint16_t serve,
                                       uint32_t line, struct err *err);

/* Sorts. Of several rules for one domain those of the flag give way to those with a line. Of two with
 * lines the first stays and twice() is told (may be NULL). ERR_LIMIT: too many rules. */
typedef void domain_twice_fn(void *ctx, const struct domain_rule *first,
                             const struct domain_rule *again);
MUST_USE enum err_code domain_list_settle(struct domain_list *list, domain_twice_fn *twice,
                                          void *ctx, struct err *err);
/* Writes a settled list into the flag's document, shards into sink. */
MUST_USE enum err_code domain_list_write(struct domain_list *list, struct json *flag,
                                         const struct domain_sink *sink, struct err *err);

/* ---- one rule ---- */

/* What the domain's own rule in the flag's domain set serves: new, or NULL where it has none. ERR_INVALID: text is
 * no domain. */
MUST_USE enum err_code domain_set_get(const struct json *flag, const char *text,
                                      const struct domain_source *source, struct json **serve,
                                      struct err *err);

/* Gives the domain this SERVE (NULL: takes its rule away) in the flag's document. *was, if given, is what it
 * had before: new, or NULL. ERR_INVALID: text is no domain; ERR_NOT_FOUND: nothing to take away. */
MUST_USE enum err_code domain_set_put(struct json *flag, const char *text, const struct json *serve,
                                      const struct domain_source *source,
                                      const struct domain_sink *sink, struct json **was,
                                      struct err *err);

/* ---- all of it ---- */

/* How many rules a flag's document has, either way. */
size_t domain_rules_count(const struct json *flag);
/* Whether the document's "domain_set" is what its shards say: each is there, each rule lies in the right
 * one, the numbers of rules are right. */
MUST_USE enum err_code domain_set_check(const struct json *flag, const struct domain_source *source,
                                        struct err *err);

/* The canonical form of "acme.com" or "*.acme.com" into out; 0: it is no domain. */
#define DOMAIN_PATTERN_BYTES 256
size_t domain_pattern_canonical(const char *text, char out[DOMAIN_PATTERN_BYTES]);
/* In which of so many shards a canonical pattern lies. */
uint32_t domain_pattern_number(const char *pattern, uint32_t shards);
/* Makes a shard of text, gives it to sink and appends its hash to shards. */
MUST_USE enum err_code domain_shard_give(const struct buf *text, struct json *shards,
                                         const struct domain_sink *sink, struct err *err);

#endif
