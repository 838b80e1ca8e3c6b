/*
 * Which flags may have done their work: past the end that was expected of them, giving everybody the same
 * for a long time, or asked for by nobody. Code that still asks for them can be made simpler.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flags/ruleset.h"
#include "server/admin.h"
#include "server/route.h"
#include "server/view.h"

enum { DAYS_DEFAULT = 30, DAYS_MAX = 36500, DAY_MS = 86400000 };

/* Days since 1970 of "2027-01-31"; -1: it is no date, as "never". */
static int64_t day_of(const char *text)
{
    int year, month, day;
    int64_t era, of_era;

    if (text == NULL || sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3) {
        return -1;
    }
    /* days_from_civil(): years begin in March, so that the leap day comes last */
    year -= month <= 2;
    era = year / 400;
    of_era = year - era * 400;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
           (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
}

struct single {
    char variant[130];
    bool several;
};

static void see(void *ctx, const char *variant, const char *where)
{
    struct single *single = ctx;

    (void)where;
    if (single->variant[0] == '\0') {
        snprintf(single->variant, sizeof single->variant, "%s", variant);
    } else if (strcmp(single->variant, variant) != 0) {
        single->several = true;
    }
}

/* The one variant that everybody gets, or "". */
static void only_answer(struct view *view, const struct store_flag *flag, struct single *out)
{
    const struct json *document = view_flag(view, flag->key);

    *out = (struct single){.variant = ""};
    if (document == NULL || flag_outcomes_in(document, &view->world, see, out, NULL) != ERR_OK ||
        out->several) {
        out->variant[0] = '\0';
    }
}

static struct json *add_reason(struct json *reasons, const char *why, int64_t days)
{
    struct json *reason = json_append(reasons, json_object());

    json_put_text(reason, "why", why);
    json_put_number(reason, "days", (double)days);
    return reason;
}

/* Why this flag is listed; empty: it is not. What is said to stay for good is never settled. */
static struct json *reasons_of(struct view *view, const struct store_flag *flag, int64_t days,
                               int64_t now_ms)
{
    const char *end = json_get_text(flag->document, "expected_end", "");
    int64_t past = now_ms / DAY_MS - day_of(end), same = (now_ms - flag->changed_ms) / DAY_MS;
    struct json *reasons = json_array();
    int64_t used_ms = store_used_ms(view->store, flag), unused = (now_ms - used_ms) / DAY_MS;
    struct single single;

    if (day_of(end) >= 0 && past > 0) {
        (void)add_reason(reasons, "past-end", past);
    }
    if (strcmp(end, "never") != 0 && same >= days) {
        only_answer(view, flag, &single);
        if (single.variant[0] != '\0') {
            json_put_text(add_reason(reasons, "settled", same), "variant", single.variant);
        }
    }
    if (used_ms != 0 && unused >= 1 && unused >= days) {
        (void)add_reason(reasons, "unused", unused);
    }
    return reasons;
}

/* False: answered. */
static bool read_days(struct call *call, int64_t *days)
{
    const char *text = http_query(call->request, "days");
    size_t len = text != NULL ? strlen(text) : 0;

    *days = text != NULL ? strtoll(text, NULL, 10) : DAYS_DEFAULT;
    if (text != NULL &&
        (len == 0 || len > 5 || strspn(text, "0123456789") != len || *days > DAYS_MAX)) {
        return admin_invalid(call, "days: must be a whole number from 0 to 36500");
    }
    return true;
}

void flags_stale(struct call *call)
{
    int64_t days, now_ms = clock_wall_ms();
    struct view view = {.store = call->store};
    struct json *out, *list;
    struct err err = {0};

    if (!read_days(call, &days)) {
        return;
    }
    if (view_open(&view, &err) != ERR_OK) {
        answer_error(call, &err);
        return;
    }
    out = json_object();
    json_put_text(out, "environment", store_environment(call->store));
    json_put_number(out, "days", (double)days);
    list = json_put(out, "flags", json_array());
    for (size_t i = 0; i < store_flag_count(call->store); i++) {
        const struct store_flag *flag = store_flag_at(call->store, i);
        struct json *reasons = flag->archived ? NULL : reasons_of(&view, flag, days, now_ms);
        struct json *one;

        if (json_first(reasons) == NULL) {
            json_free(reasons);
            continue;
        }
        one = json_append(list, json_object());
        json_put_text(one, "key", flag->key);
        json_put_text(one, "owner", json_get_text(flag->document, "owner", ""));
        json_put_text(one, "expected_end", json_get_text(flag->document, "expected_end", ""));
        json_put(one, "reasons", reasons);
    }
    view_close(&view);
    answer_json(call, 200, out);
}
