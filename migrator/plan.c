/* migrate_plan() */
#include "migrator/session.h"

enum err_code migrate_plan(struct migrate *m, const struct migrate_apply *what,
                           struct json **report, struct err *err)
{
    (void)what;
    return migrate_status(m, report, err);
}

enum err_code migrate_verify(struct migrate *m, const char *target, struct json **report,
                             struct err *err)
{
    (void)target;
    return migrate_status(m, report, err);
}
