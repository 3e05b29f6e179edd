/* SPDX-License-Identifier: Apache-2.0 */
/* The router's own lists: labels, routes and adjacencies of its forwarding model. */
#include "bind/columns.h"
#include "router/router.h"

static const struct hd_enum_name owner_names[] = {
    [HD_CORE_MODEL] = {"model", NULL, HD_TONE_PLAIN},
    [HD_CORE_KIRA] = {"kira", NULL, HD_TONE_PLAIN},
    [HD_CORE_SAMPLE] = {"sample", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name label_act_names[] = {
    [HD_LABEL_DECAP] = {"decapsulate", NULL, HD_TONE_PLAIN},
    [HD_LABEL_SWAP] = {"swap", NULL, HD_TONE_PLAIN},
};

static const struct hd_enum_name route_act_names[] = {
    [HD_ROUTE_LOCAL] = {"local", NULL, HD_TONE_PLAIN},
    [HD_ROUTE_DIRECT] = {"direct", NULL, HD_TONE_PLAIN},
    [HD_ROUTE_ENCAP] = {"encapsulate", NULL, HD_TONE_PLAIN},
    [HD_ROUTE_UNREACHABLE] = {"unreachable", NULL, HD_TONE_BAD},
};

static const struct hd_enum_name guard_names[] = {
    [HD_GUARD_NONE] = {"none", NULL, HD_TONE_PLAIN},
    [HD_GUARD_LINK] = {"link", NULL, HD_TONE_GOOD},
    [HD_GUARD_OWN] = {"node", NULL, HD_TONE_GOOD},
};

/* Where a label or route leads, and the way round. */
#define EGRESS_COLUMNS(S)                                                                          \
    HD_COLUMN(S, out, LABEL, "out-label", .heading = "OUT LABEL",                                  \
              .flags = HD_SHOW | HD_COL_UNKNOWN),                                                  \
        HD_COLUMN(S, next_hop, IP6, "next-hop", .heading = "NEXT HOP",                             \
                  .flags = HD_SHOW | HD_COL_UNKNOWN),                                              \
        HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",                             \
                  .flags = HD_COL_IFINDEX | HD_SHOW | HD_COL_UNKNOWN),                             \
        HD_COLUMN(S, adj, UINT, "adjacency", .heading = "ADJ", .flags = HD_COL_UNKNOWN)

#define WAY_COLUMNS(S)                                                                             \
    HD_COLUMN(S, way.guard, ENUM, "guard", .heading = "GUARD", .flags = HD_SHOW,                   \
              HD_NAMES(guard_names)),                                                              \
        HD_COLUMN(S, way.ifindex, UINT, "guard-ifindex", .heading = "GUARD VIA",                   \
                  .flags = HD_COL_IFINDEX | HD_SHOW | HD_COL_UNKNOWN),                             \
        HD_COLUMN(S, way.next_hop, IP6, "guard-next-hop", .heading = "GUARD NEXT HOP",             \
                  .flags = HD_COL_UNKNOWN),                                                        \
        HD_COLUMN(S, way.out, LABEL, "guard-label", .heading = "GUARD LABEL",                      \
                  .flags = HD_COL_UNKNOWN)

static const struct hd_column label_columns[] = {
#define S struct hd_row_label
    HD_COLUMN(S, label, LABEL, "label", .heading = "LABEL", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, act, ENUM, "action", .heading = "ACTION", .flags = HD_SHOW,
              HD_NAMES(label_act_names)),
    EGRESS_COLUMNS(S),
    HD_COLUMN(S, installed, BOOL, "installed", .heading = "INSTALLED", .flags = HD_SHOW),
    HD_COLUMN(S, explicit_setup, BOOL, "explicit", .heading = "EXPLICIT", .flags = HD_SHOW),
    HD_COLUMN(S, expires_in_ns, AGE, "expires-in-ms", .heading = "EXPIRES IN", .unit = "ms",
              .flags = HD_SHOW),
    WAY_COLUMNS(S),
    HD_COLUMN(S, owner, ENUM, "owner", .heading = "OWNER", HD_NAMES(owner_names)),
#undef S
};

static const struct hd_column route_columns[] = {
#define S struct hd_row_route
    HD_COLUMN(S, prefix, PREFIX, "prefix", .aux_offset = offsetof(S, len), .heading = "PREFIX",
              .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, act, ENUM, "action", .heading = "ACTION", .flags = HD_SHOW,
              HD_NAMES(route_act_names)),
    EGRESS_COLUMNS(S),
    HD_COLUMN(S, mtu, UINT, "mtu", .heading = "MTU", .unit = "bytes",
              .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, installed, BOOL, "installed", .heading = "INSTALLED", .flags = HD_SHOW),
    WAY_COLUMNS(S),
    HD_COLUMN(S, owner, ENUM, "owner", .heading = "OWNER", .flags = HD_SHOW, HD_NAMES(owner_names)),
#undef S
};

static const struct hd_column adj_columns[] = {
#define S struct hd_row_adj
    HD_COLUMN(S, adj, UINT, "adjacency", .heading = "ADJ", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",
              .flags = HD_COL_IFINDEX | HD_SHOW),
    HD_COLUMN(S, link_local, IP6, "link-local", .heading = "LINK-LOCAL", .flags = HD_SHOW),
    HD_COLUMN(S, mac, MAC, "mac", .heading = "MAC", .flags = HD_SHOW),
    HD_COLUMN(S, admitted, BOOL, "admitted", .heading = "ADMITTED", .flags = HD_SHOW),
    HD_COLUMN(S, down, BOOL, "down", .heading = "DOWN", .flags = HD_SHOW),
    HD_COLUMN(S, installed, BOOL, "installed", .heading = "INSTALLED", .flags = HD_SHOW),
    HD_COLUMN(S, owner, ENUM, "owner", .heading = "OWNER", HD_NAMES(owner_names)),
#undef S
};

static const struct hd_list lists[] = {
    HD_LIST(HD_CORE_MODEL, HD_LIST_LABELS, "labels", "Label entries (PathIDs) of the data plane.",
            struct hd_row_label, label_columns, 0),
    HD_LIST(HD_CORE_MODEL, HD_LIST_ROUTES, "routes", "Routes to nodes of the fabric.",
            struct hd_row_route, route_columns, 0),
    HD_LIST(HD_CORE_MODEL, HD_LIST_ADJS, "adjacencies", "Neighbours as packets leave to them.",
            struct hd_row_adj, adj_columns, 0),
};

const struct hd_lists hd_lists_model = {HD_CORE_MODEL, "model", lists, HD_ARRAY_LEN(lists)};
