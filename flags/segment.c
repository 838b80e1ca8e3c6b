/*
 * Segments: named sets of subjects that rules ask for, by keys, by domains, by a condition, which may
 * ask for other segments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/model.h"

/* ---- names ---- */

const struct segment *segment_find(const struct segments *segments, const char *name, size_t len)
{
    size_t low = 0, high = segments->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct segment *at = &segments->at[middle];
        int order = strncmp(at->key, name, len);

        if (order == 0 && at->key[len] != '\0')
            order = 1;
        if (order == 0)
            return at;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* A name that is no constant could not be followed: neither in a circle, nor by who asks "who uses
 * this segment?". */
bool segment_known(void *ctx, const char *name, size_t len)
{
    struct segments *segments = ctx;
    const struct segment *found = name != NULL ? segment_find(segments, name, len) : NULL;

    if (found == NULL)
        return false;
    segments->asked[found - segments->at] = true;
    segments->any_asked = true;
    return true;
}

/* ---- deciding ---- */

/* The condition has scratch of its own: it runs in the middle of another, which is using the
 * context's. How deep this can go is bounded when a segment is built. */
static enum segment_answer run(const struct segment *segment, struct context *ctx)
{
    char scratch[CONDITION_SCRATCH_DEFAULT] __attribute__((aligned(16)));
    struct condition_input in = {ctx->slots, ctx->slot_count, scratch, sizeof scratch, ctx};
    struct condition_value value;

    if (condition_run(segment->when, &in, &value, NULL) != CONDITION_OK ||
        value.kind != CONDITION_BOOL)
        return SEGMENT_FAILED;
    return value.as.truth ? SEGMENT_IN : SEGMENT_OUT;
}

static enum segment_answer decide(const struct segment *segment, struct context *ctx)
{
    if (individual_find(segment->keys, segment->key_count, &ctx->keys[0]) != NULL)
        return SEGMENT_IN;
    if (ctx->domain != NULL && segment->domains.count > 0 &&
        domains_find(&segment->domains, ctx->domain, ctx->domain_len, NULL).entry != NULL)
        return SEGMENT_IN;
    return segment->when != NULL ? run(segment, ctx) : SEGMENT_OUT;
}

enum segment_answer segment_decide(const struct segment *segment, struct context *ctx)
{
    uint8_t *known = &ctx->segments[segment - ctx->rules->segments.at];

    if (*known == SEGMENT_UNASKED)
        *known = (uint8_t)decide(segment, ctx);
    return (enum segment_answer) * known;
}

bool segment_ask(void *host, const char *name, size_t len, bool *in_segment)
{
    struct context *ctx = host;
    const struct segment *segment = segment_find(&ctx->rules->segments, name, len);
    enum segment_answer answer = segment != NULL && segment->unusable == NULL
                                     ? segment_decide(segment, ctx)
                                     : SEGMENT_FAILED;

    *in_segment = answer == SEGMENT_IN;
    return answer != SEGMENT_FAILED;
}

/* ---- parsing ---- */

static enum err_code parse_keys(struct parse *parse, const struct json *array,
                                struct segment *segment)
{
    size_t count = json_count(array), n = 0;
    struct individual *all;
    const char *twice;

    if (array == NULL)
        return ERR_OK;
    if (json_kind(array) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID, "keys: must be an array of targeting keys, not %s",
                       kind_of(array));
    if (count > LIMIT_SEGMENT_KEYS)
        return err_set(parse->err, ERR_LIMIT, "keys: %zu of them; at most %u are allowed", count,
                       LIMIT_SEGMENT_KEYS);
    all = arena_zero(parse->arena, count + 1, sizeof *all);
    if (all == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at), n++) {
        const char *text = json_text(at);

        if (text == NULL || text[0] == '\0')
            return err_set(parse->err, ERR_INVALID, "keys: must hold targeting keys, not %s",
                           text == NULL ? kind_of(at) : "an empty one");
        all[n].len = (uint32_t)strlen(text);
        all[n].key = arena_text(parse->arena, text, all[n].len);
        if (all[n].key == NULL)
            return no_memory(parse->err);
    }
    if (!individuals_sort(all, n, &twice))
        return err_set(parse->err, ERR_INVALID, "keys: '%.80s' stands there twice", twice);
    segment->keys = all;
    segment->key_count = n;
    return ERR_OK;
}

static enum err_code parse_domains(struct parse *parse, const struct json *array,
                                   struct segment *segment)
{
    struct domain_table table = {0};
    struct buf names = {0};
    enum err_code rc;

    if (array == NULL)
        return ERR_OK;
    if (json_kind(array) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID, "domains: must be an array of domains, not %s",
                       kind_of(array));
    if (json_count(array) > LIMIT_SEGMENT_KEYS)
        return err_set(parse->err, ERR_LIMIT, "domains: %zu of them; at most %u are allowed",
                       json_count(array), LIMIT_SEGMENT_KEYS);
    rc = domain_table_init(&table, parse->arena, json_count(array), parse->err);
    for (const struct json *at = json_first(array); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        const char *text = json_text(at);
        char name[DOMAIN_NAME_BYTES];
        bool wild;
        size_t len = text != NULL ? domain_pattern(text, &wild, name) : 0;

        if (len == 0)
            rc = err_set(parse->err, ERR_INVALID,
                         "domains: '%.80s' is no domain; write \"acme.com\" for itself or "
                         "\"*.acme.com\" for its sub-domains",
                         text != NULL ? text : kind_of(at));
        else if (!domain_table_add(&table, &names, name, len, wild, 0))
            rc = err_set(parse->err, ERR_INVALID, "domains: '%s%s' stands there twice",
                         wild ? "*." : "", name);
    }
    if (rc == ERR_OK)
        rc = domain_table_seal(&table, parse->arena, &names, parse->err);
    if (rc == ERR_OK)
        rc = domains_of_table(parse, &table, NULL, 0, &segment->domains);
    buf_fini(&names);
    return rc;
}

static enum err_code take_asked(struct parse *parse, struct segment *segment)
{
    struct segments *all = parse->segments;
    size_t count = 0;
    uint16_t *asks;

    for (size_t i = 0; all->any_asked && i < all->count; i++)
        count += all->asked[i];
    asks = arena_zero(parse->arena, count + 1, sizeof *asks);
    if (asks == NULL)
        return no_memory(parse->err);
    for (size_t i = 0; all->any_asked && i < all->count; i++) {
        if (all->asked[i])
            asks[segment->ask_count++] = (uint16_t)i;
    }
    segment->asks = asks;
    return ERR_OK;
}

static enum err_code parse_body(struct parse *parse, const struct json *document,
                                struct segment *segment)
{
    const struct json *when = json_get(document, "when");
    enum err_code rc = uses_parse(parse, document);

    rc = rc != ERR_OK ? rc : parse_keys(parse, json_get(document, "keys"), segment);
    rc = rc != ERR_OK ? rc : parse_domains(parse, json_get(document, "domains"), segment);
    if (rc == ERR_OK && when != NULL) {
        rc = when_parse(parse, when, "when", &segment->when, &segment->reads_now);
        rc = rc != ERR_OK ? rc : take_asked(parse, segment);
    }
    return rc;
}

/* ---- those that ask others ---- */

struct visits {
    struct ruleset *rules;
    uint8_t *states;   /* 0: not yet; 1: on the way; 2: done */
    const char **path; /* of the keys on the way */
    size_t depth;
    bool failed;
};

static void disable(struct visits *visits, struct segment *segment, const char *why)
{
    visits->failed = visits->failed || why == NULL;
    segment->unusable = why != NULL ? why : "out of memory";
}

static const char circle[] = "when: segments go in a circle: ";

static void visit(struct visits *visits, size_t index)
{
    struct arena *arena = &visits->rules->arena;
    struct segment *all = visits->rules->segments.at, *segment = &all[index];

    if (visits->states[index] != 0)
        return;
    visits->states[index] = 1;
    segment->depth = 1;
    visits->path[visits->depth++] = segment->key;
    for (size_t i = 0; i < segment->ask_count && segment->unusable == NULL; i++) {
        struct segment *asked = &all[segment->asks[i]];

        if (visits->states[segment->asks[i]] == 1) {
            char *cycle = cycle_print(arena, visits->path, visits->depth, asked->key);

            disable(visits, segment,
                    cycle != NULL ? arena_print(arena, "%s%s", circle, cycle) : NULL);
            break;
        }
        visit(visits, segment->asks[i]);
        if (asked->unusable != NULL && strncmp(asked->unusable, circle, sizeof circle - 1) == 0)
            disable(visits, segment, asked->unusable);
        else if (asked->unusable != NULL)
            disable(visits, segment,
                    arena_print(arena, "when: segment '%s' cannot be used: %.300s", asked->key,
                                asked->unusable));
        segment->reads_now = segment->reads_now || asked->reads_now;
        if (segment->depth < asked->depth + 1)
            segment->depth = asked->depth + 1;
    }
    if (segment->unusable == NULL && segment->depth > LIMIT_SEGMENT_DEPTH)
        disable(visits, segment,
                arena_print(arena, "when: more than %u segments, one asking the other",
                            LIMIT_SEGMENT_DEPTH));
    visits->depth--;
    visits->states[index] = 2;
}

static enum err_code link(struct ruleset *rules, struct err *err)
{
    struct visits visits = {.rules = rules};
    size_t count = rules->segments.count;

    visits.states = calloc(count, sizeof *visits.states);
    visits.path = calloc(count, sizeof *visits.path);
    visits.failed = visits.states == NULL || visits.path == NULL;
    for (size_t i = 0; !visits.failed && i < count; i++)
        visit(&visits, i);
    free(visits.states);
    free(visits.path);
    return visits.failed ? no_memory(err) : ERR_OK;
}

/* ---- all of them ---- */

static int compare_documents(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;

    return strcmp(json_get_text(*x, "key", ""), json_get_text(*y, "key", ""));
}

/* Those with a key that can be asked for, by key. */
static enum err_code sort(struct segments *segments, const struct json *array,
                          const struct json **documents, struct arena *arena, struct err *err)
{
    size_t count = 0;

    for (const struct json *at = json_first(array); at != NULL; at = json_next(at)) {
        const char *key = json_text(json_get(at, "key"));

        if (key != NULL && key_is_good(key))
            documents[count++] = at;
    }
    if (count > 0)
        qsort(documents, count, sizeof *documents, compare_documents);
    for (size_t i = 0; i < count; i++) {
        const char *key = json_get_text(documents[i], "key", "");

        if (i > 0 && strcmp(segments->at[i - 1].key, key) == 0)
            return err_set(err, ERR_INVALID, "ruleset: two segments have the key '%s'", key);
        segments->at[i].key = arena_text(arena, key, strlen(key));
        if (segments->at[i].key == NULL)
            return no_memory(err);
        segments->count = i + 1;
    }
    return ERR_OK;
}

static enum err_code parse_all(struct ruleset *rules, const struct json **documents,
                               struct err *err)
{
    struct segments *segments = &rules->segments;

    for (size_t i = 0; i < segments->count; i++) {
        struct err why = {0};
        struct parse parse = {.arena = &rules->arena,
                              .env = rules->env,
                              .paths = &rules->paths,
                              .segments = segments,
                              .err = &why};
        enum err_code rc = parse_body(&parse, documents[i], &segments->at[i]);

        if (rc == ERR_NOMEM)
            return no_memory(err);
        if (rc != ERR_OK) {
            segments->at[i].unusable = arena_text(&rules->arena, why.msg, strlen(why.msg));
            segments->at[i].ask_count = 0;
            if (segments->at[i].unusable == NULL)
                return no_memory(err);
        }
    }
    return link(rules, err);
}

enum err_code segments_parse(struct ruleset *rules, const struct json *array, struct err *err)
{
    struct segments *segments = &rules->segments;
    size_t count = json_count(array);
    const struct json **documents;
    enum err_code rc;

    if (array == NULL || json_kind(array) != JSON_ARRAY || count == 0)
        return ERR_OK; /* what is no array is a later version's, and flags that need it say so */
    if (count > LIMIT_SEGMENTS)
        return err_set(err, ERR_LIMIT, "ruleset: %zu segments; at most %u are allowed", count,
                       LIMIT_SEGMENTS);
    documents = calloc(count, sizeof *documents);
    segments->at = arena_zero(&rules->arena, count, sizeof *segments->at);
    segments->asked = arena_zero(&rules->arena, count, sizeof *segments->asked);
    if (documents == NULL || segments->at == NULL || segments->asked == NULL)
        rc = no_memory(err);
    else
        rc = sort(segments, array, documents, &rules->arena, err);
    if (rc == ERR_OK && documents != NULL && segments->count > 0)
        rc = parse_all(rules, documents, err);
    free(documents);
    return rc;
}

void segments_fini(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        condition_free(segments->at[i].when);
    segments->count = 0;
}
