/*
 * Telling the server which flags the application asks for, so that those which nobody asks for can be
 * found. It is never worth a wait: what cannot be told is told a later time, or not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "flags/evaluate.h"
#include "sdk/client.h"

#define TELL_US ((int64_t)600 * 1000000) /* between two reports */
#define LAST_WORD_MS 1000                /* of a client that is closed */
#define USAGE_PATH "/sdk/v1/usage"

/* {"flags": [...]} of what is marked; NULL: nothing is. */
static char *marked(const struct ruleset *rules)
{
    struct json *body = json_object(), *list = json_put(body, "flags", json_array());
    char *text = NULL;

    for (size_t i = 0; i < ruleset_count(rules); i++) {
        if (ruleset_was_used(rules, i))
            json_append(list, json_string(flag_key(ruleset_at(rules, i))));
    }
    if (json_first(list) != NULL)
        text = json_print(body);
    json_free(body);
    return text;
}

static void forget(const struct ruleset *rules)
{
    for (size_t i = 0; i < ruleset_count(rules); i++)
        ruleset_forget_use(rules, i);
}

static bool tell(lockstep_client *client, const char *text, bool last)
{
    const char *headers[] = {client->name_header, client->instance_header, NULL};
    size_t base = strlen(client->url) - strlen(RULESET_PATH);
    char *url = malloc(base + sizeof USAGE_PATH);
    struct fetch_reply reply;
    bool told = false;

    if (url == NULL)
        return false;
    (void)snprintf(url, base + sizeof USAGE_PATH, "%.*s%s", (int)base, client->url, USAGE_PATH);
    if (fetch_send(client->fetch,
                   &(struct fetch_request){.method = "POST",
                                           .url = url,
                                           .bearer = client->token,
                                           .headers = headers,
                                           .body = text,
                                           .body_len = strlen(text),
                                           .timeout_ms = last && client->timeout_ms > LAST_WORD_MS
                                                             ? LAST_WORD_MS
                                                             : (long)client->timeout_ms,
                                           .cancel = last ? NULL : &client->cancel},
                   &reply, NULL) == ERR_OK) {
        told = true; /* a server that is older does not know the path: not again every poll */
        fetch_reply_fini(&reply);
    }
    free(url);
    return told;
}

void client_tell_usage(lockstep_client *client, bool last)
{
    struct ruleset_ticket ticket;
    const struct ruleset *rules;
    char *text;

    if (!client->known ||
        (!last && client->told_us != NEVER && boot_us() < client->told_us + TELL_US))
        return;
    rules = ruleset_cell_enter(client->cell, &ticket);
    text = rules != NULL ? marked(rules) : NULL;
    if (text != NULL && tell(client, text, last)) {
        client->told_us = boot_us();
        forget(rules); /* what was asked for since is asked for again */
    }
    free(text);
    ruleset_cell_leave(client->cell, &ticket);
}
