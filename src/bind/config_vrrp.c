/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VRRP as ietf-vrrp configures it (RFC 8347, below interfaces of ietf-interfaces), with what
 * yang/heddle-vrrp.yang adds. The model has a list of virtual routers for each family of each
 * interface; the core takes one array of all of them, and one of what they track.
 *
 * What the core would refuse is refused here first, since here it is known where it stands.
 */
#include "bind/config_tables.h"
#include "core/vrrp/vrrp.h"
#include "router/router.h"

#define IF    "/ietf-interfaces:interfaces/interface"
#define LIST4 IF "/ietf-ip:ipv4/ietf-vrrp:vrrp/vrrp-instance"
#define LIST6 IF "/ietf-ip:ipv6/ietf-vrrp:vrrp/vrrp-instance"

enum lists { ROUTERS4, ROUTERS6, TRACK_IF4, TRACK_IF6, TRACK_BFD4, TRACK_BFD6 };

static const struct hd_enum_name versions[] = {
    [2] = {"vrrp-v2", NULL, HD_TONE_PLAIN},
    [3] = {"vrrp-v3", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name fasts[] = {
    [HD_VRRP_FAST_NONE] = {"none", NULL, HD_TONE_PLAIN},
    [HD_VRRP_FAST_TRACK] = {"track", NULL, HD_TONE_PLAIN},
    [HD_VRRP_FAST_P2P] = {"p2p", NULL, HD_TONE_PLAIN},
    [HD_VRRP_FAST_P2MP] = {"p2mp", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name checksums[] = {
    [HD_VRRP_CHECKSUM_RFC] = {"rfc9568", NULL, HD_TONE_PLAIN},
    [HD_VRRP_CHECKSUM_PSEUDO] = {"pseudo-header", NULL, HD_TONE_PLAIN},
    [HD_VRRP_CHECKSUM_AUTO] = {"auto", NULL, HD_TONE_PLAIN},
};

#define ADDRESSES(member, length, NAME)                                                            \
    {                                                                                              \
        .name = (NAME), .offset = offsetof(S, member), .size = sizeof(struct hd_ip6),              \
        .aux_offset = offsetof(S, length), .most = HD_ARRAY_LEN(((S *)0)->member),                 \
        .type = HD_COL_IP6S                                                                        \
    }

/* The key first: interface, family, VRID. */
#define BOTH_FAMILIES                                                                              \
    HD_COLUMN(S, interface, CHARS, IF "/name", .flags = HD_KEY),                                   \
        HD_COLUMN(S, family, UINT, "family", .flags = HD_KEY | HD_COL_GIVEN),                      \
        HD_COLUMN(S, vrid, UINT, "vrid", .flags = HD_KEY),                                         \
        HD_COLUMN(S, version, ENUM, "version", HD_NAMES(versions)),                                \
        HD_COLUMN(S, log_changes, BOOL, "log-state-change"),                                       \
        HD_COLUMN(S, preempt, BOOL, "preempt/enabled"),                                            \
        HD_COLUMN(S, preempt_hold_s, UINT, "preempt/hold-time"),                                   \
        HD_COLUMN(S, priority, UINT, "priority"), HD_COLUMN(S, accept, BOOL, "accept-mode"),       \
        HD_COLUMN(S, interval_cs, UINT, "advertise-interval-centi-sec"),                           \
        HD_COLUMN(S, group, CHARS, "heddle-vrrp:sync-group"),                                      \
        HD_COLUMN(S, own_mac, BOOL, "heddle-vrrp:own-mac"),                                        \
        HD_COLUMN(S, garp_repeat, UINT, "heddle-vrrp:announce-repeat"),                            \
        HD_COLUMN(S, garp_refresh_s, UINT, "heddle-vrrp:announce-refresh"),                        \
        HD_COLUMN(S, fast, ENUM, "heddle-vrrp:fast-detection/mode", HD_NAMES(fasts)),              \
        HD_COLUMN(S, fast_interval_us, UINT, "heddle-vrrp:fast-detection/min-interval"),           \
        HD_COLUMN(S, fast_multiplier, UINT, "heddle-vrrp:fast-detection/multiplier"),              \
        HD_COLUMN(S, fast_skew_us, UINT, "heddle-vrrp:fast-detection/fast-skew"),                  \
        HD_COLUMN(S, fast_skew_max_us, UINT, "heddle-vrrp:fast-detection/fast-skew-max"),          \
        ADDRESSES(unicast, unicast_count, "heddle-vrrp:unicast-peer")

#define S struct hd_vrrp_instance_config
static const struct hd_column router4_columns[] = {
    BOTH_FAMILIES,
    HD_COLUMN(S, interval_cs, UINT, "advertise-interval-sec", .scale = 100),
    HD_COLUMN(S, checksum, ENUM, "heddle-vrrp:checksum-mode", HD_NAMES(checksums)),
    HD_COLUMN(S, interop, BOOL, "heddle-vrrp:interop-v2v3"),
    HD_COLUMN(S, v2_auth_accept, BOOL, "heddle-vrrp:v2-auth-accept"),
    ADDRESSES(addresses, address_count, "virtual-ipv4-addresses/virtual-ipv4-address/ipv4-address"),
};

static const struct hd_column router6_columns[] = {
    BOTH_FAMILIES,
    ADDRESSES(addresses, address_count, "virtual-ipv6-addresses/virtual-ipv6-address/ipv6-address"),
};
#undef S

#define S struct hd_vrrp_track_config
#define TRACK_KEY                                                                                  \
    HD_COLUMN(S, instance, UINT, "instance", .flags = HD_KEY | HD_COL_GIVEN),                      \
        HD_COLUMN(S, kind, UINT, "kind", .flags = HD_KEY | HD_COL_GIVEN),                          \
        HD_COLUMN(S, interface, CHARS, "interface", .flags = HD_KEY),                              \
        HD_COLUMN(S, decrement, UINT, "priority-decrement")

static const struct hd_column track_interface_columns[] = {
    TRACK_KEY,
    HD_COLUMN(S, address, IP6, "address", .flags = HD_KEY | HD_COL_GIVEN),
};

static const struct hd_column track_bfd_columns[] = {
    TRACK_KEY,
    HD_COLUMN(S, address, IP6, "address", .flags = HD_KEY),
};
#undef S

#define ROWS(NAME, S, COLUMNS) HD_LIST(HD_CORE_VRRP, 0, NAME, "What VRRP was told.", S, COLUMNS, 0)

static const struct hd_list router4 =
    ROWS("virtual-routers", struct hd_vrrp_instance_config, router4_columns);
static const struct hd_list router6 =
    ROWS("virtual-routers", struct hd_vrrp_instance_config, router6_columns);
static const struct hd_list track_interface =
    ROWS("tracks", struct hd_vrrp_track_config, track_interface_columns);
static const struct hd_list track_bfd =
    ROWS("tracks", struct hd_vrrp_track_config, track_bfd_columns);

static const struct hd_column head_columns[] = {
#define S struct hd_vrrp_config
    HD_COLUMN(S, notices_per_s, UINT, "notifications-per-second"),
#undef S
};

static const struct hd_list head = HD_LIST(HD_CORE_VRRP, 0, "config", "What VRRP was told.",
                                           struct hd_vrrp_config, head_columns, HD_LIST_ONE);

/* --- what no leaf gives --------------------------------------------------------------------------
 */

static void complete4(void *row)
{
    hd_vrrp_instance_config_default(row);
}

static void complete6(void *row)
{
    struct hd_vrrp_instance_config *c = row;

    hd_vrrp_instance_config_default(c);
    c->family = 6;
}

static void complete_interface(void *row)
{
    struct hd_vrrp_track_config *t = row;

    t->kind = HD_VRRP_TRACK_INTERFACE;
    t->decrement = HD_VRRP_DECREMENT;
}

static void complete_bfd(void *row)
{
    struct hd_vrrp_track_config *t = row;

    t->kind = HD_VRRP_TRACK_BFD;
    t->decrement = HD_VRRP_DECREMENT;
}

/* --- checks --------------------------------------------------------------------------------------
 */

static const char *not_unicast(const struct hd_vrrp_instance_config *c, const struct hd_ip6 *a)
{
    if (hd_config_is_unicast(a) && hd_config_is_ip4(a) == (c->family == 4))
        return NULL;
    return c->family == 4
               ? "is no IPv4 address of one machine; expected: 1.0.0.0 to 223.255.255.255"
               : "is no IPv6 address of one machine; expected: neither ::, nor multicast "
                 "(ff00::/8)";
}

static int check_addresses(struct hd_config_rows *r, uint32_t row)
{
    const struct hd_vrrp_instance_config *c =
        (const struct hd_vrrp_instance_config *)r->lists[ROUTERS4].v + row;
    const char *leaf = c->family == 4 ? "virtual-ipv4-addresses" : "virtual-ipv6-addresses";

    for (unsigned i = 0; i < c->address_count; i++) {
        const char *why = not_unicast(c, &c->addresses[i]);
        if (why != NULL)
            return hd_config_wrong(r, ROUTERS4, row, leaf, "address %u %s", i + 1, why);
        for (unsigned k = 0; k < i; k++)
            if (hd_ip6_equal(&c->addresses[i], &c->addresses[k]))
                return hd_config_wrong(r, ROUTERS4, row, leaf, "address %u is there twice", i + 1);
    }
    if (c->family == 6 && c->address_count > 0 && !hd_ip6_is_link_local(&c->addresses[0]))
        return hd_config_wrong(r, ROUTERS4, row, leaf,
                               "the first address has to be link-local (fe80::/10): delete the "
                               "addresses and set that one first");
    for (unsigned i = 0; i < c->unicast_count; i++) {
        const char *why = not_unicast(c, &c->unicast[i]);
        if (why != NULL)
            return hd_config_wrong(r, ROUTERS4, row, "unicast-peer", "peer %u %s", i + 1, why);
    }
    return 0;
}

static int check_router(struct hd_config_rows *r, uint32_t row)
{
    const struct hd_vrrp_instance_config *c =
        (const struct hd_vrrp_instance_config *)r->lists[ROUTERS4].v + row;

    if (c->family == 6 && c->version != 3)
        return hd_config_wrong(r, ROUTERS4, row, "version",
                               "version 2 knows IPv4 only; expected: vrrp-v3");
    if (c->fast == HD_VRRP_FAST_P2P && c->version != 3)
        return hd_config_wrong(r, ROUTERS4, row, "fast-detection/mode",
                               "p2p needs version vrrp-v3; expected with version 2: none, track or "
                               "p2mp");
    return check_addresses(r, row);
}

static int finish(struct hd_config_rows *r)
{
    const struct hd_vrrp_track_config *tracks = r->lists[TRACK_IF4].v;
    int error = 0;

    if (r->lists[ROUTERS4].count > HD_VRRP_INSTANCES_MAX)
        return hd_config_wrong(r, -1, 0, NULL, "there may be %u virtual routers",
                               HD_VRRP_INSTANCES_MAX);
    if (r->lists[TRACK_IF4].count > HD_VRRP_TRACKS_MAX)
        return hd_config_wrong(r, -1, 0, NULL, "%u things may be tracked", HD_VRRP_TRACKS_MAX);
    for (uint32_t i = 0; i < r->lists[ROUTERS4].count && error == 0; i++)
        error = check_router(r, i);
    for (uint32_t i = 0; i < r->lists[TRACK_IF4].count && error == 0; i++) {
        const struct hd_vrrp_track_config *t = &tracks[i];
        if (t->kind == HD_VRRP_TRACK_BFD && !hd_config_is_unicast(&t->address))
            error = hd_config_wrong(r, TRACK_IF4, i, "address",
                                    "is no address of one machine; expected: neither unspecified, "
                                    "nor multicast, nor broadcast");
    }
    return error;
}

/* BFD has to run for those who ask it. */
static bool needs(const void *bytes, uint8_t core)
{
    const struct hd_vrrp_config *h = bytes;
    const struct hd_vrrp_instance_config *c = (const void *)(h + 1);
    const struct hd_vrrp_track_config *t = (const void *)(c + h->instance_count);

    for (uint32_t i = 0; i < h->instance_count && core == HD_CORE_BFD; i++) {
        if (c[i].fast != HD_VRRP_FAST_NONE)
            return true;
    }
    for (uint32_t i = 0; i < h->track_count && core == HD_CORE_BFD; i++) {
        if (t[i].kind == HD_VRRP_TRACK_BFD)
            return true;
    }
    return false;
}

/* --- the table -----------------------------------------------------------------------------------
 */

#define TRACK(PATH, ROWS_OF, COMPLETE, INTO)                                                       \
    {                                                                                              \
        .path = (PATH), .rows = (ROWS_OF), .complete = (COMPLETE), .into = (INTO),                 \
        .count_offset = offsetof(struct hd_vrrp_config, track_count), .parent = 1 + ROUTERS4,      \
        .parent_offset = offsetof(struct hd_vrrp_track_config, instance)                           \
    }

static const struct hd_config_list lists[] = {
    [ROUTERS4] = {.path = LIST4,
                  .rows = &router4,
                  .complete = complete4,
                  .count_offset = offsetof(struct hd_vrrp_config, instance_count)},
    [ROUTERS6] = {.path = LIST6, .rows = &router6, .complete = complete6, .into = 1 + ROUTERS4},
    [TRACK_IF4] =
        TRACK(LIST4 "/track/interfaces/interface", &track_interface, complete_interface, 0),
    [TRACK_IF6] = TRACK(LIST6 "/track/interfaces/interface", &track_interface, complete_interface,
                        1 + TRACK_IF4),
    [TRACK_BFD4] =
        TRACK(LIST4 "/track/heddle-vrrp:bfd-session", &track_bfd, complete_bfd, 1 + TRACK_IF4),
    [TRACK_BFD6] =
        TRACK(LIST6 "/track/heddle-vrrp:bfd-session", &track_bfd, complete_bfd, 1 + TRACK_IF4),
};

static const struct hd_config_module published[] = {
    {.name = "ietf-vrrp", .features = {"validate-interval-errors", "validate-address-list-errors"}},
    {.name = NULL},
};

const struct hd_config hd_config_vrrp = {
    .core = HD_CORE_VRRP,
    .module = "heddle-vrrp",
    .published = published,
    .root = "/heddle-vrrp:vrrp-options",
    .by_rows = true,
    .head = &head,
    .list_count = HD_ARRAY_LEN(lists),
    .lists = lists,
    .finish = finish,
    .needs = needs,
};
