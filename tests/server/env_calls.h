/*
 * env_calls - calls to the server of a test that name an environment; env_rig is whose.
 */
#ifndef TESTS_SERVER_ENV_CALLS_H
#define TESTS_SERVER_ENV_CALLS_H

#include "tests/server/rig.h"

#define FLAGS "/api/v1/flags"
#define ALL "/api/v1/environments"
#define RULESET "/sdk/v1/ruleset"
#define ON "{\"variant\":\"on\"}"
#define OFF "{\"variant\":\"off\"}"

extern struct rig *env_rig;

void env_says(const char *part); /* the last reply does */
void env_does(int status, const char *method, const char *path, const char *body);
/* GET of a flag in an environment (NULL: none is named). */
struct json *env_get(const char *key, const char *environment);
/* Changes one member there, with a token (NULL: the admin's). */
void env_set_as(int status, const char *token, const char *key, const char *environment,
                const char *member, const char *value);
void env_set(int status, const char *key, const char *environment, const char *member,
             const char *value);
/* With If-Match: *. */
void env_change(int status, const char *method, const char *path, const char *body);
double env_revision(const char *environment);
double env_version(const char *key, const char *environment);
void env_is(const char *key, const char *environment, const char *member, const char *wanted);
void env_make_token(const char *role, const char *environment, char out[100]);
size_t env_count(void); /* of environments */
/* What a migrator would say of migration m-<key> of the database db-<environment>. */
void env_report(int status, const char *environment, const char *key, const char *state);
void env_sql(const char *text); /* into the store, while no server is there */
void env_restart(void);

#endif
