/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact arithmetic for topologies: decimals without floating point, sets of node pairs, and the
 * delay of a fibre between two places. All of it gives the same bits on every machine, which
 * floating-point sines do not promise.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "scenario/internal.h"

int hd_scn_decimal(const char *text, unsigned digits, uint64_t *value, const char **end)
{
    uint64_t v = 0;
    bool point = false, any = false;
    unsigned taken = 0;

    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        any = true;
        if (point && taken == digits)
            continue;
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
            return HD_EMALFORMED;
        taken += point;
    }
    for (; taken < digits; taken++) {
        if (__builtin_mul_overflow(v, 10, &v))
            return HD_EMALFORMED;
    }
    *value = v;
    *end = text;
    return any ? 0 : HD_EMALFORMED;
}

bool hd_scn_rate(const char *text, uint64_t *rate_bps)
{
    static const char units[] = "kMGT";
    const char *unit, *end;
    uint64_t milli;

    if (hd_scn_decimal(text, 3, &milli, &end) < 0)
        return false;
    unit = *end != '\0' ? strchr(units, *end) : NULL;
    if (*end != '\0' && (unit == NULL || end[1] != '\0'))
        return false;
    if (unit == NULL) {
        *rate_bps = milli / 1000;
        return true;
    }
    for (; unit > units; unit--) {
        if (__builtin_mul_overflow(milli, 1000, &milli))
            return false;
    }
    *rate_bps = milli;
    return true;
}

/* --- pairs: open addressing, 0 empty, ~0 removed -------------------------------------------------
 */

#define PAIR_REMOVED UINT64_MAX

/* Never 0: the higher number plus one stands in the upper half. */
static uint64_t pair_key(uint32_t a, uint32_t b)
{
    uint32_t low = a < b ? a : b, high = a < b ? b : a;

    return ((uint64_t)high + 1) << 32 | low;
}

static size_t pair_slot(const struct hd_scn_pairs *p, uint64_t key)
{
    size_t at = (size_t)hd_mix64(key) & (p->cap - 1);

    while (p->slots[at] != 0 && p->slots[at] != key)
        at = (at + 1) & (p->cap - 1);
    return at;
}

static int pairs_grow(struct hd_scn_pairs *p)
{
    struct hd_scn_pairs bigger = {.cap = p->cap < 64 ? 64 : p->cap * 2};

    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return HD_ENOMEM;
    for (size_t i = 0; i < p->cap; i++) {
        if (p->slots[i] == 0 || p->slots[i] == PAIR_REMOVED)
            continue;
        bigger.slots[pair_slot(&bigger, p->slots[i])] = p->slots[i];
        bigger.len++;
    }
    free(p->slots);
    *p = bigger;
    return 0;
}

int hd_scn_pairs_add(struct hd_scn_pairs *p, uint32_t a, uint32_t b)
{
    uint64_t key = pair_key(a, b);

    if (2 * (p->len + 1) > p->cap) {
        int rc = pairs_grow(p);

        if (rc < 0)
            return rc;
    }
    size_t at = pair_slot(p, key);

    if (p->slots[at] == key)
        return 0;
    p->slots[at] = key;
    p->len++;
    return 1;
}

bool hd_scn_pairs_has(const struct hd_scn_pairs *p, uint32_t a, uint32_t b)
{
    return p->cap > 0 && p->slots[pair_slot(p, pair_key(a, b))] != 0;
}

/* len keeps counting the slot: it bounds the length of the chains. */
void hd_scn_pairs_del(struct hd_scn_pairs *p, uint32_t a, uint32_t b)
{
    if (hd_scn_pairs_has(p, a, b))
        p->slots[pair_slot(p, pair_key(a, b))] = PAIR_REMOVED;
}

void hd_scn_pairs_free(struct hd_scn_pairs *p)
{
    free(p->slots);
    *p = (struct hd_scn_pairs){0};
}

/* --- distances: fixed point with 30 bits of fraction ---------------------------------------------
 */

#define ONE     (INT64_C(1) << 30)
#define PI_Q30  INT64_C(3373259426)
#define DEGREES INT64_C(1000000) /* units per degree */

static int64_t mul(int64_t a, int64_t b)
{
    return (int64_t)((__int128)a * b / ONE);
}

/* cos of an angle in [0, pi/2] by its series up to x^12. */
static int64_t cos_series(int64_t x)
{
    static const int64_t divisor[] = {2, 12, 30, 56, 90, 132};
    int64_t square = mul(x, x), term = ONE, sum = ONE;

    for (int i = 0; i < 6; i++) {
        term = -mul(term, square) / divisor[i];
        sum += term;
    }
    return sum;
}

/* cos of an angle in millionths of a degree. */
static int64_t cos_degrees(int64_t angle)
{
    angle = (angle < 0 ? -angle : angle) % (360 * DEGREES);
    if (angle > 180 * DEGREES)
        angle = 360 * DEGREES - angle;
    bool negative = angle > 90 * DEGREES;

    if (negative)
        angle = 180 * DEGREES - angle;
    int64_t c = cos_series((int64_t)((__int128)angle * PI_Q30 / (180 * DEGREES)));

    return negative ? -c : c;
}

static int64_t sin_degrees(int64_t angle)
{
    return cos_degrees(90 * DEGREES - angle);
}

static int64_t square_root(int64_t q30)
{
    __int128 n = (__int128)q30 << 30;
    int64_t low = 0, high = INT64_C(1) << 33;

    while (low < high) {
        int64_t mid = (low + high + 1) / 2;

        if ((__int128)mid * mid <= n)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

/*
 * The chord between the two points on the unit sphere, then the arc by its series (within 1 % up to
 * a quarter of the globe), times 6371 km, at 200 km per millisecond.
 */
hd_time hd_scn_fibre_delay(int64_t lat1, int64_t lon1, int64_t lat2, int64_t lon2)
{
    int64_t x =
        mul(cos_degrees(lat1), cos_degrees(lon1)) - mul(cos_degrees(lat2), cos_degrees(lon2));
    int64_t y =
        mul(cos_degrees(lat1), sin_degrees(lon1)) - mul(cos_degrees(lat2), sin_degrees(lon2));
    int64_t z = sin_degrees(lat1) - sin_degrees(lat2);
    int64_t chord2 = mul(x, x) + mul(y, y) + mul(z, z);
    int64_t chord = square_root(chord2);
    int64_t cubed = mul(chord, chord2), fifth = mul(cubed, chord2);
    int64_t arc = chord + cubed / 24 + 3 * fifth / 640;

    return (hd_time)((__int128)arc * 6371 * 5000 / ONE);
}
