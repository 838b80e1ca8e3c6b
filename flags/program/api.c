#include "flags/program/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/nearest.h"

enum { TIMEOUT_MS = 15000, TOKEN_FILE_MAX = 4096, KEYS_MAX = 10000 };

/* ---- set-up ---- */

static char *read_token(struct cli *cli, struct err *err)
{
    const char *path = cli_option(cli, "token-file");
    const char *text = getenv("LOCKSTEP_TOKEN");
    char *token = NULL;
    size_t len;

    if (path != NULL) {
        if (file_read(path, TOKEN_FILE_MAX, &token, &len, err) != ERR_OK) {
            err_wrap(err, "--token-file");
            return NULL;
        }
        token[strcspn(token, "\r\n")] = '\0';
    } else if (text != NULL) {
        token = strdup(text);
    }
    if (token == NULL || token[0] == '\0') {
        free(token);
        (void)err_set(err, ERR_INVALID,
                      "a token is needed: --token-file FILE, or LOCKSTEP_TOKEN in the environment");
        return NULL;
    }
    return token;
}

/* A header line must stay one line; other control characters have no place in a reason either. */
static void set_reason(struct api *api, const char *reason)
{
    size_t len;

    if (reason == NULL || reason[0] == '\0') {
        return;
    }
    snprintf(api->reason_header, sizeof api->reason_header, "X-Lockstep-Reason: %s", reason);
    len = strlen(api->reason_header);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)api->reason_header[i] < ' ') {
            api->reason_header[i] = ' ';
        }
    }
}

int api_open(struct api *api, struct cli *cli, const char *command)
{
    const char *url = cli_option(cli, "server");
    struct err err = {0};
    size_t len;

    memset(api, 0, sizeof *api);
    api->cli = cli;
    api->command = command;
    for (int i = 0; i < cli_operand_count(cli); i++) {
        const char *operand = cli_operand(cli, i);

        /* Nothing has such a name, and in an address they would mean another place. */
        if (operand[0] == '\0' || strcmp(operand, ".") == 0 || strcmp(operand, "..") == 0) {
            return cli_usage(cli, "'%s' is no key%s", operand,
                             operand[0] == '\0' ? ": it is empty (a variable that is not set?)"
                                                : "");
        }
    }
    url = url != NULL ? url : getenv("LOCKSTEP_URL");
    if (url == NULL || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
        return cli_usage(cli,
                         "the server is needed: --server http://127.0.0.1:8080, or LOCKSTEP_URL in "
                         "the environment");
    }
    api->token = read_token(cli, &err);
    if (api->token == NULL) {
        return cli_fail(cli, &err);
    }
    api->url = strdup(url);
    api->fetch = fetch_new();
    if (api->url == NULL || api->fetch == NULL) {
        (void)err_set(&err, ERR_NOMEM, "out of memory");
        return cli_fail(cli, &err);
    }
    len = strlen(api->url);
    while (len > 0 && api->url[len - 1] == '/') {
        api->url[--len] = '\0';
    }
    set_reason(api, cli_option(cli, "reason"));
    api->environment = cli_option(cli, "environment");
    if (api->environment != NULL && api->environment[0] != '\0') {
        snprintf(api->option, sizeof api->option, " --environment %.70s", api->environment);
    }
    if (api->environment == NULL) {
        api->environment = getenv("FLAGS_ENVIRONMENT");
    }
    if (api->environment != NULL && api->environment[0] == '\0') {
        api->environment = NULL;
    }
    return 0;
}

void api_close(struct api *api)
{
    fetch_free(api->fetch);
    free(api->url);
    free(api->token);
}

/* ---- failures ---- */

enum err_code api_set(struct api *api, enum err_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(api->message, sizeof api->message, fmt, args);
    va_end(args);
    api->code = code;
    api->hint[0] = '\0';
    api->migration[0] = '\0';
    return code;
}

int api_fail(const struct api *api)
{
    struct json *document, *error;

    if (!cli_json(api->cli)) {
        fprintf(stderr, "flags %s: %s\n", api->command, api->message);
        return err_exit_code(api->code);
    }
    document = json_object();
    error = json_put(document, "error", json_object());
    json_put_text(error, "code", err_code_name(api->code));
    json_put_text(error, "message", api->message);
    if (api->migration[0] != '\0') {
        json_put_text(error, "migration", api->migration);
    }
    if (api->hint[0] != '\0') {
        json_put_text(error, "command", api->hint);
    }
    cli_print_json(document);
    return err_exit_code(api->code);
}

static enum err_code code_of_status(long status)
{
    switch (status) {
    case 400: return ERR_INVALID;
    case 401:
    case 403: return ERR_DENIED;
    case 404: return ERR_NOT_FOUND;
    case 409: return ERR_CONFLICT;
    case 412: return ERR_STALE;
    case 413: return ERR_LIMIT;
    case 503: return ERR_BUSY;
    default: return ERR_IO;
    }
}

static enum err_code set_problem(struct api *api, long status, const struct json *problem)
{
    const char *detail = json_get_text(problem, "detail", NULL);
    enum err_code code = code_of_status(status);

    if (detail == NULL) {
        return api_set(api, code,
                       "%s answered %ld without a reason: is this address a flag server's?",
                       api->url, status);
    }
    (void)api_set(api, code, "%s", detail);
    snprintf(api->hint, sizeof api->hint, "%s", json_get_text(problem, "command", ""));
    snprintf(api->migration, sizeof api->migration, "%s", json_get_text(problem, "migration", ""));
    return code;
}

/* ---- exchanges ---- */

static void take_etag(const char *from, char to[API_ETAG_BYTES])
{
    from += strncmp(from, "W/", 2) == 0 ? 2 : 0;
    from += *from == '"';
    snprintf(to, API_ETAG_BYTES, "%.*s", (int)strcspn(from, "\""), from);
}

static enum err_code read_reply(struct api *api, const struct fetch_reply *got, struct json **reply,
                                char *etag)
{
    struct json *document = NULL;
    struct err err = {0};
    enum err_code rc = ERR_OK;

    if (got->body_len > 0 && json_parse(got->body, got->body_len, &document, &err) != ERR_OK &&
        got->status < 400) {
        return api_set(api, ERR_IO, "%s answered what is no JSON: is this address a flag server's?",
                       api->url);
    }
    if (got->status >= 300) {
        rc = set_problem(api, got->status, document);
        json_free(document);
        return rc;
    }
    if (etag != NULL) {
        take_etag(got->etag, etag);
    }
    if (reply != NULL) {
        *reply = document;
    } else {
        json_free(document);
    }
    return ERR_OK;
}

/* The whole address of a path; free() it. NULL: no memory. */
static char *address(const struct api *api, const char *path)
{
    bool named = api->environment == NULL || strstr(path, "environment=") != NULL ||
                 strncmp(path, "/api/v1/environments", 20) == 0;
    char *environment = named ? NULL : fetch_url_escape(api->environment), *url;
    size_t size = strlen(api->url) + strlen(path) + 20;

    if (!named && environment == NULL) {
        return NULL;
    }
    size += environment != NULL ? strlen(environment) : 0;
    url = malloc(size);
    if (url != NULL) {
        snprintf(url, size, "%s%s%s%s", api->url, path,
                 named                       ? ""
                 : strchr(path, '?') != NULL ? "&environment="
                                             : "?environment=",
                 named ? "" : environment);
    }
    free(environment);
    return url;
}

enum err_code api_call(struct api *api, const char *method, const char *path,
                       const struct json *body, const char *if_match, struct json **reply,
                       char etag[API_ETAG_BYTES])
{
    const char *headers[] = {"Content-Type: application/json",
                             api->reason_header[0] != '\0' ? api->reason_header : NULL, NULL};
    char *text = body != NULL ? json_print(body) : NULL;
    char *url = address(api, path);
    char tag[API_ETAG_BYTES + 4];
    struct fetch_reply got;
    struct err err = {0};
    enum err_code rc;

    if (url == NULL || (body != NULL && text == NULL)) {
        free(url);
        free(text);
        return api_set(api, ERR_NOMEM, "out of memory");
    }
    snprintf(tag, sizeof tag, "\"%s\"", if_match != NULL ? if_match : "");
    rc = fetch_send(api->fetch,
                    &(struct fetch_request){.method = method,
                                            .url = url,
                                            .bearer = api->token,
                                            .headers = headers,
                                            .if_match = if_match != NULL ? tag : NULL,
                                            .body = text,
                                            .body_len = text != NULL ? strlen(text) : 0,
                                            .timeout_ms = TIMEOUT_MS},
                    &got, &err);
    free(url);
    free(text);
    if (rc != ERR_OK) {
        return api_set(api, rc,
                       "%s cannot be asked (%s): is the server running, and is --server "
                       "or LOCKSTEP_URL right?",
                       api->url, err.msg);
    }
    rc = read_reply(api, &got, reply, etag);
    fetch_reply_fini(&got);
    return rc;
}

enum err_code api_text(struct api *api, const char *method, const char *path, const char *body,
                       size_t body_len, char **text, size_t *len)
{
    const char *headers[] = {"Content-Type: text/plain", NULL};
    char *url = address(api, path);
    struct fetch_reply got;
    struct err err = {0};
    enum err_code rc;

    if (url == NULL) {
        return api_set(api, ERR_NOMEM, "out of memory");
    }
    rc = fetch_send(api->fetch,
                    &(struct fetch_request){.method = method,
                                            .url = url,
                                            .bearer = api->token,
                                            .headers = headers,
                                            .body = body,
                                            .body_len = body_len,
                                            .timeout_ms = TIMEOUT_MS},
                    &got, &err);
    free(url);
    if (rc != ERR_OK) {
        return api_set(api, rc, "%s cannot be asked (%s)", api->url, err.msg);
    }
    if (got.status >= 300) {
        rc = read_reply(api, &got, NULL, NULL);
    } else if (text != NULL) {
        *text = got.body;
        *len = got.body_len;
        got.body = NULL;
    }
    fetch_reply_fini(&got);
    return rc;
}

char *api_path(const char *before, const char *value, const char *after)
{
    char *escaped = fetch_url_escape(value);
    size_t size;
    char *path;

    if (escaped == NULL) {
        return NULL;
    }
    size = strlen(before) + strlen(escaped) + strlen(after) + 1;
    path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s%s%s", before, escaped, after);
    }
    free(escaped);
    return path;
}

/* Puts "did you mean ...?" behind the message of a flag that was not found. */
static void suggest(struct api *api, const char *key)
{
    struct api silent = *api; /* this look-up must not replace the failure */
    struct json *list = NULL;
    const char **names;
    const char *nearest;
    size_t count = 0;

    if (api_call(&silent, "GET", "/api/v1/flags", NULL, NULL, &list, NULL) != ERR_OK) {
        return;
    }
    names = calloc(KEYS_MAX, sizeof *names);
    for (const struct json *flag = json_first(json_get(list, "flags"));
         flag != NULL && names != NULL && count < KEYS_MAX; flag = json_next(flag)) {
        names[count++] = json_get_text(flag, "key", "");
    }
    nearest = names != NULL ? nearest_name(key, names, count) : NULL;
    if (nearest != NULL) {
        (void)api_set(api, ERR_NOT_FOUND, "no flag '%.128s' is here; did you mean '%s'?", key,
                      nearest);
    }
    free(names);
    json_free(list);
}

enum err_code api_get_flag(struct api *api, const char *key, struct json **flag,
                           char etag[API_ETAG_BYTES])
{
    char *path = api_path("/api/v1/flags/", key, "");
    enum err_code rc;

    if (path == NULL) {
        return api_set(api, ERR_NOMEM, "out of memory");
    }
    rc = api_call(api, "GET", path, NULL, NULL, flag, etag);
    free(path);
    if (rc == ERR_NOT_FOUND) {
        suggest(api, key);
    }
    return rc;
}
