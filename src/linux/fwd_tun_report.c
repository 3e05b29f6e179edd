/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the router hears of (fwd_tun.h): each destination once and then every eight seconds, each
 * problem at a bounded rate. Both tables have a fixed size and are keyed by a salted hash.
 */
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "linux/fwd_tun.h"

/* The place of a destination: its own, else a free one of the two, else that of the older. */
static struct hd_tun_flow *flow_place(struct hd_tun_reports *r, const struct hd_ip6 *to)
{
    uint64_t hash = hd_hash64(r->salt, to->b, sizeof to->b);
    struct hd_tun_flow *pair = &r->flow[hash % (HD_TUN_FLOWS_MAX / 2) * 2];
    for (unsigned i = 0; i < 2; i++) {
        if (pair[i].reported_at != 0 && hd_ip6_equal(&pair[i].to, to)) {
            return &pair[i];
        }
    }
    return pair[0].reported_at <= pair[1].reported_at ? &pair[0] : &pair[1];
}

/* A bucket as the instant at which it is full again: true and one token less, or false. */
static bool bucket_has(hd_time full_at, hd_time now, int64_t rate_hz, int64_t burst, hd_time *after)
{
    hd_time token = HD_SEC(1) / rate_hz;
    *after = HD_MAX(full_at, now) + token;
    return *after - now <= burst * token;
}

/* Takes a token, if there is one. */
static bool bucket_take(hd_time *full_at, hd_time now, int64_t rate_hz, int64_t burst)
{
    hd_time after;
    bool has = bucket_has(*full_at, now, rate_hz, burst, &after);
    if (has) {
        *full_at = after;
    }
    return has;
}

/*
 * Room for one more report of flows. New and known ones have a share each, so that somebody who
 * writes to one invented destination after the other silences no flow that lasts.
 */
static bool flow_allowed(struct hd_tun_reports *r, bool known, hd_time now)
{
    return bucket_take(&r->flows_full_at[known], now, HD_TUN_REPORTS_RATE_HZ, HD_TUN_REPORTS_BURST);
}

/* What there is no room for is not noted as told either: its next packet tries again. */
uint64_t hd_tun_note_flow(struct hd_tun_reports *r, const struct hd_ip6 *to, hd_time now)
{
    struct hd_tun_flow *f = flow_place(r, to);
    bool known = f->reported_at != 0 && hd_ip6_equal(&f->to, to);
    if (known) {
        f->packets++;
        if (now - f->reported_at < HD_TUN_FLOW_EVERY) {
            return 0;
        }
    }
    if (!flow_allowed(r, known, now)) {
        return 0;
    }
    uint64_t packets = known ? f->packets : 1;
    *f = (struct hd_tun_flow){.to = *to, .reported_at = now};
    return packets;
}

/* The bucket of something in a table: its own, or the one of what shares the place with it. */
static struct hd_tun_limit *limit_place(struct hd_tun_limit *table, uint32_t size, uint64_t about,
                                        hd_time now)
{
    struct hd_tun_limit *l = &table[about % size];
    if (l->about != about && l->full_at <= now) {
        l->about = about; /* the place of something long past */
    }
    return l;
}

bool hd_tun_may_report(struct hd_tun_reports *r, uint32_t kind, const uint8_t *packet, hd_time now)
{
    uint64_t about = hd_hash64(r->salt ^ kind, packet + 8, 32);
    struct hd_tun_limit *l = limit_place(r->limit, HD_TUN_LIMITS_MAX, about, now);
    hd_time one, all;
    if (!bucket_has(l->full_at, now, HD_TUN_REPORT_RATE_HZ, HD_TUN_REPORT_BURST, &one) ||
        !bucket_has(r->all_full_at, now, HD_TUN_REPORTS_RATE_HZ, HD_TUN_REPORTS_BURST, &all)) {
        return false;
    }
    l->full_at = one;
    r->all_full_at = all;
    return true;
}

/* The bucket of a station on an interface, in a table of its own for each concern. */
static hd_time *station(struct hd_tun_reports *r, struct hd_tun_limit *table, uint32_t size,
                        uint32_t ifindex, const struct hd_mac *from, hd_time now)
{
    return &limit_place(table, size, hd_hash64(r->salt ^ ifindex, from->b, sizeof from->b), now)
                ->full_at;
}

bool hd_tun_conforms(struct hd_tun_reports *r, uint32_t ifindex, const struct hd_mac *from,
                     bool admitted, hd_time now)
{
    hd_time *own =
        station(r, admitted ? r->admitted : r->strange, HD_TUN_STATIONS_MAX, ifindex, from, now);
    return bucket_take(own, now, HD_TUN_POLICE_RATE_HZ, HD_TUN_POLICE_BURST) &&
           (admitted || bucket_take(&r->strangers_full_at, now, HD_TUN_STRANGERS_RATE_HZ,
                                    HD_TUN_STRANGERS_BURST));
}

bool hd_tun_may_enter(struct hd_tun_reports *r, uint32_t ifindex, const struct hd_mac *from,
                      hd_time now)
{
    return bucket_take(station(r, r->routed, HD_TUN_STATIONS_MAX, ifindex, from, now), now,
                       HD_TUN_ROUTED_RATE_HZ, HD_TUN_ROUTED_BURST);
}

bool hd_tun_may_reflect(struct hd_tun_reports *r, uint32_t ifindex, const struct hd_mac *from,
                        hd_time now)
{
    return bucket_take(station(r, r->echo, HD_TUN_ECHOES_MAX, ifindex, from, now), now,
                       HD_TUN_POLICE_RATE_HZ, HD_TUN_POLICE_BURST);
}
