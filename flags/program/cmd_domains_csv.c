/*
 * domains --export and --import: many customers at once, as CSV. The file is read and checked here; what it comes
 * to goes to the server as a domain set, part by part, and counts from the one call that names the parts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/progress.h"
#include "flags/program/commands.h"
#include "flags/program/domain_csv.h"
#include "flags/program/domain_shards.h"

enum { SHOWN_FROM = 100000 }; /* rows: fewer take no time */

struct import {
    struct api *api;
    struct cli *cli;
    const char *key, *path;
    struct json *flag; /* as it is, then as it shall be */
    char etag[API_ETAG_BYTES];
    struct domain_list before, after;
    struct domain_csv csv;
    struct progress progress;
    size_t added, changed, removed, twice;
};

/* ---- what is wrong with the file ---- */

static struct json *problems_json(const struct domain_csv *csv)
{
    struct json *list = json_array();

    for (size_t i = 0; i < csv->problem_count && i < DOMAIN_CSV_PROBLEMS; i++) {
        struct json *one = json_append(list, json_object());

        json_put_number(one, "line", csv->problems[i].line);
        if (csv->problems[i].column > 0) {
            json_put_number(one, "column", csv->problems[i].column);
        }
        json_put_text(one, "message", csv->problems[i].text);
    }
    return list;
}

static int tell_problems(const struct import *import)
{
    const struct domain_csv *csv = &import->csv;

    if (cli_json(import->cli)) {
        struct json *out = json_object(), *error = json_put(out, "error", json_object());

        json_put_text(error, "code", err_code_name(ERR_INVALID));
        json_put_text(error, "message", "the file has mistakes; nothing was changed");
        json_put_number(error, "count", (double)csv->problem_count);
        json_put(error, "problems", problems_json(csv));
        cli_print_json(out);
        return 2;
    }
    for (size_t i = 0; i < csv->problem_count && i < DOMAIN_CSV_PROBLEMS; i++) {
        if (csv->problems[i].column > 0) {
            fprintf(stderr, "%s:%u: column %u: %s\n", import->path, csv->problems[i].line,
                    csv->problems[i].column, csv->problems[i].text);
        } else {
            fprintf(stderr, "%s:%u: %s\n", import->path, csv->problems[i].line,
                    csv->problems[i].text);
        }
    }
    fprintf(stderr, "flags domains: %zu mistakes in %s%s; nothing was changed\n",
            csv->problem_count, import->path,
            csv->problem_count > DOMAIN_CSV_PROBLEMS ? ", of which the first are above" : "");
    return 2;
}

static void on_twice(void *ctx, const struct domain_rule *first, const struct domain_rule *again)
{
    struct import *import = ctx;

    if (first->serve == again->serve) {
        import->twice++;
        return;
    }
    domain_csv_problem(&import->csv, again->line, 0,
                       "%.120s stands in line %u too, with another rule", again->pattern,
                       first->line);
}

/* ---- the difference ---- */

static void compare(struct import *import)
{
    const struct domain_list *was = &import->before, *is = &import->after;
    size_t i = 0, k = 0;

    while (i < was->count || k < is->count) {
        int order = i == was->count  ? 1
                    : k == is->count ? -1
                                     : strcmp(was->rules[i].pattern, is->rules[k].pattern);

        if (order < 0) {
            import->removed++;
        } else if (order > 0) {
            import->added++;
        } else {
            import->changed += strcmp(was->serves[was->rules[i].serve].text,
                                      is->serves[is->rules[k].serve].text) != 0;
        }
        i += order <= 0;
        k += order >= 0;
    }
}

static int tell_done(const struct import *import, bool dry_run)
{
    if (cli_json(import->cli)) {
        struct json *out = json_object();

        json_put_text(out, "flag", import->key);
        json_put_bool(out, "dry_run", dry_run);
        json_put_number(out, "rows", (double)import->csv.rows);
        json_put_number(out, "added", (double)import->added);
        json_put_number(out, "changed", (double)import->changed);
        json_put_number(out, "removed", (double)import->removed);
        json_put_number(out, "twice", (double)import->twice);
        json_put_number(out, "rules", (double)import->after.count);
        cli_print_json(out);
        return 0;
    }
    printf("%s: %llu rows; %zu customers %s, %zu changed, %zu removed", import->key,
           (unsigned long long)import->csv.rows, import->added,
           dry_run ? "would be added" : "added", import->changed, import->removed);
    if (import->twice > 0) {
        printf(", %zu rows stand there twice", import->twice);
    }
    printf("; rules %s: %zu\n", dry_run ? "then" : "now", import->after.count);
    return 0;
}

/* ---- import ---- */

static void show_rows(void *ctx, uint64_t rows)
{
    struct import *import = ctx;

    if (rows % 4096 == 0) {
        progress_show(&import->progress, rows, 0);
    }
}

static enum err_code read_file(struct import *import)
{
    FILE *file = strcmp(import->path, "-") == 0 ? stdin : fopen(import->path, "rb");
    struct err err = {0};
    enum err_code rc;

    if (file == NULL) {
        return api_set(import->api, ERR_IO, "%s cannot be read: %s", import->path, strerror(errno));
    }
    import->csv.flag = import->flag;
    import->csv.list = &import->after;
    import->csv.progress = show_rows;
    import->csv.ctx = import;
    progress_init(&import->progress, "reading", 0, cli_json(import->cli));
    rc = domain_csv_read(&import->csv, file, &err);
    if (import->csv.rows >= SHOWN_FROM) {
        progress_end(&import->progress, import->csv.rows);
    }
    if (file != stdin) {
        fclose(file);
    }
    return rc == ERR_OK ? ERR_OK : api_set(import->api, rc, "%s: %s", import->path, err.msg);
}

/* What the flag has, what the file says over it (or in its place), and how they differ. */
static enum err_code put_together(struct import *import, bool replace)
{
    struct domain_source source = shards_source(import->api);
    struct err err = {0};
    enum err_code rc;

    rc = domain_list_read(&import->before, import->flag, &source, &err);
    if (rc == ERR_OK) {
        rc = domain_list_settle(&import->before, NULL, NULL, &err);
    }
    if (rc == ERR_OK && !replace) {
        rc = domain_list_read(&import->after, import->flag, &source, &err);
    }
    if (rc != ERR_OK) {
        return api_set(import->api, rc, "%s", err.msg);
    }
    rc = read_file(import);
    if (rc == ERR_OK) {
        rc = domain_list_settle(&import->after, on_twice, import, &err);
        rc = rc == ERR_OK ? ERR_OK : api_set(import->api, rc, "%s", err.msg);
    }
    if (rc == ERR_OK) {
        compare(import);
    }
    return rc;
}

static enum err_code send(struct import *import)
{
    struct domain_sink sink = shards_sink(import->api);
    struct err err = {0};
    char *path = api_path("/api/v1/flags/", import->key,
                          cli_given(import->cli, "wide") && import->api->reassign
                              ? "?wide=true&reassign=true"
                          : cli_given(import->cli, "wide") ? "?wide=true"
                          : import->api->reassign          ? "?reassign=true"
                                                           : "");
    enum err_code rc = domain_list_write(&import->after, import->flag, &sink, &err);

    if (rc != ERR_OK) {
        rc = api_set(import->api, rc, "%s", err.msg);
    } else if (path == NULL) {
        rc = api_set(import->api, ERR_NOMEM, "out of memory");
    } else {
        rc = api_call(import->api, "PUT", path, import->flag, import->etag, NULL, NULL);
    }
    free(path);
    return rc;
}

int domains_import(struct api *api, struct cli *cli, const char *path)
{
    struct import import = {.api = api, .cli = cli, .key = cli_operand(cli, 0), .path = path};
    bool dry_run = cli_given(cli, "dry-run");
    enum err_code rc = api_get_flag(api, import.key, &import.flag, import.etag);
    int code = 0;

    api->reassign = cli_given(cli, "reassign");
    if (rc == ERR_OK) {
        rc = put_together(&import, cli_given(cli, "replace"));
    }
    if (rc == ERR_OK && import.csv.problem_count > 0) {
        code = tell_problems(&import);
    } else if (rc == ERR_OK && !dry_run && import.added + import.changed + import.removed > 0) {
        rc = send(&import);
    }
    if (rc != ERR_OK) {
        code = api_fail(api);
    } else if (code == 0) {
        code = tell_done(&import, dry_run);
    }
    domain_list_fini(&import.before);
    domain_list_fini(&import.after);
    json_free(import.flag);
    return code;
}

/* ---- export ---- */

int domains_export(struct api *api, struct cli *cli, const char *path)
{
    struct domain_source source = shards_source(api);
    struct domain_list list = {0};
    struct json *flag = NULL;
    struct buf text = {0};
    struct err err = {0};
    enum err_code rc = api_get_flag(api, cli_operand(cli, 0), &flag, NULL);
    int code = 0;

    if (rc == ERR_OK) {
        rc = domain_list_read(&list, flag, &source, &err);
        rc = rc == ERR_OK ? domain_list_settle(&list, NULL, NULL, &err) : rc;
        rc = rc == ERR_OK ? ERR_OK : api_set(api, rc, "%s", err.msg);
    }
    if (rc == ERR_OK) {
        domain_csv_write(&list, &text);
        if (buf_failed(&text)) {
            rc = api_set(api, ERR_NOMEM, "out of memory");
        } else if (strcmp(path, "-") == 0) {
            fwrite(text.at, 1, text.len, stdout);
        } else if (file_write_atomic(path, text.at, text.len, 0644, &err) != ERR_OK) {
            rc = api_set(api, ERR_IO, "%s", err.msg);
        }
    }
    if (rc != ERR_OK) {
        code = api_fail(api);
    } else if (strcmp(path, "-") != 0 && cli_json(cli)) {
        struct json *out = json_object();

        json_put_text(out, "file", path);
        json_put_number(out, "rules", (double)list.count);
        cli_print_json(out);
    } else if (strcmp(path, "-") != 0) {
        printf("%zu domain rules of %s are in %s\n", list.count, cli_operand(cli, 0), path);
    }
    buf_fini(&text);
    domain_list_fini(&list);
    json_free(flag);
    return code;
}
