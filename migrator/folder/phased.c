#include "migrator/folder/phased.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/nearest.h"
#include "migrator/folder/facts.h"
#include "migrator/folder/phased_read.h"
#include "migrator/folder/phased_table.h"

#define OLD_WRITES_IDLE_MS (60 * 60 * 1000) /* the default gate: no write by old code for 1 h */
#define LEASE_S 300

const char *phased_gate_name(enum phased_gate gate)
{
    static const char *const names[] = {"dual-write", "contract", "purge"};
    return names[gate];
}

const char *phased_watch_name(enum phased_watch watch)
{
    static const char *const names[] = {"backfill", "contract"};
    return names[watch];
}

bool phased_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    double total = 0;

    if (text == NULL || *text == '\0') {
        return false;
    }
    while (*text != '\0') {
        double number = 0, place = 1;
        size_t i = 0, len;
        const char *from = text;
        for (; *text >= '0' && *text <= '9'; text++) {
            number = number * 10 + (*text - '0');
        }
        if (*text == '.') {
            for (text++; *text >= '0' && *text <= '9'; text++) {
                number += (*text - '0') * (place /= 10);
            }
        }
        len = strspn(text, "abcdefghijklmnopqrstuvwxyz");
        while (i < sizeof units / sizeof units[0] &&
               (strlen(units[i].unit) != len || strncmp(units[i].unit, text, len) != 0)) {
            i++;
        }
        if (text == from || i == sizeof units / sizeof units[0]) {
            return false;
        }
        total += number * units[i].ms;
        text += len;
    }
    if (!(total < 1e15)) {
        return false;
    }
    *ms = (int64_t)total;
    return true;
}

/* ---- members ---- */

const char *phased_keep(struct phased_reader *reader, const char *text)
{
    return arena_text(reader->arena, text, strlen(text));
}

enum err_code phased_wrong_kind(struct phased_reader *reader, const char *what, const char *wanted,
                                const struct json *json)
{
    return err_set(reader->err, ERR_INVALID, "\"%.60s\" must be %s, and is %s", what, wanted,
                   json_kind_name(json_kind(json)));
}

/* A string that is not empty. */
enum err_code phased_take_text(struct phased_reader *reader, const char *what,
                               const struct json *json, const char **out)
{
    const char *text = json_text(json);

    if (text == NULL) {
        return phased_wrong_kind(reader, what, "a string", json);
    }
    if (*text == '\0') {
        return err_set(reader->err, ERR_INVALID, "\"%.60s\" is empty", what);
    }
    *out = phased_keep(reader, text);
    return *out != NULL ? ERR_OK : err_set(reader->err, ERR_NOMEM, "out of memory");
}

/* Refuses a member whose name is not one of names (NULL-terminated). */
enum err_code phased_known(struct phased_reader *reader, const struct json *object,
                           const char *where, const char *const *names)
{
    size_t count = 0;

    while (names[count] != NULL) {
        count++;
    }
    for (const struct json *member = json_first(object); member; member = json_next(member)) {
        const char *key = json_key(member), *nearest;
        size_t i = 0;
        while (i < count && strcmp(names[i], key) != 0) {
            i++;
        }
        if (i < count) {
            continue;
        }
        nearest = nearest_name(key, names, count);
        return err_set(reader->err, ERR_INVALID, "unknown member \"%.60s\"%s%s%s%.60s%s", key,
                       *where != '\0' ? " in " : "", where,
                       nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "\"?" : "");
    }
    return ERR_OK;
}

/* A member that stands twice would silently win over the other. */
static enum err_code refuse_twins(struct phased_reader *reader, const struct json *json)
{
    enum err_code rc = ERR_OK;

    for (const struct json *a = json_first(json); a != NULL && rc == ERR_OK; a = json_next(a)) {
        for (const struct json *b = json_next(a);
             b != NULL && rc == ERR_OK && json_kind(json) == JSON_OBJECT; b = json_next(b)) {
            if (strcmp(json_key(a), json_key(b)) == 0) {
                rc = err_set(reader->err, ERR_INVALID, "\"%.60s\" stands there twice", json_key(a));
            }
        }
        rc = rc ? rc : refuse_twins(reader, a);
    }
    return rc;
}

bool phased_same_name(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

/* ---- parts ---- */

static enum err_code read_flag(struct phased_reader *reader, const struct json *json)
{
    static const char *const names[] = {"key", "old", "new", NULL};
    struct phased *phased = reader->phased;
    enum err_code rc;

    phased->flag_old = "off";
    phased->flag_new = "on";
    if (json == NULL) {
        return ERR_OK;
    }
    if (json_kind(json) != JSON_OBJECT) {
        return phased_take_text(reader, "flag", json, &phased->flag);
    }
    rc = phased_known(reader, json, "flag", names);
    if (rc == ERR_OK) {
        rc = phased_take_text(reader, "key", json_get(json, "key"), &phased->flag);
    }
    if (rc == ERR_OK && json_get(json, "old") != NULL) {
        rc = phased_take_text(reader, "old", json_get(json, "old"), &phased->flag_old);
    }
    if (rc == ERR_OK && json_get(json, "new") != NULL) {
        rc = phased_take_text(reader, "new", json_get(json, "new"), &phased->flag_new);
    }
    if (rc == ERR_OK && strcmp(phased->flag_old, phased->flag_new) == 0) {
        rc =
            err_set(reader->err, ERR_INVALID, "\"flag\": \"old\" and \"new\" are the same variant");
    }
    return rc;
}

static enum err_code read_gates(struct phased_reader *reader, const struct json *json)
{
    static const char *const names[] = {"dual-write", "contract", "purge", NULL};
    enum err_code rc;

    if (json == NULL) {
        return ERR_OK;
    }
    if (json_kind(json) != JSON_OBJECT) {
        return phased_wrong_kind(reader, "gates", "an object", json);
    }
    rc = phased_known(reader, json, "gates", names);
    for (size_t i = 0; rc == ERR_OK && i < PHASED_GATES; i++) {
        const struct json *gate = json_get(json, names[i]);
        if (gate == NULL) {
            continue;
        }
        rc = phased_take_text(reader, names[i], gate, &reader->phased->gates[i]);
        if (rc == ERR_OK) {
            rc = facts_check(reader->phased->gates[i], reader->err);
            if (rc) {
                err_wrap(reader->err, "gate \"%s\"", names[i]);
            }
        }
    }
    return rc;
}

/* A member that is one text for every phase, or an object of texts by phase. */
static enum err_code take_by_phase(struct phased_reader *reader, const char *what,
                                   const struct json *json, const char *out[PHASED_WATCHES])
{
    static const char *const names[] = {"backfill", "contract", NULL};
    enum err_code rc = ERR_OK;

    if (json_kind(json) == JSON_OBJECT) {
        rc = phased_known(reader, json, what, names);
    } else if (json_kind(json) != JSON_STRING) {
        return phased_wrong_kind(reader, what, "a string, or an object by phase", json);
    }
    for (size_t i = 0; rc == ERR_OK && i < PHASED_WATCHES; i++) {
        const struct json *one = json_kind(json) == JSON_OBJECT ? json_get(json, names[i]) : json;
        if (one != NULL) {
            rc = phased_take_text(reader, what, one, &out[i]);
        }
    }
    return rc;
}

static enum err_code read_watch(struct phased_reader *reader, const struct json *watch,
                                const struct json *on_failure)
{
    const char *actions[PHASED_WATCHES] = {NULL};
    struct phased *phased = reader->phased;
    enum err_code rc = ERR_OK;

    if (watch != NULL) {
        rc = take_by_phase(reader, "watch", watch, phased->watch);
    }
    if (rc == ERR_OK && on_failure != NULL) {
        rc = take_by_phase(reader, "on_failure", on_failure, actions);
    }
    for (size_t i = 0; rc == ERR_OK && i < PHASED_WATCHES; i++) {
        if (phased->watch[i] != NULL) {
            phased->on_failure[i] = PHASED_PAUSE;
            rc = facts_check(phased->watch[i], reader->err);
            if (rc) {
                err_wrap(reader->err, "watch \"%s\"", phased_watch_name((enum phased_watch)i));
            }
        }
        if (rc == ERR_OK && actions[i] != NULL) {
            bool rollback = strcmp(actions[i], "rollback") == 0;
            if (!rollback && strcmp(actions[i], "pause") != 0) {
                rc = err_set(reader->err, ERR_INVALID,
                             "\"on_failure\" must be \"pause\" or \"rollback\", and is "
                             "\"%.40s\"",
                             actions[i]);
            }
            phased->on_failure[i] = rollback ? PHASED_ROLLBACK : PHASED_PAUSE;
        }
    }
    return rc;
}

static enum err_code read_terms(struct phased_reader *reader, const struct json *json)
{
    struct phased *phased = reader->phased;
    const struct json *idle = json_get(json, "old_writes_idle");
    const struct json *lossy = json_get(json, "lossy"), *lease = json_get(json, "lease_s");

    phased->old_writes_idle_ms = OLD_WRITES_IDLE_MS;
    phased->lease_s = LEASE_S;
    if (idle != NULL && !phased_duration(json_text(idle), &phased->old_writes_idle_ms)) {
        return err_set(
            reader->err, ERR_INVALID,
            "\"old_writes_idle\" must be a duration such as \"90s\", \"1h\" or \"1h30m\"");
    }
    if (lossy != NULL && json_kind(lossy) != JSON_BOOL) {
        return phased_wrong_kind(reader, "lossy", "true or false", lossy);
    }
    phased->lossy = json_is_true(lossy);
    if (lease != NULL &&
        (!json_int(lease, &phased->lease_s) || phased->lease_s < 1 || phased->lease_s > 86400)) {
        return err_set(reader->err, ERR_INVALID, "\"lease_s\" must be 1 to 86400 seconds");
    }
    return ERR_OK;
}

/* ---- the whole ---- */

static enum err_code check_sense(struct phased_reader *reader)
{
    return reader->phased->kind == PHASED_COLUMNS ? phased_columns_check(reader)
                                                  : ERR_OK; /* phased_table_read() has seen to it */
}

static enum err_code read_document(struct phased_reader *reader, const struct json *json)
{
    static const char *const names[] = {"description",
                                        "table",
                                        "add",
                                        "forward",
                                        "drop",
                                        "reverse",
                                        "valid_old",
                                        "lossy",
                                        "flag",
                                        "gates",
                                        "old_writes_idle",
                                        "lease_s",
                                        "create_table",
                                        "drop_table",
                                        "rename_table",
                                        "rename_indexes",
                                        "handwritten",
                                        "needs",
                                        "watch",
                                        "on_failure",
                                        PHASED_COLUMN_MEMBERS,
                                        NULL};
    struct phased *phased = reader->phased;
    enum err_code rc;

    if (json_kind(json) != JSON_OBJECT) {
        return err_set(reader->err, ERR_INVALID, "it must be an object, and is %s",
                       json_kind_name(json_kind(json)));
    }
    rc = phased_refuse_unsupported(reader, json);
    rc = rc ? rc : phased_known(reader, json, "", names);
    rc = rc ? rc : refuse_twins(reader, json);
    phased->description = "";
    if (rc == ERR_OK && json_get(json, "description") != NULL) {
        rc = phased_take_text(reader, "description", json_get(json, "description"),
                              &phased->description);
    }
    rc = rc ? rc : phased_table_read(json, reader->arena, phased, reader->err);
    if (rc == ERR_OK && phased->kind == PHASED_COLUMNS && json_get(json, "table") == NULL) {
        rc = err_set(reader->err, ERR_INVALID, "\"table\" is missing");
    }
    if (rc == ERR_OK && phased->kind == PHASED_COLUMNS) {
        rc = phased_take_text(reader, "table", json_get(json, "table"), &phased->table);
    }
    if (rc == ERR_OK && json_get(json, "valid_old") != NULL) {
        rc = phased_take_text(reader, "valid_old", json_get(json, "valid_old"), &phased->valid_old);
    }
    rc = rc ? rc : phased_columns_read(reader, json);
    rc = rc ? rc : read_flag(reader, json_get(json, "flag"));
    rc = rc ? rc : read_terms(reader, json);
    rc = rc ? rc : read_gates(reader, json_get(json, "gates"));
    rc = rc ? rc : read_watch(reader, json_get(json, "watch"), json_get(json, "on_failure"));
    return rc ? rc : check_sense(reader);
}

enum err_code phased_parse(struct str text, struct arena *arena, struct phased **out,
                           struct err *err)
{
    struct phased_reader reader = {arena, arena_zero(arena, 1, sizeof(struct phased)), err};
    struct json *json = NULL;
    enum err_code rc;

    if (reader.phased == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = json_parse(text.at, text.len, &json, err);
    if (rc == ERR_OK) {
        rc = read_document(&reader, json);
        json_free(json);
    }
    if (rc == ERR_OK) {
        *out = reader.phased;
    }
    return rc;
}
