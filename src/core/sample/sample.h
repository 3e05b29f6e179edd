/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample: a protocol as small as one can be, the worked example of doc/new-protocol.md.
 *
 * Nodes have a number. Each multicasts a hello on every link once a second; who hears it has a
 * neighbour and a route to fd5a::NUMBER through it, until no hello came for the hold time. It is
 * compiled and tested like every other core and runs nowhere by default.
 *
 * Hello, 8 bytes: u8 version 1, u8 type 1 (hello) or 2 (goodbye), u16 zero, u32 number.
 */
#ifndef HD_CORE_SAMPLE_SAMPLE_H
#define HD_CORE_SAMPLE_SAMPLE_H

#include "model/core.h"

extern const struct hd_core_ops hd_sample_ops;

#define HD_SAMPLE_NEIGHBOURS_MAX 64
#define HD_SAMPLE_INTERFACES_MAX 16
#define HD_SAMPLE_OBJECTS_MAX    200000

/* Something the core is told to keep: it stands for the lists of real protocols. */
struct hd_sample_object {
    uint32_t number; /* ascending in the list */
    uint16_t weight;
    uint16_t reserved;
    struct hd_ip6 address;
};

/*
 * What `start` and `configure` take: this head, then object_count struct hd_sample_object, nothing
 * else.
 */
struct hd_sample_config {
    uint32_t node; /* own number; 0: a random one */
    uint32_t object_count;
    hd_time hello_interval_ns;
    hd_time hold_ns;
};

/* The defaults: fills the struct. */
void hd_sample_config_default(struct hd_sample_config *c);

enum hd_sample_list {
    HD_SAMPLE_LIST_NEIGHBOURS = 1, /* struct hd_sample_row_neighbour, by number */
    HD_SAMPLE_LIST_EVENT,          /* struct hd_sample_row_event: what HD_FX_EVENT carries */
    HD_SAMPLE_LIST_OBJECTS,        /* struct hd_sample_object, by number */
};

struct hd_sample_row_neighbour {
    uint32_t node;
    uint32_t ifindex;
    uint32_t adj;
    struct hd_ip6 address; /* fd5a::node */
    struct hd_ip6 link_local;
    hd_time up_ns; /* since */
};

struct hd_sample_row_event {
    uint32_t node;
    uint32_t up;
};

enum hd_sample_verb {
    HD_SAMPLE_FORGET = 1, /* struct hd_sample_forget: drops a neighbour until its next hello */
};

struct hd_sample_forget {
    uint32_t node;
};

/* fd5a::node */
struct hd_ip6 hd_sample_address(uint32_t node);

#endif
