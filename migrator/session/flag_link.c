#include "migrator/session/flag_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"

#define TIMEOUT_MS 10000
#define MESSAGES_MAX                                                                               \
    (INT64_C(1) << 20)   /* of one run; an epoch and this are exact as JSON numbers */
#define DETAIL_BYTES 200 /* of the server's words in one of our messages */
#define COMMAND_BYTES 260
#define ENVIRONMENT_BYTES 120

enum err_code flag_link_check_url(const struct migrate *m, struct err *err)
{
    const char *url = m->options.flag_server;

    if (url != NULL && strncasecmp(url, "http://", 7) != 0 &&
        strncasecmp(url, "https://", 8) != 0) {
        return err_set(err, ERR_INVALID,
                       "'%.100s' is no URL of a flag server; it begins with http:// or https://",
                       url);
    }
    return ERR_OK;
}

static const struct phased *tied(const struct migrate *m, size_t index)
{
    const struct phased *phased = m->folder.at[index].phased;

    return phased != NULL && phased->flag != NULL ? phased : NULL;
}

/* ---- one exchange ---- */

static void add_escaped(struct buf *url, const char *before, const char *text)
{
    char *escaped = fetch_url_escape(text);

    buf_text(url, before);
    buf_text(url, escaped != NULL ? escaped : "");
    free(escaped);
}

static void begin_url(const struct migrate *m, struct buf *url, const char *path)
{
    size_t len = strlen(m->options.flag_server);

    while (len > 0 && m->options.flag_server[len - 1] == '/') {
        len--;
    }
    buf_add(url, m->options.flag_server, len);
    buf_text(url, path);
}

/* Which environment the database belongs to, as a header; "" where its name cannot be one. */
static const char *environment_header(const struct migrate *m, char out[ENVIRONMENT_BYTES])
{
    const char *name = m->environment != NULL ? m->environment : "";

    for (const char *c = name; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            name = "";
            break;
        }
    }
    snprintf(out, ENVIRONMENT_BYTES, "X-Lockstep-Environment: %s", name);
    return name[0] != '\0' ? out : "";
}

static enum err_code send(struct migrate *m, const char *method, const char *url,
                          const struct json *body, struct fetch_reply *reply, struct err *err)
{
    char *text = body != NULL ? json_print(body) : NULL, environment[ENVIRONMENT_BYTES];
    const char *headers[] = {environment_header(m, environment), NULL};
    enum err_code rc;

    if (m->fetch == NULL) {
        m->fetch = fetch_new();
    }
    if (m->fetch == NULL || (body != NULL && text == NULL)) {
        free(text);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = fetch_send(m->fetch,
                    &(struct fetch_request){.method = method,
                                            .url = url,
                                            .bearer = m->options.flag_token,
                                            .headers = headers[0][0] != '\0' ? headers : NULL,
                                            .body = text,
                                            .body_len = text != NULL ? strlen(text) : 0,
                                            .timeout_ms = TIMEOUT_MS},
                    reply, err);
    free(text);
    if (rc) {
        err_wrap(err, "the flag server does not answer");
    }
    return rc;
}

/* A detail that is too long loses its end, but never the command that goes first. */
static void set_refusal(struct err *err, enum err_code code, const char *detail,
                        const char *command)
{
    static const char before[] = "; first run: ";
    const char *at = command != NULL && *command != '\0' ? strstr(detail, command) : NULL;
    size_t len = at != NULL ? (size_t)(at - detail) : strlen(detail);

    if (at == NULL) {
        err_set(err, code, "flag server: %.*s", DETAIL_BYTES, detail);
        return;
    }
    if (len >= strlen(before) && memcmp(at - strlen(before), before, strlen(before)) == 0) {
        len -= strlen(before);
    }
    err_set(err, code, "flag server: %.*s%s%.*s", len < DETAIL_BYTES ? (int)len : DETAIL_BYTES,
            detail, before, COMMAND_BYTES, command);
}

/* A reply that is no success, as an error with the server's own words. */
static enum err_code refusal(const struct migrate *m, const struct fetch_reply *reply,
                             struct err *err)
{
    struct json *problem = NULL;
    struct err unused = {0};
    const char *detail = NULL, *command = NULL;
    enum err_code code = reply->status == 409 || reply->status == 412   ? ERR_CONFLICT
                         : reply->status == 404                         ? ERR_NOT_FOUND
                         : reply->status == 401 || reply->status == 403 ? ERR_DENIED
                         : reply->status == 400                         ? ERR_INVALID
                                                                        : ERR_IO;

    if (json_parse(reply->body, reply->body_len, &problem, &unused) == ERR_OK) {
        detail = json_get_text(problem, "detail", NULL);
        command = json_get_text(problem, "command", NULL);
    }
    if (code == ERR_DENIED) {
        err_set(
            err, code,
            "the flag server at %.80s refuses this token (%ld%s%.*s): give one of role pipeline or "
            "admin by --flag-token-file or LOCKSTEP_TOKEN",
            m->options.flag_server, reply->status, detail != NULL ? ": " : "", DETAIL_BYTES,
            detail != NULL ? detail : "");
    } else {
        set_refusal(err, code, detail != NULL ? detail : "unexpected reply", command);
    }
    json_free(problem);
    return code;
}

static enum err_code need_server(const struct migrate *m, size_t index, struct err *err)
{
    return m->options.flag_server != NULL
               ? ERR_OK
               : err_set(err, ERR_INVALID,
                         "%.80s is tied to the flag '%.80s': name the flag server by --flag-server "
                         "or LOCKSTEP_FLAG_SERVER",
                         m->folder.at[index].name, m->folder.at[index].phased->flag);
}

/* ---- facts ---- */

static void note_list(const struct json *list, const char *name_member, char *out, size_t size)
{
    struct buf text = {0};

    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        const char *name =
            json_kind(item) == JSON_OBJECT ? json_get_text(item, name_member, "") : json_text(item);
        buf_print(&text, "%s%s", text.len > 0 ? ", " : "", name != NULL ? name : "");
    }
    (void)snprintf(out, size, "%s", buf_cstr(&text));
    buf_fini(&text);
}

static bool is_accepted(const struct migrate *m, const struct json *client)
{
    for (size_t i = 0; i < m->accept_stale_count; i++) {
        if (strcmp(m->accept_stale[i], json_get_text(client, "name", "")) == 0 ||
            strcmp(m->accept_stale[i], json_get_text(client, "instance", "")) == 0) {
            return true;
        }
    }
    return false;
}

/* Who has not confirmed the flag, but for those of whom somebody said that they are gone. */
static void read_behind(const struct migrate *m, const struct json *list, struct facts_flag *flag)
{
    struct buf text = {0};

    for (const struct json *client = json_first(list); client != NULL; client = json_next(client)) {
        char seen[CLOCK_TEXT_BYTES];
        double ago_s = json_number(json_get(client, "seconds_ago"), 0);
        if (is_accepted(m, client)) {
            continue;
        }
        flag->clients_behind++;
        buf_print(&text, "%s%.60s (%.40s, seen %s ago)", text.len > 0 ? ", " : "",
                  json_get_text(client, "name", "?"), json_get_text(client, "instance", "?"),
                  clock_span_text((int64_t)(ago_s * 1000000.0), seen));
    }
    (void)snprintf(flag->who, sizeof flag->who, "%s", buf_cstr(&text));
    buf_fini(&text);
}

/* Who honours no lease is waited for in vain: what it serves now must be known to be right. */
static void read_without_lease(const struct migrate *m, const struct json *list,
                               struct facts_flag *flag)
{
    struct buf text = {0};

    for (const struct json *client = json_first(list); client != NULL; client = json_next(client)) {
        char seen[CLOCK_TEXT_BYTES];
        double ago_s = json_number(json_get(client, "seconds_ago"), 0);
        if (json_is_true(json_get(client, "confirmed")) || is_accepted(m, client)) {
            continue;
        }
        flag->clients_without_lease++;
        buf_print(&text, "%s%.60s (%.20s, seen %s ago)", text.len > 0 ? ", " : "",
                  json_get_text(client, "name", "?"), json_get_text(client, "kind", "sdk"),
                  clock_span_text((int64_t)(ago_s * 1000000.0), seen));
    }
    (void)snprintf(flag->stale, sizeof flag->stale, "%s", buf_cstr(&text));
    buf_fini(&text);
}

static void read_facts(const struct migrate *m, const struct json *json, struct facts_flag *flag)
{
    const struct json *behind = json_get(json, "clients_behind");

    flag->known = true;
    flag->exists = json_is_true(json_get(json, "exists"));
    flag->enabled_everywhere = json_is_true(json_get(json, "enabled_everywhere"));
    flag->disabled_everywhere = json_is_true(json_get(json, "disabled_everywhere"));
    flag->held = json_is_true(json_get(json, "held"));
    flag->stable_for_s = json_number(json_get(json, "stable_for_s"), 0);
    flag->clients = (int64_t)json_number(json_get(json, "clients"), 0);
    if (json_kind(behind) == JSON_ARRAY) {
        read_behind(m, behind, flag);
    } else {
        flag->clients_behind = (int64_t)json_number(behind, 1); /* absent: nobody knows */
    }
    flag->revision = (int64_t)json_number(json_get(json, "revision"), 0);
    note_list(json_get(json, "behind"), "name", flag->why, sizeof flag->why);
    read_without_lease(m, json_get(json, "clients_without_lease"), flag);
}

/* Where the server has put us, for the commands that go first. */
static void note_environment(struct migrate *m, const struct json *reply)
{
    const char *name = json_get_text(reply, "environment", "");

    m->flag_option[0] = '\0';
    if (name[0] != '\0' && json_is_false(json_get(reply, "default"))) {
        (void)snprintf(m->flag_option, sizeof m->flag_option, " --environment %.64s", name);
    }
}

static enum err_code ask(struct migrate *m, size_t index, struct facts_flag *flag, struct err *err)
{
    const struct phased *phased = tied(m, index);
    struct fetch_reply reply = {0};
    struct json *json = NULL;
    struct buf url = {0};
    enum err_code rc;

    begin_url(m, &url, "/api/v1/gate");
    add_escaped(&url, "?flag=", phased->flag);
    add_escaped(&url, "&database_id=", m->meta.exists ? m->meta.database_id : "none");
    add_escaped(&url, "&migration=", m->folder.at[index].name);
    rc = send(m, "GET", buf_cstr(&url), NULL, &reply, err);
    buf_fini(&url);
    if (rc) {
        return rc;
    }
    if (reply.status != 200) {
        rc = refusal(m, &reply, err);
    } else {
        rc = json_parse(reply.body, reply.body_len, &json, err);
    }
    if (rc == ERR_OK) {
        read_facts(m, json_get(json_get(json, "facts"), "flag"), flag);
        flag->environment_revision = (int64_t)json_number(json_get(json, "revision"), 0);
        note_environment(m, json);
    }
    json_free(json);
    fetch_reply_fini(&reply);
    return rc;
}

enum err_code flag_link_facts(struct migrate *m, size_t index, struct facts_flag *flag,
                              struct err *err)
{
    struct err cause = {0};
    enum err_code rc;

    *flag = (struct facts_flag){0};
    if (tied(m, index) == NULL) {
        return ERR_OK;
    }
    rc = need_server(m, index, &cause);
    rc = rc ? rc : ask(m, index, flag, &cause);
    if (rc == ERR_NOMEM) {
        return err_set(err, rc, "out of memory");
    }
    if (rc) {
        *flag = (struct facts_flag){0};
        (void)snprintf(flag->why, sizeof flag->why, "%.199s", cause.msg);
    }
    return ERR_OK;
}

enum err_code flag_link_check_flag(struct migrate *m, size_t index, struct err *err)
{
    const struct phased *phased = tied(m, index);
    struct facts_flag flag = {0};
    enum err_code rc;

    if (phased == NULL) {
        return ERR_OK;
    }
    rc = need_server(m, index, err);
    rc = rc ? rc : ask(m, index, &flag, err);
    if (rc == ERR_OK && !flag.exists) {
        rc =
            err_set(err, ERR_NOT_FOUND,
                    "%.80s needs the flag '%.80s', which the flag server does not have; first run: "
                    "flags create %.80s",
                    m->folder.at[index].name, phased->flag, phased->flag);
    }
    return rc;
}

/* ---- the order of messages ---- */

/* A number that grows from message to message and from run to run, because each run that takes the
 * lock raises its epoch: the server takes none of a run that is over once it had one of a later run.
 * 0: nobody ever took the lock. */
static int64_t next_sequence(struct migrate *m)
{
    struct lock_seen seen = {0};
    struct err unused = {0};
    int64_t epoch = m->lock.epoch;

    if (epoch == 0 && lock_look(m->db, &seen, &unused) == ERR_OK) {
        epoch = seen.epoch;
    }
    if (m->messages < MESSAGES_MAX - 1) {
        m->messages++;
    }
    return epoch > 0 ? epoch * MESSAGES_MAX + m->messages : 0;
}

static void put_sequence(struct migrate *m, struct json *body)
{
    int64_t sequence = next_sequence(m);

    if (sequence > 0) {
        (void)json_put_number(body, "sequence", (double)sequence);
    }
}

/* ---- states ---- */

static enum err_code note_reported(struct migrate *m, size_t index, enum mig_state state,
                                   struct err *err)
{
    struct work work = {0};
    enum err_code rc;

    if (state == MIG_PENDING) {
        return ERR_OK; /* no row to note it in */
    }
    work_sql_with(&work, "UPDATE lockstep_journal SET reported = ?2 WHERE migration = ?1", 2,
                  (struct database_value[]){database_text(m->folder.at[index].name),
                                            database_text(mig_state_name(state))});
    rc = work_run(&work, m->db, m->lock.held ? &m->lock : NULL, NULL, err);
    work_fini(&work);
    return rc;
}

static void migration_url(const struct migrate *m, size_t index, const char *path, struct buf *url)
{
    begin_url(m, url, path);
    add_escaped(url, "/", m->meta.database_id);
    add_escaped(url, "/", m->folder.at[index].name);
}

static enum err_code expect(struct migrate *m, const char *method, struct buf *url,
                            struct json *body, struct err *err)
{
    struct fetch_reply reply = {0};
    struct json *answer = NULL;
    struct err unused = {0};
    enum err_code rc = send(m, method, buf_cstr(url), body, &reply, err);

    json_free(body);
    buf_fini(url);
    if (rc) {
        return rc;
    }
    if (reply.status < 200 || reply.status > 299) {
        rc = refusal(m, &reply, err);
    } else if (json_parse(reply.body, reply.body_len, &answer, &unused) == ERR_OK) {
        note_environment(m, answer);
        json_free(answer);
    }
    fetch_reply_fini(&reply);
    return rc;
}

static enum err_code report(struct migrate *m, size_t index, enum mig_state state, bool restored,
                            struct err *err)
{
    const struct phased *phased = tied(m, index);
    const struct journal_row *row = session_row(m, index);
    struct json *body, *flag;
    struct buf url = {0};
    enum err_code rc;

    if (phased == NULL) {
        return ERR_OK;
    }
    rc = need_server(m, index, err);
    if (rc) {
        return rc;
    }
    flag = json_object();
    (void)json_put_text(flag, "key", phased->flag);
    (void)json_put_text(flag, "old", phased->flag_old);
    (void)json_put_text(flag, "new", phased->flag_new);
    body = json_object();
    (void)json_put_text(body, "state", mig_state_name(state));
    (void)json_put(body, "flag", flag);
    (void)json_put_text(body, "database", database_url(m->db));
    if (state == MIG_DUAL_WRITING && row != NULL && row->reported != NULL &&
        strcmp(row->reported, mig_state_name(MIG_IN_SYNC)) == 0) {
        /* The schema is there already: after a failed verification, or a way back that had the flag
         * off and held. */
        (void)json_put_bool(body, "fell_back", true);
    }
    if (restored) {
        (void)json_put_bool(body, "restored", true);
    }
    (void)json_put_number(body, "lease_s", (double)phased->lease_s);
    put_sequence(m, body);
    migration_url(m, index, "/api/v1/migrations", &url);
    rc = expect(m, "PUT", &url, body, err);
    return rc ? rc : note_reported(m, index, state, err);
}

enum err_code flag_link_report(struct migrate *m, size_t index, enum mig_state state,
                               struct err *err)
{
    return report(m, index, state, false, err);
}

static bool owes(const struct migrate *m, size_t index)
{
    const struct journal_row *row = session_row(m, index);

    return tied(m, index) != NULL && row != NULL && m->options.flag_server != NULL &&
           (row->reported == NULL || strcmp(row->reported, mig_state_name(row->state)) != 0);
}

bool flag_link_owes(const struct migrate *m)
{
    for (size_t i = 0; i < m->folder.count; i++) {
        if (owes(m, i)) {
            return true;
        }
    }
    return false;
}

enum err_code flag_link_report_all(struct migrate *m, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        rc = owes(m, i) ? flag_link_report(m, i, session_row(m, i)->state, err) : ERR_OK;
    }
    return rc;
}

/* ---- what the server believes ---- */

enum err_code flag_link_beliefs(struct migrate *m, struct json **out, struct err *err)
{
    struct fetch_reply reply = {0};
    struct buf url = {0};
    enum err_code rc;

    *out = NULL;
    begin_url(m, &url, "/api/v1/migrations");
    rc = send(m, "GET", buf_cstr(&url), NULL, &reply, err);
    buf_fini(&url);
    if (rc) {
        return rc;
    }
    rc = reply.status == 200 ? json_parse(reply.body, reply.body_len, out, err)
                             : refusal(m, &reply, err);
    fetch_reply_fini(&reply);
    return rc;
}

static const struct json *belief_of(const struct migrate *m, const struct json *beliefs,
                                    size_t index)
{
    for (const struct json *tie = json_first(json_get(beliefs, "migrations")); tie != NULL;
         tie = json_next(tie)) {
        if (strcmp(json_get_text(tie, "database_id", ""), m->meta.database_id) == 0 &&
            strcmp(json_get_text(tie, "migration", ""), m->folder.at[index].name) == 0) {
            return tie;
        }
    }
    return NULL;
}

bool flag_link_belief(const struct migrate *m, const struct json *beliefs, size_t index,
                      enum mig_state *out)
{
    const struct json *tie = belief_of(m, beliefs, index);

    return tie != NULL && mig_state_parse(json_get_text(tie, "state", ""), out);
}

bool flag_link_held(const struct migrate *m, const struct json *beliefs, size_t index)
{
    return json_is_true(json_get(belief_of(m, beliefs, index), "held"));
}

/* Whether the server had messages of a run that this database knows nothing of. */
static bool has_later(struct migrate *m, const struct json *beliefs, size_t index)
{
    double taken = json_number(json_get(belief_of(m, beliefs, index), "sequence"), 0);

    return taken > (double)next_sequence(m);
}

enum err_code flag_link_report_facts(struct migrate *m, struct json *told, struct err *err)
{
    struct json *beliefs = NULL;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        enum mig_state state = session_state(m, i), believed = MIG_PENDING;
        bool known;
        if (tied(m, i) == NULL) {
            continue;
        }
        rc = need_server(m, i, err);
        rc = rc || beliefs != NULL ? rc : flag_link_beliefs(m, &beliefs, err);
        known = rc == ERR_OK && flag_link_belief(m, beliefs, i, &believed);
        if (rc || (!known && state == MIG_PENDING)) {
            continue;
        }
        /* An older copy also has an older epoch, so that the server would take nothing from it. */
        rc = report(m, i, state, known && (believed != state || has_later(m, beliefs, i)), err);
        if (rc == ERR_OK && told != NULL && (!known || believed != state)) {
            struct json *entry = json_object();
            (void)json_put_text(entry, "migration", m->folder.at[i].name);
            (void)json_put_text(entry, "believed", known ? mig_state_name(believed) : "unknown");
            (void)json_put_text(entry, "state", mig_state_name(state));
            (void)json_append(told, entry);
        }
    }
    json_free(beliefs);
    return rc ? rc : session_reread(m, err);
}

/* ---- holds ---- */

enum err_code flag_link_hold(struct migrate *m, size_t index, int64_t revision, struct err *err)
{
    const struct phased *phased = tied(m, index);
    char owner[sizeof m->lock.owner];
    struct buf url = {0};
    struct json *body;
    enum err_code rc;

    if (phased == NULL) {
        return ERR_OK;
    }
    rc = need_server(m, index, err);
    if (rc) {
        return rc;
    }
    memcpy(owner, m->lock.owner, sizeof owner);
    lock_short_owner(owner);
    body = json_object();
    (void)json_put_text(body, "flag", phased->flag);
    (void)json_put_text(body, "database_id", m->meta.database_id);
    (void)json_put_text(body, "migration", m->folder.at[index].name);
    (void)json_put_number(body, "flag_revision", (double)revision);
    (void)json_put_text(body, "owner", owner);
    put_sequence(m, body);
    begin_url(m, &url, "/api/v1/holds");
    return expect(m, "POST", &url, body, err);
}

enum err_code flag_link_release(struct migrate *m, size_t index, struct err *err)
{
    struct buf url = {0};
    int64_t sequence;
    enum err_code rc;

    if (tied(m, index) == NULL) {
        return ERR_OK;
    }
    rc = need_server(m, index, err);
    if (rc) {
        return rc;
    }
    migration_url(m, index, "/api/v1/holds", &url);
    sequence = next_sequence(m);
    if (sequence > 0) {
        buf_print(&url, "?sequence=%lld", (long long)sequence);
    }
    return expect(m, "DELETE", &url, NULL, err);
}
