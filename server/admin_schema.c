/*
 * What the migrator asks and says: states and gate facts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/admin.h"
#include "server/route.h"
#include "server/view.h"

enum {
    LEASE_DEFAULT_S = 300,
    LEASE_MAX_S = 86400, /* the store forgets clients after CLIENT_FORGET_MS, so not for longer */
    NAME_MAX_BYTES = 200
};

static struct json *tie_json(const struct tie *tie)
{
    struct json *out = json_object();

    json_put_text(out, "database_id", tie->database_id);
    json_put_text(out, "migration", tie->migration);
    json_put_text(out, "database", tie->label);
    json_put_text(out, "state", tie_state_name(tie->state));
    json_put_text(out, "flag", tie->flag);
    json_put_text(out, "old", tie->old_variant);
    json_put_text(out, "new", tie->new_variant);
    json_put_number(out, "lease_s", (double)tie->lease_s);
    json_put_bool(out, "held", tie->held);
    json_put_number(out, "sequence", (double)tie->sequence);
    admin_put_hold(out, tie);
    return out;
}

void schema_list(struct call *call)
{
    struct json *out = json_object();
    struct json *list = json_array();

    for (size_t i = 0; i < store_tie_count(call->store); i++) {
        json_append(list, tie_json(store_tie_at(call->store, i)));
    }
    json_put(out, "migrations", list);
    answer_json(call, 200, out);
}

/* ---- reports ---- */

/* Reads the body of a report into tie, whose text it lends. False: answered. */
static bool read_report(struct call *call, const struct json *body, struct tie *tie)
{
    const struct json *flag = json_get(body, "flag");
    const char *state = json_get_text(body, "state", "");

    *tie = (struct tie){.database_id = call->params[0],
                        .migration = call->params[1],
                        .flag = json_get_text(flag, "key", ""),
                        .old_variant = json_get_text(flag, "old", "off"),
                        .new_variant = json_get_text(flag, "new", "on"),
                        .label = json_get_text(body, "database", ""),
                        .lease_s = LEASE_DEFAULT_S};
    if (strlen(tie->database_id) > NAME_MAX_BYTES || strlen(tie->migration) > NAME_MAX_BYTES ||
        strlen(tie->label) > NAME_MAX_BYTES) {
        return admin_invalid(call,
                             "database id, migration and database have at most 200 bytes each");
    }
    if (!tie_state_of(state, &tie->state)) {
        return admin_invalid(call,
                             "state: must be one of pending, expanded, dual-writing, in-sync, "
                             "contracted, purged");
    }
    if (tie->flag[0] == '\0') {
        return admin_invalid(call,
                             "flag: must be {\"key\": \"...\", \"old\": \"off\", \"new\": \"on\"}");
    }
    if (strcmp(tie->old_variant, tie->new_variant) == 0) {
        return admin_invalid(call, "flag: old and new must be different variants");
    }
    if (json_get(body, "lease_s") != NULL && (!json_int(json_get(body, "lease_s"), &tie->lease_s) ||
                                              tie->lease_s < 1 || tie->lease_s > LEASE_MAX_S)) {
        return admin_invalid(call, "lease_s: must be a whole number from 1 to 86400");
    }
    if (json_get(body, "sequence") != NULL &&
        (!json_int(json_get(body, "sequence"), &tie->sequence) || tie->sequence < 0)) {
        return admin_invalid(call, "sequence: must be a whole number");
    }
    return true;
}

void admin_answer_revisions(struct call *call, int status, const char *key)
{
    const struct store_flag *flag = store_find(call->store, key);
    struct json *out = json_object();

    json_put_text(out, "environment", store_environment(call->store));
    json_put_bool(out, "default", store_is_default(call->store));
    json_put_number(out, "flag_revision", flag != NULL ? (double)flag->revision : 0);
    json_put_number(out, "revision", (double)store_revision(call->store));
    json_put_number(out, "epoch", (double)store_epoch(call->store));
    answer_json(call, status, out);
}

bool admin_put_tie(struct call *call, const struct tie *tie, const char *action, const char *event)
{
    struct store *store = call->store;
    struct store_actor who = call_actor(call);
    int64_t revision = store_revision(store);
    /* tie may lend its text from the store, which changes here */
    const char *migration =
        arena_text(call->request->arena, tie->migration, strlen(tie->migration));
    struct err err = {0};

    if (store_put_tie(store, &who, action, tie, &err) != ERR_OK) {
        admin_not_changed(call, &err);
        return false;
    }
    if (store_revision(store) != revision) {
        admin_changed(call, event, migration != NULL ? migration : "?");
    }
    return true;
}

/* A verification failed in in-sync, so the schema bears the old variant alone from now on, whatever
 * the flag answers: that is a fact, and refusing it would leave in-sync here, which is not true. */
static bool fell_back(const struct json *body, const struct tie *now, const struct tie *tie)
{
    return json_is_true(json_get(body, "fell_back")) && tie->state == TIE_DUAL_WRITING &&
           now != NULL && (now->state == TIE_IN_SYNC || now->state == TIE_DUAL_WRITING);
}

/* The database was put back to an older copy: its schema is there already, too. Else flag and schema
 * would wait for each other for ever. Only of a migration that is known here, and not for a new tie. */
static bool was_restored(const struct json *body, const struct tie *now)
{
    return json_is_true(json_get(body, "restored")) && now != NULL;
}

/* A database is in one environment: what it reports must not land in two. False: answered. */
static bool is_here(struct call *call, const char *database_id)
{
    struct stores *all = call->app->stores;

    for (size_t e = 0; e < stores_count(all); e++) {
        const struct store *store = stores_at(all, e);

        for (size_t i = 0; store != call->store && i < store_tie_count(store); i++) {
            if (strcmp(store_tie_at(store, i)->database_id, database_id) == 0) {
                answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                               "this database is known in environment '%s', with migration %s, and "
                               "reports for '%s': say where it belongs (migrate --environment), or "
                               "forget it there (flags untie --environment %s)",
                               store_environment(store), store_tie_at(store, i)->migration,
                               store_environment(call->store), store_environment(store));
                return false;
            }
        }
    }
    return true;
}

void schema_report(struct call *call)
{
    struct store *store = call->store;
    struct json *body = answer_body(call);
    struct coupling_refusal why;
    const struct store_flag *flag;
    const struct tie *now;
    struct tie tie;
    bool archived;
    enum err_code rc;

    if (body == NULL || !read_report(call, body, &tie)) {
        json_free(body);
        return;
    }
    flag = store_find(store, tie.flag);
    now = store_tie(store, tie.database_id, tie.migration);
    archived = flag == NULL && store_find_any(store, tie.flag) != NULL;
    if (!is_here(call, tie.database_id)) {
        json_free(body);
        return;
    }
    if (flag == NULL) {
        answer_problem(
            call, 404, err_code_name(ERR_NOT_FOUND),
            "migration %s needs the flag '%.128s', which is %s; first run: flags %s %.128s",
            tie.migration, tie.flag, archived ? "archived" : "not here",
            archived ? "restore" : "create", tie.flag);
    } else if (now != NULL && strcmp(now->flag, tie.flag) != 0 &&
               (now->held || now->state != TIE_PENDING)) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "migration %s is tied to flag '%s' and in state %s: its flag can only "
                       "change while it is pending",
                       tie.migration, now->flag, tie_state_name(now->state));
    } else if (was_restored(body, now) || admin_in_order(call, now, tie.sequence)) {
        struct view view = {.store = store};
        struct coupling_change change = {
            .world = &view.world, .ties = &tie, .tie_count = 1, .report = true};

        if (view_open(&view, NULL) != ERR_OK) {
            answer_json(call, 503, NULL);
            json_free(body);
            return;
        }
        change.before = change.after = view_flag(&view, flag->key);
        /* A hold ends where nothing relies on it any more: the range alone decides from here on. */
        if (now != NULL && now->held && tie.state != TIE_PURGED && tie.state != TIE_PENDING) {
            tie.held = true;
            tie.hold_owner = now->hold_owner;
            tie.hold_taken_ms = now->hold_taken_ms;
            tie.hold_renewed_ms = now->hold_renewed_ms;
        }
        if (now != NULL && tie.sequence == 0) {
            tie.sequence = now->sequence;
        }
        rc = coupling_check(&change, &why);
        view_close(&view);
        if (fell_back(body, now, &tie) || was_restored(body, now)) {
            admin_end_hold(&tie); /* nothing relies on the flag as it is: it has to be turned off */
            rc = ERR_OK;
        }
        if (rc != ERR_OK) {
            admin_name_environment(call, store, &why);
            answer_refusal(call, rc, &why);
        } else if (admin_put_tie(call, &tie,
                                 was_restored(body, now) ? "migration.restored"
                                                         : "migration.report",
                                 "migration-reported")) {
            admin_answer_revisions(call, 200, tie.flag);
        }
    }
    json_free(body);
}

/* Whether a tie may be ended that still guards its flag: by an admin who says why, as when the database
 * is gone. False: answered. */
static bool may_force_forget(struct call *call, const struct tie *tie)
{
    const char *force = http_query(call->request, "force");
    int64_t alive_s = coupling_hold_alive_s(tie, clock_wall_ms());
    struct coupling_refusal why = {.detail = ""};

    if (force == NULL || strcmp(force, "true") != 0) {
        snprintf(why.migration, sizeof why.migration, "%s", tie->migration);
        if (tie->state != TIE_PURGED) {
            snprintf(why.command, sizeof why.command, "migrate rollback %s", tie->migration);
        }
        snprintf(why.detail, sizeof why.detail,
                 "migration %s is %s and relies on flag '%s'%s%s; if the database is gone for "
                 "good, an admin can force it, with a reason",
                 tie->migration, tie_state_name(tie->state), tie->flag,
                 tie->state == TIE_PURGED
                     ? ", which must not answer the old variant any more: archive it when no code "
                       "asks for it"
                     : "; first run: ",
                 why.command);
        answer_refusal(call, ERR_CONFLICT, &why);
        return false;
    }
    if (call->who.role != ROLE_ADMIN) {
        answer_problem(call, 403, err_code_name(ERR_DENIED),
                       "only an admin may end the tie of a migration that is %s (this token's role "
                       "is %s)",
                       tie_state_name(tie->state), role_name((enum role)call->who.role));
        return false;
    }
    if (call_actor(call).reason == NULL) {
        return admin_invalid(call, "a reason is needed: send X-Lockstep-Reason (--reason TEXT)");
    }
    if (alive_s > 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "the hold of migration %s is still in use by %s: stop that migrate first",
                       tie->migration, tie->hold_owner);
        return false;
    }
    return true;
}

/* Ends a tie. A pipeline may do so while the migration is pending: it was given up, or its database was
 * made for a test; or while it is purged and no code asks for the flag, which is archived. In any other state the flag could then break whoever reads the database. */
void schema_forget(struct call *call)
{
    struct store *store = call->store;
    struct store_actor who = call_actor(call);
    const struct tie *tie = store_tie(store, call->params[0], call->params[1]);
    struct err err = {0};
    bool guards;

    if (tie == NULL) {
        answer_empty(call, 204);
        return;
    }
    guards = tie->held || (tie->state != TIE_PENDING &&
                           (tie->state != TIE_PURGED || store_find(store, tie->flag) != NULL));
    if (guards && !may_force_forget(call, tie)) {
        return;
    }
    if (store_drop_tie(store, &who, tie, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "migration-forgotten", call->params[1]);
        answer_empty(call, 204);
    }
}

/* ---- gates ---- */

static struct json *flag_facts(struct call *call, const char *key, const struct tie *tie)
{
    const struct store_flag *flag = store_find(call->store, key);
    struct view view = {.store = call->store};
    struct json *facts;
    int64_t since_ms;

    if (flag == NULL) {
        facts = json_object();
        json_put_bool(facts, "exists", false);
        return facts;
    }
    facts = NULL;
    if (view_open(&view, NULL) == ERR_OK) {
        facts = coupling_facts(view_flag(&view, key), &view.world,
                               tie != NULL ? tie->old_variant : "off",
                               tie != NULL ? tie->new_variant : "on");
        view_close(&view);
    }
    since_ms = clock_wall_ms() - flag->changed_ms;
    json_put_number(facts, "stable_for_s", since_ms > 0 ? (double)since_ms / 1000 : 0);
    json_put_number(facts, "revision", (double)flag->revision);
    json_put_number(facts, "lease_s", tie != NULL ? (double)tie->lease_s : LEASE_DEFAULT_S);
    json_put_bool(facts, "held", tie != NULL && tie->held);
    admin_put_hold(facts, tie);
    clients_facts(call->environment->clients, key, store_epoch(call->store), flag->revision,
                  tie != NULL ? tie->lease_s : LEASE_DEFAULT_S, facts);
    return facts;
}

void schema_gate(struct call *call)
{
    struct store *store = call->store;
    const char *key = http_query(call->request, "flag");
    const char *database_id = http_query(call->request, "database_id");
    const char *migration = http_query(call->request, "migration");
    const struct tie *tie = NULL;
    struct json *out, *facts;
    char at[CLOCK_TEXT_BYTES];

    if (key == NULL || database_id == NULL || migration == NULL) {
        (void)admin_invalid(call, "the query needs flag, database_id and migration");
        return;
    }
    tie = store_tie(store, database_id, migration);
    if (tie != NULL && strcmp(tie->flag, key) != 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "migration %s is tied to flag '%s', not to '%.128s'", tie->migration,
                       tie->flag, key);
        return;
    }
    out = json_object();
    facts = json_object();
    json_put(facts, "flag", flag_facts(call, key, tie));
    json_put(out, "facts", facts);
    json_put_text(out, "environment", store_environment(store));
    json_put_bool(out, "default", store_is_default(store));
    json_put_number(out, "revision", (double)store_revision(store));
    json_put_number(out, "epoch", (double)store_epoch(store));
    json_put_text(out, "at", clock_text(clock_wall_ms(), at));
    answer_json(call, 200, out);
}
