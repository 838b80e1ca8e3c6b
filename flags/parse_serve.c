/*
 * SERVE: {"variant": V} | {"ramp": {"percent": P, "variant": V}} | {"ramp": {"percent": P, "split":
 * {V: W, ...}}} | {"split": {V: W, ...}}, and {"rules": true} in a domain rule.
 *
 * The ranges of a split lie in byte order of the variants' names, not in the order of the document:
 * the wire form of a ruleset sorts members, and server and SDK must draw the same borders.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/bucket.h"
#include "condition/domain.h"
#include "flags/model.h"

bool variant_named(const struct flag *flag, const char *name, uint16_t *out)
{
    for (uint16_t i = 0; i < flag->variant_count; i++) {
        if (strcmp(flag->variants[i].name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* No variant has this name (NULL: what stands there is no string): says which there are. */
enum err_code no_variant(struct parse *parse, const char *text, const char *kind, const char *at)
{
    const struct flag *flag = parse->flag;
    char known[120] = "";
    size_t used = 0;

    for (uint16_t i = 0; i < flag->variant_count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 flag->variants[i].name);
    if (text == NULL)
        return err_set(parse->err, ERR_INVALID, "%s: %s; it must name a variant (%s)", at, kind,
                       known);
    return err_set(parse->err, ERR_INVALID, "%s: '%.60s' is no variant of this flag (%s)", at, text,
                   known);
}

enum err_code variant_index(struct parse *parse, const struct json *name, const char *at,
                            uint16_t *out)
{
    const char *text = json_text(name);

    if (text != NULL && variant_named(parse->flag, text, out))
        return ERR_OK;
    return no_variant(parse, text, kind_of(name), at);
}

/* A percentage as thousandths, exactly: 12.345 -> 12345. */
enum err_code percent_parse(struct parse *parse, const struct json *json, const char *at,
                            uint32_t *out)
{
    double thousandths;

    if (json_kind(json) != JSON_NUMBER)
        return err_set(parse->err, ERR_INVALID, "%s: %s; it must be a number from 0 to 100", at,
                       kind_of(json));
    thousandths = json_number(json, -1) * 1000;
    if (!(thousandths >= 0 && thousandths <= BUCKET_COUNT))
        return err_set(parse->err, ERR_INVALID, "%s: %g is not from 0 to 100", at,
                       json_number(json, -1));
    if (fabs(thousandths - round(thousandths)) > 1e-6)
        return err_set(parse->err, ERR_INVALID, "%s: %.10g has more than three decimals", at,
                       json_number(json, -1));
    *out = (uint32_t)lround(thousandths);
    return ERR_OK;
}

static enum err_code parse_ramp(struct parse *parse, const struct json *ramp, const char *at,
                                struct serve *out)
{
    const struct json *variant = json_get(ramp, "variant"), *split = json_get(ramp, "split");
    char where[160];
    enum err_code rc;

    if (json_kind(ramp) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID,
                       "%s.ramp: must be an object such as {\"percent\": 25, \"variant\": \"on\"}",
                       at);
    if ((variant == NULL) == (split == NULL))
        return err_set(parse->err, ERR_INVALID,
                       "%s.ramp: needs either \"variant\" or \"split\", not %s", at,
                       variant == NULL ? "neither" : "both");
    snprintf(where, sizeof where, "%s.ramp.percent", at);
    rc = percent_parse(parse, json_get(ramp, "percent"), where, &out->threshold);
    if (rc != ERR_OK)
        return rc;
    if (variant != NULL) {
        snprintf(where, sizeof where, "%s.ramp.variant", at);
        return variant_index(parse, variant, where, &out->variant);
    }
    snprintf(where, sizeof where, "%s.ramp.split", at);
    return split_parse(parse, split, where, &out->split);
}

enum err_code serve_parse(struct parse *parse, const struct json *document, const char *at,
                          bool in_domain, struct serve *out)
{
    const struct json *only = json_first(document);
    const char *what = only != NULL && json_kind(document) == JSON_OBJECT ? json_key(only) : "";
    char where[160];

    *out = (struct serve){BUCKET_COUNT, SPLIT_NONE, 0, SERVE_BUCKET, false};
    if (json_kind(document) != JSON_OBJECT || only == NULL || json_next(only) != NULL)
        return err_set(parse->err, ERR_INVALID,
                       "%s: %s; it must have exactly one of \"variant\", \"ramp\", \"split\"%s", at,
                       document == NULL ? "missing" : "not one choice",
                       in_domain ? ", \"rules\"" : "");
    snprintf(where, sizeof where, "%s.%.20s", at, what);
    if (strcmp(what, "variant") == 0) {
        out->kind = SERVE_VARIANT;
        return variant_index(parse, only, where, &out->variant);
    }
    if (strcmp(what, "ramp") == 0) {
        out->ramp = true;
        return parse_ramp(parse, only, at, out);
    }
    if (strcmp(what, "split") == 0)
        return split_parse(parse, only, where, &out->split);
    if (in_domain && strcmp(what, "rules") == 0 && json_is_true(only)) {
        out->kind = SERVE_RULES;
        return ERR_OK;
    }
    return err_set(parse->err, ERR_INVALID,
                   "%s: '%.40s' is not known here; use \"variant\", \"ramp\", \"split\"%s", at,
                   what, in_domain ? " or {\"rules\": true}" : "");
}
