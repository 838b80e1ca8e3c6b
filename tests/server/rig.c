#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "tests/server/rig.h"

enum { OPERATIONS_MAX = 100 };

static struct json *api; /* docs/openapi.json */
static const char *visited[OPERATIONS_MAX];
static size_t visited_count;

/* ---- processes ---- */

static void program_path(char out[400], const char *program)
{
    const char *build = getenv("BUILD");

    snprintf(out, 400, "%s/%s", build != NULL ? build : "build", program);
}

static pid_t start(const struct rig *rig, const char *out_path, char *const argv[])
{
    pid_t pid = fork();

    if (pid == 0) {
        int out = open(out_path, O_CREAT | O_WRONLY | O_APPEND, 0600);
        int program = open(argv[0], O_RDONLY); /* nobody may not reach the folder that it is in */

        if (rig != NULL && rig->file_bytes_max > 0) {
            struct rlimit limit = {(rlim_t)rig->file_bytes_max, (rlim_t)rig->file_bytes_max};

            (void)signal(SIGXFSZ, SIG_IGN); /* so that write() fails, as on a full disk */
            (void)setrlimit(RLIMIT_FSIZE, &limit);
        }
        if (rig != NULL && rig->as_nobody && geteuid() == 0 &&
            (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(126);
        }
        (void)dup2(out, 1);
        (void)dup2(out, 2);
        fexecve(program, argv, environ);
        _exit(127);
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int rig_run(char *out, size_t size, const char *program, ...)
{
    char path[400], file[] = "/tmp/rig.XXXXXX";
    char *argv[20] = {path};
    char *said = NULL;
    size_t len = 0;
    va_list args;
    int code, count = 1;
    int fd = mkstemp(file);

    assert_true(fd >= 0);
    (void)close(fd);
    program_path(path, program);
    va_start(args, program);
    while (count < 19 && (argv[count] = va_arg(args, char *)) != NULL) {
        count++;
    }
    va_end(args);
    code = end_of(start(NULL, file, argv));
    if (file_read(file, 1 << 20, &said, &len, NULL) == ERR_OK) {
        snprintf(out, size, "%s", said);
    }
    free(said);
    (void)unlink(file);
    return code;
}

void rig_init(struct rig *rig)
{
    const char *tmp = getenv("TMPDIR");
    char said[1000] = "", token_file[260];
    char *token = NULL;
    size_t len;

    memset(rig, 0, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "%.150s/rig.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->folder));
    assert_int_equal(chmod(rig->folder, 0755), 0);
    snprintf(rig->store, sizeof rig->store, "sqlite:%s/flags.db", rig->folder);
    snprintf(rig->log, sizeof rig->log, "%s/log", rig->folder);
    snprintf(token_file, sizeof token_file, "%s/token", rig->folder);
    if (rig_run(said, sizeof said, "flag-server", "init", "--store", rig->store, "--environment",
                "test", "--token-file", token_file, NULL) != 0) {
        fail_msg("init: %s", said);
    }
    assert_string_equal(said, ""); /* the token stands in the file, and nowhere else */
    assert_int_equal(file_read(token_file, 1000, &token, &len, NULL), ERR_OK);
    token[strcspn(token, "\n")] = '\0';
    snprintf(rig->token, sizeof rig->token, "%s", token);
    free(token);
}

void rig_serve(struct rig *rig, const char *more)
{
    char path[400], port_file[260];
    char *argv[] = {path,
                    (char *)(uintptr_t) "serve",
                    (char *)(uintptr_t) "--store",
                    rig->store,
                    (char *)(uintptr_t) "--listen",
                    (char *)(uintptr_t) "127.0.0.1:0",
                    (char *)(uintptr_t) "--port-file",
                    port_file,
                    (char *)(uintptr_t)more,
                    NULL};

    snprintf(port_file, sizeof port_file, "%s/port", rig->folder);
    (void)unlink(port_file);
    program_path(path, "flag-server");
    rig->pid = start(rig, rig->log, argv);
    rig->port = 0;
    for (int i = 0; i < 1000 && rig->port == 0; i++) {
        char *text = NULL;
        size_t len;

        if (file_read(port_file, 100, &text, &len, NULL) == ERR_OK) {
            rig->port = (unsigned)strtoul(text, NULL, 10);
            free(text);
        } else {
            clock_sleep_us(10000);
        }
    }
    if (rig->port == 0) {
        fail_msg("the server did not start: see %s", rig->log);
    }
}

int rig_stop(struct rig *rig, int signal)
{
    pid_t pid = rig->pid;

    rig->pid = 0;
    assert_true(pid > 0);
    (void)kill(pid, signal);
    return end_of(pid);
}

void rig_fini(struct rig *rig)
{
    char command[300];

    if (rig->pid > 0) {
        assert_int_equal(rig_stop(rig, SIGTERM), 0);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", rig->folder);
    assert_int_equal(system(command), 0);
}

/* ---- replies against the document ---- */

static const struct json *resolve(const struct json *schema)
{
    const char *ref = json_get_text(schema, "$ref", NULL);

    if (ref == NULL) {
        return schema;
    }
    return json_get(json_get(json_get(api, "components"), "schemas"), strrchr(ref, '/') + 1);
}

static bool has_type(const struct json *value, const char *type)
{
    int64_t whole;

    switch (json_kind(value)) {
    case JSON_OBJECT: return strcmp(type, "object") == 0;
    case JSON_ARRAY: return strcmp(type, "array") == 0;
    case JSON_STRING: return strcmp(type, "string") == 0;
    case JSON_BOOL: return strcmp(type, "boolean") == 0;
    case JSON_NUMBER:
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 && json_int(value, &whole));
    case JSON_NULL: break;
    }
    return false;
}

static void check_value(const struct json *value, const struct json *schema, const char *where)
{
    const char *type;
    char path[300];

    schema = resolve(schema);
    assert_non_null(schema);
    type = json_get_text(schema, "type", NULL);
    if (type != NULL && !has_type(value, type)) {
        fail_msg("%s: is not of type %s", where, type);
    }
    for (const struct json *name = json_first(json_get(schema, "required")); name != NULL;
         name = json_next(name)) {
        if (json_get(value, json_text(name)) == NULL) {
            fail_msg("%s: has no member %s", where, json_text(name));
        }
    }
    for (const struct json *member = json_first(json_get(schema, "properties")); member != NULL;
         member = json_next(member)) {
        if (json_get(value, json_key(member)) != NULL) {
            snprintf(path, sizeof path, "%.200s.%s", where, json_key(member));
            check_value(json_get(value, json_key(member)), member, path);
        }
    }
    if (json_get(schema, "items") != NULL) {
        for (const struct json *item = json_first(value); item != NULL; item = json_next(item)) {
            snprintf(path, sizeof path, "%.200s[]", where);
            check_value(item, json_get(schema, "items"), path);
        }
    }
}

static bool path_matches(const char *pattern, const char *path)
{
    size_t path_len = strcspn(path, "?");

    for (;;) {
        size_t a = strcspn(pattern + 1, "/") + 1;
        size_t b = strcspn(path + 1, "/?") + 1;

        if (pattern[1] != '{' && (a != b || strncmp(pattern, path, a) != 0)) {
            return false;
        }
        pattern += a;
        path += b;
        path_len -= b;
        if (*pattern == '\0' || path_len == 0) {
            return *pattern == '\0' && path_len == 0;
        }
    }
}

/* The operation that the document has for a request, or NULL. */
static const struct json *operation(const char *method, const char *path)
{
    char lower[16];
    size_t i = 0;

    for (; method[i] != '\0' && i + 1 < sizeof lower; i++) {
        lower[i] = (char)(method[i] | 0x20);
    }
    lower[i] = '\0';
    for (const struct json *one = json_first(json_get(api, "paths")); one != NULL;
         one = json_next(one)) {
        if (path_matches(json_key(one), path) && json_get(one, lower) != NULL) {
            return json_get(one, lower);
        }
    }
    return NULL;
}

static void load_api(void)
{
    char *text = NULL;
    size_t len;
    struct err err = {0};

    if (api == NULL) {
        if (file_read("docs/openapi.json", 1 << 20, &text, &len, &err) != ERR_OK ||
            json_parse(text, len, &api, &err) != ERR_OK) {
            fail_msg("docs/openapi.json: %s", err.msg);
        }
        free(text);
    }
}

static void check_reply(const char *method, const char *path, const struct wire_reply *reply,
                        const struct json *body)
{
    const struct json *op = operation(method, path);
    const struct json *response, *content;
    char status[16], where[200];
    bool known = false;

    if (op == NULL) { /* only what is nothing may lie outside the document */
        assert_true(reply->status == 404 || reply->status == 405 || reply->status == 414);
        return;
    }
    for (size_t i = 0; i < visited_count; i++) {
        known = known || visited[i] == json_get_text(op, "summary", "");
    }
    if (!known && visited_count < OPERATIONS_MAX) {
        visited[visited_count++] = json_get_text(op, "summary", "");
    }
    snprintf(status, sizeof status, "%d", reply->status);
    snprintf(where, sizeof where, "%s %.150s %s", method, path, status);
    response = json_get(json_get(op, "responses"), status);
    if (response == NULL) {
        fail_msg("%s: a status that docs/openapi.json does not know: %s", where, reply->body);
    }
    content = json_first(json_get(response, "content"));
    if (content == NULL) {
        assert_int_equal(reply->body_len, 0);
        return;
    }
    assert_string_equal(wire_header(reply, "Content-Type"), json_key(content));
    check_value(body, json_get(content, "schema"), where);
}

const char *rig_not_visited(void)
{
    static char out[2000];
    size_t len = 0;

    load_api();
    out[0] = '\0';
    for (const struct json *path = json_first(json_get(api, "paths")); path != NULL;
         path = json_next(path)) {
        for (const struct json *op = json_first(path); op != NULL; op = json_next(op)) {
            bool known = false;

            for (size_t i = 0; i < visited_count; i++) {
                known = known || visited[i] == json_get_text(op, "summary", "");
            }
            if (!known && len < sizeof out) {
                len += (size_t)snprintf(out + len, sizeof out - len, "%s %s\n", json_key(op),
                                        json_key(path));
            }
        }
    }
    return out;
}

/* ---- calls ---- */

struct json *rig_call(struct rig *rig, int status, const char *method, const char *path,
                      const char *token, const char *headers, const char *body)
{
    struct buf request = {0};
    struct json *document = NULL;

    load_api();
    token = token == NULL ? rig->token : token;
    buf_print(&request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", method, path);
    if (token[0] != '\0') {
        buf_print(&request, "Authorization: Bearer %s\r\n", token);
    }
    buf_text(&request, headers != NULL ? headers : "");
    buf_print(&request, "Content-Length: %zu\r\n\r\n", body != NULL ? strlen(body) : 0);
    buf_text(&request, body != NULL ? body : "");
    wire_ask(rig->port, buf_cstr(&request), &rig->reply);
    buf_fini(&request);
    if (rig->reply.status != status) {
        fail_msg("%s %s: %d, not %d: %s", method, path, rig->reply.status, status, rig->reply.body);
    }
    if (strcmp(wire_header(&rig->reply, "Content-Type"), "text/plain") == 0) {
        document = json_string_n(rig->reply.body, rig->reply.body_len);
    } else if (rig->reply.body_len > 0) {
        assert_int_equal(json_parse(rig->reply.body, rig->reply.body_len, &document, NULL), ERR_OK);
    }
    check_reply(method, path, &rig->reply, document);
    return document;
}

void rig_does(struct rig *rig, int status, const char *method, const char *path, const char *body)
{
    json_free(rig_call(rig, status, method, path, NULL, NULL, body));
}

void rig_set(struct rig *rig, int status, const char *key, const char *member, const char *value)
{
    struct json *flag, *parsed = NULL;
    char path[200], header[100];
    char *text;

    snprintf(path, sizeof path, "/api/v1/flags/%s", key);
    flag = rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
    snprintf(header, sizeof header, "If-Match: %s\r\n", wire_header(&rig->reply, "ETag"));
    assert_int_equal(json_parse(value, strlen(value), &parsed, NULL), ERR_OK);
    json_put(flag, member, parsed);
    text = json_print(flag);
    json_free(flag);
    json_free(rig_call(rig, status, "PUT", path, NULL, header, text));
    free(text);
}
