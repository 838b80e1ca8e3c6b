/*
 * Cloudflare D1 over its REST API. A database is named d1://ACCOUNT/DATABASE, the latter by its id
 * or its name.
 *
 * One request is one transaction: a batch goes out as one array of statements. Each batch also
 * counts itself in lockstep_session, so that a request whose answer was lost can be sent again: if
 * it had been carried out, its own count refuses the second one.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "database/d1.h"
#include "database/d1_probe.h"
#include "database/d1_rules.h"
#include "database/d1_travel.h"

#define D1_API "https://api.cloudflare.com/client/v4"

static struct d1 *d1_of(struct database *db)
{
    return (struct d1 *)db;
}

/* ---- open ---- */

static char *join(const char *a, const char *b, const char *c)
{
    struct buf text = {0};

    buf_text(&text, a);
    buf_text(&text, b);
    buf_text(&text, c);
    return buf_take(&text);
}

static void d1_close(struct database *db)
{
    struct d1 *d1 = d1_of(db);

    d1_forget_queries(d1);
    fetch_free(d1->call.fetch);
    free(d1->call.base);
    free(d1->call.token);
    free(d1->id);
    free(d1->path);
    free(d1);
}

static bool is_id(const char *text)
{
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) {
            return false;
        }
    }
    return text[36] == '\0';
}

/* A database that is named by its name: the API's list knows the id. */
static enum err_code find_by_name(struct d1 *d1, const char *name, struct err *err)
{
    char *escaped = fetch_url_escape(name);
    char *path = escaped != NULL ? join("?name=", escaped, "&per_page=100") : NULL;
    struct json *reply = NULL;
    enum err_code rc = path != NULL ? d1_call_again(&d1->call, "GET", path, NULL, &reply, err)
                                    : err_set(err, ERR_NOMEM, "out of memory");

    free(escaped);
    free(path);
    if (rc) {
        return rc;
    }
    for (const struct json *one = json_first(json_get(reply, "result")); one != NULL;
         one = json_next(one)) {
        if (strcmp(json_get_text(one, "name", ""), name) == 0) {
            d1->id = strdup(json_get_text(one, "uuid", ""));
        }
    }
    json_free(reply);
    return d1->id != NULL ? ERR_OK
                          : err_set(err, ERR_NOT_FOUND,
                                    "this account has no D1 database '%.80s'; `wrangler d1 list` "
                                    "shows what it has",
                                    name);
}

/* It is there, and the token may see it. */
static enum err_code greet(struct d1 *d1, struct err *err)
{
    char *path = join("/", d1->id, "");
    struct json *reply = NULL;
    enum err_code rc = path != NULL ? d1_call_again(&d1->call, "GET", path, NULL, &reply, err)
                                    : err_set(err, ERR_NOMEM, "out of memory");

    free(path);
    json_free(reply);
    return rc;
}

static enum err_code split_name(const char *name, char **account, const char **database,
                                struct err *err)
{
    const char *slash = strncmp(name, "//", 2) == 0 ? strchr(name + 2, '/') : NULL;

    if (slash == NULL || slash == name + 2 || slash[1] == '\0' || strchr(slash + 1, '/') != NULL) {
        return err_set(
            err, ERR_INVALID,
            "d1:%.100s: a D1 database is named d1://ACCOUNT/DATABASE (the account's id, and "
            "the database's id or name)",
            name);
    }
    *account = strndup(name + 2, (size_t)(slash - name - 2));
    *database = slash + 1;
    return *account != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* A service on this machine is none of Cloudflare's, and allows what it likes. */
static bool is_local(const char *api)
{
    static const char *const hosts[] = {"127.", "localhost", "[::1]"};
    const char *host = strstr(api, "://");

    for (size_t i = 0; host != NULL && i < sizeof hosts / sizeof hosts[0]; i++) {
        if (strncasecmp(host + 3, hosts[i], strlen(hosts[i])) == 0) {
            return true;
        }
    }
    return false;
}

static enum err_code set_up(struct d1 *d1, const struct database_options *options,
                            const char *account, const char *database, struct err *err)
{
    const char *api = options->api != NULL ? options->api : D1_API;
    size_t api_len = strlen(api);
    struct buf base = {0};
    char *escaped = fetch_url_escape(account);
    enum err_code rc;

    while (api_len > 0 && api[api_len - 1] == '/') {
        api_len--;
    }
    buf_add(&base, api, api_len);
    buf_text(&base, "/accounts/");
    buf_text(&base, escaped != NULL ? escaped : "");
    buf_text(&base, "/d1/database");
    free(escaped);
    d1->call.fetch = fetch_new();
    d1->call.token = strdup(options->token != NULL ? options->token : "");
    d1->call.base = buf_take(&base);
    if (options->requests > 0 || !is_local(api)) {
        d1->call.budget = d1_budget_of(options->token, options->requests);
        if (d1->call.budget == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    d1->read_only = options->read_only;
    (void)random_hex((D1_SESSION_BYTES - 1) / 2, d1->session);
    if (d1->call.fetch == NULL || d1->call.token == NULL || d1->call.base == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (is_id(database)) {
        d1->id = strdup(database);
        rc = d1->id != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = find_by_name(d1, database, err);
    }
    if (rc == ERR_OK) {
        d1->path = join("/", d1->id, "/raw");
        rc = d1->path != NULL ? greet(d1, err) : err_set(err, ERR_NOMEM, "out of memory");
    }
    return rc;
}

static enum err_code d1_open(const char *name, const struct database_options *options,
                             struct database **out, struct err *err)
{
    struct d1 *d1 = NULL;
    char *account = NULL;
    const char *database = NULL;
    enum err_code rc = split_name(name, &account, &database, err);

    if (rc == ERR_OK && (options->token == NULL || *options->token == '\0')) {
        rc =
            err_set(err, ERR_DENIED,
                    "a D1 database needs an API token: put it into CLOUDFLARE_API_TOKEN, or name a "
                    "file that holds it");
    }
    if (rc == ERR_OK) {
        d1 = calloc(1, sizeof *d1);
        rc = d1 != NULL ? set_up(d1, options, account, database, err)
                        : err_set(err, ERR_NOMEM, "out of memory");
    }
    free(account);
    if (rc) {
        if (d1 != NULL) {
            d1_close(&d1->db);
        }
        return rc;
    }
    *out = &d1->db;
    return ERR_OK;
}

/* ---- capabilities ---- */

static enum err_code d1_probe(struct database *db, struct database_capabilities *out,
                              struct err *err)
{
    *out = (struct database_capabilities){
        .engine = "d1",
        .bookmarks = true,
        .bounds = d1_bounds,
    };
    return d1_probe_alters(&d1_of(db)->call, d1_of(db)->path, out, err);
}

static enum err_code d1_check(struct database *db, const char *sql, struct err *err)
{
    (void)db;
    return d1_rules_check(sql, false, err);
}

static enum err_code d1_bookmark(struct database *db, char *out, size_t size, struct err *err)
{
    return d1_travel_bookmark(&d1_of(db)->call, d1_of(db)->id, out, size, err);
}

static enum err_code d1_rewind(struct database *db, const char *bookmark, char *undo, size_t size,
                               struct err *err)
{
    d1_forget_queries(d1_of(db));
    return d1_of(db)->read_only
               ? err_set(err, ERR_DENIED, "%s was opened to read only", database_url(db))
               : d1_travel_back(&d1_of(db)->call, d1_of(db)->id, bookmark, undo, size, err);
}

const struct database_engine database_engine_d1 = {
    .scheme = "d1",
    .remote = true,
    .open = d1_open,
    .close = d1_close,
    .probe = d1_probe,
    .check = d1_check,
    .hazard = d1_rules_hazard,
    .query = d1_query,
    .batch = d1_batch,
    .bookmark = d1_bookmark,
    .rewind = d1_rewind,
};
