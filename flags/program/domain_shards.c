#include "flags/program/domain_shards.h"

#include <stdlib.h>
#include <string.h>

#include "flags/program/api.h"

static enum err_code get(void *ctx, const char *hash, struct domain_shard **out, struct err *err)
{
    struct api *api = ctx;
    char *path = api_path("/sdk/v1/domains/", hash, ""), *text = NULL;
    size_t len = 0;
    enum err_code rc = path != NULL ? api_text(api, "GET", path, NULL, 0, &text, &len)
                                    : api_set(api, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK) {
        rc = domain_shard_parse(text, len, out, err);
    } else {
        (void)err_set(err, rc, "%s", api->message);
    }
    free(path);
    free(text);
    return rc;
}

static enum err_code put(void *ctx, struct domain_shard *shard, struct err *err)
{
    struct api *api = ctx;
    size_t len = 0;
    char *path = api_path("/api/v1/domains/", domain_shard_hash(shard), "");
    char *text = domain_shard_print(shard, &len);
    enum err_code rc = path != NULL && text != NULL
                           ? api_text(api, "PUT", path, text, len, NULL, NULL)
                           : api_set(api, ERR_NOMEM, "out of memory");

    if (rc != ERR_OK) {
        (void)err_set(err, rc, "%s", api->message);
    }
    free(path);
    free(text);
    return rc;
}

struct domain_source shards_source(struct api *api)
{
    return (struct domain_source){get, api};
}

struct domain_sink shards_sink(struct api *api)
{
    return (struct domain_sink){put, api};
}

enum err_code shards_expand(struct api *api, struct json *flag)
{
    struct domain_source source = shards_source(api);
    struct domain_list list = {0};
    struct json *domains;
    struct err err = {0};
    enum err_code rc;

    if (json_get(flag, "domain_set") == NULL) {
        return ERR_OK;
    }
    domains = json_object();
    rc = domain_list_read(&list, flag, &source, &err);
    rc = rc == ERR_OK ? domain_list_settle(&list, NULL, NULL, &err) : rc;
    for (size_t i = 0; rc == ERR_OK && i < list.count; i++) {
        const char *text = list.serves[list.rules[i].serve].text;
        struct json *serve = NULL;

        rc = json_parse(text, strlen(text), &serve, &err);
        if (rc == ERR_OK && json_put_new(domains, list.rules[i].pattern, serve) == NULL) {
            rc = err_set(&err, ERR_NOMEM, "out of memory");
        }
    }
    domain_list_fini(&list);
    if (rc != ERR_OK) {
        json_free(domains);
        return api_set(api, rc, "%s", err.msg);
    }
    json_remove(flag, "domain_set");
    json_put(flag, "domains", domains);
    return ERR_OK;
}
