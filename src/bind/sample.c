/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of the sample core: what doc/new-protocol.md means by "its rows". */
#include "core/sample/sample.h"
#include "bind/columns.h"
#include "router/router.h"

static const struct hd_column neighbour_columns[] = {
#define S struct hd_sample_row_neighbour
    HD_COLUMN(S, node, UINT, "node", .heading = "NODE", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, ifindex, UINT, "ifindex", .heading = "INTERFACE",
              .flags = HD_COL_IFINDEX | HD_SHOW),
    HD_COLUMN(S, adj, UINT, "adjacency", .heading = "ADJ"),
    HD_COLUMN(S, address, IP6, "address", .heading = "ADDRESS", .flags = HD_SHOW),
    HD_COLUMN(S, link_local, IP6, "link-local", .heading = "LINK-LOCAL", .flags = HD_SHOW),
    HD_COLUMN(S, up_ns, AGE, "up-ms", .heading = "UP", .unit = "ms", .flags = HD_SHOW),
#undef S
};

static const struct hd_column event_columns[] = {
#define S struct hd_sample_row_event
    HD_COLUMN(S, node, UINT, "node", .heading = "NODE", .flags = HD_SHOW),
    HD_COLUMN(S, up, BOOL, "up", .heading = "UP", .flags = HD_SHOW),
#undef S
};

/* What the configuration gives is what the list shows. */
static const struct hd_column object_columns[] = {
#define S struct hd_sample_object
    HD_COLUMN(S, number, UINT, "number", .heading = "NUMBER", .flags = HD_KEY | HD_SHOW),
    HD_COLUMN(S, address, IP6, "address", .heading = "ADDRESS", .flags = HD_SHOW | HD_COL_UNKNOWN),
    HD_COLUMN(S, weight, UINT, "weight", .heading = "WEIGHT", .flags = HD_SHOW),
#undef S
};

const struct hd_list hd_list_sample_objects =
    HD_LIST(HD_CORE_SAMPLE, HD_SAMPLE_LIST_OBJECTS, "objects", "What it was told to keep.",
            struct hd_sample_object, object_columns, 0);

static const struct hd_list lists[] = {
    HD_LIST(HD_CORE_SAMPLE, HD_SAMPLE_LIST_NEIGHBOURS, "neighbours", "Who was heard.",
            struct hd_sample_row_neighbour, neighbour_columns, 0),
    HD_LIST(HD_CORE_SAMPLE, HD_SAMPLE_LIST_OBJECTS, "objects", "What it was told to keep.",
            struct hd_sample_object, object_columns, 0),
    HD_LIST(HD_CORE_SAMPLE, HD_SAMPLE_LIST_EVENT, "events", "Neighbours that came and went.",
            struct hd_sample_row_event, event_columns, HD_LIST_EVENTS),
};

const struct hd_lists hd_lists_sample = {HD_CORE_SAMPLE, "sample", lists, HD_ARRAY_LEN(lists)};
