#include "flags/parts.h"

#include <string.h>

static const char *const shared_members[] = {"key",  "type",         "description", "owner",
                                             "tags", "expected_end", "variants",    "off_variant",
                                             "salt", "split_salt",   "bucket_by"};

static const char *const words[] = {"description", "owner", "tags", "expected_end"};

bool flag_member_is_shared(const char *member)
{
    for (size_t i = 0; i < sizeof shared_members / sizeof *shared_members; i++) {
        if (strcmp(member, shared_members[i]) == 0)
            return true;
    }
    return false;
}

/* Copies the members of one half. False: out of memory. */
static bool copy_half(struct json *to, const struct json *from, bool shared)
{
    for (const struct json *at = json_first(from); at != NULL; at = json_next(at)) {
        if (flag_member_is_shared(json_key(at)) == shared &&
            json_put_new(to, json_key(at), json_copy(at)) == NULL)
            return false;
    }
    return to != NULL;
}

static struct json *half(const struct json *flag, bool shared)
{
    struct json *out = json_object();

    if (!copy_half(out, flag, shared)) {
        json_free(out);
        return NULL;
    }
    return out;
}

struct json *flag_shared_part(const struct json *flag)
{
    return half(flag, true);
}

struct json *flag_state_part(const struct json *flag)
{
    return half(flag, false);
}

struct json *flag_join(const struct json *shared, const struct json *state)
{
    struct json *out = half(shared, true);

    if (out != NULL && !copy_half(out, state, false)) {
        json_free(out);
        return NULL;
    }
    return out;
}

struct json *flag_state_off(const struct json *shared)
{
    struct json *out = json_object(), *serve = json_object();

    if (json_put_text(serve, "variant", json_get_text(shared, "off_variant", "")) == NULL ||
        json_put_text(out, "state", "off") == NULL) {
        json_free(serve);
        json_free(out);
        return NULL;
    }
    if (json_put(out, "fallthrough", serve) == NULL) {
        json_free(out);
        return NULL;
    }
    return out;
}

bool flag_shared_differs(const struct json *before, const struct json *after)
{
    for (size_t i = 0; i < sizeof shared_members / sizeof *shared_members; i++) {
        const struct json *a = json_get(before, shared_members[i]);
        const struct json *b = json_get(after, shared_members[i]);

        if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b)))
            return true;
    }
    return false;
}

bool flag_answers_differ(const struct json *before, const struct json *after)
{
    struct json *a = json_copy(before);
    struct json *b = json_copy(after);
    bool differ;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_remove(a, words[i]);
        json_remove(b, words[i]);
    }
    differ = a == NULL || b == NULL || !json_equal(a, b);
    json_free(a);
    json_free(b);
    return differ;
}
