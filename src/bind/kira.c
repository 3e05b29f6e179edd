/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of the KIRA core (core/kira/kira.h) as rows. */
#include "core/kira/kira.h"
#include "bind/columns.h"
#include "daemon/channel.h"
#include "router/router.h"

static const struct hd_enum_name state_names[] = {
    [HD_KIRA_ISOLATED] = {"isolated", "isolated: no neighbour", HD_TONE_BAD},
    [HD_KIRA_JOINING] = {"joining", NULL, HD_TONE_WARN},
    [HD_KIRA_JOINED] = {"joined", NULL, HD_TONE_GOOD},
};

static const struct hd_enum_name link_state_names[] = {
    [HD_KIRA_LINK_UP] = {"up", NULL, HD_TONE_GOOD},
    [HD_KIRA_LINK_CHECKING] = {"checking", NULL, HD_TONE_WARN},
    [HD_KIRA_LINK_ADOPTED] = {"adopted", NULL, HD_TONE_WARN},
};

static const struct hd_enum_name contact_state_names[] = {
    [HD_KIRA_CONTACT_UNPROBED] = {"unprobed", NULL, HD_TONE_PLAIN},
    [HD_KIRA_CONTACT_VALID] = {"valid", NULL, HD_TONE_GOOD},
    [HD_KIRA_CONTACT_INVALID] = {"invalid", NULL, HD_TONE_BAD},
    [HD_KIRA_CONTACT_SEARCHING] = {"searching", NULL, HD_TONE_WARN},
};

static const struct hd_enum_name event_names[] = {
    [HD_KIRA_EV_NEIGHBOUR_UP] = {"neighbour-up", NULL, HD_TONE_GOOD},
    [HD_KIRA_EV_NEIGHBOUR_DOWN] = {"neighbour-down", NULL, HD_TONE_BAD},
    [HD_KIRA_EV_LINK_UP] = {"link-up", NULL, HD_TONE_GOOD},
    [HD_KIRA_EV_LINK_DOWN] = {"link-down", NULL, HD_TONE_BAD},
    [HD_KIRA_EV_CONTACT_VALID] = {"contact-valid", NULL, HD_TONE_GOOD},
    [HD_KIRA_EV_CONTACT_LOST] = {"contact-lost", NULL, HD_TONE_WARN},
    [HD_KIRA_EV_CONTACT_DEAD] = {"contact-dead", NULL, HD_TONE_BAD},
    [HD_KIRA_EV_PATH_CHANGED] = {"path-changed", NULL, HD_TONE_PLAIN},
    [HD_KIRA_EV_STATE] = {"state", NULL, HD_TONE_PLAIN},
    [HD_KIRA_EV_ID_COLLISION] = {"id-collision", NULL, HD_TONE_BAD},
    [HD_KIRA_EV_INTERFACE] = {"interface", NULL, HD_TONE_PLAIN},
};

static const struct hd_column status_columns[] = {
#define S struct hd_kira_row_status
    HD_COLUMN(S, state, ENUM, "state", .heading = "STATE", .flags = HD_SHOW, HD_NAMES(state_names)),
    HD_COLUMN(S, id, ID, "node-id", .heading = "NODE ID", .flags = HD_SHOW),
    HD_COLUMN(S, address, IP6, "address", .heading = "ADDRESS", .flags = HD_SHOW),
    HD_COLUMN(S, open, BOOL, "open", .heading = "OPEN", .flags = HD_SHOW),
    HD_COLUMN(S, id_collision, BOOL, "id-collision", .heading = "COLLISION"),
    HD_COLUMN(S, sequence, UINT, "sequence", .heading = "SEQUENCE"),
    HD_COLUMN(S, neighbours, UINT, "neighbours", .heading = "NEIGHBOURS", .flags = HD_SHOW),
    HD_COLUMN(S, contacts, UINT, "contacts", .heading = "CONTACTS", .flags = HD_SHOW),
    HD_COLUMN(S, vicinity_nodes, UINT, "vicinity-nodes", .heading = "VICINITY"),
    HD_COLUMN(S, buckets, UINT, "buckets", .heading = "BUCKETS"),
    HD_COLUMN(S, labels_explicit, UINT, "labels-explicit", .heading = "LABELS EXPLICIT"),
    HD_COLUMN(S, labels_precomputed, UINT, "labels-precomputed", .heading = "LABELS PRECOMPUTED"),
    HD_COLUMN(S, interfaces_used, UINT, "interfaces-used", .heading = "INTERFACES"),
    HD_COLUMN(S, since_start_ns, AGE, "since-start-ms", .heading = "UP", .unit = "ms"),
    HD_COLUMN(S, last_change_ns, AGE, "last-change-ms", .heading = "CHANGED", .unit = "ms"),
#undef S
};

static const struct hd_column interface_columns[] = {
#define S struct hd_kira_row_interface
    HD_COLUMN(S, name, CHARS, "name", .heading = "INTERFACE", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INDEX"),
    HD_COLUMN(S, used, BOOL, "used", .heading = "USED", .flags = HD_SHOW),
    HD_COLUMN(S, up, BOOL, "up", .heading = "UP", .flags = HD_SHOW),
    HD_COLUMN(S, neighbours, UINT, "neighbours", .heading = "NEIGHBOURS", .flags = HD_SHOW),
    HD_COLUMN(S, mtu, UINT, "mtu", .heading = "MTU", .unit = "bytes", .flags = HD_SHOW),
    HD_COLUMN(S, hello_interval_ns, AGE, "hello-interval-ms", .heading = "HELLO", .unit = "ms",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, mac, MAC, "mac", .heading = "MAC", .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, link_local, IP6, "link-local", .heading = "LINK-LOCAL", .flags = HD_COL_UNKNOWN),
    HD_COLUMN(S, why_not, ENUM, "why-not", .heading = "WHY NOT", .flags = HD_SHOW,
              .names = hd_names_why, .names_count = HD_IF_WHY_END),
#undef S
};

static const struct hd_column neighbour_columns[] = {
#define S struct hd_kira_row_neighbour
    HD_COLUMN(S, id, ID, "id", .heading = "ID", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, address, IP6, "address", .heading = "ADDRESS"),
    HD_COLUMN(S, ifname, CHARS, "interface", .heading = "INTERFACE", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INDEX"),
    HD_COLUMN(S, link_local, IP6, "link-local", .heading = "LINK-LOCAL", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, mac, MAC, "mac", .heading = "MAC", .flags = HD_COL_UNKNOWN),
    HD_COLUMN(S, state, ENUM, "state", .heading = "STATE", .flags = HD_SHOW,
              HD_NAMES(link_state_names)),
    HD_COLUMN(S, best, BOOL, "best", .heading = "BEST", .flags = HD_SHOW),
    HD_COLUMN(S, authenticated, BOOL, "authenticated", .heading = "KEY", .flags = HD_SHOW),
    HD_COLUMN(S, watched, BOOL, "watched", .heading = "WATCHED"),
    HD_COLUMN(S, heddle, BOOL, "heddle", .heading = "HEDDLE"),
    HD_COLUMN(S, adj, UINT, "adjacency", .heading = "ADJ"),
    HD_COLUMN(S, sequence, UINT, "sequence", .heading = "SEQUENCE"),
    HD_COLUMN(S, rtt_ns, DURATION, "rtt-ms", .heading = "RTT", .unit = "ms",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, last_heard_ns, AGE, "last-heard-ms", .heading = "HEARD", .unit = "ms",
              .flags = HD_SHOW),
    HD_COLUMN(S, up_ns, AGE, "up-ms", .heading = "UP", .unit = "ms", .flags = HD_SHOW),
#undef S
};

static const struct hd_column contact_columns[] = {
#define S struct hd_kira_row_contact
    HD_COLUMN(S, id, ID, "id", .heading = "ID", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, address, IP6, "address", .heading = "ADDRESS"),
    HD_COLUMN(S, bucket, UINT, "bucket", .heading = "BUCKET", .flags = HD_SHOW),
    HD_COLUMN(S, state, ENUM, "state", .heading = "STATE", .flags = HD_SHOW,
              HD_NAMES(contact_state_names)),
    HD_COLUMN(S, path_len, UINT, "hops", .heading = "HOPS", .flags = HD_SHOW),
    HD_COLUMN(S, in_use, BOOL, "in-use", .heading = "IN USE", .flags = HD_SHOW),
    HD_COLUMN(S, on_demand, BOOL, "on-demand", .heading = "ON DEMAND"),
    HD_COLUMN(S, installed, BOOL, "installed", .heading = "ROUTE", .flags = HD_SHOW),
    HD_COLUMN(S, set_up, BOOL, "set-up", .heading = "LABELS", .flags = HD_SHOW),
    HD_COLUMN(S, sequence, UINT, "sequence", .heading = "SEQUENCE"),
    HD_COLUMN(S, last_heard_ns, AGE, "last-heard-ms", .heading = "HEARD", .unit = "ms",
              .flags = HD_SHOW),
    HD_COLUMN_IDS(S, path, path_len, "path", .heading = "PATH"),
#undef S
};

static const struct hd_column vicinity_columns[] = {
#define S struct hd_kira_row_vicinity
    HD_COLUMN(S, id, ID, "id", .heading = "ID", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, distance, UINT, "distance", .heading = "DISTANCE", .flags = HD_SHOW),
    HD_COLUMN(S, degree, UINT, "degree", .heading = "DEGREE", .flags = HD_SHOW),
    HD_COLUMN(S, observed, UINT, "observed", .heading = "OBSERVED", .flags = HD_SHOW),
    HD_COLUMN(S, synchronised, UINT, "synchronised", .heading = "SYNCHRONISED", .flags = HD_SHOW),
#undef S
};

/* Counters travel with their names inside (daemon/channel.h): the core's names are pointers. */
static const struct hd_column counter_columns[] = {
#define S struct hd_channel_counter
    HD_COLUMN(S, name, CHARS, "name", .heading = "COUNTER", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, value, UINT, "value", .heading = "VALUE", .flags = HD_SHOW | HD_COL_COUNTER),
#undef S
};

static const struct hd_column ping_columns[] = {
#define S struct hd_kira_row_ping
    HD_COLUMN(S, number, UINT, "number", .heading = "NUMBER", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, id, ID, "id", .heading = "ID", .flags = HD_SHOW),
    HD_COLUMN(S, answered, BOOL, "answered", .heading = "ANSWERED", .flags = HD_SHOW),
    HD_COLUMN(S, hops, UINT, "hops", .heading = "HOPS", .flags = HD_SHOW),
    HD_COLUMN(S, rtt_ns, DURATION, "rtt-ms", .heading = "RTT", .unit = "ms",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
#undef S
};

static const struct hd_column path_columns[] = {
#define S struct hd_kira_row_hop
    HD_COLUMN(S, first, BOOL, "first", .heading = "FIRST", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, number, UINT, "number", .heading = "HOP", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, id, ID, "id", .heading = "ID", .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, answered, BOOL, "answered", .heading = "ANSWERED", .flags = HD_SHOW),
    HD_COLUMN(S, overlay, BOOL, "overlay", .heading = "OVERLAY", .flags = HD_SHOW),
    HD_COLUMN(S, rtt_ns, DURATION, "rtt-ms", .heading = "RTT", .unit = "ms",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
#undef S
};

static const struct hd_column event_columns[] = {
#define S struct hd_kira_row_event
    HD_COLUMN(S, at, DURATION, "at-ms", .heading = "AT", .unit = "ms", .flags = HD_SHOW),
    HD_COLUMN(S, event, ENUM, "event", .heading = "EVENT", .flags = HD_SHOW, HD_NAMES(event_names)),
    HD_COLUMN(S, id, ID, "id", .heading = "ID", .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, peer, ID, "peer", .heading = "PEER", .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",
              .flags = HD_COL_IFINDEX | HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, value, UINT, "value", .heading = "VALUE", .flags = HD_SHOW),
#undef S
};

/* What `value` means depends on the event. */
static void event_extra(const void *row, struct hd_json *j)
{
    const struct hd_kira_row_event *e = row;

    if (e->event == HD_KIRA_EV_STATE && e->value < HD_ARRAY_LEN(state_names))
        hd_json_kv_string(j, "state", state_names[e->value].name);
}

static const struct hd_list lists[] = {
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_STATUS, "status", "The node in one row.",
            struct hd_kira_row_status, status_columns, HD_LIST_ONE),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_INTERFACES, "interfaces",
            "Interfaces, used or left out, and why.", struct hd_kira_row_interface,
            interface_columns, 0),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS, "neighbours",
            "Physical neighbours, one row per link.", struct hd_kira_row_neighbour,
            neighbour_columns, 0),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS, "contacts", "Entries of the routing table.",
            struct hd_kira_row_contact, contact_columns, 0),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_VICINITY, "vicinity", "Nodes within two hops.",
            struct hd_kira_row_vicinity, vicinity_columns, 0),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS, "counters", "What was sent, heard and dropped.",
            struct hd_channel_counter, counter_columns, 0),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_PING, "ping", "Answers of a node.", struct hd_kira_row_ping,
            ping_columns, HD_LIST_REPLY),
    HD_LIST(HD_CORE_KIRA, HD_KIRA_LIST_PATH, "path", "Nodes on the way.", struct hd_kira_row_hop,
            path_columns, HD_LIST_REPLY),
    {
        .core = HD_CORE_KIRA,
        .list = HD_KIRA_LIST_EVENT,
        .name = "events",
        .what = "What changes.",
        .row_size = sizeof(struct hd_kira_row_event),
        .flags = HD_LIST_EVENTS,
        .column_count = HD_ARRAY_LEN(event_columns),
        .columns = event_columns,
        .extra = event_extra,
    },
};

const struct hd_lists hd_lists_kira = {HD_CORE_KIRA, "kira", lists, HD_ARRAY_LEN(lists)};
