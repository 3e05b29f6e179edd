/* SPDX-License-Identifier: Apache-2.0 */
/* yang/heddle-sample.yang: the worked example of doc/new-protocol.md. */
#include "bind/config_tables.h"
#include "core/sample/sample.h"
#include "router/router.h"

static const struct hd_column columns[] = {
#define S struct hd_sample_config
    HD_COLUMN(S, node, UINT, "number", .heading = "NUMBER"),
    HD_COLUMN(S, hello_interval_ns, DURATION, "hello-interval", .heading = "HELLO"),
    HD_COLUMN(S, hold_ns, DURATION, "hold-time", .heading = "HOLD"),
#undef S
};

static const struct hd_list head = HD_LIST(HD_CORE_SAMPLE, 0, "config", "What sample was told.",
                                           struct hd_sample_config, columns, HD_LIST_ONE);

static const struct hd_config_list lists[] = {
    {.path = "/heddle-sample:sample/object",
     .rows = &hd_list_sample_objects,
     .count_offset = offsetof(struct hd_sample_config, object_count)},
};

const struct hd_config hd_config_sample = {
    .core = HD_CORE_SAMPLE,
    .module = "heddle-sample",
    .root = "/heddle-sample:sample",
    .head = &head,
    .list_count = HD_ARRAY_LEN(lists),
    .lists = lists,
};
