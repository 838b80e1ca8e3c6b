/*
 * The ruleset for SDKs. A client's If-None-Match is its word that it serves that ruleset now.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "server/answer.h"
#include "server/route.h"

/* Copies a header as a name: printable ASCII alone, cut to fit. */
static void copy_name(char out[CLIENT_NAME_BYTES], const char *text)
{
    size_t len = 0;

    for (; *text != '\0' && len + 1 < CLIENT_NAME_BYTES; text++) {
        out[len++] = isprint((unsigned char)*text) && *text != '"' ? *text : '?';
    }
    out[len] = '\0';
}

/* Keys of flags with commas between, as they are allowed; a list that is too long or holds anything else ends in
 * "*": then it may be any flag. */
static void read_cannot(const char *header, struct client *client)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-,*";
    size_t len = header != NULL ? strspn(header, allowed) : 0;

    if (header == NULL) {
        return;
    }
    if (header[len] != '\0' || len >= sizeof client->cannot) {
        snprintf(client->cannot, sizeof client->cannot, "*");
    } else {
        snprintf(client->cannot, sizeof client->cannot, "%s", header);
    }
}

/* "<epoch>-<revision>" in any of the forms of an entity tag; what is none is no confirmation. */
static void read_confirmation(const char *header, struct client *client)
{
    long long epoch, revision;

    if (header == NULL) {
        return;
    }
    header += strspn(header, " \t");
    header += strncmp(header, "W/", 2) == 0 ? 2 : 0;
    header += *header == '"';
    if (sscanf(header, "%lld-%lld", &epoch, &revision) == 2 && epoch > 0 && revision > 0) {
        client->epoch = epoch;
        client->revision = revision;
    }
}

void sdk_ruleset(struct call *call)
{
    const char *name = http_header(call->request, "X-Lockstep-Client");
    const char *instance = http_header(call->request, "X-Lockstep-Instance");
    const char *lease = http_header(call->request, "X-Lockstep-Lease");
    const char *if_none_match = http_header(call->request, "If-None-Match");
    const char *usage = http_header(call->request, "X-Lockstep-Usage");
    struct client client = {.lease = lease != NULL && strcmp(lease, "1") == 0};
    const struct live_body *body;

    copy_name(client.name, name != NULL && name[0] != '\0' ? name : call->who.name);
    copy_name(client.instance, instance != NULL ? instance : "");
    read_confirmation(if_none_match, &client);
    read_cannot(http_header(call->request, "X-Lockstep-Cannot-Evaluate"), &client);
    if (!call_seen(call, &client)) {
        return;
    }
    if (usage == NULL || strcmp(usage, "1") != 0) {
        atomic_store(&call->environment->all_used,
                     true); /* nobody will hear which flags it asks for */
    }
    body = live_take_body(call->environment->live);
    answer_etag(call, body->tag);
    http_reply_header(call->reply, "Cache-Control", "no-cache");
    if (answer_tag_matches(if_none_match, body->tag)) {
        live_give_back((void *)(uintptr_t)body);
        answer_empty(call, 304);
        return;
    }
    call->reply->status = 200;
    call->reply->content_type = "application/json";
    call->reply->kind = HTTP_BODY_SHARED;
    call->reply->body = body->text;
    call->reply->body_len = body->len;
    call->reply->release = live_give_back;
    call->reply->owner = (void *)(uintptr_t)body;
}

/* Which flags a client asked for, so that those which nobody asks for can be told. */
void sdk_usage(struct call *call)
{
    struct json *body = answer_body(call);
    const struct json *names = json_get(body, "flags");
    struct ruleset_ticket ticket;
    const struct ruleset *rules;

    if (body == NULL) {
        return;
    }
    if (json_kind(names) != JSON_ARRAY || json_count(names) > LIMIT_FLAGS) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "flags: must be an array of at most %u keys", LIMIT_FLAGS);
        json_free(body);
        return;
    }
    rules = live_enter(call->environment->live, &ticket);
    for (const struct json *name = json_first(names); name != NULL; name = json_next(name)) {
        const struct flag *flag =
            json_text(name) != NULL ? ruleset_find(rules, json_text(name)) : NULL;

        if (flag != NULL) { /* one that is gone, or of a later revision than this server has */
            ruleset_note_use(rules, flag);
        }
    }
    live_leave(call->environment->live, &ticket);
    json_free(body);
    answer_empty(call, 204);
}
