/*
 * The answers: find, evaluate in the current ruleset, copy out before leaving it.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/limits.h"
#include "flags/evaluate.h"
#include "sdk/client.h"

struct question {
    struct ruleset_ticket ticket;
    bool inside;
    struct decision decision;
};

static void refuse(struct decision *out, enum flag_error error, const char *message)
{
    memset(out, 0, sizeof *out);
    out->reason = FLAG_ERROR;
    out->error = error;
    snprintf(out->message, sizeof out->message, "%.199s", message);
}

static enum err_code parse_context(const char *text, struct json **out, struct err *err)
{
    size_t len = text != NULL ? strlen(text) : 0;

    *out = NULL;
    if (text == NULL)
        return ERR_OK;
    if (len > LIMIT_CONTEXT_BYTES)
        return err_set(err, ERR_INVALID, "the context is larger than %u bytes",
                       LIMIT_CONTEXT_BYTES);
    return json_parse(text, len, out, err);
}

/* How long ago the server confirmed the ruleset; false: that is not known. */
static bool age_of(const lockstep_client *client, int64_t *age_us, bool *from_cache)
{
    int64_t confirmed_us = atomic_load(&client->confirmed_us);

    *from_cache = confirmed_us == NEVER;
    if (*from_cache)
        confirmed_us = client->cached_us;
    *age_us = confirmed_us == NEVER ? -1 : boot_us() - confirmed_us;
    return confirmed_us != NEVER;
}

/* A tied flag may only be answered from a ruleset that the server confirmed within the lease: the
 * schema may have moved on meanwhile. */
static enum lease_answer may_answer(const lockstep_client *client, const struct flag *flag)
{
    struct lease_terms terms = lease_terms_of(flag_lease_s(flag));
    int64_t age_us;
    bool from_cache;

    if (terms.lease_us == 0)
        return LEASE_RULES;
    return age_of(client, &age_us, &from_cache) ? lease_answer(&terms, age_us, from_cache)
                                                : LEASE_NONE;
}

static void decide(lockstep_client *client, const struct ruleset *rules, const char *key,
                   enum flag_type type, const struct json *attributes, struct decision *out)
{
    const struct flag *flag = key != NULL ? ruleset_find(rules, key) : NULL;
    enum lease_answer may;
    struct context ctx;
    struct err err = {0};

    if (flag == NULL) {
        refuse(out, FLAG_NOT_FOUND, "there is no such flag");
        return;
    }
    ruleset_note_use(rules, flag);
    if (flag_unusable(flag) != NULL) {
        refuse(out, FLAG_PARSE_ERROR, flag_unusable(flag));
        return;
    }
    if (flag_type(flag) != type) {
        refuse(out, FLAG_TYPE_MISMATCH, "");
        snprintf(out->message, sizeof out->message, "the flag is of type %s, asked for %s",
                 flag_type_name(flag_type(flag)), flag_type_name(type));
        return;
    }
    may = may_answer(client, flag);
    if (may == LEASE_SAFE && evaluate_safe(flag, out))
        return;
    if (may == LEASE_NONE) {
        refuse(
            out, FLAG_NOT_READY,
            "the server has not confirmed this flag for so long that the schema may bear neither "
            "answer: 12 leases");
        return;
    }
    if (context_init(&ctx, rules, attributes, clock_wall_ms(), &err) != ERR_OK) {
        refuse(out, FLAG_INVALID_CONTEXT, err.msg);
        return;
    }
    (void)age_of(client, &ctx.age_us, &ctx.from_cache); /* for tied flags that this one asks for */
    evaluate_flag(rules, flag, &ctx, out);
    context_fini(&ctx);
}

/* The value, lent until finish(), or NULL: the fallback. */
static const struct flag_value *ask(lockstep_client *client, const char *key, const char *context,
                                    enum flag_type type, struct question *question)
{
    const struct ruleset *rules;
    struct json *attributes;
    struct err err = {0};

    question->inside = false;
    if (client == NULL) {
        refuse(&question->decision, FLAG_NOT_READY, "there is no client");
        return NULL;
    }
    if (parse_context(context, &attributes, &err) != ERR_OK) {
        refuse(&question->decision, FLAG_INVALID_CONTEXT, err.msg);
        return NULL;
    }
    rules = ruleset_cell_enter(client->cell, &question->ticket);
    question->inside = true;
    if (rules == NULL)
        refuse(&question->decision, FLAG_NOT_READY, "no ruleset yet");
    else
        decide(client, rules, key, type, attributes, &question->decision);
    json_free(attributes);
    return question->decision.value;
}

static void finish(lockstep_client *client, struct question *question, lockstep_details *details)
{
    const struct decision *decision = &question->decision;
    bool failed = decision->reason == FLAG_ERROR;

    if (details != NULL) {
        snprintf(details->variant, sizeof details->variant, "%s",
                 decision->variant != NULL ? decision->variant : "");
        snprintf(details->reason, sizeof details->reason, "%s", flag_reason_name(decision->reason));
        snprintf(details->error_code, sizeof details->error_code, "%s",
                 failed ? flag_error_name(decision->error) : "");
        snprintf(details->message, sizeof details->message, "%s", decision->message);
    }
    if (question->inside)
        ruleset_cell_leave(client->cell, &question->ticket);
}

bool lockstep_bool(lockstep_client *client, const char *key, const char *context, bool fallback,
                   lockstep_details *details)
{
    struct question question;
    const struct flag_value *value = ask(client, key, context, FLAG_BOOLEAN, &question);
    bool answer = value != NULL ? value->truth : fallback;

    finish(client, &question, details);
    return answer;
}

double lockstep_number(lockstep_client *client, const char *key, const char *context,
                       double fallback, lockstep_details *details)
{
    struct question question;
    const struct flag_value *value = ask(client, key, context, FLAG_NUMBER, &question);
    double answer = value != NULL ? value->number : fallback;

    finish(client, &question, details);
    return answer;
}

static size_t copy_out(const char *text, size_t len, char *out, size_t out_size)
{
    if (out != NULL && out_size > 0) {
        size_t fits = len < out_size ? len : out_size - 1;

        memcpy(out, text, fits);
        out[fits] = '\0';
    }
    return len;
}

size_t lockstep_string(lockstep_client *client, const char *key, const char *context,
                       const char *fallback, char *out, size_t out_size, lockstep_details *details)
{
    struct question question;
    const struct flag_value *value = ask(client, key, context, FLAG_STRING, &question);
    const char *text = value != NULL ? value->text : fallback != NULL ? fallback : "";
    size_t len = copy_out(text, value != NULL ? value->text_len : strlen(text), out, out_size);

    finish(client, &question, details);
    return len;
}

size_t lockstep_object(lockstep_client *client, const char *key, const char *context,
                       const char *fallback_json, char *out, size_t out_size,
                       lockstep_details *details)
{
    struct question question;
    const struct flag_value *value = ask(client, key, context, FLAG_OBJECT, &question);
    const char *text = value != NULL ? value->json : fallback_json != NULL ? fallback_json : "null";
    size_t len = copy_out(text, value != NULL ? value->json_len : strlen(text), out, out_size);

    finish(client, &question, details);
    return len;
}
