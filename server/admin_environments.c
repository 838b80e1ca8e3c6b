/*
 * Environments over the administration API, and promotion from one to another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flags/diff.h"
#include "flags/domain_set.h"
#include "flags/parts.h"
#include "flags/reweigh.h"
#include "server/admin.h"
#include "server/route.h"

enum {
    SEEN_LATELY_S =
        3600, /* after twelve leases of five minutes no client answers for a tied flag */
    DIFFERENCE_MAX = 500
};

/* ---- reading ---- */

static struct json *environment_json(struct environment *environment)
{
    const struct store *store = environment->store;
    struct json *out = json_object();
    size_t on = 0, flags = 0;

    for (size_t i = 0; i < store_flag_count(store); i++) {
        const struct store_flag *flag = store_flag_at(store, i);

        flags += !flag->archived;
        on += !flag->archived && strcmp(json_get_text(flag->document, "state", ""), "on") == 0;
    }
    json_put_text(out, "name", store_environment(store));
    json_put_bool(out, "default", store_is_default(store));
    json_put_number(out, "epoch", (double)store_epoch(store));
    json_put_number(out, "revision", (double)store_revision(store));
    json_put_number(out, "flags", (double)flags);
    json_put_number(out, "flags_on", (double)on);
    json_put_number(out, "migrations", (double)store_tie_count(store));
    json_put_number(out, "clients", (double)clients_within(environment->clients, SEEN_LATELY_S));
    return out;
}

void environments_list(struct call *call)
{
    struct stores *all = call->app->stores;
    struct json *out = json_object();
    struct json *list = json_put(out, "environments", json_array());

    for (size_t i = 0; i < stores_count(all); i++) {
        struct environment *environment =
            environments_find(call->app->environments, store_environment(stores_at(all, i)));

        if (environment != NULL) {
            json_append(list, environment_json(environment));
        }
    }
    answer_json(call, 200, out);
}

static void answer_environment(struct call *call, int status, const char *name)
{
    struct environment *environment = environments_find(call->app->environments, name);

    if (environment == NULL) { /* it is in the store, but could not be served */
        answer_problem(call, 503, err_code_name(ERR_NOMEM),
                       "environment '%.64s' was made, but is not served yet", name);
        return;
    }
    answer_json(call, status, environment_json(environment));
}

/* The environment of params[0], or NULL after answering 404. */
static struct environment *named(struct call *call)
{
    struct environment *environment = environments_find(call->app->environments, call->params[0]);

    if (environment == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND),
                       "there is no environment '%.64s' here", call->params[0]);
    }
    return environment;
}

static bool good_name(struct call *call, const char *name)
{
    return store_environment_name_ok(name) ||
           admin_invalid(call, "name: use 1 to 63 of a-z 0-9 . _ -, the first a letter or digit");
}

/* ---- making, renaming, dropping ---- */

/* Tokens name environments, so their table follows. */
static void changed(struct call *call, const char *event, const char *name)
{
    struct err err = {0};

    if (tokens_load(call->app->tokens, call->app->stores, &err) != ERR_OK) {
        log_event(LOG_ERROR, "tokens-not-read", "request=%s reason=%s", call->request->id, err.msg);
    }
    admin_changed(call, event, name);
}

/* An environment that begins as a copy has no ties yet, so every flag may answer there what it does where it
 * comes from; a database that is tied later is refused if it does not bear that. */
void environments_create(struct call *call)
{
    struct store_actor who = call_actor(call);
    struct json *body = answer_body(call);
    const char *name = json_get_text(body, "name", "");
    const char *from = json_get_text(body, "from", NULL);
    const struct store *like = from != NULL ? stores_find(call->app->stores, from) : NULL;
    struct err err = {0};

    if (body == NULL) {
        return;
    }
    if (!good_name(call, name)) {
        /* answered */
    } else if (from != NULL && like == NULL) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "from: there is no environment '%.64s' here", from);
    } else if (stores_make(call->app->stores, &who, name, like, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        changed(call, "environment-created", name);
        answer_environment(call, 201, name);
    }
    json_free(body);
}

/* The first tie in it that is on its way, or NULL. */
static const struct tie *tie_in_flight(const struct store *store)
{
    for (size_t i = 0; i < store_tie_count(store); i++) {
        const struct tie *tie = store_tie_at(store, i);

        if (!coupling_releasable(tie, 1)) {
            return tie;
        }
    }
    return NULL;
}

static bool no_migration(struct call *call, const struct store *store, const char *what)
{
    const struct tie *tie = tie_in_flight(store);

    if (tie != NULL) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "environment '%s' cannot be %s: migration %s of %s is %s there, and its "
                       "database knows the environment by this name",
                       store_environment(store), what, tie->migration,
                       tie->label[0] != '\0' ? tie->label : tie->database_id,
                       tie_state_name(tie->state));
    }
    return tie == NULL;
}

void environments_rename(struct call *call)
{
    struct environment *environment = named(call);
    struct store_actor who = call_actor(call);
    struct json *body = environment != NULL ? answer_body(call) : NULL;
    const char *name = json_get_text(body, "name", "");
    struct err err = {0};

    if (body == NULL) {
        return;
    }
    if (!good_name(call, name) || !no_migration(call, environment->store, "renamed")) {
        /* answered */
    } else if (strcmp(name, environment->name) == 0) {
        answer_environment(call, 200, name);
    } else if (stores_rename(call->app->stores, &who, environment->store, name, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        changed(call, "environment-renamed", name);
        answer_environment(call, 200, name);
    }
    json_free(body);
}

void environments_drop(struct call *call)
{
    struct environment *environment = named(call);
    struct store_actor who = call_actor(call);
    struct err err = {0};
    size_t clients;

    if (environment == NULL) {
        return;
    }
    clients = clients_within(environment->clients, SEEN_LATELY_S);
    if (store_is_default(environment->store)) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "environment '%s' is what a request without one means: it stays",
                       environment->name);
    } else if (clients > 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "environment '%s' is in use: %zu client%s asked within the last hour (flags "
                       "clients --environment %s)",
                       environment->name, clients, clients == 1 ? "" : "s", environment->name);
    } else if (!no_migration(call, environment->store, "dropped")) {
        /* answered */
    } else if (stores_drop(call->app->stores, &who, environment->store, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        changed(call, "environment-dropped", call->params[0]);
        answer_empty(call, 204);
    }
}

/* ---- promotion ---- */

static bool listed(const struct json *only, const char *member)
{
    if (only == NULL) {
        return true;
    }
    if (strcmp(member, "domain_set") == 0) {
        member = "domains"; /* the same, where there are many */
    }
    for (const struct json *at = json_first(only); at != NULL; at = json_next(at)) {
        if (json_text(at) != NULL && strcmp(json_text(at), member) == 0) {
            return true;
        }
    }
    return false;
}

/* What a promotion may take over, beside what a later version adds. False: answered. */
static bool known_parts(struct call *call, const struct json *only, const struct json *from,
                        const struct json *to)
{
    static const char *const parts[] = {"state", "individual", "domains", "rules", "fallthrough"};

    if (only != NULL && (json_kind(only) != JSON_ARRAY || json_first(only) == NULL)) {
        return admin_invalid(call, "only: must be an array of parts, such as [\"rules\"]");
    }
    for (const struct json *at = json_first(only); at != NULL; at = json_next(at)) {
        const char *name = json_text(at) != NULL ? json_text(at) : "";
        bool known = false;

        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            known = known || strcmp(name, parts[i]) == 0;
        }
        known = known || json_get(from, name) != NULL || json_get(to, name) != NULL;
        if (!known || flag_member_is_shared(name)) {
            answer_problem(call, 400, err_code_name(ERR_INVALID),
                           "only: '%.60s' is none; use state, individual, domains, rules or "
                           "fallthrough",
                           name);
            return false;
        }
    }
    return true;
}

/* The flag as it is in `to`, with the parts that it has in `from`. New; NULL: no memory. */
static struct json *promoted(const struct json *from, const struct json *to,
                             const struct json *only)
{
    struct json *out = flag_shared_part(to), *source = flag_state_part(from);
    struct json *target = flag_state_part(to);

    for (const struct json *at = json_first(target); at != NULL; at = json_next(at)) {
        if (!listed(only, json_key(at))) {
            json_put(out, json_key(at), json_copy(at));
        }
    }
    for (const struct json *at = json_first(source); at != NULL; at = json_next(at)) {
        if (listed(only, json_key(at))) {
            json_put(out, json_key(at), json_copy(at));
        }
    }
    json_remove(out, "uses"); /* says what is in it, and is nobody's choice */
    if (json_get(out, "domain_set") != NULL) {
        json_append(json_put(out, "uses", json_array()), json_string(DOMAIN_SET_FEATURE));
    }
    if (source == NULL || target == NULL) {
        json_free(out);
        out = NULL;
    }
    json_free(source);
    json_free(target);
    return out;
}

static void answer_difference(struct call *call, const struct store *from,
                              const struct store_flag *source, const struct store_flag *flag,
                              const struct json *after)
{
    struct json *out = json_object();
    struct json *difference = flag_difference(flag->document, after, DIFFERENCE_MAX);
    char version[24];

    snprintf(version, sizeof version, "%lld", (long long)flag->version);
    json_put_text(out, "key", flag->key);
    json_put_text(out, "from", store_environment(from));
    json_put_text(out, "to", store_environment(call->store));
    json_put_number(out, "from_version", (double)source->version);
    json_put_number(out, "version", (double)flag->version);
    if (json_count(difference) == DIFFERENCE_MAX) {
        json_put_bool(out, "more", true);
    }
    json_put(out, "difference", difference);
    answer_etag(call, arena_text(call->request->arena, version, strlen(version)));
    answer_json(call, 200, out);
}

/* The environment to take from, and the flag there. NULL: answered. */
static const struct store_flag *source_of(struct call *call, const struct json *body,
                                          const struct store **from)
{
    const char *name = json_get_text(body, "from", "");
    const struct store_flag *flag;
    int64_t version;

    *from = stores_find(call->app->stores, name);
    if (call->who.environment[0] != '\0' && strcmp(call->who.environment, name) != 0) {
        answer_problem(call, 403, err_code_name(ERR_DENIED),
                       "to promote a flag needs a token for all environments: this one is for "
                       "'%s'",
                       call->who.environment);
        return NULL;
    }
    if (*from == NULL || *from == call->store) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       *from == NULL ? "from: there is no environment '%.64s' here"
                                     : "from: '%.64s' is where it would go",
                       name);
        return NULL;
    }
    flag = store_find(*from, call->params[0]);
    if (flag != NULL && json_get(body, "from_version") != NULL &&
        (!json_int(json_get(body, "from_version"), &version) || version != flag->version)) {
        answer_problem(call, 412, err_code_name(ERR_STALE),
                       "flag '%s' has version %lld in environment '%s' by now: look at the "
                       "difference again",
                       flag->key, (long long)flag->version, name);
        return NULL;
    }
    return flag;
}

struct json *admin_promoted(struct call *call, const struct store_flag *flag,
                            const struct json *promotion)
{
    const struct json *only = json_get(promotion, "only");
    const struct store *from;
    const struct store_flag *source = source_of(call, promotion, &from);
    struct json *after;

    if (source == NULL || !known_parts(call, only, source->document, flag->document)) {
        return NULL;
    }
    after = promoted(source->document, flag->document, only);
    if (after == NULL) {
        answer_json(call, 503, NULL);
    }
    return after;
}

void flags_promote(struct call *call)
{
    const struct store_flag *flag = admin_flag(call), *source;
    const char *dry_run = http_query(call->request, "dry_run");
    bool dry = dry_run != NULL && strcmp(dry_run, "true") == 0;
    const struct json *only;
    const struct store *from;
    struct json *body, *after;

    if (flag == NULL || (!dry && !admin_if_match(call, flag))) {
        return;
    }
    body = answer_body(call);
    only = json_get(body, "only");
    source = body != NULL ? source_of(call, body, &from) : NULL;
    if (source != NULL && known_parts(call, only, source->document, flag->document)) {
        after = promoted(source->document, flag->document, only);
        if (after == NULL || !flag_keep_ranges(flag->document, after)) {
            answer_json(call, 503, NULL);
        } else if (!dry) {
            admin_replace_flag(call, flag, after, "flag.promote");
        } else if (admin_may_change(call, flag, after)) {
            answer_difference(call, from, source, flag, after);
        }
        json_free(after);
    }
    json_free(body);
}
