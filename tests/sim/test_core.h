/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core for tests of the engine: it does what it is told by commands, and remembers what it was
 * given. Hellos make adjacencies and direct routes, so that packets have somewhere to go.
 */
#ifndef HD_TESTS_SIM_TEST_CORE_H
#define HD_TESTS_SIM_TEST_CORE_H

#include "lib/timerq.h"
#include "router/router.h"

#define TC_PORT 7777

enum tc_verb {
    TC_SET_LABEL = 1,
    TC_DEL_LABEL,
    TC_SET_ROUTE,
    TC_SET_ADJ_DOWN, /* label.v.adj */
    TC_SEND,         /* to `to` over ifindex, after the current generation */
    TC_SEND_ROUTED,
    TC_WORK, /* `units` of background work */
    TC_SAVE,
    TC_SAMPLE, /* label.v.adj */
};

struct tc_command {
    struct hd_label label;
    struct hd_label_value label_value;
    struct hd_route_key route;
    struct hd_route_value route_value;
    struct hd_ip6 to;
    uint32_t ifindex, adj, units, signed_key;
    bool wait;
};

struct tc_neighbour {
    struct hd_id id;
    uint32_t ifindex, adj;
};

struct tc_state {
    struct hd_id id;
    struct hd_timerq timers;
    struct hd_timer tick;
    struct tc_neighbour neighbours[16];
    uint32_t neighbour_count;
    uint32_t boots; /* from the saved value */
    bool resumed;
    uint32_t adopted;
    uint32_t key;
    /* what came in */
    uint32_t datagrams, routed, keyed, bad_key, interfaces_up, interfaces_down, saved_done;
    uint32_t work_left, work_calls, ticks;
    uint32_t reports[16];
    struct hd_in_report last_report;
    struct hd_in_sample last_sample;
    hd_time last_datagram_at, last_input, work_done_at;
    bool order_broken; /* something arrived before what came earlier, or a deadline before an input
                        */
};

extern const struct hd_core_ops tc_ops;

#endif
