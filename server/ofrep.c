/*
 * OFREP, the OpenFeature remote evaluation protocol (open-feature/protocol, service/openapi.yaml
 * 0.3.0): one flag, or all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "flags/evaluate.h"
#include "server/answer.h"
#include "server/route.h"

void ofrep_allow_origin(struct call *call)
{
    if (call->app->cors_origin != NULL) {
        http_reply_header(call->reply, "Access-Control-Allow-Origin", call->app->cors_origin);
        http_reply_header(call->reply, "Access-Control-Expose-Headers", "ETag");
        http_reply_header(call->reply, "Vary", "Origin");
    }
}

void ofrep_preflight(struct call *call)
{
    if (call->app->cors_origin != NULL) {
        http_reply_header(call->reply, "Access-Control-Allow-Methods", "POST");
        http_reply_header(call->reply, "Access-Control-Allow-Headers",
                          "Authorization, Content-Type, If-None-Match, X-API-Key");
        http_reply_header(call->reply, "Access-Control-Max-Age", "600");
    }
    http_reply_header(call->reply, "Allow", "POST, OPTIONS");
    answer_empty(call, 204);
}

/* ---- what a client sends ---- */

/* key: NULL in a bulk request. */
static void answer_failure(struct call *call, int status, const char *key, const char *code,
                           const char *details)
{
    struct json *out = json_object();

    if (key != NULL) {
        json_put_text(out, "key", answer_text(call, key));
    }
    json_put_text(out, "errorCode", code);
    json_put_text(out, "errorDetails", answer_text(call, details));
    answer_json(call, status, out);
}

/* Parses {"context": {...}}; an empty body, or one without context, is an empty context, as in other
 * servers. *body is to be freed; false: answered. */
static bool read_context(struct call *call, const char *key, struct json **body,
                         const struct json **context)
{
    struct err err = {0};

    *body = NULL;
    *context = NULL;
    if (call->request->body.len == 0) {
        return true;
    }
    if (json_parse(call->request->body.at, call->request->body.len, body, &err) != ERR_OK) {
        answer_failure(call, 400, key, "PARSE_ERROR", err.msg);
        return false;
    }
    *context = json_get(*body, "context");
    if (*context != NULL && json_kind(*context) == JSON_NULL) {
        *context = NULL; /* how a client without one may say so */
    }
    if (json_kind(*body) != JSON_OBJECT ||
        (*context != NULL && json_kind(*context) != JSON_OBJECT)) {
        answer_failure(call, 400, key, "INVALID_CONTEXT",
                       json_kind(*body) != JSON_OBJECT ? "the body must be an object"
                                                       : "context must be an object");
        json_free(*body);
        return false;
    }
    return true;
}

/* ---- what it gets ---- */

static void add_quoted(struct buf *out, const char *text)
{
    char *quoted = json_quote(text, strlen(text));

    if (quoted == NULL) {
        out->failed = true;
        return;
    }
    buf_text(out, quoted);
    free(quoted);
}

/* Without a value there is nothing to give. A rule that failed has one (the off variant), and the
 * client must not play its own default instead. */
static bool is_failure(const struct decision *decision)
{
    return decision->value_json == NULL ||
           (decision->reason == FLAG_ERROR && decision->error == FLAG_TARGETING_KEY_MISSING);
}

/* The wire knows fewer codes than the library. */
static const char *wire_error(enum flag_error error)
{
    switch (error) {
    case FLAG_NOT_FOUND:
    case FLAG_TARGETING_KEY_MISSING:
    case FLAG_INVALID_CONTEXT:
    case FLAG_PARSE_ERROR: return flag_error_name(error);
    default: return "GENERAL";
    }
}

static void add_decision(struct buf *out, const char *key, const struct decision *decision,
                         uint64_t revision)
{
    buf_text(out, "{\"key\":");
    add_quoted(out, key);
    if (is_failure(decision)) {
        buf_print(out, ",\"errorCode\":\"%s\",\"errorDetails\":", wire_error(decision->error));
        add_quoted(out, decision->message);
        buf_char(out, '}');
        return;
    }
    buf_text(out, ",\"value\":");
    buf_text(out, decision->value_json);
    buf_print(out, ",\"reason\":\"%s\",\"variant\":", flag_reason_name(decision->reason));
    add_quoted(out, decision->variant);
    buf_print(out, ",\"metadata\":{\"revision\":%llu", (unsigned long long)revision);
    if (decision->rule != NULL) {
        buf_text(out, ",\"rule\":");
        add_quoted(out, decision->rule);
    }
    if (decision->reason == FLAG_ERROR) {
        buf_text(out, ",\"error\":");
        add_quoted(out, decision->message);
    }
    buf_text(out, "}}");
}

static void answer_buf(struct call *call, int status, struct buf *out)
{
    size_t len = out->len;
    char *text = buf_take(out);

    if (text == NULL) {
        answer_json(call, 503, NULL);
        return;
    }
    call->reply->status = status;
    call->reply->content_type = "application/json";
    call->reply->kind = HTTP_BODY_HEAP;
    call->reply->body = text;
    call->reply->body_len = len;
}

/* Every token that evaluates here is a client without a lease: whoever holds it may go on with the
 * last answer for as long as it likes. False: to be called again on the worker. */
static bool seen(struct call *call, const struct ruleset *rules)
{
    struct client client = {.kind = CLIENT_OFREP,
                            .epoch = (int64_t)ruleset_epoch(rules),
                            .revision = (int64_t)ruleset_revision(rules)};

    snprintf(client.name, sizeof client.name, "%s", call->who.name);
    snprintf(client.instance, sizeof client.instance, "%s", call->who.id);
    return call_seen(call, &client);
}

void ofrep_single(struct call *call)
{
    const char *key = call->params[0];
    struct json *body;
    const struct json *attributes;
    struct ruleset_ticket ticket;
    const struct ruleset *rules;
    const struct flag *flag;
    struct context context;
    struct err err = {0};

    if (!read_context(call, key, &body, &attributes)) {
        return;
    }
    rules = live_enter(call->environment->live, &ticket);
    flag = ruleset_find(rules, key);
    if (!seen(call, rules)) {
        /* once more on the worker */
    } else if (flag == NULL) {
        answer_failure(call, 404, key, "FLAG_NOT_FOUND", "no flag has this key");
    } else if (context_init(&context, rules, attributes, clock_wall_ms(), &err) != ERR_OK) {
        answer_failure(call, 400, key, "INVALID_CONTEXT", err.msg);
    } else {
        struct decision decision;
        struct buf out = {0};

        ruleset_note_use(rules, flag);
        evaluate_flag(rules, flag, &context, &decision);
        add_decision(&out, key, &decision, ruleset_revision(rules));
        answer_buf(call, is_failure(&decision) ? 400 : 200, &out);
        context_fini(&context);
    }
    live_leave(call->environment->live, &ticket);
    json_free(body);
}

/* ---- all flags ---- */

static bool reads_now(const struct ruleset *rules)
{
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        if (flag_reads_now(ruleset_at(rules, i))) {
            return true;
        }
    }
    return false;
}

/* A tag that changes whenever the answer could: with the rules, the context, and who asks. */
static bool make_tag(const struct ruleset *rules, const struct json *context, const char *token,
                     char tag[DIGEST_HEX_BYTES])
{
    uint64_t version[2] = {ruleset_epoch(rules), ruleset_revision(rules)};
    char *canonical = context != NULL ? json_print_canonical(context) : strdup("{}");
    struct digest digest;

    if (canonical == NULL) {
        return false;
    }
    digest_init(&digest);
    digest_add(&digest, version, sizeof version);
    digest_add(&digest, canonical, strlen(canonical));
    digest_add(&digest, token, strlen(token));
    digest_end(&digest, tag);
    free(canonical);
    return true;
}

static void evaluate_all(const struct ruleset *rules, struct context *context, struct buf *out)
{
    buf_text(out, "{\"flags\":[");
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        const struct flag *flag = ruleset_at(rules, i);
        struct decision decision;

        if (i > 0) {
            buf_char(out, ',');
        }
        evaluate_flag(rules, flag, context, &decision);
        add_decision(out, flag_key(flag), &decision, ruleset_revision(rules));
    }
    buf_print(out, "],\"metadata\":{\"epoch\":%llu,\"revision\":%llu}}",
              (unsigned long long)ruleset_epoch(rules),
              (unsigned long long)ruleset_revision(rules));
}

static void answer_bulk(struct call *call, const struct ruleset *rules,
                        const struct json *attributes)
{
    const char *if_none_match = http_header(call->request, "If-None-Match");
    char tag[DIGEST_HEX_BYTES] = "";
    bool by_body = reads_now(rules); /* time alone changes answers */
    struct context context;
    struct err err = {0};
    struct buf out = {0};

    if (!by_body && !make_tag(rules, attributes, call->who.id, tag)) {
        answer_json(call, 503, NULL);
        return;
    }
    if (!by_body && answer_tag_matches(if_none_match, tag)) {
        answer_etag(call, tag);
        answer_empty(call, 304);
        return;
    }
    if (context_init(&context, rules, attributes, clock_wall_ms(), &err) != ERR_OK) {
        answer_failure(call, 400, NULL, "INVALID_CONTEXT", err.msg);
        return;
    }
    evaluate_all(rules, &context, &out);
    context_fini(&context);
    if (by_body && !buf_failed(&out)) {
        (void)digest_hex(out.at, out.len, tag);
    }
    answer_etag(call, tag);
    if (by_body && answer_tag_matches(if_none_match, tag)) {
        buf_fini(&out);
        answer_empty(call, 304);
        return;
    }
    answer_buf(call, 200, &out);
}

void ofrep_bulk(struct call *call)
{
    struct json *body;
    const struct json *attributes;
    struct ruleset_ticket ticket;

    if (read_context(call, NULL, &body, &attributes)) {
        const struct ruleset *rules = live_enter(call->environment->live, &ticket);

        atomic_store(&call->environment->all_used, true);
        if (seen(call, rules)) {
            answer_bulk(call, rules, attributes);
        }
        live_leave(call->environment->live, &ticket);
        json_free(body);
    }
}
