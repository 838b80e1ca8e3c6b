/*
 * route - the table of what the server answers: method, path, who may, on which thread, by what.
 *
 * "{name}" in a pattern stands for one whole segment. From the table come 404, 405 with Allow, 401
 * and 403, so no handler checks any of it.
 */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

struct call;
typedef void route_handler(struct call *call);

struct route {
    const char *method;
    const char *pattern;
    unsigned roles; /* a set of enum role; 0: no token needed */
    bool worker;    /* runs where the store may be touched */
    route_handler *handle;
};

extern const struct route routes[]; /* ends with a NULL method */

/* The route of method ("HEAD" counts as "GET") and path. *params points into scratch, a copy of path
 * of at least strlen(path) + 1 bytes. If the path is known but not the method, NULL and allow (size
 * at least 64) holds the methods, else NULL and allow is "". */
const struct route *route_find(const char *method, const char *path, char *scratch,
                               const char *params[2], char *allow, size_t allow_size);

/* The handlers, by file. */
route_handler health_live, health_ready;                                      /* health.c */
route_handler ofrep_single, ofrep_bulk, ofrep_preflight;                      /* ofrep.c */
route_handler sdk_ruleset, sdk_usage;                                         /* sdk_api.c */
route_handler flags_list, flags_create, flags_show, flags_put, flags_archive; /* admin_flags.c */
route_handler flags_shared_show, flags_shared_put;                            /* admin_shared.c */
route_handler flags_stale;                                                    /* admin_stale.c */
route_handler flags_evaluate, flags_restore;
route_handler domains_get, domains_put, flags_put_domain, flags_drop_domain; /* admin_domains.c */
route_handler environments_list, environments_create; /* admin_environments.c */
route_handler environments_rename, environments_drop, flags_promote;
route_handler segments_list, segments_create, segments_show; /* admin_pieces.c */
route_handler segments_put, segments_drop;
route_handler layers_list, layers_create, layers_show, layers_put, layers_drop;
route_handler schedules_list, schedules_create, schedules_cancel; /* admin_schedules.c */
route_handler audit_list, clients_list;                           /* admin_audit.c */
route_handler tokens_create, tokens_list, tokens_drop;
route_handler schema_list, schema_report, schema_forget, schema_gate; /* admin_schema.c */
route_handler holds_take, holds_release;                              /* admin_holds.c */

/* Lets pages of the configured origin read the answer, whatever it will be. */
void ofrep_allow_origin(struct call *call);

#endif
