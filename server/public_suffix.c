#include "server/public_suffix.h"

#include <libpsl.h>
#include <pthread.h>
#include <stddef.h>

static const psl_ctx_t *list;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The distribution's file is newer than what was built into the library, where there is one. */
static void load(void)
{
    list = psl_latest(NULL);
    list = list != NULL ? list : psl_builtin();
}

bool public_suffix(const char *domain)
{
    pthread_once(&once, load);
    return list != NULL &&
           psl_is_public_suffix2(list, domain, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0;
}
