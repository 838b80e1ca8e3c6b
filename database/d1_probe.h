/*
 * d1_probe - which forms of ALTER TABLE the engine behind D1's API knows: it hides its version.
 *
 * Only the files of the D1 driver include it.
 */
#ifndef DATABASE_D1_PROBE_H
#define DATABASE_D1_PROBE_H

#include "database/d1_call.h"

/* path: "/ID/raw". Sets what concerns ALTER in out. Leaves nothing behind, not even for a moment
 * that another request could see. ERR_CONFLICT: a batch whose last statement failed was carried
 * out. */
MUST_USE enum err_code d1_probe_alters(struct d1_call *call, const char *path,
                                       struct database_capabilities *out, struct err *err);

#endif
