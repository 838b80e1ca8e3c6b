/*
 * Many flags, many swaps, many customers.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flags/domain_set.h"
#include "flags/evaluate.h"
#include "flags/model.h"
#include "tests/bench/flags_bench.h"

#define FLAGS 10000
#define SWAPS 50 /* a second */
#define DOMAINS 1000000
#define ROUNDS 9
#define BAR_BUILD_MS 500
#define BAR_MIB 64
#define BAR_SWAP 0.95 /* of the throughput without */
#define BAR_BYTES 100
#define BAR_LOOKUP 8.0
#define BAR_LOAD_S 3
#define BAR_CHANGE_MS 100

static double heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

/* ---- ten thousand flags ---- */

/* A third boolean flags with a rule, a third with customers, a third plain ramps. */
static struct json *make_flags(int count)
{
    struct json *flags = json_array();

    for (int i = 0; i < count; i++) {
        char key[40], text[200];
        struct json *flag;

        snprintf(key, sizeof key, "flag-%05d", i);
        if (i % 3 == 0) {
            snprintf(text, sizeof text,
                     "[{'when':\"plan == 'pro' && version >= %d && email.endsWith('@acme.com')\","
                     "'serve':{'split':{'on':50,'off':50}}}]",
                     i);
            flag = bench_flag(key, "rules", bench_json(text));
        } else if (i % 3 == 1) {
            snprintf(text, sizeof text,
                     "{'customer-%d.com':{'variant':'on'},'*.acme.com':"
                     "{'ramp':{'percent':25,'variant':'on'}},'globex.com':{'rules':true}}",
                     i);
            flag = bench_flag(key, "domains", bench_json(text));
        } else {
            flag = bench_flag(key, "fallthrough",
                              bench_json("{'ramp':{'percent':12.5,'variant':'on'}}"));
        }
        json_append(flags, flag);
    }
    return flags;
}

static bool bench_build(void)
{
    struct json *document = bench_json("{'format':1,'environment':'e','epoch':1,'revision':1}");
    double times[5], before;
    struct ruleset *rules = NULL;
    bool good;

    json_put(document, "flags", make_flags(FLAGS));
    for (int i = 0; i < 5; i++) {
        double began = bench_wall_ns();

        ruleset_free(rules);
        if (ruleset_build(document, &rules, NULL) != ERR_OK)
            abort();
        times[i] = (bench_wall_ns() - began) / 1e6;
    }
    ruleset_free(rules);
    before = heap_bytes();
    if (ruleset_build(document, &rules, NULL) != ERR_OK)
        abort();
    good =
        bench_tell("10,000 flags: ms to build the ruleset", bench_median(times, 5), BAR_BUILD_MS);
    good &= bench_tell("10,000 flags: MiB of the ruleset", (heap_bytes() - before) / (1 << 20),
                       BAR_MIB);
    ruleset_free(rules);
    json_free(document);
    return good;
}

/* ---- swaps beside a reader ---- */

struct swapping {
    struct ruleset_cell *cell;
    struct json *document;
    atomic_bool end;
};

static struct ruleset *build_small(const struct json *document)
{
    struct ruleset *rules = NULL;

    if (ruleset_build(document, &rules, NULL) != ERR_OK)
        abort();
    return rules;
}

static void *swap_often(void *swapping_of)
{
    struct swapping *s = swapping_of;

    while (!atomic_load(&s->end)) {
        ruleset_cell_swap(s->cell, build_small(s->document));
        clock_sleep_us(1000000 / SWAPS);
    }
    return NULL;
}

/* Evaluations a microsecond of this thread's time: what other threads and programs take of the
 * machine is not counted. Each evaluation enters and leaves, as a request does. */
static double read_for(struct ruleset_cell *cell, double seconds)
{
    struct json *attributes = bench_json("{'targetingKey':'u','domain':'a.acme.com'}");
    double began = bench_thread_ns(), took;
    unsigned long done = 0;

    do {
        struct ruleset_ticket ticket;
        const struct ruleset *rules = ruleset_cell_enter(cell, &ticket);
        struct context ctx;
        struct decision decision;

        if (context_init(&ctx, rules, attributes, 0, NULL) != ERR_OK)
            abort();
        evaluate_flag(rules, ruleset_at(rules, done % ruleset_count(rules)), &ctx, &decision);
        context_fini(&ctx);
        ruleset_cell_leave(cell, &ticket);
        done++;
        took = bench_thread_ns() - began;
    } while (took < seconds * 1e9);
    json_free(attributes);
    return (double)done * 1000 / took;
}

static bool bench_swap(void)
{
    struct swapping s = {.cell = ruleset_cell_new(),
                         .document =
                             bench_json("{'format':1,'environment':'e','epoch':1,'revision':1}")};
    double ratios[ROUNDS];

    json_put(s.document, "flags", make_flags(100));
    ruleset_cell_swap(s.cell, build_small(s.document));
    (void)read_for(s.cell, 0.1);
    for (int round = 0; round < ROUNDS; round++) {
        double with, without;
        pthread_t thread;

        /* before and after, so that a machine that gets slower does not count as the swaps' */
        without = read_for(s.cell, 0.1);
        atomic_store(&s.end, false);
        if (pthread_create(&thread, NULL, swap_often, &s) != 0)
            abort();
        with = read_for(s.cell, 0.2);
        atomic_store(&s.end, true);
        pthread_join(thread, NULL);
        without = (without + read_for(s.cell, 0.1)) / 2;
        ratios[round] = with / without;
    }
    ruleset_cell_free(s.cell);
    json_free(s.document);
    return bench_tell_at_least("throughput with 50 swaps a second / without",
                               bench_median(ratios, ROUNDS), BAR_SWAP);
}

bool bench_many_flags(void)
{
    bool good = bench_build();

    return bench_swap() && good;
}

/* ---- a million customers ---- */

#define LOOKUPS 200000

/* Names all over the table, some below a rule and some without one. */
static char (*make_names(int customers))[60]
{
    char(*names)[60] = malloc((size_t)LOOKUPS * sizeof *names);
    unsigned long at = 1;

    if (names == NULL)
        abort();
    for (int i = 0; i < LOOKUPS; i++) {
        at = at * 6364136223846793005u + 1442695040888963407u;
        snprintf(names[i], sizeof *names, "a.b.customer-%lu.example.com",
                 (at >> 33) % (unsigned long)customers);
    }
    return names;
}

static double look_up(const struct ruleset *rules, struct context *ctx, char (*names)[60])
{
    const struct flag *flag = ruleset_at(rules, 0);
    struct decision decision;
    double began = bench_process_ns();

    for (int i = 0; i < LOOKUPS; i++) {
        ctx->domain = names[i];
        ctx->domain_len = strlen(names[i]);
        evaluate_flag(rules, flag, ctx, &decision);
    }
    return (bench_process_ns() - began) / LOOKUPS;
}

/* ---- a domain set: what a server reads from its store and a client from the server ---- */

struct text {
    char *at;
    size_t len;
};

struct customers {
    struct json *flag;
    struct text texts[DOMAIN_SHARDS_MAX];
    size_t text_count;
    struct domain_pool *pool;
};

static enum err_code keep_text(void *ctx, struct domain_shard *shard, struct err *err)
{
    struct customers *all = ctx;
    struct text *text = &all->texts[all->text_count++ % DOMAIN_SHARDS_MAX];

    free(text->at);
    text->at = domain_shard_print(shard, &text->len);
    return all->pool != NULL ? domain_pool_add(all->pool, shard, err) : ERR_OK;
}

static enum err_code get_shard(void *ctx, const char *hash, struct domain_shard **out,
                               struct err *err)
{
    struct customers *all = ctx;

    (void)err;
    *out = domain_shard_keep(domain_pool_find(all->pool, hash));
    return ERR_OK;
}

static void make_customers(struct customers *all, int count)
{
    struct domain_list list = {0};
    struct json *on = bench_json("{'variant':'on'}");
    struct domain_sink sink = {keep_text, all};
    uint16_t number;

    *all = (struct customers){.flag = bench_flag("many", "tags", json_array())};
    if (domain_list_serve(&list, on, &number, NULL) != ERR_OK)
        abort();
    for (int i = 0; i < count; i++) {
        char name[60];

        snprintf(name, sizeof name, "%scustomer-%d.example.com", i % 2 == 0 ? "*." : "", i);
        if (domain_list_add(&list, name, number, 1, NULL) != ERR_OK)
            abort();
    }
    if (domain_list_settle(&list, NULL, NULL, NULL) != ERR_OK ||
        domain_list_write(&list, all->flag, &sink, NULL) != ERR_OK)
        abort();
    domain_list_fini(&list);
    json_free(on);
}

static struct ruleset *build_with(const struct customers *all)
{
    struct json *document = bench_json("{'format':1,'environment':'e','epoch':1,'revision':1}");
    struct json *flags = json_array();
    struct ruleset *rules = NULL;

    json_append(flags, json_copy(all->flag));
    json_put(document, "flags", flags);
    if (ruleset_build_with(document, all->pool, &rules, NULL) != ERR_OK)
        abort();
    json_free(document);
    return rules;
}

/* From texts to a ruleset, and what it took. */
static struct ruleset *load(struct customers *all, double *bytes, double *seconds)
{
    double before = heap_bytes(), began = bench_wall_ns();
    struct ruleset *rules;

    all->pool = domain_pool_new();
    for (size_t i = 0; i < all->text_count; i++) {
        struct domain_shard *shard;

        if (domain_shard_parse(all->texts[i].at, all->texts[i].len, &shard, NULL) != ERR_OK ||
            domain_pool_add(all->pool, shard, NULL) != ERR_OK)
            abort();
        domain_shard_drop(shard);
    }
    rules = build_with(all);
    *seconds = (bench_wall_ns() - began) / 1e9;
    *bytes = heap_bytes() - before;
    return rules;
}

/* Milliseconds from one changed rule to the ruleset with it. */
static double change_one(struct customers *all)
{
    struct domain_source source = {get_shard, all};
    struct domain_sink sink = {keep_text, all};
    struct json *serves[2] = {bench_json("{'variant':'off'}"), bench_json("{'variant':'on'}")};
    double times[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        double began = bench_wall_ns();

        if (domain_set_put(all->flag, "new.example", serves[round % 2], &source, &sink, NULL,
                           NULL) != ERR_OK)
            abort();
        ruleset_free(build_with(all));
        times[round] = (bench_wall_ns() - began) / 1e6;
    }
    json_free(serves[0]);
    json_free(serves[1]);
    return bench_median(times, ROUNDS);
}

static void customers_fini(struct customers *all)
{
    for (size_t i = 0; i < DOMAIN_SHARDS_MAX; i++)
        free(all->texts[i].at);
    json_free(all->flag);
    domain_pool_free(all->pool);
}

bool bench_many_domains(void)
{
    double few_ns[ROUNDS], many_ns[ROUNDS], bytes, load_s, ten, million;
    struct customers few_customers, many_customers;
    struct ruleset *few, *many;
    struct context few_ctx, many_ctx;
    char(*few_names)[60] = make_names(10), (*many_names)[60] = make_names(DOMAINS);
    bool good;

    make_customers(&few_customers, 10);
    make_customers(&many_customers, DOMAINS);
    few = load(&few_customers, &bytes, &load_s);
    many = load(&many_customers, &bytes, &load_s);
    if (context_init(&few_ctx, few, NULL, 0, NULL) != ERR_OK ||
        context_init(&many_ctx, many, NULL, 0, NULL) != ERR_OK)
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        few_ns[round] = look_up(few, &few_ctx, few_names);
        many_ns[round] = look_up(many, &many_ctx, many_names);
    }
    ten = bench_median(few_ns, ROUNDS);
    million = bench_median(many_ns, ROUNDS);
    printf("  a domain among ten rules %.0f ns, among a million %.0f ns\n", ten, million);
    good = bench_tell("1,000,000 domain rules / ten, a look-up", million / ten, BAR_LOOKUP);
    good &= bench_tell("1,000,000 domain rules: bytes of memory each", bytes / DOMAINS, BAR_BYTES);
    good &= bench_tell("1,000,000 domain rules: s from texts to a ruleset", load_s, BAR_LOAD_S);
    good &= bench_tell("1,000,000 domain rules: ms to change one, and build",
                       change_one(&many_customers), BAR_CHANGE_MS);
    context_fini(&few_ctx);
    context_fini(&many_ctx);
    free(few_names);
    free(many_names);
    ruleset_free(few);
    ruleset_free(many);
    customers_fini(&few_customers);
    customers_fini(&many_customers);
    return good;
}
