/*
 * toml - a TOML 1.0 document as a JSON tree (https://toml.io/en/v1.0.0).
 *
 *     rc = toml_parse(text, len, &root, &err);
 *     name = json_get_text(root, "name", NULL);
 *
 * Tables become objects, arrays of tables arrays of objects. Numbers are doubles, as everywhere in
 * json.h; dates and times are taken as their text. Keys that are given twice are refused.
 */
#ifndef BASE_TOML_H
#define BASE_TOML_H

#include "base/json.h"

/* ERR_INVALID with the line in the message; *out untouched. The caller frees *out with json_free().
 */
MUST_USE enum err_code toml_parse(const char *text, size_t len, struct json **out, struct err *err);

#endif
