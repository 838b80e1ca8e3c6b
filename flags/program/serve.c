#include "flags/program/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool serve_parse_percent(const char *text, double *out)
{
    const char *dot = strchr(text, '.');
    char *end = NULL;
    double percent;

    if (text[0] < '0' || text[0] > '9') { /* no sign, no blank, no "inf" */
        return false;
    }
    if (strspn(text, "0123456789.") < strcspn(text, "%")) { /* no exponent, no hexadecimal */
        return false;
    }
    percent = strtod(text, &end);
    if ((*end == '%' && end[1] != '\0') || (*end != '%' && *end != '\0')) {
        return false;
    }
    if (percent < 0 || percent > 100 || (dot != NULL && end - dot - 1 > 3)) {
        return false;
    }
    *out = percent;
    return true;
}

static const char *served_variant(const struct json *serve)
{
    const char *variant = json_get_text(serve, "variant", NULL);

    return variant != NULL ? variant : json_get_text(json_get(serve, "ramp"), "variant", NULL);
}

const char *serve_on_variant(const struct json *flag, const struct json *serve, const char *wanted)
{
    const char *off = json_get_text(flag, "off_variant", "");
    const struct json *variants = json_get(flag, "variants");
    const char *now = served_variant(serve);
    const char *other = NULL;
    size_t others = 0;

    if (wanted != NULL) {
        return json_get(variants, wanted) != NULL ? wanted : NULL;
    }
    if (now != NULL && strcmp(now, off) != 0) {
        return now;
    }
    for (const struct json *v = json_first(variants); v != NULL; v = json_next(v)) {
        if (strcmp(json_key(v), off) != 0) {
            other = json_key(v);
            others++;
        }
    }
    return others == 1 ? other : NULL;
}

static const struct json *split_of(const struct json *serve)
{
    const struct json *split = json_get(serve, "split");

    return split != NULL ? split : json_get(json_get(serve, "ramp"), "split");
}

struct json *serve_at_percent(const struct json *flag, const struct json *serve, double percent,
                              const char *variant, bool named)
{
    const struct json *split = named ? NULL : split_of(serve);
    struct json *out = json_object();
    struct json *ramp;

    if (split != NULL && percent >= 100) {
        json_put(out, "split", json_copy(split));
        return out;
    }
    if (split == NULL && (percent <= 0 || percent >= 100)) {
        json_put_text(out, "variant",
                      percent <= 0 ? json_get_text(flag, "off_variant", "") : variant);
        return out;
    }
    ramp = json_put(out, "ramp", json_object());
    json_put_number(ramp, "percent", percent);
    if (split != NULL) {
        json_put(ramp, "split", json_copy(split));
    } else {
        json_put_text(ramp, "variant", variant);
    }
    return out;
}

/* A part of a split: a percentage, or ranges of them. */
static double split_share(const struct json *part)
{
    double sum = 0;

    if (json_kind(part) != JSON_ARRAY)
        return json_number(part, 0);
    for (const struct json *pair = json_first(part); pair != NULL; pair = json_next(pair))
        sum += json_number(json_next(json_first(pair)), 0) - json_number(json_first(pair), 0);
    return sum;
}

double serve_percent(const struct json *flag, const struct json *serve)
{
    const struct json *ramp = json_get(serve, "ramp"), *split = split_of(serve);
    const char *off = json_get_text(flag, "off_variant", "");
    const char *variant = served_variant(serve);
    double share = ramp != NULL ? json_number(json_get(ramp, "percent"), 0) : 100;

    if (json_is_true(json_get(serve, "rules"))) {
        return -1;
    }
    if (split != NULL) {
        return share * (100 - split_share(json_get(split, off))) / 100;
    }
    return variant == NULL || strcmp(variant, off) == 0 ? 0 : share;
}

static void add_split(const struct json *split, char *out, size_t size)
{
    size_t len = strlen(out);

    len += (size_t)snprintf(out + len, size - len, "%ssplit", len > 0 ? " " : "");
    for (const struct json *part = json_first(split); part != NULL && len < size;
         part = json_next(part)) {
        len += (size_t)snprintf(out + len, size - len, "%s %s %g",
                                part == json_first(split) ? "" : ",", json_key(part),
                                split_share(part));
    }
}

const char *serve_text(const struct json *flag, const struct json *serve, char *out, size_t size)
{
    const struct json *ramp = json_get(serve, "ramp");
    const char *variant = served_variant(serve);
    const char *off = json_get_text(flag, "off_variant", "");
    size_t variants = json_count(json_get(flag, "variants"));

    out[0] = '\0';
    if (json_is_true(json_get(serve, "rules"))) {
        snprintf(out, size, "as the rules say");
    } else if (ramp != NULL && variant != NULL) {
        snprintf(out, size, "%g %%", json_number(json_get(ramp, "percent"), 0));
        if (variants > 2) {
            snprintf(out + strlen(out), size - strlen(out), " %s", variant);
        }
    } else if (split_of(serve) != NULL) {
        if (ramp != NULL) {
            snprintf(out, size, "%g %%", json_number(json_get(ramp, "percent"), 0));
        }
        add_split(split_of(serve), out, size);
    } else if (variant != NULL && strcmp(variant, off) == 0) {
        snprintf(out, size, "0 %%");
    } else if (variant != NULL && variants <= 2) {
        snprintf(out, size, "100 %%");
    } else {
        snprintf(out, size, "variant %s", variant != NULL ? variant : "?");
    }
    return out;
}
