#include "server/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

static const struct {
    int status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},         {401, "Unauthorized"},
    {403, "Forbidden"},           {404, "Not Found"},
    {405, "Method Not Allowed"},  {409, "Conflict"},
    {412, "Precondition Failed"}, {413, "Content Too Large"},
    {414, "URI Too Long"},        {428, "Precondition Required"},
    {429, "Too Many Requests"},   {500, "Internal Server Error"},
    {503, "Service Unavailable"}, {504, "Gateway Timeout"},
};

static const char *title_of(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

static void fill(struct call *call, int status, const char *type, struct json *document)
{
    static const char no_memory[] =
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"code\":\"no_memory\",\"detail\":\"out of memory\"}";
    char *text = document != NULL ? json_print(document) : NULL;

    json_free(document);
    call->reply->status = status;
    call->reply->content_type = type;
    if (text == NULL) {
        call->reply->status = 503;
        call->reply->content_type = "application/problem+json";
        call->reply->kind = HTTP_BODY_STATIC;
        call->reply->body = no_memory;
        call->reply->body_len = sizeof no_memory - 1;
        return;
    }
    call->reply->kind = HTTP_BODY_HEAP;
    call->reply->body = text;
    call->reply->body_len = strlen(text);
}

void answer_json(struct call *call, int status, struct json *document)
{
    fill(call, status, "application/json", document);
}

void answer_empty(struct call *call, int status)
{
    call->reply->status = status;
    call->reply->kind = HTTP_BODY_NONE;
}

const char *answer_text(struct call *call, const char *text)
{
    size_t len = strlen(text);
    char *copy = arena_text(call->request->arena, text, len);

    for (size_t i = 0; copy != NULL && i < len;) {
        size_t sequence = utf8_sequence(copy + i, len - i);

        if (sequence == 0 || (unsigned char)copy[i] < ' ' || copy[i] == 0x7f) {
            copy[i] = '?';
            sequence = 1;
        }
        i += sequence;
    }
    return copy != NULL ? copy : "?";
}

static struct json *problem(struct call *call, int status, const char *code, const char *detail)
{
    struct json *document = json_object();

    json_put_text(document, "type", "about:blank");
    json_put_text(document, "title", title_of(status));
    json_put_number(document, "status", status);
    json_put_text(document, "code", code);
    json_put_text(document, "detail", answer_text(call, detail));
    json_put_text(document, "request_id", call->request->id);
    return document;
}

void answer_problem(struct call *call, int status, const char *code, const char *fmt, ...)
{
    char detail[700];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    fill(call, status, "application/problem+json", problem(call, status, code, detail));
}

void answer_problem_with(struct call *call, int status, const char *code, const char *member,
                         struct json *value, const char *fmt, ...)
{
    char detail[700];
    struct json *document;
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    document = problem(call, status, code, detail);
    json_put(document, member, value);
    fill(call, status, "application/problem+json", document);
}

void answer_error(struct call *call, const struct err *err)
{
    answer_problem(call, err_http_status(err->code), err_code_name(err->code), "%s", err->msg);
}

void answer_refusal(struct call *call, enum err_code code, const struct coupling_refusal *why)
{
    int status = err_http_status(code);
    struct json *document = problem(call, status, err_code_name(code), why->detail);

    if (why->migration[0] != '\0') {
        json_put_text(document, "migration", why->migration);
    }
    if (why->command[0] != '\0') {
        json_put_text(document, "command", why->command);
    }
    fill(call, status, "application/problem+json", document);
}

struct json *answer_body(struct call *call)
{
    struct json *body = NULL;
    struct err err = {0};
    const char *twice = NULL;

    if (call->request->body.len == 0) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "the request has no body: a JSON object was expected");
        return NULL;
    }
    if (json_parse(call->request->body.at, call->request->body.len, &body, &err) != ERR_OK) {
        answer_error(call, &err);
        return NULL;
    }
    if (json_kind(body) != JSON_OBJECT) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "the body is %s: a JSON object was expected",
                       json_kind_name(json_kind(body)));
        json_free(body);
        return NULL;
    }
    if (json_has_duplicate_keys(body, &twice)) {
        answer_problem(call, 400, err_code_name(ERR_INVALID), "the member \"%s\" stands twice",
                       twice);
        json_free(body);
        return NULL;
    }
    return body;
}

void answer_etag(struct call *call, const char *text)
{
    http_reply_header(call->reply, "ETag", arena_print(call->request->arena, "\"%s\"", text));
}

bool answer_tag_matches(const char *header, const char *tag)
{
    size_t tag_len = strlen(tag);

    while (header != NULL && *header != '\0') {
        size_t len;

        header += strspn(header, " \t,");
        if (header[0] == 'W' && header[1] == '/') {
            header += 2;
        }
        if (*header == '"') {
            header++;
            len = strcspn(header, "\"");
        } else {
            len = strcspn(header, " \t,");
        }
        if ((len == tag_len && memcmp(header, tag, len) == 0) || (len == 1 && *header == '*')) {
            return true;
        }
        header += len + (header[len] == '"');
    }
    return false;
}
