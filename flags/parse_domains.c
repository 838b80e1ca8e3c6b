/*
 * Domain rules of a flag's document: "domains", an object of patterns and SERVE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/domain.h"
#include "flags/model.h"

/* The canonical name of a pattern without its "*."; 0: it is no domain. */
size_t domain_pattern(const char *text, bool *wild, char name[DOMAIN_NAME_BYTES])
{
    const char *bare;

    *wild = strncmp(text, "*.", 2) == 0;
    bare = *wild ? text + 2 : text;
    return strpbrk(bare, "@:/*") == NULL
               ? domain_canonical(bare, strlen(bare), name, DOMAIN_NAME_BYTES)
               : 0;
}

const char *flag_find_domain(const struct json *flag, const char *text)
{
    const struct json *domains = json_get(flag, "domains");
    char wanted[DOMAIN_NAME_BYTES], name[DOMAIN_NAME_BYTES];
    bool wild, also;
    size_t len = domain_pattern(text, &wild, wanted);

    if (len == 0 || json_kind(domains) != JSON_OBJECT)
        return NULL;
    for (const struct json *one = json_first(domains); one != NULL; one = json_next(one)) {
        if (domain_pattern(json_key(one), &also, name) == len && also == wild &&
            memcmp(name, wanted, len) == 0)
            return json_key(one);
    }
    return NULL;
}

/* ---- the ways to serve: many rules, few of these ---- */

#define LOOK_THROUGH 16u /* so many are compared one by one */

struct serve_list {
    struct arena *arena;
    struct serve *at;
    uint32_t count;
    uint16_t *slots; /* malloc'd when there are more: number + 1; 0 is empty */
};

#define SLOTS (2u * LIMIT_DOMAIN_SERVES)

static bool same_serve(const struct serve *a, const struct serve *b)
{
    return a->kind == b->kind && a->variant == b->variant && a->ramp == b->ramp &&
           a->threshold == b->threshold && a->split == b->split;
}

static uint32_t serve_slot(const struct serve *serve)
{
    uint32_t hash = serve->threshold * 0x9e3779b1u ^ serve->split * 0x85ebca6bu ^
                    (uint32_t)(serve->variant << 2 | serve->kind) * 0xc2b2ae35u;

    return (hash ^ hash >> 15) & (SLOTS - 1);
}

static void list_index(struct serve_list *list, uint32_t number)
{
    uint32_t slot = serve_slot(&list->at[number]);

    while (list->slots[slot] != 0)
        slot = (slot + 1) & (SLOTS - 1);
    list->slots[slot] = (uint16_t)(number + 1);
}

static bool list_find(const struct serve_list *list, const struct serve *serve, uint16_t *number)
{
    if (list->slots == NULL) {
        for (uint32_t i = 0; i < list->count; i++) {
            if (same_serve(&list->at[i], serve)) {
                *number = (uint16_t)i;
                return true;
            }
        }
        return false;
    }
    for (uint32_t slot = serve_slot(serve); list->slots[slot] != 0;
         slot = (slot + 1) & (SLOTS - 1)) {
        if (same_serve(&list->at[list->slots[slot] - 1], serve)) {
            *number = (uint16_t)(list->slots[slot] - 1);
            return true;
        }
    }
    return false;
}

static enum err_code list_add(struct serve_list *list, const struct serve *serve, uint16_t *number,
                              struct err *err)
{
    uint32_t count = list->count;

    if (list_find(list, serve, number))
        return ERR_OK;
    if (count == LIMIT_DOMAIN_SERVES)
        return err_set(err, ERR_LIMIT, "domains: more than %u different ways to serve",
                       LIMIT_DOMAIN_SERVES);
    if ((count & (count - 1)) == 0) { /* full at every power of two */
        struct serve *grown =
            arena_take(list->arena, (count == 0 ? 1 : 2 * (size_t)count) * sizeof *grown);

        if (grown == NULL)
            return no_memory(err);
        if (count > 0)
            memcpy(grown, list->at, count * sizeof *grown);
        list->at = grown;
    }
    *number = (uint16_t)count;
    list->at[list->count++] = *serve;
    if (list->slots != NULL) {
        list_index(list, count);
    } else if (list->count > LOOK_THROUGH) {
        list->slots = calloc(SLOTS, sizeof *list->slots);
        if (list->slots == NULL)
            return no_memory(err);
        for (uint32_t i = 0; i < list->count; i++)
            list_index(list, i);
    }
    return ERR_OK;
}

/* ---- the member ---- */

static enum err_code parse_domain(struct parse *parse, const struct json *member,
                                  struct domain_table *table, struct buf *names,
                                  struct serve_list *serves)
{
    const char *text = json_key(member);
    char name[DOMAIN_NAME_BYTES], at[120];
    bool wild;
    size_t len = domain_pattern(text, &wild, name);
    struct serve serve;
    uint16_t number = 0;
    enum err_code rc;

    if (len == 0)
        return err_set(parse->err, ERR_INVALID,
                       "domains: '%.80s' is no domain; write \"acme.com\" for itself or "
                       "\"*.acme.com\" for its sub-domains",
                       text);
    snprintf(at, sizeof at, "domains[\"%.80s\"]", text);
    rc = serve_parse(parse, member, at, true, &serve);
    if (rc == ERR_OK)
        rc = list_add(serves, &serve, &number, parse->err);
    if (rc == ERR_OK && !domain_table_add(table, names, name, len, wild, number))
        rc = err_set(parse->err, ERR_INVALID, "domains: '%s%s' stands there twice",
                     wild ? "*." : "", name);
    return rc;
}

enum err_code domains_of_table(struct parse *parse, const struct domain_table *table,
                               const struct serve *serves, uint32_t serve_count,
                               struct domains *out)
{
    struct {
        const struct domain_table *only;
        struct domain_table table;
    } * kept;

    if (table->count == 0)
        return ERR_OK;
    kept = arena_take(parse->arena, sizeof *kept);
    if (kept == NULL)
        return no_memory(parse->err);
    kept->table = *table;
    kept->only = &kept->table;
    *out = (struct domains){.tables = &kept->only,
                            .table_count = 1,
                            .count = table->count,
                            .any_exact = table->any_exact,
                            .any_wild = table->any_wild,
                            .serves = serves,
                            .serve_count = serve_count};
    return ERR_OK;
}

enum err_code domains_parse(struct parse *parse, const struct json *document)
{
    const struct json *object = json_get(document, "domains");
    struct serve_list serves = {.arena = parse->arena};
    struct domain_table table = {0};
    struct buf names = {0};
    enum err_code rc;

    if (object == NULL)
        return ERR_OK;
    if (json_kind(object) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID,
                       "domains: must be an object such as {\"acme.com\": {\"variant\": \"on\"}}, "
                       "not %s",
                       kind_of(object));
    rc = domain_table_init(&table, parse->arena, json_count(object), parse->err);
    for (const struct json *at = json_first(object); rc == ERR_OK && at != NULL; at = json_next(at))
        rc = parse_domain(parse, at, &table, &names, &serves);
    if (rc == ERR_OK)
        rc = domain_table_seal(&table, parse->arena, &names, parse->err);
    if (rc == ERR_OK)
        rc = domains_of_table(parse, &table, serves.at, serves.count, &parse->flag->domains);
    buf_fini(&names);
    free(serves.slots);
    return rc;
}
