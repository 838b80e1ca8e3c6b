#include "database/d1_budget.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

struct d1_budget {
    struct d1_budget *next;
    char token[DIGEST_HEX_BYTES]; /* its digest: the token itself lies nowhere else */
    double at_once, per_us;
    double left; /* below 0: promised to those who wait */
    int64_t at_us;
    bool used;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct d1_budget *budgets;

static struct d1_budget *make(const char *digest, unsigned requests)
{
    struct d1_budget *budget = calloc(1, sizeof *budget);
    double all = requests > 0 ? requests : D1_BUDGET_REQUESTS;

    if (budget == NULL) {
        return NULL;
    }
    memcpy(budget->token, digest, sizeof budget->token);
    budget->at_once = all / 4 < D1_BUDGET_AT_ONCE ? all / 4 : D1_BUDGET_AT_ONCE;
    budget->at_once = budget->at_once < 1 ? 1 : budget->at_once;
    budget->per_us = (all - budget->at_once) / (D1_BUDGET_WINDOW_S * 1e6);
    if (budget->per_us <= 0) {
        budget->per_us = 1 / (D1_BUDGET_WINDOW_S * 1e6);
    }
    budget->left = budget->at_once;
    budget->next = budgets;
    budgets = budget;
    return budget;
}

struct d1_budget *d1_budget_of(const char *token, unsigned requests)
{
    char digest[DIGEST_HEX_BYTES];
    struct d1_budget *budget;

    digest_hex(token, strlen(token), digest);
    pthread_mutex_lock(&mutex);
    for (budget = budgets; budget != NULL && strcmp(budget->token, digest) != 0;) {
        budget = budget->next;
    }
    budget = budget != NULL ? budget : make(digest, requests);
    pthread_mutex_unlock(&mutex);
    return budget;
}

int64_t d1_budget_take(struct d1_budget *budget, int64_t now_us)
{
    int64_t wait_us = 0;

    pthread_mutex_lock(&mutex);
    if (budget->used && now_us > budget->at_us) {
        budget->left += (double)(now_us - budget->at_us) * budget->per_us;
        budget->left = budget->left < budget->at_once ? budget->left : budget->at_once;
    }
    if (!budget->used || now_us > budget->at_us) {
        budget->at_us = now_us;
    }
    budget->used = true;
    budget->left -= 1;
    if (budget->left < 0) {
        wait_us = (int64_t)(-budget->left / budget->per_us);
    }
    pthread_mutex_unlock(&mutex);
    return wait_us;
}
