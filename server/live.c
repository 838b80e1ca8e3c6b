#include "server/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/coupling.h"
#include "server/view.h"

struct counted_body {
    struct live_body body; /* first: live_give_back() gets its address */
    atomic_size_t holders;
};

struct live {
    struct ruleset_cell *cell;
    pthread_mutex_t mutex; /* over what follows; held for the length of a copy */
    struct counted_body *body;
    char conflict[LIVE_WHY_BYTES];
};

struct live *live_new(void)
{
    struct live *live = calloc(1, sizeof *live);

    if (live == NULL) {
        return NULL;
    }
    live->cell = ruleset_cell_new();
    if (live->cell == NULL) {
        free(live);
        return NULL;
    }
    pthread_mutex_init(&live->mutex, NULL);
    return live;
}

void live_give_back(void *body)
{
    struct counted_body *counted = body;

    if (counted != NULL && atomic_fetch_sub(&counted->holders, 1) == 1) {
        free(counted->body.text);
        free(counted);
    }
}

void live_free(struct live *live)
{
    if (live != NULL) {
        ruleset_cell_free(live->cell);
        live_give_back(live->body);
        pthread_mutex_destroy(&live->mutex);
        free(live);
    }
}

/* Looks at every tied flag: only a restored or edited store can hold one outside its range. */
static void find_conflict(const struct store *store, char why[LIVE_WHY_BYTES])
{
    struct view view = {.store = store};

    why[0] = '\0';
    if (store_tie_count(store) == 0) {
        return;
    }
    if (view_open(&view, NULL) != ERR_OK) {
        snprintf(why, LIVE_WHY_BYTES, "out of memory");
        return;
    }
    for (size_t i = 0; i < store_tie_count(store); i++) {
        const struct tie *tie = store_tie_at(store, i);
        const struct json *flag = view_flag(&view, tie->flag);
        struct coupling_refusal refusal;
        struct coupling_change change = {.before = flag,
                                         .after = flag,
                                         .world = &view.world,
                                         .ties = tie,
                                         .tie_count = 1,
                                         .report = true};

        if (coupling_check(&change, &refusal) != ERR_OK) {
            snprintf(why, LIVE_WHY_BYTES, "%s", refusal.detail);
            break;
        }
    }
    view_close(&view);
}

enum err_code live_publish(struct live *live, const struct store *store, unsigned poll_s,
                           struct err *err)
{
    char *text = NULL;
    struct json *document = store_ruleset(store, poll_s, &text);
    struct counted_body *body = calloc(1, sizeof *body);
    struct counted_body *old;
    struct ruleset *rules = NULL;
    struct ruleset_ticket ticket;
    char conflict[LIVE_WHY_BYTES];
    enum err_code rc = ERR_NOMEM;

    if (body != NULL && text != NULL) {
        rc = ruleset_build_with(document, stores_pool(store_all(store)), &rules, err);
    } else {
        (void)err_set(err, ERR_NOMEM, "out of memory");
    }
    json_free(document);
    if (rc != ERR_OK || body == NULL || text == NULL) {
        free(text);
        free(body);
        return rc;
    }
    body->body.text = text;
    body->body.len = strlen(text);
    atomic_init(&body->holders, 1);
    snprintf(body->body.tag, sizeof body->body.tag, "%lld-%lld", (long long)store_epoch(store),
             (long long)store_revision(store));
    find_conflict(store, conflict);
    ruleset_carry_use(ruleset_cell_enter(live->cell, &ticket), rules);
    ruleset_cell_leave(live->cell, &ticket);
    /* Evaluation first: a client that has read a revision must never be answered by an older one. */
    ruleset_cell_swap(live->cell, rules);
    pthread_mutex_lock(&live->mutex);
    old = live->body;
    live->body = body;
    memcpy(live->conflict, conflict, sizeof conflict);
    pthread_mutex_unlock(&live->mutex);
    live_give_back(old);
    return ERR_OK;
}

const struct ruleset *live_enter(struct live *live, struct ruleset_ticket *ticket)
{
    return ruleset_cell_enter(live->cell, ticket);
}

void live_leave(struct live *live, struct ruleset_ticket *ticket)
{
    ruleset_cell_leave(live->cell, ticket);
}

const struct live_body *live_take_body(struct live *live)
{
    struct counted_body *body;

    pthread_mutex_lock(&live->mutex);
    body = live->body;
    atomic_fetch_add(&body->holders, 1);
    pthread_mutex_unlock(&live->mutex);
    return &body->body;
}

void live_conflict(struct live *live, char why[LIVE_WHY_BYTES])
{
    pthread_mutex_lock(&live->mutex);
    memcpy(why, live->conflict, LIVE_WHY_BYTES);
    pthread_mutex_unlock(&live->mutex);
}
