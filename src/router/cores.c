/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every protocol of Heddle, one line each, and who listens to whom. Adding a protocol means a
 * folder under core/, a number in router.h and a line here (doc/new-protocol.md).
 */
#include "router/cores.h"

#include "core/bfd/bfd.h"
#include "core/kira/kira.h"
#include "core/sample/sample.h"
#include "core/vrrp/vrrp.h"
#include "lib/base.h"
#include "model/bfd_client.h"

static const struct hd_core_ops *const cores[HD_CORE_COUNT] = {
    [HD_CORE_KIRA] = &hd_kira_ops,
    [HD_CORE_SAMPLE] = &hd_sample_ops,
    [HD_CORE_BFD] = &hd_bfd_ops,
    [HD_CORE_VRRP] = &hd_vrrp_ops,
};

const struct hd_event_route hd_event_routes[] = {
    {HD_CORE_VRRP, HD_CORE_BFD, HD_EVENT_BFD_REQUEST},
    {HD_CORE_BFD, HD_CORE_VRRP, HD_EVENT_BFD_NOTICE},
    {0, 0, 0},
};

const struct hd_core_ops *hd_core_ops(uint8_t core)
{
    return core < HD_ARRAY_LEN(cores) ? cores[core] : NULL;
}
