/*
 * patch - a change of a flag as a document: what differs, and nothing else.
 *
 *     {"state": "off"}
 *     {"fallthrough": {"ramp": {"percent": 50, "variant": "on"}}}
 *     {"domains": {"acme.com": {"variant": "on"}, "old.com": null}}
 *     {"rules": {"staff": {"serve": {"variant": "on"}}, "beta": null}}
 *
 * By RFC 7396: null removes, an object is merged. A place that serves (fall-through, a domain, a rule's
 * "serve") is replaced whole, since it is one of several things. "rules" as an object names the rules that
 * change; as an array it is all of them.
 */
#ifndef FLAGS_PATCH_H
#define FLAGS_PATCH_H

#include "base/err.h"
#include "base/json.h"

/* Changes flag. ERR_INVALID: the patch is none; ERR_NOT_FOUND: it names a rule that is not there; ERR_NOMEM.
 * After a failure flag may be half changed. */
MUST_USE enum err_code flag_patch(struct json *flag, const struct json *patch, struct err *err);

#endif
