/*
 * builtin_net - ip() and cidr().
 */
#include "condition/number.h"
#include "condition/operate.h"
#include "condition/value.h"

#include <stdio.h>
#include <string.h>

/* ---- texts ---- */

static bool parse_ipv4(const char *at, size_t len, uint8_t out[4])
{
    size_t i = 0;

    for (int part = 0; part < 4; part++) {
        unsigned n = 0, digits = 0;
        while (i < len && at[i] >= '0' && at[i] <= '9' && digits < 3) {
            if (digits && n == 0)
                return false; /* 010 is octal to some */
            n = n * 10 + (unsigned)(at[i++] - '0');
            digits++;
        }
        if (digits == 0 || n > 255)
            return false;
        out[part] = (uint8_t)n;
        if (part < 3 && (i >= len || at[i++] != '.'))
            return false;
    }
    return i == len;
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* RFC 4291, 2.2. *dotted: the last four bytes were written as an IPv4 address. */
static bool parse_ipv6(const char *at, size_t len, uint8_t out[16], bool *dotted)
{
    uint8_t bytes[16] = {0};
    size_t i = 0, used = 0, gap = SIZE_MAX;

    *dotted = false;
    if (len >= 2 && at[0] == ':' && at[1] == ':') {
        gap = 0;
        i = 2;
    }
    while (i < len) {
        unsigned n = 0, digits = 0;
        size_t from = i;
        while (i < len && hex_digit(at[i]) >= 0 && digits < 4) {
            n = n * 16 + (unsigned)hex_digit(at[i++]);
            digits++;
        }
        if (i < len && at[i] == '.') {
            if (used > 12 || !parse_ipv4(at + from, len - from, bytes + used))
                return false;
            used += 4;
            *dotted = true;
            break;
        }
        if (digits == 0 || used > 14)
            return false;
        bytes[used++] = (uint8_t)(n >> 8);
        bytes[used++] = (uint8_t)n;
        if (i == len)
            break;
        if (at[i++] != ':' || i == len)
            return false;
        if (at[i] == ':') {
            if (gap != SIZE_MAX)
                return false;
            gap = used;
            i++;
        }
    }
    if (gap == SIZE_MAX ? used != 16 : used > 14)
        return false;
    memset(out, 0, 16);
    if (gap == SIZE_MAX)
        gap = used;
    memcpy(out, bytes, gap);
    memcpy(out + 16 - (used - gap), bytes + gap, used - gap);
    return true;
}

/* NULL, or why text is no address. An IPv4 address in IPv6's clothes becomes one. */
static const char *parse_address(const char *at, size_t len, struct cel_address *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    bool dotted;

    memset(out, 0, sizeof *out);
    if (len && memchr(at, '%', len))
        return "an address with a zone is not allowed";
    if (parse_ipv4(at, len, out->bytes)) {
        out->family = 4;
        return NULL;
    }
    if (!len || !parse_ipv6(at, len, out->bytes, &dotted))
        return "this is no IP address";
    out->family = 6;
    if (memcmp(out->bytes, mapped, sizeof mapped) == 0) {
        if (dotted)
            return "an IPv4 address mapped into IPv6 is not allowed";
        memmove(out->bytes, out->bytes + 12, 4);
        memset(out->bytes + 4, 0, 12);
        out->family = 4;
    }
    return NULL;
}

static const char *parse_network(const char *at, size_t len, struct cel_address *out)
{
    const char *slash = len ? memchr(at, '/', len) : NULL;
    size_t digits;
    uint64_t prefix;
    const char *why;

    if (!slash)
        return "a network needs a prefix length, as in 10.0.0.0/8";
    digits = (size_t)(at + len - slash) - 1;
    why = parse_address(at, (size_t)(slash - at), out);
    if (why)
        return why;
    if (digits == 0 || digits > 3 || slash[1] == '+' || (digits > 1 && slash[1] == '0') ||
        !cel_parse_uint(slash + 1, digits, &prefix) || prefix > (out->family == 4 ? 32u : 128u))
        return "this is no prefix length of a network";
    out->prefix = (uint8_t)prefix;
    return NULL;
}

/* RFC 5952: lower case, the longest run of zeros (two or more) as "::". */
static size_t print_ipv6(const uint8_t *bytes, char out[64])
{
    unsigned best = 8, best_len = 1, run = 0;
    size_t len = 0;

    for (unsigned i = 0; i < 8; i++) {
        run = bytes[2 * i] || bytes[2 * i + 1] ? 0 : run + 1;
        if (run > best_len) {
            best_len = run;
            best = i + 1 - run;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == best) {
            out[len++] = ':';
            if (i + best_len == 8)
                out[len++] = ':';
            i += best_len - 1;
            continue;
        }
        if (i)
            out[len++] = ':';
        len += cel_print_uint((uint64_t)bytes[2 * i] << 8 | bytes[2 * i + 1], 16, out + len);
    }
    return len;
}

size_t cel_address_print(const struct cel_address *address, bool network, char out[64])
{
    size_t len;
    char text[128]; /* cel_print_uint() asks for more room than it uses */

    if (address->family == 4) {
        int n = snprintf(text, sizeof text, "%u.%u.%u.%u", address->bytes[0], address->bytes[1],
                         address->bytes[2], address->bytes[3]);
        len = (size_t)n;
    } else {
        char digits[128];
        len = print_ipv6(address->bytes, digits);
        memcpy(text, digits, len);
    }
    if (network) {
        text[len++] = '/';
        len += cel_print_uint(address->prefix, 10, text + len);
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return len;
}

/* ---- functions ---- */

static bool is_opaque(const struct condition_value *v, enum cel_opaque sub)
{
    return v->kind == CONDITION_OPAQUE && v->sub == sub;
}

static enum cel_fault make_address(struct cel_frame *f, const struct cel_address *address,
                                   enum cel_opaque sub, struct condition_value *out)
{
    struct cel_address *copy = cel_scratch(f, sizeof *copy);

    if (!copy)
        return FAULT_SCRATCH;
    *copy = *address;
    memset(out, 0, sizeof *out);
    out->kind = CONDITION_OPAQUE;
    out->sub = (uint8_t)sub;
    out->as.opaque = copy;
    return FAULT_NONE;
}

/* ip("10.0.0.1") and cidr.ip() */
enum cel_fault cel_fn_ip(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_address address;
    const char *why;

    if (count == 1 && is_opaque(&args[0], OPAQUE_CIDR)) {
        memcpy(&address, args[0].as.opaque, sizeof address);
        return make_address(f, &address, OPAQUE_IP, &args[0]);
    }
    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    why = parse_address(args[0].as.bytes, args[0].size, &address);
    if (why)
        return cel_fault_text(f, "%s", why);
    return make_address(f, &address, OPAQUE_IP, &args[0]);
}

enum cel_fault cel_fn_is_ip(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_address address;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    args[0] = condition_bool(!parse_address(args[0].as.bytes, args[0].size, &address));
    return FAULT_NONE;
}

enum cel_fault cel_fn_ip_is_canonical(struct cel_frame *f, struct condition_value *args,
                                      uint32_t count)
{
    struct cel_address address;
    char text[64];
    const char *why;
    size_t len;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    why = parse_address(args[0].as.bytes, args[0].size, &address);
    if (why)
        return cel_fault_text(f, "%s", why);
    len = cel_address_print(&address, false, text);
    args[0] = condition_bool(len == args[0].size && memcmp(text, args[0].as.bytes, len) == 0);
    return FAULT_NONE;
}

enum cel_fault cel_fn_family(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    const struct cel_address *a = args[0].as.opaque;

    if (count != 1 || !is_opaque(&args[0], OPAQUE_IP))
        return cel_fault_overload(f, args, count);
    args[0] = condition_int(a->family);
    return FAULT_NONE;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool is_unspecified(const struct cel_address *a)
{
    return all_zero(a->bytes, 16);
}

static bool is_loopback(const struct cel_address *a)
{
    return a->family == 4 ? a->bytes[0] == 127 : all_zero(a->bytes, 15) && a->bytes[15] == 1;
}

static bool is_link_local_multicast(const struct cel_address *a)
{
    return a->family == 4 ? a->bytes[0] == 224 && a->bytes[1] == 0 && a->bytes[2] == 0
                          : a->bytes[0] == 0xFF && (a->bytes[1] & 0x0Fu) == 2;
}

static bool is_link_local_unicast(const struct cel_address *a)
{
    return a->family == 4 ? a->bytes[0] == 169 && a->bytes[1] == 254
                          : a->bytes[0] == 0xFE && (a->bytes[1] & 0xC0u) == 0x80u;
}

static bool is_global_unicast(const struct cel_address *a)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    bool multicast = a->family == 4 ? (a->bytes[0] & 0xF0u) == 0xE0u : a->bytes[0] == 0xFF;

    return !multicast && !is_unspecified(a) && !is_loopback(a) && !is_link_local_unicast(a) &&
           !(a->family == 4 && memcmp(a->bytes, broadcast, 4) == 0);
}

#define ADDRESS_TEST(name)                                                                         \
    enum cel_fault cel_fn_##name(struct cel_frame *f, struct condition_value *args,                \
                                 uint32_t count)                                                   \
    {                                                                                              \
        if (count != 1 || !is_opaque(&args[0], OPAQUE_IP))                                         \
            return cel_fault_overload(f, args, count);                                             \
        args[0] = condition_bool(name(args[0].as.opaque));                                         \
        return FAULT_NONE;                                                                         \
    }

ADDRESS_TEST(is_unspecified)
ADDRESS_TEST(is_loopback)
ADDRESS_TEST(is_global_unicast)
ADDRESS_TEST(is_link_local_multicast)
ADDRESS_TEST(is_link_local_unicast)

enum cel_fault cel_fn_cidr(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_address network;
    const char *why;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    why = parse_network(args[0].as.bytes, args[0].size, &network);
    if (why)
        return cel_fault_text(f, "%s", why);
    return make_address(f, &network, OPAQUE_CIDR, &args[0]);
}

enum cel_fault cel_fn_is_cidr(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_address network;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    args[0] = condition_bool(!parse_network(args[0].as.bytes, args[0].size, &network));
    return FAULT_NONE;
}

/* Whether address lies in network, as far as the first prefix bits tell. */
static bool within(const struct cel_address *network, const struct cel_address *address)
{
    unsigned whole = network->prefix / 8u, rest = network->prefix % 8u;

    if (network->family != address->family || memcmp(network->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 ||
           (network->bytes[whole] >> (8 - rest)) == (address->bytes[whole] >> (8 - rest));
}

enum cel_fault cel_fn_contains_ip(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_address address;
    const char *why = NULL;

    if (count != 2 || !is_opaque(&args[0], OPAQUE_CIDR) ||
        (!is_opaque(&args[1], OPAQUE_IP) && args[1].kind != CONDITION_STRING))
        return cel_fault_overload(f, args, count);
    if (args[1].kind == CONDITION_STRING)
        why = parse_address(args[1].as.bytes, args[1].size, &address);
    else
        memcpy(&address, args[1].as.opaque, sizeof address);
    if (why)
        return cel_fault_text(f, "%s", why);
    args[0] = condition_bool(within(args[0].as.opaque, &address));
    return FAULT_NONE;
}

enum cel_fault cel_fn_contains_cidr(struct cel_frame *f, struct condition_value *args,
                                    uint32_t count)
{
    const struct cel_address *outer = args[0].as.opaque;
    struct cel_address inner;
    const char *why = NULL;

    if (count != 2 || !is_opaque(&args[0], OPAQUE_CIDR) ||
        (!is_opaque(&args[1], OPAQUE_CIDR) && args[1].kind != CONDITION_STRING))
        return cel_fault_overload(f, args, count);
    if (args[1].kind == CONDITION_STRING)
        why = parse_network(args[1].as.bytes, args[1].size, &inner);
    else
        memcpy(&inner, args[1].as.opaque, sizeof inner);
    if (why)
        return cel_fault_text(f, "%s", why);
    args[0] = condition_bool(outer->prefix <= inner.prefix && within(outer, &inner));
    return FAULT_NONE;
}

enum cel_fault cel_fn_masked(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_address network;

    if (count != 1 || !is_opaque(&args[0], OPAQUE_CIDR))
        return cel_fault_overload(f, args, count);
    memcpy(&network, args[0].as.opaque, sizeof network);
    for (unsigned bit = network.prefix; bit < 128; bit++)
        network.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    return make_address(f, &network, OPAQUE_CIDR, &args[0]);
}

enum cel_fault cel_fn_prefix_length(struct cel_frame *f, struct condition_value *args,
                                    uint32_t count)
{
    const struct cel_address *network = args[0].as.opaque;

    if (count != 1 || !is_opaque(&args[0], OPAQUE_CIDR))
        return cel_fault_overload(f, args, count);
    args[0] = condition_int(network->prefix);
    return FAULT_NONE;
}
