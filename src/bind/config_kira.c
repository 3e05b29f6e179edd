/* SPDX-License-Identifier: Apache-2.0 */
/* yang/heddle-kira.yang. It stands for the node as much as for the core: see hd_kira_settings. */
#include <string.h>

#include "bind/config_tables.h"
#include "core/kira/kira.h"
#include "router/router.h"

void hd_kira_settings_default(struct hd_kira_settings *s)
{
    struct hd_kira_config k;

    hd_kira_config_default(&k);
    memset(s, 0, sizeof *s);
    s->node_prefix = k.node_prefix;
    s->label_prefix = k.label_prefix;
    s->bucket_size = k.bucket_size;
    s->shallow_bucket_size = k.shallow_bucket_size;
}

static const struct hd_column columns[] = {
#define S struct hd_kira_settings
    HD_COLUMN(S, open, BOOL, "open", .heading = "OPEN", .flags = HD_SHOW | HD_COL_START),
    {.name = "interface",
     .heading = "INTERFACES",
     .offset = offsetof(S, globs),
     .size = HD_SETTINGS_GLOB,
     .aux_offset = offsetof(S, glob_count),
     .most = HD_SETTINGS_GLOBS,
     .type = HD_COL_TEXTS,
     .flags = HD_SHOW | HD_COL_START},
    HD_COLUMN(S, node_id, ID, "node-id", .heading = "NODE ID",
              .flags = HD_SHOW | HD_COL_START | HD_COL_UNKNOWN),
    HD_COLUMN(S, node_prefix, HEX, "node-prefix", .heading = "NODES", .flags = HD_COL_START),
    HD_COLUMN(S, label_prefix, HEX, "label-prefix", .heading = "LABELS", .flags = HD_COL_START),
    HD_COLUMN(S, bucket_size, UINT, "bucket-size", .heading = "BUCKET", .flags = HD_SHOW),
    HD_COLUMN(S, shallow_bucket_size, UINT, "shallow-bucket-size", .heading = "SHALLOW BUCKET"),
#undef S
};

static const struct hd_list head = HD_LIST(HD_CORE_KIRA, 0, "config", "What KIRA was told.",
                                           struct hd_kira_settings, columns, HD_LIST_ONE);

static void complete(void *row)
{
    hd_kira_settings_default(row);
}

const struct hd_config hd_config_kira = {
    .core = HD_CORE_KIRA,
    .module = "heddle-kira",
    .root = "/heddle-kira:kira",
    .always = true,
    .head = &head,
    .complete = complete,
};
