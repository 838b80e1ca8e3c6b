/*
 * commands - what `flags` can do, one function a command; each returns an exit code.
 */
#ifndef FLAGS_PROGRAM_COMMANDS_H
#define FLAGS_PROGRAM_COMMANDS_H

#include "flags/program/api.h"

int cmd_create(struct cli *cli, void *ctx);
int cmd_list(struct cli *cli, void *ctx);
int cmd_show(struct cli *cli, void *ctx);
int cmd_archive(struct cli *cli, void *ctx);
int cmd_on(struct cli *cli, void *ctx);
int cmd_off(struct cli *cli, void *ctx);
int cmd_ramp(struct cli *cli, void *ctx);
int cmd_rule_add(struct cli *cli, void *ctx);
int cmd_rule_set(struct cli *cli, void *ctx);
int cmd_rule_remove(struct cli *cli, void *ctx);
int cmd_eval(struct cli *cli, void *ctx);
int cmd_audit(struct cli *cli, void *ctx);
int cmd_why(struct cli *cli, void *ctx);
int cmd_domains(struct cli *cli, void *ctx);
int cmd_domain_remove(struct cli *cli, void *ctx);
int cmd_who(struct cli *cli, void *ctx);
int cmd_unhold(struct cli *cli, void *ctx);
int cmd_untie(struct cli *cli, void *ctx);
int cmd_clients(struct cli *cli, void *ctx);
int cmd_export(struct cli *cli, void *ctx);
int cmd_diff(struct cli *cli, void *ctx);
int cmd_apply(struct cli *cli, void *ctx);
int cmd_simulate(struct cli *cli, void *ctx);
int cmd_token(struct cli *cli, void *ctx);
int cmd_environments(struct cli *cli, void *ctx);
int cmd_promote(struct cli *cli, void *ctx);
int cmd_set(struct cli *cli, void *ctx);
int cmd_restore(struct cli *cli, void *ctx);
int cmd_stale(struct cli *cli, void *ctx);
int cmd_pin(struct cli *cli, void *ctx);
int cmd_unpin(struct cli *cli, void *ctx);
int cmd_pins(struct cli *cli, void *ctx);
int cmd_require(struct cli *cli, void *ctx);
int cmd_unrequire(struct cli *cli, void *ctx);
int cmd_split(struct cli *cli, void *ctx);
int cmd_segments(struct cli *cli, void *ctx);
int cmd_layers(struct cli *cli, void *ctx);
int cmd_schedule(struct cli *cli, void *ctx);
int cmd_schedules(struct cli *cli, void *ctx);
int cmd_unschedule(struct cli *cli, void *ctx);

/* Puts what --description, --owner, --until and --tags say into a flag; an empty text takes one away. */
void set_words(struct cli *cli, struct json *flag);

/* ---- cmd_domains_csv.c: parts of cmd_domains; path "-": stdin, stdout ---- */
int domains_import(struct api *api, struct cli *cli, const char *path);
int domains_export(struct api *api, struct cli *cli, const char *path);

/* Changes a flag: reads it, lets edit() change the document, and writes it back over the version it
 * was read from; when somebody else was faster, all of it again, EDIT_TRIES times at most. edit
 * returns false after api_set(). On ERR_OK *before and *after are the caller's. */
#define EDIT_TRIES 5
typedef bool edit_fn(struct api *api, struct json *flag, void *ctx);
enum err_code edit_flag(struct api *api, const char *key, edit_fn *edit, void *ctx,
                        struct json **before, struct json **after);

/* The same for any document with a version. */
enum err_code edit_at(struct api *api, const char *path, edit_fn *edit, void *ctx,
                      struct json **before, struct json **after);

#endif
