/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurements in a lab by UDP from one process with a socket per namespace: does every pair answer
 * and since when (reach), and how long is a flow interrupted (flow). The nodes need nothing for it
 * but an address, which heddled tells, or a file (for peers such as BIRD).
 */
#ifndef HD_LAB_TRAFFIC_H
#define HD_LAB_TRAFFIC_H

#include <netinet/in.h>

#include "lab/lab.h"
#include "lib/time.h"

#define HD_LAB_PORT 19777 /* of the measurements, in the namespaces of the lab only */

/* Addresses of nodes as far as they are known; zero: not yet. */
struct hd_lab_addresses {
    struct in6_addr *of; /* by node */
    const char *file;    /* NULL: ask heddled */
    uint32_t next;       /* node to ask next */
};

/* file: lines "NODE ADDRESS", or NULL. */
HD_MUST_USE int hd_lab_addresses_open(struct hd_lab *lab, const char *file,
                                      struct hd_lab_addresses *a);
/* Asks a node whose address is not known yet; true when it is known now. */
bool hd_lab_addresses_ask_node(struct hd_lab *lab, struct hd_lab_addresses *a, uint32_t node);
/* Asks all of those in turn, as far as they come in the time; true when every node's is known. */
bool hd_lab_addresses_ask(struct hd_lab *lab, struct hd_lab_addresses *a, hd_time budget_ns);
void hd_lab_addresses_close(struct hd_lab_addresses *a);

/* --- reach ---------------------------------------------------------------------------------------
 */

struct hd_lab_pair {
    uint32_t from, to;
    hd_time answered_ns; /* after the start; 0: not yet */
};

struct hd_lab_reach {
    struct hd_lab_pair *pairs;
    uint32_t count, reached;
    hd_time took_ns; /* until the last answer, or until the time was over */
};

/* pairs 0: all ordered pairs of nodes with a running heddled (or with an address in the file). */
HD_MUST_USE int hd_lab_reach(struct hd_lab *lab, const char *address_file, uint32_t pairs,
                             uint64_t seed, hd_time timeout_ns, struct hd_lab_reach *r);
void hd_lab_reach_free(struct hd_lab_reach *r);

/* --- flow ----------------------------------------------------------------------------------------
 */

struct hd_lab_flow_options {
    uint32_t from, to;
    const struct in6_addr *address; /* of `to`; NULL: ask heddled */
    hd_time interval_ns, duration_ns;
    uint32_t size; /* bytes of payload, at least 24 */
};

struct hd_lab_flow {
    uint64_t sent, received, duplicates, reordered, refused; /* refused: send() failed */
    hd_time longest_gap_ns; /* between arrivals, from the first packet sent to the last */
    hd_time gap_at_ns;      /* when it began, after the start */
    hd_time delay_min_ns, delay_max_ns, delay_sum_ns;
};

HD_MUST_USE int hd_lab_flow(struct hd_lab *lab, const struct hd_lab_flow_options *o,
                            struct hd_lab_flow *f);

#endif
