#include "migrator/walk.h"

enum err_code walk_validate(struct migrate *m, size_t index, struct err *err)
{
    (void)m, (void)index;
    return err_set(err, ERR_INVALID, "phased migrations are being built");
}

enum err_code walk_forward(struct migrate *m, size_t index, const struct walk_request *request,
                           struct json *steps, struct json *waits, struct err *err)
{
    (void)request, (void)steps, (void)waits;
    return walk_validate(m, index, err);
}

enum err_code walk_back(struct migrate *m, size_t index, const struct walk_request *request,
                        struct json *steps, struct err *err)
{
    (void)request, (void)steps;
    return walk_validate(m, index, err);
}
