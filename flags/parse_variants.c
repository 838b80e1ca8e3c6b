/*
 * "variants", "off_variant" and "individual".
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/model.h"

bool name_is_good(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    }
    return len > 0 && len <= LIMIT_KEY_BYTES;
}

static enum err_code parse_value(struct parse *parse, const struct json *json,
                                 struct variant *variant)
{
    static const enum json_kind wanted[] = {JSON_BOOL, JSON_STRING, JSON_NUMBER, JSON_OBJECT};
    enum flag_type type = parse->flag->type;
    enum json_kind kind = json_kind(json);
    struct flag_value *value = &variant->value;
    char *printed;

    if (kind != wanted[type] && !(type == FLAG_OBJECT && kind == JSON_ARRAY))
        return err_set(parse->err, ERR_INVALID,
                       "variants.%.60s: is %s, but the flag's type is %s; change one of them",
                       variant->name, kind_of(json), flag_type_name(type));
    value->truth = json_is_true(json);
    value->number = json_number(json, 0);
    if (!isfinite(value->number))
        return err_set(parse->err, ERR_INVALID, "variants.%.60s: the number is too large",
                       variant->name);
    if (kind == JSON_STRING) {
        value->text_len = strlen(json_text(json));
        value->text = arena_text(parse->arena, json_text(json), value->text_len);
        if (value->text == NULL)
            return no_memory(parse->err);
    }
    printed = json_print_canonical(json); /* the same text from a store, a file or the wire */
    if (printed == NULL)
        return no_memory(parse->err);
    value->json_len = strlen(printed);
    value->json = arena_text(parse->arena, printed, value->json_len);
    free(printed);
    return value->json != NULL ? ERR_OK : no_memory(parse->err);
}

enum err_code variants_parse(struct parse *parse, const struct json *document)
{
    const struct json *object = json_get(document, "variants");
    struct variant *variants;
    size_t count = json_count(object), n = 0;

    if (json_kind(object) != JSON_OBJECT || count == 0)
        return err_set(parse->err, ERR_INVALID,
                       "variants: %s; it must be an object of at least one name and value, such as "
                       "{\"on\": true, \"off\": false}",
                       json_kind(object) == JSON_OBJECT ? "empty" : kind_of(object));
    if (count > LIMIT_VARIANTS)
        return err_set(parse->err, ERR_LIMIT, "variants: %zu of them; at most %u are allowed",
                       count, LIMIT_VARIANTS);
    variants = arena_zero(parse->arena, count, sizeof *variants);
    if (variants == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(object); at != NULL; at = json_next(at)) {
        const char *name = json_key(at);
        enum err_code rc;

        if (!name_is_good(name))
            return err_set(parse->err, ERR_INVALID,
                           "variants: the name '%.60s' is not allowed; use 1 to %u bytes without "
                           "control characters",
                           name, LIMIT_KEY_BYTES);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(variants[i].name, name) == 0)
                return err_set(parse->err, ERR_INVALID, "variants: '%.60s' stands there twice",
                               name);
        }
        variants[n].name = arena_text(parse->arena, name, strlen(name));
        if (variants[n].name == NULL)
            return no_memory(parse->err);
        rc = parse_value(parse, at, &variants[n]);
        if (rc != ERR_OK)
            return rc;
        n++;
    }
    parse->flag->variants = variants;
    parse->flag->variant_count = (uint16_t)n;
    return variant_index(parse, json_get(document, "off_variant"), "off_variant",
                         &parse->flag->off_variant);
}

/* ---- individual ---- */

static int compare_individuals(const void *a, const void *b)
{
    const struct individual *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->key, y->key, len);

    if (order != 0)
        return order;
    return (x->len > y->len) - (x->len < y->len);
}

bool individuals_sort(struct individual *all, size_t count, const char **twice)
{
    if (count > 0)
        qsort(all, count, sizeof *all, compare_individuals);
    for (size_t i = 1; i < count; i++) {
        if (compare_individuals(&all[i - 1], &all[i]) == 0) {
            *twice = all[i].key;
            return false;
        }
    }
    return true;
}

enum err_code individual_parse(struct parse *parse, const struct json *document)
{
    const struct json *object = json_get(document, "individual");
    size_t count = json_count(object), n = 0;
    struct individual *all;
    const char *twice;

    if (object == NULL)
        return ERR_OK;
    if (json_kind(object) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID,
                       "individual: must be an object of targeting key and variant, not %s",
                       kind_of(object));
    if (count > INDIVIDUAL_MAX)
        return err_set(parse->err, ERR_LIMIT, "individual: %zu keys; at most %u are allowed", count,
                       INDIVIDUAL_MAX);
    if (count == 0)
        return ERR_OK;
    all = arena_zero(parse->arena, count, sizeof *all);
    if (all == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(object); at != NULL; at = json_next(at), n++) {
        const char *key = json_key(at);
        char where[96];
        enum err_code rc;

        if (key[0] == '\0')
            return err_set(parse->err, ERR_INVALID, "individual: an empty targeting key");
        snprintf(where, sizeof where, "individual.%.80s", key);
        rc = variant_index(parse, at, where, &all[n].variant);
        if (rc != ERR_OK)
            return rc;
        all[n].len = (uint32_t)strlen(key);
        all[n].key = arena_text(parse->arena, key, all[n].len);
        if (all[n].key == NULL)
            return no_memory(parse->err);
    }
    if (!individuals_sort(all, n, &twice))
        return err_set(parse->err, ERR_INVALID, "individual: '%.80s' stands there twice", twice);
    parse->flag->individuals = all;
    parse->flag->individual_count = n;
    return ERR_OK;
}
