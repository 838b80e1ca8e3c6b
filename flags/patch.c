#include "flags/patch.h"

#include <string.h>

static enum err_code no_room(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code merge(struct json *to, const struct json *patch, struct err *err);

static enum err_code put(struct json *to, const struct json *one, struct err *err)
{
    return json_put(to, json_key(one), json_copy(one)) != NULL ? ERR_OK : no_room(err);
}

static enum err_code merge_one(struct json *to, const struct json *one, struct err *err)
{
    struct json *now = json_get(to, json_key(one));

    if (json_kind(one) == JSON_NULL) {
        json_remove(to, json_key(one));
        return ERR_OK;
    }
    if (json_kind(one) != JSON_OBJECT)
        return put(to, one, err);
    if (json_kind(now) != JSON_OBJECT)
        now = json_put(to, json_key(one), json_object());
    return now != NULL ? merge(now, one, err) : no_room(err);
}

static enum err_code merge(struct json *to, const struct json *patch, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *one = json_first(patch); rc == ERR_OK && one != NULL;
         one = json_next(one))
        rc = merge_one(to, one, err);
    return rc;
}

/* Each member takes the place of what was there. */
static enum err_code replace(struct json *to, const struct json *patch, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *one = json_first(patch); rc == ERR_OK && one != NULL;
         one = json_next(one)) {
        json_remove(to, json_key(one));
        if (json_kind(one) != JSON_NULL)
            rc = put(to, one, err);
    }
    return rc;
}

static enum err_code patch_domains(struct json *flag, const struct json *patch, struct err *err)
{
    struct json *domains = json_get(flag, "domains");

    if (json_kind(domains) != JSON_OBJECT)
        domains = json_put(flag, "domains", json_object());
    return domains != NULL ? replace(domains, patch, err) : no_room(err);
}

static const struct json *change_of(const struct json *patch, const struct json *rule)
{
    const char *name = json_text(json_get(rule, "name"));

    return name != NULL ? json_get(patch, name) : NULL;
}

static bool has_rule(const struct json *rules, const char *name)
{
    for (const struct json *rule = json_first(rules); rule != NULL; rule = json_next(rule)) {
        if (strcmp(json_get_text(rule, "name", ""), name) == 0)
            return true;
    }
    return false;
}

static enum err_code patch_rules(struct json *flag, const struct json *patch, struct err *err)
{
    const struct json *rules = json_get(flag, "rules");
    struct json *kept = json_array();
    enum err_code rc = kept != NULL ? ERR_OK : no_room(err);

    for (const struct json *one = json_first(patch); rc == ERR_OK && one != NULL;
         one = json_next(one)) {
        if (!has_rule(rules, json_key(one)))
            rc = err_set(err, ERR_NOT_FOUND, "rules: there is no rule '%.80s'", json_key(one));
        else if (json_kind(one) != JSON_OBJECT && json_kind(one) != JSON_NULL)
            rc =
                err_set(err, ERR_INVALID, "rules.%.80s: must be an object, or null", json_key(one));
    }
    for (const struct json *rule = json_first(rules); rc == ERR_OK && rule != NULL;
         rule = json_next(rule)) {
        const struct json *change = change_of(patch, rule);
        struct json *copy;

        if (change != NULL && json_kind(change) == JSON_NULL)
            continue;
        copy = json_append(kept, json_copy(rule));
        rc = copy != NULL ? replace(copy, change, err) : no_room(err);
    }
    if (rc != ERR_OK) {
        json_free(kept);
        return rc;
    }
    return json_put(flag, "rules", kept) != NULL ? ERR_OK : no_room(err);
}

enum err_code flag_patch(struct json *flag, const struct json *patch, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (json_kind(patch) != JSON_OBJECT)
        return err_set(err, ERR_INVALID,
                       "a change must be an object of members, such as "
                       "{\"state\": \"off\"}");
    for (const struct json *one = json_first(patch); rc == ERR_OK && one != NULL;
         one = json_next(one)) {
        const char *key = json_key(one);
        bool object = json_kind(one) == JSON_OBJECT;

        if (object && strcmp(key, "domains") == 0)
            rc = patch_domains(flag, one, err);
        else if (object && strcmp(key, "rules") == 0)
            rc = patch_rules(flag, one, err);
        else if (object && strcmp(key, "fallthrough") == 0)
            rc = put(flag, one, err);
        else
            rc = merge_one(flag, one, err);
    }
    return rc;
}
