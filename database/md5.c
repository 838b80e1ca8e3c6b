#include "database/md5.h"

#include <md5.h>

_Static_assert(MD5_HEX_BYTES == MD5_DIGEST_STRING_LENGTH, "32 digits and NUL");

const char *md5_hex(const void *data, size_t len, char out[MD5_HEX_BYTES])
{
    return MD5Data(data, len, out);
}
