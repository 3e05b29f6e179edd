/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps. Every object file declares them all; they are pinned by name, so that the loader makes
 * each once and the next process finds it. Hashes and the trie allocate per entry: an idle node
 * pays for buckets only. The adjacencies, which every packet needs, are an array: no lookup at all.
 */
#ifndef HD_BPF_MAPS_H
#define HD_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "shared/hd_bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct hd_bpf_config);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_config SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, HD_BPF_NODES_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct hd_bpf_node_key);
    __type(value, struct hd_bpf_node);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_nodes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, HD_BPF_LABELS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct hd_bpf_label_key);
    __type(value, struct hd_bpf_label);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_labels SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, HD_BPF_ADJS_MAX);
    __type(key, __u32);
    __type(value, struct hd_bpf_adj);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_adjs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, HD_BPF_WAYS_MAX);
    __type(key, __u32);
    __type(value, struct hd_bpf_way);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_ways SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, HD_BPF_IFS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct hd_bpf_if);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_ifs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, HD_BPF_ADMITTED_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct hd_bpf_source);
    __type(value, __u32);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_admitted SEC(".maps");

/* LRU maps cannot do without preallocation: hence small. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HD_BPF_FLOWS_MAX);
    __type(key, struct hd_bpf_label_key);
    __type(value, struct hd_bpf_flow);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HD_BPF_BUCKETS_MAX);
    __type(key, struct hd_bpf_source);
    __type(value, __u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_buckets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HD_BPF_LIMITS_MAX);
    __type(key, struct hd_bpf_limit_key);
    __type(value, __u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_limits SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, HD_BPF_COUNTER_COUNT);
    __type(key, __u32);
    __type(value, __u64);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, HD_BPF_EVENTS_BYTES);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
} hd_events SEC(".maps");

static __always_inline void count(__u32 what)
{
    __u64 *n = bpf_map_lookup_elem(&hd_counters, &what);

    if (n)
        *n += 1;
}

static __always_inline const struct hd_bpf_config *config(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&hd_config, &zero);
}

#endif
