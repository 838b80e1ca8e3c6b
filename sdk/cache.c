/*
 * The last good ruleset on disk: one line "lockstep-cache 1 WALL_MS SHA256", then the document as
 * the server sent it. The digest is there because a file that lost a block may still be JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "sdk/client.h"

#define MAGIC "lockstep-cache 1 "

enum err_code cache_read(const char *path, char **body, size_t *body_len, int64_t *confirmed_ms,
                         struct err *err)
{
    char hex[DIGEST_HEX_BYTES], *text, *end, *line_end;
    size_t len, left;
    enum err_code rc = file_read(path, CACHE_BYTES_MAX, &text, &len, err);

    if (rc != ERR_OK)
        return rc;
    line_end = memchr(text, '\n', len);
    if (line_end == NULL || strncmp(text, MAGIC, strlen(MAGIC)) != 0)
        goto bad;
    *confirmed_ms = strtoll(text + strlen(MAGIC), &end, 10);
    left = len - (size_t)(line_end + 1 - text);
    if (*end != ' ' || *confirmed_ms <= 0)
        goto bad;
    digest_hex(line_end + 1, left, hex);
    if ((size_t)(line_end - end - 1) != strlen(hex) || memcmp(end + 1, hex, strlen(hex)) != 0)
        goto bad;
    memmove(text, line_end + 1, left);
    text[left] = '\0';
    *body = text;
    *body_len = left;
    return ERR_OK;
bad:
    free(text);
    return err_set(err, ERR_INVALID, "%s: is no ruleset cache, or was changed", path);
}

enum err_code cache_write(const char *path, const char *body, size_t body_len, int64_t confirmed_ms,
                          struct err *err)
{
    char hex[DIGEST_HEX_BYTES];
    struct buf text = {0};
    enum err_code rc;

    buf_print(&text, MAGIC "%" PRId64 " %s\n", confirmed_ms, digest_hex(body, body_len, hex));
    buf_add(&text, body, body_len);
    if (buf_failed(&text))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else
        rc = file_write_atomic(path, text.at, text.len, 0600, err);
    buf_fini(&text);
    return rc;
}
