/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of VRRP: virtual routers as ietf-vrrp names their members, peers, counters, events. */
#include "core/vrrp/vrrp.h"
#include "bind/columns.h"
#include "router/router.h"

static const struct hd_enum_name states[] = {
    [HD_VRRP_INITIALIZE] = {"initialize", NULL, HD_TONE_BAD},
    [HD_VRRP_BACKUP] = {"backup", NULL, HD_TONE_PLAIN},
    [HD_VRRP_ACTIVE] = {"active", NULL, HD_TONE_GOOD},
};

static const struct hd_enum_name reasons[] = {
    [HD_VRRP_NOT_ACTIVE] = {"not-active", "-", HD_TONE_PLAIN},
    [HD_VRRP_BY_PRIORITY] = {"priority", NULL, HD_TONE_PLAIN},
    [HD_VRRP_PREEMPTED] = {"preempted", NULL, HD_TONE_PLAIN},
    [HD_VRRP_NO_RESPONSE] = {"no-response", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name events[] = {
    [HD_VRRP_EV_NONE] = {"none", "-", HD_TONE_PLAIN},
    [HD_VRRP_EV_STARTUP] = {"startup", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_SHUTDOWN] = {"shutdown", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_HIGHER_PRIORITY_BACKUP] = {"higher-priority-backup", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_ACTIVE_TIMEOUT] = {"active-timeout", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_INTERFACE_UP] = {"interface-up", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_INTERFACE_DOWN] = {"interface-down", NULL, HD_TONE_BAD},
    [HD_VRRP_EV_NO_PRIMARY_ADDRESS] = {"no-primary-ip-address", NULL, HD_TONE_BAD},
    [HD_VRRP_EV_PRIMARY_ADDRESS] = {"primary-ip-address", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_NO_VIRTUAL_ADDRESSES] = {"no-virtual-ip-addresses", NULL, HD_TONE_BAD},
    [HD_VRRP_EV_VIRTUAL_ADDRESSES] = {"virtual-ip-addresses", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_PREEMPT_HOLD_TIMEOUT] = {"preempt-hold-timeout", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_LOWER_PRIORITY_ACTIVE] = {"lower-priority-active", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_OWNER_PREEMPT] = {"owner-preempt", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_BFD_DOWN] = {"bfd-down", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_SYNC_GROUP] = {"sync-group", NULL, HD_TONE_PLAIN},
    [HD_VRRP_EV_RELEASED] = {"released", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name fasts[] = {
    [HD_VRRP_FAST_NONE] = {"none", "-", HD_TONE_PLAIN},
    [HD_VRRP_FAST_TRACK] = {"track", NULL, HD_TONE_PLAIN},
    [HD_VRRP_FAST_P2P] = {"p2p", NULL, HD_TONE_PLAIN},
    [HD_VRRP_FAST_P2MP] = {"p2mp", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name checksums[] = {
    [HD_VRRP_CHECKSUM_RFC] = {"rfc9568", NULL, HD_TONE_PLAIN},
    [HD_VRRP_CHECKSUM_PSEUDO] = {"pseudo-header", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name sessions[] = {
    {"admin-down", "-", HD_TONE_PLAIN},
    {"down", NULL, HD_TONE_BAD},
    {"init", NULL, HD_TONE_WARN},
    {"up", NULL, HD_TONE_GOOD},
};

static const struct hd_enum_name errors[] = {
    [HD_VRRP_ERR_CHECKSUM] = {"checksum-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_TTL] = {"ip-ttl-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_VERSION] = {"version-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_VRID] = {"vrid-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_ADDRESS_LIST] = {"address-list-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_INTERVAL] = {"interval-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_LENGTH] = {"packet-length-error", NULL, HD_TONE_BAD},
    [HD_VRRP_ERR_SPLIT] = {"two-actives", NULL, HD_TONE_BAD},
};

#define MS    .unit = "ms"
#define COUNT .flags = HD_COL_COUNTER

static const struct hd_column router_columns[] = {
#define S struct hd_vrrp_row_router
    HD_COLUMN(S, interface, CHARS, "interface", .heading = "INTERFACE", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, family, UINT, "family", .heading = "IP", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, vrid, UINT, "vrid", .heading = "VRID", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, state, ENUM, "state", .heading = "STATE", .flags = HD_SHOW, HD_NAMES(states)),
    HD_COLUMN(S, state_ns, AGE, "state-since-ms", .heading = "SINCE", MS, .flags = HD_SHOW),
    HD_COLUMN(S, effective_priority, UINT, "effective-priority", .heading = "PRIORITY",
              .flags = HD_SHOW),
    HD_COLUMN(S, last_event, ENUM, "last-event", .heading = "WHY", .flags = HD_SHOW,
              HD_NAMES(events)),
    HD_COLUMN(S, last_source, IP6, "last-adv-source", .heading = "ACTIVE",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, bfd, ENUM, "bfd-state", .heading = "BFD", .flags = HD_SHOW, HD_NAMES(sessions)),
    HD_COLUMN(S, installed, BOOL, "installed", .heading = "INSTALLED"),
    HD_COLUMN(S, group, CHARS, "sync-group", .heading = "GROUP"),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "IFINDEX"),
    HD_COLUMN(S, version, UINT, "version", .heading = "VERSION"),
    HD_COLUMN(S, owner, BOOL, "is-owner", .heading = "OWNER"),
    HD_COLUMN(S, priority, UINT, "priority", .heading = "CONFIGURED"),
    HD_COLUMN(S, preempt, BOOL, "preempt", .heading = "PREEMPT"),
    HD_COLUMN(S, accept, BOOL, "accept-mode", .heading = "ACCEPT"),
    HD_COLUMN(S, own_mac, BOOL, "own-mac", .heading = "OWN MAC"),
    HD_COLUMN(S, fast, ENUM, "fast-detection", .heading = "FAST", HD_NAMES(fasts)),
    HD_COLUMN(S, reason, ENUM, "new-active-reason", .heading = "REASON", HD_NAMES(reasons)),
    HD_COLUMN(S, checksum, ENUM, "checksum", .heading = "CHECKSUM", HD_NAMES(checksums)),
    HD_COLUMN(S, mac, MAC, "mac", .heading = "MAC"),
    HD_COLUMN(S, primary, IP6, "primary-address", .heading = "SOURCE", .flags = HD_COL_UNKNOWN),
    HD_COLUMN(S, addresses[0], IP6, "virtual-address", .heading = "ADDRESS",
              .flags = HD_COL_UNKNOWN),
    HD_COLUMN(S, address_count, UINT, "virtual-addresses", .heading = "COUNT"),
    {.name = "addresses",
     .heading = "ADDRESSES",
     .offset = offsetof(S, addresses),
     .size = sizeof(struct hd_ip6),
     .aux_offset = offsetof(S, address_count),
     .most = HD_VRRP_ADDRESSES_MAX,
     .type = HD_COL_IP6S},
    HD_COLUMN(S, interval_ns, DURATION, "advertise-interval-ms", .heading = "INTERVAL", MS),
    HD_COLUMN(S, active_interval_ns, DURATION, "active-interval-ms", .heading = "ITS INTERVAL", MS),
    HD_COLUMN(S, down_interval_ns, DURATION, "active-down-interval-ms", .heading = "DOWN AFTER",
              MS),
    HD_COLUMN(S, skew_ns, DURATION, "skew-time-ms", .heading = "SKEW", MS),
    HD_COLUMN(S, up_ns, AGE, "up-ms", .heading = "UP", MS),
    HD_COLUMN(S, counting_ns, AGE, "counting-ms", .heading = "COUNTING", MS),
    HD_COLUMN(S, late_max_ns, DURATION, "late-max-ms", .heading = "LATE", MS),
    HD_COLUMN(S, transitions, UINT, "active-transitions", .heading = "TRANSITIONS", COUNT),
    HD_COLUMN(S, received, UINT, "advertisement-rcvd", .heading = "RECEIVED", COUNT),
    HD_COLUMN(S, sent, UINT, "advertisement-sent", .heading = "SENT", COUNT),
    HD_COLUMN(S, zero_received, UINT, "priority-zero-pkts-rcvd", .heading = "ZERO RECEIVED", COUNT),
    HD_COLUMN(S, zero_sent, UINT, "priority-zero-pkts-sent", .heading = "ZERO SENT", COUNT),
    HD_COLUMN(S, invalid_type, UINT, "invalid-type-pkts-rcvd", .heading = "BAD TYPE", COUNT),
    HD_COLUMN(S, interval_errors, UINT, "interval-errors", .heading = "BAD INTERVAL", COUNT),
    HD_COLUMN(S, address_errors, UINT, "address-list-errors", .heading = "BAD LIST", COUNT),
    HD_COLUMN(S, length_errors, UINT, "packet-length-errors", .heading = "BAD LENGTH", COUNT),
    HD_COLUMN(S, split, UINT, "two-actives", .heading = "TWO ACTIVES", COUNT),
    HD_COLUMN(S, bfd_switch, UINT, "bfd-switches", .heading = "BY BFD", COUNT),
    HD_COLUMN(S, false_switch, UINT, "bfd-false-switches", .heading = "FALSELY", COUNT),
#undef S
};

static const struct hd_column peer_columns[] = {
#define S struct hd_vrrp_row_peer
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",
              .flags = HD_KEY | HD_COL_IFINDEX | HD_SHOW),
    HD_COLUMN(S, family, UINT, "family", .heading = "IP", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, vrid, UINT, "vrid", .heading = "VRID", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, address, IP6, "address", .heading = "ADDRESS", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, priority, UINT, "priority", .heading = "PRIORITY", .flags = HD_SHOW),
    HD_COLUMN(S, active, BOOL, "active", .heading = "ACTIVE", .flags = HD_SHOW),
    HD_COLUMN(S, bfd, ENUM, "bfd-state", .heading = "BFD", .flags = HD_SHOW, HD_NAMES(sessions)),
    HD_COLUMN(S, critical, BOOL, "critical", .heading = "CRITICAL"),
    HD_COLUMN(S, seen_ns, AGE, "seen-ms", .heading = "HEARD", MS, .flags = HD_SHOW),
#undef S
};

static const struct hd_column counter_columns[] = {
#define S struct hd_vrrp_row_counter
    HD_COLUMN(S, name, CHARS, "name", .heading = "COUNTER", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, value, UINT, "value", .heading = "VALUE", .flags = HD_COL_COUNTER | HD_SHOW),
#undef S
};

static const struct hd_column summary_columns[] = {
#define S struct hd_vrrp_row_summary
    HD_COLUMN(S, routers, UINT, "virtual-routers", .heading = "ROUTERS", .flags = HD_SHOW),
    HD_COLUMN(S, active, UINT, "active", .heading = "ACTIVE", .flags = HD_SHOW),
    HD_COLUMN(S, backup, UINT, "backup", .heading = "BACKUP", .flags = HD_SHOW),
    HD_COLUMN(S, initialize, UINT, "initialize", .heading = "INITIALIZE", .flags = HD_SHOW),
    HD_COLUMN(S, interfaces, UINT, "interfaces", .heading = "INTERFACES", .flags = HD_SHOW),
#undef S
};

static const struct hd_column event_columns[] = {
#define S struct hd_vrrp_row_event
    HD_COLUMN(S, interface, CHARS, "interface", .heading = "INTERFACE", .flags = HD_SHOW),
    HD_COLUMN(S, family, UINT, "family", .heading = "IP", .flags = HD_SHOW),
    HD_COLUMN(S, vrid, UINT, "vrid", .heading = "VRID", .flags = HD_SHOW),
    HD_COLUMN(S, old_state, ENUM, "old-state", .heading = "FROM", .flags = HD_SHOW,
              HD_NAMES(states)),
    HD_COLUMN(S, state, ENUM, "state", .heading = "TO", .flags = HD_SHOW, HD_NAMES(states)),
    HD_COLUMN(S, last_event, ENUM, "last-event", .heading = "WHY", .flags = HD_SHOW,
              HD_NAMES(events)),
    HD_COLUMN(S, reason, ENUM, "new-active-reason", .heading = "REASON", HD_NAMES(reasons)),
    HD_COLUMN(S, priority, UINT, "priority", .heading = "PRIORITY", .flags = HD_SHOW),
    HD_COLUMN(S, source, IP6, "active-ip-address", .heading = "SOURCE", .flags = HD_COL_UNKNOWN),
#undef S
};

static const struct hd_column error_columns[] = {
#define S struct hd_vrrp_row_error
    HD_COLUMN(S, interface, CHARS, "interface", .heading = "INTERFACE", .flags = HD_SHOW),
    HD_COLUMN(S, family, UINT, "family", .heading = "IP", .flags = HD_SHOW),
    HD_COLUMN(S, vrid, UINT, "vrid", .heading = "VRID", .flags = HD_SHOW),
    HD_COLUMN(S, error, ENUM, "error", .heading = "ERROR", .flags = HD_SHOW, HD_NAMES(errors)),
    HD_COLUMN(S, source, IP6, "source", .heading = "SOURCE", .flags = HD_SHOW),
#undef S
};

static const struct hd_list lists[] = {
    HD_LIST(HD_CORE_VRRP, HD_VRRP_LIST_ROUTERS, "routers", "Virtual routers.",
            struct hd_vrrp_row_router, router_columns, 0),
    HD_LIST(HD_CORE_VRRP, HD_VRRP_LIST_PEERS, "peers", "Other routers that were heard.",
            struct hd_vrrp_row_peer, peer_columns, 0),
    HD_LIST(HD_CORE_VRRP, HD_VRRP_LIST_COUNTERS, "counters", "What was dropped, and why.",
            struct hd_vrrp_row_counter, counter_columns, 0),
    HD_LIST(HD_CORE_VRRP, HD_VRRP_LIST_SUMMARY, "summary", "How many there are.",
            struct hd_vrrp_row_summary, summary_columns, HD_LIST_ONE),
    HD_LIST(HD_CORE_VRRP, HD_VRRP_LIST_EVENT, "events", "States that changed.",
            struct hd_vrrp_row_event, event_columns, HD_LIST_EVENTS),
    HD_LIST(HD_CORE_VRRP, HD_VRRP_LIST_ERROR, "errors", "Packets that cannot be right.",
            struct hd_vrrp_row_error, error_columns, HD_LIST_EVENTS),
};

const struct hd_lists hd_lists_vrrp = {HD_CORE_VRRP, "vrrp", lists, HD_ARRAY_LEN(lists)};
