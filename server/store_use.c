/*
 * When each flag was last asked for. No change of a flag: no revision, no audit.
 */
#include <stdlib.h>

#include "server/store_image.h"

enum { STEP_MS = 3600000 }; /* so exact: a day's worth of questions is a few rows */

int64_t store_used_ms(const struct store *store, const struct store_flag *flag)
{
    int64_t last = store->watched_ms;

    if (store->watched_ms == 0) {
        return 0;
    }
    last = flag->used_ms > last ? flag->used_ms : last;
    last = flag->created_ms > last ? flag->created_ms : last;
    return store->all_used_ms > last ? store->all_used_ms : last;
}

static bool is_news(const struct store *store, const char *key, int64_t now_ms, size_t *place)
{
    bool found;

    *place = store_flag_place(store, key, &found);
    return found && store->flags[*place].used_ms + STEP_MS <= now_ms;
}

static enum err_code write_use(struct store *store, const char *keys, bool all, int64_t now_ms,
                               struct err *err)
{
    struct database_value params[] = {database_text(store->environment), database_int(now_ms),
                                      database_text(keys)};
    struct database_statement statements[2];
    struct database_batch batch = {.statements = statements};

    statements[batch.statement_count++] = (struct database_statement){
        "INSERT OR REPLACE INTO flag_use(environment, key, at_ms) SELECT ?1, value, ?2 FROM "
        "json_each(?3)",
        params, 3};
    if (all) {
        statements[batch.statement_count++] = (struct database_statement){
            "UPDATE environment SET all_used_ms = ?2 WHERE name = ?1", params, 2};
    }
    return database_batch(store->db, &batch, NULL, err);
}

enum err_code store_note_use(struct store *store, const char *const *keys, size_t count, bool all,
                             int64_t now_ms, struct err *err)
{
    struct json *news = json_array();
    char *text = NULL;
    enum err_code rc = ERR_OK;
    size_t place;

    all = all && store->all_used_ms + STEP_MS <= now_ms;
    for (size_t i = 0; i < count; i++) {
        if (is_news(store, keys[i], now_ms, &place)) {
            json_append(news, json_string(keys[i]));
        }
    }
    if (json_first(news) != NULL || all) {
        text = json_print(news);
        rc = text == NULL ? err_set(err, ERR_NOMEM, "out of memory")
                          : write_use(store, text, all, now_ms, err);
        for (const struct json *key = json_first(news); rc == ERR_OK && key != NULL;
             key = json_next(key)) {
            if (is_news(store, json_text(key), now_ms, &place)) {
                store->flags[place].used_ms = now_ms;
            }
        }
        store->all_used_ms = rc == ERR_OK && all ? now_ms : store->all_used_ms;
    }
    free(text);
    json_free(news);
    return rc;
}
