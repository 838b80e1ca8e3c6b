/*
 * Domain sets: rules of flags that lie beside the ruleset, in shards named by their hash. Each is fetched
 * once, whatever ruleset names it, and kept beside the cache, in CACHE_FILE.domains/HASH.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "sdk/client.h"

#define SHARD_BYTES_MAX (16u << 20)
#define HASH_LEN (DIGEST_HEX_BYTES - 1)

static bool is_hash(const char *text)
{
    return text != NULL && strlen(text) == HASH_LEN && strspn(text, "0123456789abcdef") == HASH_LEN;
}

/* ---- on disk ---- */

/* The folder, or a file in it; NULL: there is none. free() it. */
static char *path_of(const lockstep_client *client, const char *name)
{
    size_t size = client->cache_file != NULL ? strlen(client->cache_file) + 80 : 0;
    char *path = size > 0 ? malloc(size) : NULL;

    if (path != NULL)
        snprintf(path, size, "%s.domains%s%s", client->cache_file, name != NULL ? "/" : "",
                 name != NULL ? name : "");
    return path;
}

/* What is there but is not what its name says is as good as nothing. */
static struct domain_shard *read_kept(const lockstep_client *client, const char *hash)
{
    char *path = path_of(client, hash), *text = NULL;
    struct domain_shard *shard = NULL;
    size_t len;

    if (path != NULL && file_read(path, SHARD_BYTES_MAX, &text, &len, NULL) == ERR_OK &&
        domain_shard_parse(text, len, &shard, NULL) == ERR_OK &&
        strcmp(domain_shard_hash(shard), hash) != 0) {
        domain_shard_drop(shard);
        shard = NULL;
    }
    free(text);
    free(path);
    return shard;
}

/* A shard that cannot be kept is fetched again after a restart. */
static void keep_shard(const lockstep_client *client, const char *hash, const char *text,
                       size_t len)
{
    char *folder = path_of(client, NULL), *path = path_of(client, hash);

    if (folder != NULL && path != NULL && (mkdir(folder, 0700) == 0 || errno == EEXIST))
        (void)!file_write_atomic(path, text, len, 0600, NULL);
    free(folder);
    free(path);
}

static void forget_files(const lockstep_client *client)
{
    char *folder = path_of(client, NULL);
    DIR *dir = folder != NULL ? opendir(folder) : NULL;
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_hash(entry->d_name) && domain_pool_find(client->pool, entry->d_name) == NULL)
            (void)!unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        closedir(dir);
    free(folder);
}

/* ---- from the server ---- */

/* *out NULL: the server does not have it. Then its flag answers nothing here, and the others do. */
static enum err_code fetch_shard(lockstep_client *client, const char *hash,
                                 struct domain_shard **out, struct err *err)
{
    size_t base = strlen(client->url) - strlen("ruleset"), size = base + HASH_LEN + 16;
    const char *headers[] = {client->name_header, client->instance_header, NULL};
    char *url = malloc(size);
    struct fetch_request request = {.method = "GET",
                                    .url = url,
                                    .bearer = client->token,
                                    .headers = headers,
                                    .timeout_ms = (long)client->timeout_ms,
                                    .reply_bytes_max = SHARD_BYTES_MAX,
                                    .cancel = &client->cancel};
    struct fetch_reply reply;
    enum err_code rc;

    *out = NULL;
    if (url == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    snprintf(url, size, "%.*sdomains/%s", (int)base, client->url, hash);
    rc = fetch_send(client->fetch, &request, &reply, err);
    free(url);
    if (rc != ERR_OK)
        return rc;
    if (reply.status == 200) {
        rc = domain_shard_parse(reply.body, reply.body_len, out, err);
        if (rc == ERR_OK && strcmp(domain_shard_hash(*out), hash) != 0) {
            domain_shard_drop(*out);
            *out = NULL;
            rc = err_set(err, ERR_INVALID,
                         "the server sent other domain rules than it was asked for");
        }
        if (rc == ERR_OK)
            keep_shard(client, hash, reply.body, reply.body_len);
    } else if (reply.status != 404) {
        rc = err_set(err, ERR_IO, "the server answered with status %ld for domain rules",
                     reply.status);
    }
    fetch_reply_fini(&reply);
    return rc;
}

static enum err_code get_shard(lockstep_client *client, const char *hash, bool online,
                               struct err *err)
{
    struct domain_shard *shard;
    enum err_code rc = ERR_OK;

    if (!is_hash(hash) || domain_pool_find(client->pool, hash) != NULL)
        return ERR_OK;
    shard = read_kept(client, hash);
    if (shard == NULL && online)
        rc = fetch_shard(client, hash, &shard, err);
    if (rc == ERR_OK && shard != NULL)
        rc = domain_pool_add(client->pool, shard, err);
    domain_shard_drop(shard);
    return rc;
}

enum err_code domains_get(lockstep_client *client, const struct json *document, bool online,
                          bool *whole, struct err *err)
{
    enum err_code rc = ERR_OK;

    *whole = true;
    for (const struct json *flag = json_first(json_get(document, "flags"));
         rc == ERR_OK && flag != NULL; flag = json_next(flag)) {
        const struct json *set = json_get(flag, "domain_set");

        for (const struct json *at = json_first(json_get(set, "shards"));
             rc == ERR_OK && at != NULL; at = json_next(at)) {
            const char *hash = json_text(at);

            rc = get_shard(client, hash, online, err);
            *whole = *whole && hash != NULL && domain_pool_find(client->pool, hash) != NULL;
        }
    }
    return rc;
}

/* The current ruleset holds those that it names. */
static bool is_served(void *ctx, const struct domain_shard *shard)
{
    (void)ctx;
    return !domain_shard_idle(shard);
}

void domains_forget(lockstep_client *client)
{
    size_t before = domain_pool_count(client->pool);

    domain_pool_sweep(client->pool, is_served, NULL);
    if (domain_pool_count(client->pool) != before)
        forget_files(client);
}
