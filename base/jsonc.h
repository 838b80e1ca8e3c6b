/*
 * jsonc - JSON with comments and with a comma behind the last member, as people write it by hand.
 */
#ifndef BASE_JSONC_H
#define BASE_JSONC_H

#include "base/json.h"

/* As json_parse(), lines and columns included. */
MUST_USE enum err_code jsonc_parse(const char *text, size_t len, struct json **out,
                                   struct err *err);

#endif
