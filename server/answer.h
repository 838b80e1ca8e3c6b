/*
 * answer - how handlers fill a reply: JSON documents, and problem documents (RFC 9457).
 */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "base/err.h"
#include "base/json.h"
#include "server/app.h"
#include "server/coupling.h"

/* Prints document into the reply and frees it. NULL: 503, out of memory. */
void answer_json(struct call *call, int status, struct json *document);
void answer_empty(struct call *call, int status);

/* A problem document: status, code ("conflict") and detail, and the request's id. */
void answer_problem(struct call *call, int status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same with one more member, which is taken over. */
void answer_problem_with(struct call *call, int status, const char *code, const char *member,
                         struct json *value, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* The status that belongs to err's code. */
void answer_error(struct call *call, const struct err *err);
/* 409 with "migration" and "command". */
void answer_refusal(struct call *call, enum err_code code, const struct coupling_refusal *why);

/* A copy in the request's arena in which what is no UTF-8, and control characters, are "?": for text
 * that a client sent outside a JSON document, and for messages that were cut. */
const char *answer_text(struct call *call, const char *text);

/* Parses the body as a JSON object without duplicate members. On failure the problem (400 with line
 * and column) is in the reply and NULL is returned. */
struct json *answer_body(struct call *call);

/* Adds an ETag header made of text, in quotes. */
void answer_etag(struct call *call, const char *text);
/* Whether a header value (If-None-Match, If-Match) names tag: quoted or not, weak or not, in a list,
 * or "*". */
bool answer_tag_matches(const char *header, const char *tag);

#endif
