/* SPDX-License-Identifier: Apache-2.0 */
/* The configurations that configs.c registers, one per file. Not for others. */
#ifndef HD_BIND_CONFIG_TABLES_H
#define HD_BIND_CONFIG_TABLES_H

#include "bind/columns.h"
#include "bind/config.h"
#include "lib/addr.h"

extern const struct hd_config hd_config_bfd, hd_config_kira, hd_config_sample, hd_config_vrrp;

/* Addresses of both families, as cores have them. */
bool hd_config_is_ip4(const struct hd_ip6 *a);
bool hd_config_is_group(const struct hd_ip6 *a);
bool hd_config_is_unicast(const struct hd_ip6 *a);

#endif
