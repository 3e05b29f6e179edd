/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows the row struct of every list: who asks must mean the same (row_sizes.h).
 */
#include "daemon/row_sizes.h"

#include "core/bfd/bfd.h"
#include "core/kira/kira.h"
#include "core/sample/sample.h"
#include "core/vrrp/vrrp.h"
#include "daemon/channel.h"
#include "daemon/driver_rows.h"
#include "lib/base.h"
#include "router/router.h"

static const struct {
    uint16_t core, list;
    uint32_t size;
} table[] = {
    {HD_CORE_MODEL, HD_LIST_LABELS, sizeof(struct hd_row_label)},
    {HD_CORE_MODEL, HD_LIST_ROUTES, sizeof(struct hd_row_route)},
    {HD_CORE_MODEL, HD_LIST_ADJS, sizeof(struct hd_row_adj)},
    {HD_CORE_KIRA, HD_KIRA_LIST_STATUS, sizeof(struct hd_kira_row_status)},
    {HD_CORE_KIRA, HD_KIRA_LIST_INTERFACES, sizeof(struct hd_kira_row_interface)},
    {HD_CORE_KIRA, HD_KIRA_LIST_NEIGHBOURS, sizeof(struct hd_kira_row_neighbour)},
    {HD_CORE_KIRA, HD_KIRA_LIST_CONTACTS, sizeof(struct hd_kira_row_contact)},
    {HD_CORE_KIRA, HD_KIRA_LIST_VICINITY, sizeof(struct hd_kira_row_vicinity)},
    {HD_CORE_KIRA, HD_KIRA_LIST_COUNTERS, sizeof(struct hd_channel_counter)},
    {HD_CORE_KIRA, HD_KIRA_LIST_PING, sizeof(struct hd_kira_row_ping)},
    {HD_CORE_KIRA, HD_KIRA_LIST_PATH, sizeof(struct hd_kira_row_hop)},
    {HD_CORE_KIRA, HD_KIRA_LIST_EVENT, sizeof(struct hd_kira_row_event)},
    {HD_CORE_SAMPLE, HD_SAMPLE_LIST_NEIGHBOURS, sizeof(struct hd_sample_row_neighbour)},
    {HD_CORE_SAMPLE, HD_SAMPLE_LIST_EVENT, sizeof(struct hd_sample_row_event)},
    {HD_CORE_SAMPLE, HD_SAMPLE_LIST_OBJECTS, sizeof(struct hd_sample_object)},
    {HD_CORE_BFD, HD_BFD_LIST_SESSIONS, sizeof(struct hd_bfd_row_session)},
    {HD_CORE_BFD, HD_BFD_LIST_COUNTERS, sizeof(struct hd_bfd_row_counter)},
    {HD_CORE_BFD, HD_BFD_LIST_SUMMARY, sizeof(struct hd_bfd_row_summary)},
    {HD_CORE_BFD, HD_BFD_LIST_EVENT, sizeof(struct hd_bfd_row_event)},
    {HD_CORE_VRRP, HD_VRRP_LIST_ROUTERS, sizeof(struct hd_vrrp_row_router)},
    {HD_CORE_VRRP, HD_VRRP_LIST_PEERS, sizeof(struct hd_vrrp_row_peer)},
    {HD_CORE_VRRP, HD_VRRP_LIST_COUNTERS, sizeof(struct hd_vrrp_row_counter)},
    {HD_CORE_VRRP, HD_VRRP_LIST_SUMMARY, sizeof(struct hd_vrrp_row_summary)},
    {HD_CORE_VRRP, HD_VRRP_LIST_EVENT, sizeof(struct hd_vrrp_row_event)},
    {HD_CORE_VRRP, HD_VRRP_LIST_ERROR, sizeof(struct hd_vrrp_row_error)},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_STATUS, sizeof(struct hd_row_driver)},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_PROCESSES, sizeof(struct hd_row_process)},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_SOCKETS, sizeof(struct hd_row_socket)},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_COUNTERS, sizeof(struct hd_channel_counter)},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_INTERFACES, sizeof(struct hd_in_interface)},
    {HD_CORE_DRIVER, HD_DRIVER_LIST_FOREIGN, sizeof(struct hd_row_foreign)},
};

uint32_t hd_row_size(uint16_t core, uint16_t list)
{
    for (unsigned i = 0; i < HD_ARRAY_LEN(table); i++) {
        if (table[i].core == core && table[i].list == list) {
            return table[i].size;
        }
    }
    return 0;
}
