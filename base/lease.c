#include "base/lease.h"

static int64_t safe_s(int64_t lease_s)
{
    int64_t by_lease = lease_s * LEASE_SAFE_TIMES, at_most = lease_s + LEASE_SAFE_MAX_S;

    return by_lease < at_most ? by_lease : at_most;
}

struct lease_terms lease_terms_of(int64_t lease_s)
{
    return (struct lease_terms){.lease_us = lease_s * 1000000,
                                .safe_us = safe_s(lease_s) * 1000000,
                                .margin_us = (int64_t)LEASE_MARGIN_S * 1000000};
}

enum lease_answer lease_answer(const struct lease_terms *terms, int64_t age_us, bool from_cache)
{
    if (age_us < 0 || age_us > terms->safe_us) {
        return LEASE_NONE;
    }
    return from_cache || age_us > terms->lease_us ? LEASE_SAFE : LEASE_RULES;
}

bool lease_is_gone(const struct lease_terms *terms, int64_t silent_us)
{
    return silent_us > terms->safe_us + terms->margin_us;
}

int64_t lease_gone_s(int64_t lease_s)
{
    return safe_s(lease_s) + LEASE_MARGIN_S;
}
