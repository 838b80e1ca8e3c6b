/*
 * The store's flags and ties: each change in the database first, then in the image.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "flags/ruleset.h"
#include "server/store_image.h"

/* ---- reading ---- */

const struct store_flag *store_find_any(const struct store *store, const char *key)
{
    bool found;
    size_t place = store_flag_place(store, key, &found);

    return found ? &store->flags[place] : NULL;
}

const struct store_flag *store_find(const struct store *store, const char *key)
{
    const struct store_flag *flag = store_find_any(store, key);

    return flag != NULL && !flag->archived ? flag : NULL;
}

size_t store_flag_count(const struct store *store)
{
    return store->flag_count;
}

const struct store_flag *store_flag_at(const struct store *store, size_t index)
{
    CHECK(index < store->flag_count);
    return &store->flags[index];
}

const struct tie *store_ties(const struct store *store, const char *flag, size_t *count)
{
    size_t first = 0;

    while (first < store->tie_count && strcmp(store->ties[first].flag, flag) != 0) {
        first++;
    }
    *count = 0;
    while (first + *count < store->tie_count &&
           strcmp(store->ties[first + *count].flag, flag) == 0) {
        (*count)++;
    }
    return &store->ties[first];
}

const struct tie *store_tie(const struct store *store, const char *database_id,
                            const char *migration)
{
    for (size_t i = 0; i < store->tie_count; i++) {
        if (strcmp(store->ties[i].database_id, database_id) == 0 &&
            strcmp(store->ties[i].migration, migration) == 0) {
            return &store->ties[i];
        }
    }
    return NULL;
}

size_t store_tie_count(const struct store *store)
{
    return store->tie_count;
}

const struct tie *store_tie_at(const struct store *store, size_t index)
{
    CHECK(index < store->tie_count);
    return &store->ties[index];
}

struct json *store_flag_json(const struct store *store, const struct store_flag *flag)
{
    struct json *out = json_copy(flag->document);
    size_t count;
    const struct tie *ties = store_ties(store, flag->key, &count);

    if (count > 0) {
        json_put(out, "tie", coupling_tie_json(flag->document, ties, count));
    }
    return out;
}

/* Appends one flag to both forms of the ruleset. What is not tied is neither copied nor printed
 * again: with thousands of flags that would be most of what a change takes. */
static bool add_to_ruleset(const struct store *store, const struct store_flag *flag,
                           struct json *flags, struct buf *text)
{
    struct json *tied;
    char *printed;
    size_t ties;

    if (json_first(flags) != NULL) {
        buf_char(text, ',');
    }
    (void)store_ties(store, flag->key, &ties);
    if (ties == 0) {
        buf_text(text, flag->text);
        return json_append_lent(flags, flag->document) != NULL;
    }
    tied = store_flag_json(store, flag);
    printed = json_print_canonical(tied);
    buf_text(text, printed != NULL ? printed : "");
    free(printed);
    return json_append(flags, tied) != NULL && printed != NULL;
}

struct json *store_ruleset(const struct store *store, unsigned poll_s, char **text)
{
    struct json *out = json_object();
    struct json *flags = json_array();
    char *environment = json_quote(store->environment, strlen(store->environment));
    struct buf buf = {0};
    bool whole = environment != NULL;

    buf_print(&buf, "{\"environment\":%s,\"epoch\":%lld,\"flags\":[", whole ? environment : "",
              (long long)store->epoch);
    for (size_t i = 0; whole && i < store->flag_count; i++) {
        whole = store->flags[i].archived || add_to_ruleset(store, &store->flags[i], flags, &buf);
    }
    buf_print(&buf, "],\"format\":%d,\"poll_s\":%u,\"revision\":%lld}", RULESET_FORMAT, poll_s,
              (long long)store->revision);
    free(environment);
    json_put_number(out, "format", RULESET_FORMAT);
    json_put_text(out, "environment", store->environment);
    json_put_number(out, "epoch", (double)store->epoch);
    json_put_number(out, "revision", (double)store->revision);
    json_put_number(out, "poll_s", poll_s);
    json_put(out, "flags", flags);
    *text = buf_take(&buf);
    if (!whole || *text == NULL) {
        free(*text);
        *text = NULL;
        json_free(out);
        return NULL;
    }
    return out;
}

/* ---- flags ---- */

/* Brings a committed flag into the image; place is where it stands or goes. Takes fresh's parts. */
static void place_flag(struct store *store, size_t place, bool found, struct store_flag *fresh)
{
    if (found) {
        free(store->flags[place].key);
        json_free(store->flags[place].document);
        free(store->flags[place].text);
    } else {
        memmove(&store->flags[place + 1], &store->flags[place],
                (store->flag_count - place) * sizeof *store->flags);
        store->flag_count++;
    }
    store->flags[place] = *fresh;
}

static bool room_for_flag(struct store *store)
{
    size_t room = store->flag_room * 2 + 16;
    struct store_flag *more;

    if (store->flag_count < store->flag_room) {
        return true;
    }
    more = realloc(store->flags, room * sizeof *more);
    if (more == NULL) {
        return false;
    }
    store->flags = more;
    store->flag_room = room;
    return true;
}

static size_t count_in_use(const struct store *store)
{
    size_t count = 0;

    for (size_t i = 0; i < store->flag_count; i++) {
        count += !store->flags[i].archived;
    }
    return count;
}

static enum err_code commit_flag(struct store *store, const struct store_actor *who,
                                 const struct store_flag *fresh, const char *before,
                                 struct err *err)
{
    struct database_value params[] = {
        database_text(store->environment), database_text(fresh->key),
        database_int(fresh->version),      database_int(fresh->revision),
        database_int(fresh->changed_ms),   database_text(fresh->text)};
    struct database_value old[] = {params[0], params[1], database_int(fresh->version - 1)};
    struct database_guard guard =
        before == NULL
            ? (struct database_guard){"NOT EXISTS (SELECT 1 FROM flag WHERE environment = ?1 AND "
                                      "key = ?2)",
                                      old, 2, ERR_STALE, "a flag of this key exists already"}
            : (struct database_guard){"(SELECT version FROM flag WHERE environment = ?1 AND key = "
                                      "?2) = ?3",
                                      old, 3, ERR_STALE, "the flag was changed by somebody else"};
    struct database_statement statement = {
        "INSERT OR REPLACE INTO flag(environment, key, version, revision, changed_ms, document) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        params, 6};
    struct store_change change = {.who = who,
                                  .action = before == NULL ? "flag.create" : "flag.update",
                                  .flag = fresh->key,
                                  .before = before,
                                  .after = fresh->text,
                                  .visible = true,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = &statement,
                                  .statement_count = 1};

    return store_commit(store, &change, err);
}

enum err_code store_put_flag(struct store *store, const struct store_actor *who,
                             const struct json *document, int64_t version, bool answers,
                             struct err *err)
{
    const char *key = json_get_text(document, "key", "");
    bool found;
    size_t place = store_flag_place(store, key, &found);
    const struct store_flag *now = found ? &store->flags[place] : NULL;
    struct store_flag fresh = {.version = version + 1};
    const char *before = now != NULL ? now->text : NULL;
    enum err_code rc = ERR_OK;

    CHECK(store->flags != NULL); /* made when the store is read, even for no flag */
    if (now != NULL && version == 0) {
        return err_set(err, ERR_CONFLICT,
                       now->archived ? "a flag '%s' was archived: choose another key"
                                     : "a flag '%s' exists already",
                       key);
    }
    if (version > 0 && (now == NULL || now->archived || now->version != version)) {
        return err_set(err, ERR_STALE, "flag '%s' has another version by now: read it again", key);
    }
    if (now == NULL && count_in_use(store) >= LIMIT_FLAGS) {
        return err_set(
            err, ERR_LIMIT,
            "there are %u flags already, the limit of one environment: archive those that "
            "no code asks for",
            LIMIT_FLAGS);
    }
    fresh.revision = now != NULL && !answers ? now->revision : store_next_revision(store);
    fresh.changed_ms = now != NULL && !answers ? now->changed_ms : clock_wall_ms();
    fresh.key = strdup(key);
    fresh.document = json_copy(document);
    fresh.text = json_print_canonical(document);
    if (fresh.key == NULL || fresh.document == NULL || fresh.text == NULL ||
        !room_for_flag(store)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = commit_flag(store, who, &fresh, before, err);
    }
    if (rc == ERR_OK) {
        place_flag(store, place, now != NULL, &fresh);
    } else {
        free(fresh.key);
        json_free(fresh.document);
        free(fresh.text);
    }
    return rc;
}

enum err_code store_archive_flag(struct store *store, const struct store_actor *who,
                                 const char *key, int64_t version, struct err *err)
{
    bool found;
    size_t place = store_flag_place(store, key, &found);
    int64_t now_ms = clock_wall_ms();
    struct database_value params[] = {
        database_text(store->environment), database_text(key), database_int(version),
        database_int(store_next_revision(store)), database_int(now_ms)};
    struct database_guard guard = {
        "(SELECT version FROM flag WHERE environment = ?1 AND key = ?2) = ?3", params, 3, ERR_STALE,
        "the flag was changed by somebody else"};
    struct database_statement statements[] = {
        {"UPDATE flag SET version = ?3 + 1, revision = ?4, changed_ms = ?5, archived_ms = ?5 WHERE "
         "environment = ?1 AND key = ?2",
         params, 5},
        {"DELETE FROM tie WHERE environment = ?1 AND flag = ?2", params, 2}};
    struct store_change change = {.who = who,
                                  .action = "flag.archive",
                                  .flag = key,
                                  .visible = true,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = statements,
                                  .statement_count = 2};
    enum err_code rc;

    if (!found || store->flags[place].archived || store->flags[place].version != version) {
        return err_set(err, ERR_STALE, "flag '%s' has another version by now: read it again", key);
    }
    change.before = store->flags[place].text;
    rc = store_commit(store, &change, err);
    if (rc == ERR_OK) {
        struct store_flag *flag = &store->flags[place];

        flag->version++;
        flag->revision = store->revision;
        flag->changed_ms = now_ms;
        flag->archived = true;
        for (size_t i = 0; i < store->tie_count;) {
            if (strcmp(store->ties[i].flag, flag->key) == 0) {
                store_tie_clear(&store->ties[i]);
                store->tie_count--;
                memmove(&store->ties[i], &store->ties[i + 1],
                        (store->tie_count - i) * sizeof *store->ties);
            } else {
                i++;
            }
        }
    }
    return rc;
}

/* ---- ties ---- */

static char *tie_text(const struct tie *tie)
{
    struct json *json = json_object();
    char *text;

    json_put_text(json, "migration", tie->migration);
    json_put_text(json, "database_id", tie->database_id);
    json_put_text(json, "state", tie_state_name(tie->state));
    json_put_text(json, "old", tie->old_variant);
    json_put_text(json, "new", tie->new_variant);
    json_put_number(json, "lease_s", (double)tie->lease_s);
    json_put_bool(json, "held", tie->held);
    if (tie->held) {
        json_put_text(json, "hold_owner", tie->hold_owner != NULL ? tie->hold_owner : "");
    }
    text = json_print_canonical(json);
    json_free(json);
    return text;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_tie(const struct tie *a, const struct tie *b)
{
    return strcmp(a->flag, b->flag) == 0 && strcmp(a->old_variant, b->old_variant) == 0 &&
           strcmp(a->new_variant, b->new_variant) == 0 && strcmp(a->label, b->label) == 0 &&
           a->state == b->state && a->lease_s == b->lease_s && a->held == b->held &&
           same_text(a->hold_owner, b->hold_owner) && a->hold_taken_ms == b->hold_taken_ms;
}

static void remove_tie(struct store *store, const struct tie *tie)
{
    size_t i = (size_t)(tie - store->ties);

    store_tie_clear(&store->ties[i]);
    store->tie_count--;
    memmove(&store->ties[i], &store->ties[i + 1], (store->tie_count - i) * sizeof *store->ties);
}

static bool room_for_tie(struct store *store)
{
    size_t room = store->tie_room * 2 + 16;
    struct tie *more;

    if (store->tie_count < store->tie_room) {
        return true;
    }
    more = realloc(store->ties, room * sizeof *more);
    if (more == NULL) {
        return false;
    }
    store->ties = more;
    store->tie_room = room;
    return true;
}

static enum err_code commit_tie(struct store *store, const struct store_actor *who,
                                const char *action, const struct tie *tie, const char *before,
                                const char *after, struct err *err)
{
    struct database_value params[] = {database_text(store->environment),
                                      database_text(tie->database_id),
                                      database_text(tie->migration),
                                      database_text(tie->flag),
                                      database_text(tie_state_name(tie->state)),
                                      database_text(tie->old_variant),
                                      database_text(tie->new_variant),
                                      database_int(tie->lease_s),
                                      database_text(tie->label),
                                      database_int(tie->held),
                                      database_int(clock_wall_ms()),
                                      database_text(tie->hold_owner),
                                      database_int(tie->hold_taken_ms),
                                      database_int(tie->hold_renewed_ms),
                                      database_int(tie->sequence)};
    struct database_statement put = {
        "INSERT OR REPLACE INTO tie(environment, database_id, migration, flag, state, "
        "old_variant, new_variant, lease_s, label, held, reported_ms, hold_owner, hold_taken_ms, "
        "hold_renewed_ms, sequence) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
        "?14, ?15)",
        params, 15};
    struct database_statement drop = {
        "DELETE FROM tie WHERE environment = ?1 AND database_id = ?2 AND migration = ?3", params,
        3};
    struct store_change change = {.who = who,
                                  .action = action,
                                  .flag = tie->flag,
                                  .before = before,
                                  .after = after,
                                  .visible = true,
                                  .statements = after != NULL ? &put : &drop,
                                  .statement_count = 1};

    return store_commit(store, &change, err);
}

enum err_code store_put_tie(struct store *store, const struct store_actor *who, const char *action,
                            const struct tie *tie, struct err *err)
{
    const struct tie *now = store_tie(store, tie->database_id, tie->migration);
    struct tie fresh = {0};
    char *before, *after;
    enum err_code rc = ERR_OK;

    if (now != NULL && same_tie(now, tie)) {
        return now->sequence == tie->sequence
                   ? ERR_OK
                   : store_note_tie(store, now, now->hold_renewed_ms, tie->sequence, err);
    }
    before = now != NULL ? tie_text(now) : NULL;
    after = tie_text(tie);
    if (after == NULL || !room_for_tie(store) || !store_tie_copy(&fresh, tie)) {
        free(before);
        free(after);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = commit_tie(store, who, action, &fresh, before, after, err);
    if (rc == ERR_OK) {
        bool found;
        size_t place;

        now = store_tie(store, fresh.database_id, fresh.migration); /* room may have moved it */
        if (now != NULL) {
            remove_tie(store, now);
        }
        place = store_tie_place(store, &fresh, &found);
        memmove(&store->ties[place + 1], &store->ties[place],
                (store->tie_count - place) * sizeof *store->ties);
        store->ties[place] = fresh;
        store->tie_count++;
    } else {
        store_tie_clear(&fresh);
    }
    free(before);
    free(after);
    return rc;
}

enum err_code store_note_tie(struct store *store, const struct tie *tie, int64_t renewed_ms,
                             int64_t sequence, struct err *err)
{
    struct tie *own = &store->ties[tie - store->ties];
    struct database_value params[] = {
        database_text(store->environment), database_text(tie->database_id),
        database_text(tie->migration), database_int(renewed_ms), database_int(sequence)};
    struct database_statement statement = {
        "UPDATE tie SET hold_renewed_ms = ?4, sequence = ?5 WHERE environment = ?1 AND "
        "database_id = ?2 AND migration = ?3",
        params, 5};
    enum err_code rc = database_batch(
        store->db, &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL,
        err);

    if (rc == ERR_OK) {
        own->hold_renewed_ms = renewed_ms;
        own->sequence = sequence;
    }
    return rc;
}

enum err_code store_drop_tie(struct store *store, const struct store_actor *who,
                             const struct tie *tie, struct err *err)
{
    char *before = tie_text(tie);
    enum err_code rc = commit_tie(store, who, "migration.forget", tie, before, NULL, err);

    free(before);
    if (rc == ERR_OK) {
        remove_tie(store, tie);
    }
    return rc;
}
