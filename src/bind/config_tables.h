/* SPDX-License-Identifier: Apache-2.0 */
/* The configurations that configs.c registers, one per file. Not for others. */
#ifndef HD_BIND_CONFIG_TABLES_H
#define HD_BIND_CONFIG_TABLES_H

#include "bind/columns.h"
#include "bind/config.h"

extern const struct hd_config hd_config_kira, hd_config_sample;

#endif
