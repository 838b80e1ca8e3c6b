#include "server/route.h"

#include <stdio.h>
#include <string.h>

#include "server/tokens.h"

#define EVALUATE (ROLE_SDK_CLIENT | ROLE_SDK_SERVER | ROLE_ADMIN)
#define READ (ROLE_VIEWER | ROLE_EDITOR | ROLE_PIPELINE | ROLE_ADMIN)
#define CHANGE (ROLE_EDITOR | ROLE_ADMIN)
#define SCHEMA (ROLE_PIPELINE | ROLE_ADMIN)

const struct route routes[] = {
    {"GET", "/healthz", 0, false, health_live},
    {"GET", "/readyz", 0, true, health_ready},

    {"POST", "/ofrep/v1/evaluate/flags", EVALUATE, false, ofrep_bulk},
    {"OPTIONS", "/ofrep/v1/evaluate/flags", 0, false, ofrep_preflight},
    {"POST", "/ofrep/v1/evaluate/flags/{key}", EVALUATE, false, ofrep_single},
    {"OPTIONS", "/ofrep/v1/evaluate/flags/{key}", 0, false, ofrep_preflight},

    {"GET", "/sdk/v1/ruleset", ROLE_SDK_SERVER | ROLE_ADMIN, false, sdk_ruleset},
    {"GET", "/sdk/v1/domains/{hash}", ROLE_SDK_SERVER | READ, true, domains_get},

    {"POST", "/sdk/v1/usage", ROLE_SDK_SERVER | ROLE_ADMIN, true, sdk_usage},

    {"GET", "/api/v1/flags", READ, true, flags_list},
    {"POST", "/api/v1/flags", CHANGE, true, flags_create},
    {"GET", "/api/v1/flags/{key}", READ, true, flags_show},
    {"PUT", "/api/v1/flags/{key}", CHANGE, true, flags_put},
    {"DELETE", "/api/v1/flags/{key}", CHANGE, true, flags_archive},
    {"PUT", "/api/v1/flags/{key}/domains/{domain}", CHANGE, true, flags_put_domain},
    {"DELETE", "/api/v1/flags/{key}/domains/{domain}", CHANGE, true, flags_drop_domain},
    {"GET", "/api/v1/flags/{key}/shared", READ, true, flags_shared_show},
    {"PUT", "/api/v1/flags/{key}/shared", CHANGE, true, flags_shared_put},
    {"PUT", "/api/v1/domains/{hash}", CHANGE, true, domains_put},
    {"POST", "/api/v1/flags/{key}/restore", CHANGE, true, flags_restore},
    {"POST", "/api/v1/flags/{key}/evaluate", READ, false, flags_evaluate},

    {"POST", "/api/v1/flags/{key}/promote", CHANGE, true, flags_promote},

    {"GET", "/api/v1/stale", READ, true, flags_stale},

    {"GET", "/api/v1/environments", READ, true, environments_list},
    {"POST", "/api/v1/environments", ROLE_ADMIN, true, environments_create},
    {"PUT", "/api/v1/environments/{environment}", ROLE_ADMIN, true, environments_rename},
    {"DELETE", "/api/v1/environments/{environment}", ROLE_ADMIN, true, environments_drop},

    {"POST", "/api/v1/flags/{key}/schedules", CHANGE, true, schedules_create},
    {"GET", "/api/v1/schedules", READ, true, schedules_list},
    {"DELETE", "/api/v1/schedules/{id}", CHANGE, true, schedules_cancel},

    {"GET", "/api/v1/segments", READ, true, segments_list},
    {"POST", "/api/v1/segments", CHANGE, true, segments_create},
    {"GET", "/api/v1/segments/{key}", READ, true, segments_show},
    {"PUT", "/api/v1/segments/{key}", CHANGE, true, segments_put},
    {"DELETE", "/api/v1/segments/{key}", CHANGE, true, segments_drop},
    {"GET", "/api/v1/layers", READ, true, layers_list},
    {"POST", "/api/v1/layers", CHANGE, true, layers_create},
    {"GET", "/api/v1/layers/{key}", READ, true, layers_show},
    {"PUT", "/api/v1/layers/{key}", CHANGE, true, layers_put},
    {"DELETE", "/api/v1/layers/{key}", CHANGE, true, layers_drop},

    {"GET", "/api/v1/audit", READ, true, audit_list},
    {"GET", "/api/v1/clients", READ, true, clients_list},
    {"GET", "/api/v1/tokens", ROLE_ADMIN, true, tokens_list},
    {"POST", "/api/v1/tokens", ROLE_ADMIN, true, tokens_create},
    {"DELETE", "/api/v1/tokens/{id}", ROLE_ADMIN, true, tokens_drop},

    {"GET", "/api/v1/migrations", READ, true, schema_list},
    {"PUT", "/api/v1/migrations/{database_id}/{migration}", SCHEMA, true, schema_report},
    {"DELETE", "/api/v1/migrations/{database_id}/{migration}", SCHEMA, true, schema_forget},
    {"GET", "/api/v1/gate", SCHEMA, true, schema_gate},
    {"POST", "/api/v1/holds", SCHEMA, true, holds_take},
    {"DELETE", "/api/v1/holds/{database_id}/{migration}", SCHEMA, true, holds_release},
    {NULL, NULL, 0, false, NULL},
};

/* Compares segment by segment. Ends each parameter in scratch with NUL. */
static bool matches(const char *pattern, const char *path, char *scratch, const char *params[2])
{
    size_t count = 0;
    size_t at = 0;

    snprintf(scratch, strlen(path) + 1, "%s", path);
    for (;;) {
        size_t pattern_len = strcspn(pattern + 1, "/") + 1;
        size_t path_len = strcspn(path + at + 1, "/") + 1;

        if (*pattern != '/' || path[at] != '/') {
            return false;
        }
        if (pattern[1] == '{') {
            if (path_len == 1 || count == 2) {
                return false;
            }
            scratch[at + path_len] = '\0';
            params[count++] = scratch + at + 1;
        } else if (pattern_len != path_len || strncmp(pattern, path + at, pattern_len) != 0) {
            return false;
        }
        pattern += pattern_len;
        at += path_len;
        if (*pattern == '\0' || path[at] == '\0') {
            return *pattern == '\0' && path[at] == '\0';
        }
    }
}

const struct route *route_find(const char *method, const char *path, char *scratch,
                               const char *params[2], char *allow, size_t allow_size)
{
    size_t len = 0;

    allow[0] = '\0';
    if (strcmp(method, "HEAD") == 0) {
        method = "GET";
    }
    if (path[0] != '/') {
        return NULL;
    }
    for (const struct route *route = routes; route->method != NULL; route++) {
        params[0] = params[1] = NULL;
        if (!matches(route->pattern, path, scratch, params)) {
            continue;
        }
        if (strcmp(route->method, method) == 0) {
            return route;
        }
        len += (size_t)snprintf(allow + len, allow_size - len, "%s%s", len > 0 ? ", " : "",
                                route->method);
    }
    return NULL;
}
