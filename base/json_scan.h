/*
 * json_scan - is this text JSON (RFC 8259), within the bounds that base/json.h promises? For
 * base/json.c, and for who passes a text on as it is (json_raw()): cJSON's own parser lets too much
 * pass (leading zeros, raw control characters, \u0000, bad UTF-8) and says nothing of where.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stddef.h>

#include "base/err.h"

/* ERR_OK or ERR_INVALID with line and column (of code points, from 1) in the message. */
MUST_USE enum err_code json_scan(const char *text, size_t len, struct err *err);

#endif
