/*
 * What a flag is, the same in all environments, as an object of its own: with a version that no ramp
 * touches. And what it does in each, at a glance.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flags/domain_set.h"
#include "flags/parts.h"
#include "server/admin.h"
#include "server/route.h"

/* What the flag does in one environment; long lists are counted. */
static struct json *state_json(const struct store *store, const struct store_flag *flag)
{
    struct json *out = json_object(), *seen = store_flag_json(store, flag);
    char changed[CLOCK_TEXT_BYTES];

    json_put_text(out, "environment", store_environment(store));
    json_put_text(out, "state", json_get_text(flag->document, "state", ""));
    json_put_number(out, "version", (double)flag->version);
    json_put_number(out, "revision", (double)flag->revision);
    json_put_text(out, "changed", clock_text(flag->changed_ms, changed));
    json_put(out, "fallthrough", json_copy(json_get(flag->document, "fallthrough")));
    json_put_number(out, "rules", (double)json_count(json_get(flag->document, "rules")));
    json_put_number(out, "domains", (double)domain_rules_count(flag->document));
    if (json_get(seen, "tie") != NULL) {
        json_put(out, "tie", json_copy(json_get(seen, "tie")));
    }
    json_free(seen);
    return out;
}

static void answer_shared(struct call *call, const struct store_flag *flag)
{
    struct stores *all = call->app->stores;
    struct json *out = flag_shared_part(flag->document), *states = json_array();
    char version[24], created[CLOCK_TEXT_BYTES];

    for (size_t i = 0; i < stores_count(all); i++) {
        const struct store *store = stores_at(all, i);

        if (call->who.environment[0] == '\0' || store == call->store) {
            json_append(states, state_json(store, store_find_any(store, flag->key)));
        }
    }
    snprintf(version, sizeof version, "%lld", (long long)flag->shared_version);
    json_put_number(out, "version", (double)flag->shared_version);
    json_put_text(out, "created", clock_text(flag->created_ms, created));
    json_put(out, "environments", states);
    answer_etag(call, arena_text(call->request->arena, version, strlen(version)));
    answer_json(call, 200, out);
}

void flags_shared_show(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);

    if (flag != NULL) {
        answer_shared(call, flag);
    }
}

/* A whole shared half; salts that it leaves out stay, and what a state has is not taken from it. */
void flags_shared_put(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);
    struct store_actor who = call_actor(call);
    struct json *body, *whole;
    struct err err = {0};

    if (flag == NULL || !admin_if_match_shared(call, flag)) {
        return;
    }
    body = answer_body(call);
    if (body == NULL) {
        return;
    }
    admin_keep_salts(body, flag->document);
    whole = flag_join(body, flag->document);
    json_free(body);
    if (whole == NULL) {
        answer_json(call, 503, NULL);
    } else if (!admin_may_change(call, flag, whole)) {
        /* answered */
    } else if (!flag_shared_differs(flag->document, whole)) {
        answer_shared(call, flag);
    } else if (store_put_flag(call->store, &who, NULL, whole, flag->version, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-changed", call->params[0]);
        answer_shared(call, store_find(call->store, call->params[0]));
    }
    json_free(whole);
}
