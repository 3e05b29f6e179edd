/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast half of the eBPF back-end, in the router process: map entries (fwd_ebpf_apply.c),
 * adoption (fwd_ebpf_adopt.c), and here the event ring and the counters. Uses inherited map
 * descriptors alone.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/fwd_ebpf.h"

struct ebpf_fwd {
    struct hd_fwd base;
    int maps[HD_EBPF_HANDED];
    uint16_t label_prefix;
    struct ring_buffer *ring;
    /* during a poll */
    const struct hd_fwd_sink *sink;
    unsigned left;
    /* per-CPU values as the kernel writes them out */
    uint32_t cpus;
    uint64_t *values;
};

static const char *const counter_names[HD_BPF_COUNTER_COUNT] = {
#define COUNTER_NAME(name, text) [HD_BPF_##name] = text,
    HD_BPF_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

/* --- events
 * --------------------------------------------------------------------------------------- */

static enum hd_report_kind report_kind(uint8_t event)
{
    switch (event) {
    case HD_BPF_EV_FLOW:
        return HD_REPORT_FLOW;
    case HD_BPF_EV_LABEL_UNKNOWN:
        return HD_REPORT_LABEL_UNKNOWN;
    case HD_BPF_EV_EGRESS_DEAD:
        return HD_REPORT_EGRESS_DEAD;
    case HD_BPF_EV_NO_ROUTE:
        return HD_REPORT_NO_ROUTE;
    case HD_BPF_EV_REPAIRED:
        return HD_REPORT_REPAIRED;
    default:
        return 0;
    }
}

static void tell_report(const struct ebpf_fwd *f, const struct hd_bpf_event *e)
{
    struct hd_in_report r = {
        .kind = report_kind(e->kind), .adj = e->adj, .value = e->value, .packets = e->packets};

    memcpy(&r.to, e->to, sizeof r.to);
    memcpy(&r.source, e->source, sizeof r.source);
    memcpy(&r.label, e->label + 2, sizeof r.label);
    if (r.kind != 0)
        f->sink->report(f->sink->user, &r);
}

static int on_event(void *user, void *data, size_t size)
{
    const size_t short_size = offsetof(struct hd_bpf_event, packet);
    const struct hd_bpf_event *e = data;
    struct ebpf_fwd *f = user;

    if (size < short_size)
        return 0;
    tell_report(f, e);
    if (e->icmp_type != 0 && size >= sizeof *e && e->packet_len <= HD_BPF_PACKET_MAX)
        f->sink->icmp_error(f->sink->user, e->icmp_type, e->icmp_code, e->value, e->packet,
                            e->packet_len);
    /* A negative answer stops libbpf behind this record. */
    return --f->left == 0 ? -EINTR : 0;
}

static int ebpf_poll(struct hd_fwd *base, struct hd_model *m, const struct hd_fwd_sink *sink,
                     unsigned budget)
{
    struct ebpf_fwd *f = HD_CONTAINER_OF(base, struct ebpf_fwd, base);
    int rc;

    (void)m;
    if (budget == 0)
        return 0;
    f->sink = sink;
    f->left = budget;
    rc = ring_buffer__consume(f->ring);
    f->sink = NULL;
    return rc < 0 && rc != -EINTR ? HD_ESYS : (int)(budget - f->left);
}

static int ebpf_poll_fd(const struct hd_fwd *base)
{
    return ring_buffer__epoll_fd(
        HD_CONTAINER_OF((struct hd_fwd *)base, struct ebpf_fwd, base)->ring);
}

/* --- counters
 * -------------------------------------------------------------------------------------- */

static uint32_t ebpf_counters(struct hd_fwd *base, struct hd_fwd_counter *out, uint32_t max)
{
    struct ebpf_fwd *f = HD_CONTAINER_OF(base, struct ebpf_fwd, base);
    uint32_t n = HD_MIN(max, (uint32_t)HD_BPF_COUNTER_COUNT);

    for (uint32_t i = 0; i < n; i++) {
        out[i] = (struct hd_fwd_counter){.name = counter_names[i]};
        if (bpf_map_lookup_elem(f->maps[HD_EBPF_COUNTERS], &i, f->values) != 0)
            continue;
        for (uint32_t cpu = 0; cpu < f->cpus; cpu++)
            out[i].value += f->values[cpu];
    }
    return n;
}

/* --- open and close
 * -------------------------------------------------------------------------------- */

static void ebpf_close(struct hd_fwd *base)
{
    struct ebpf_fwd *f = HD_CONTAINER_OF(base, struct ebpf_fwd, base);

    ring_buffer__free(f->ring);
    for (unsigned i = 0; i < HD_EBPF_HANDED; i++)
        if (f->maps[i] >= 0)
            close(f->maps[i]);
    free(f->values);
    free(f);
}

static int ebpf_open(struct hd_fwd **out, const struct hd_fwd_handles *h)
{
    struct ebpf_fwd *f;

    if (h->count < HD_EBPF_HANDED || h->cpus == 0)
        return HD_EINVAL;
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return HD_ENOMEM;
    f->base.ops = &hd_fwd_ebpf_ops;
    f->label_prefix = h->label_prefix;
    f->cpus = h->cpus;
    f->values = calloc(f->cpus, sizeof *f->values);
    memcpy(f->maps, h->fds, sizeof f->maps);
    f->ring = ring_buffer__new(h->fds[HD_EBPF_EVENTS], on_event, f, NULL);
    if (f->ring == NULL || f->values == NULL) {
        /* The descriptors stay the caller's when opening failed. */
        memset(f->maps, 0xff, sizeof f->maps);
        ebpf_close(&f->base);
        return HD_ESYS;
    }
    *out = &f->base;
    return 0;
}

static int ebpf_adopt(struct hd_fwd *base, struct hd_model *m, uint8_t owner)
{
    return hd_fwd_ebpf_adopt(HD_CONTAINER_OF(base, struct ebpf_fwd, base)->maps, m, owner);
}

static void ebpf_apply(struct hd_fwd *base, struct hd_model *m)
{
    struct ebpf_fwd *f = HD_CONTAINER_OF(base, struct ebpf_fwd, base);

    hd_fwd_ebpf_apply(f->maps, f->label_prefix, m);
}

const struct hd_fwd_backend_ops hd_fwd_ebpf_ops = {
    .name = "ebpf",
    .setup_open = hd_fwd_ebpf_setup_open,
    .setup_handles = hd_fwd_ebpf_setup_handles,
    .setup_interface = hd_fwd_ebpf_setup_interface,
    .setup_intact = hd_fwd_ebpf_setup_intact,
    .setup_has_xdp = hd_fwd_ebpf_setup_has_xdp,
    .setup_close = hd_fwd_ebpf_setup_close,
    .open = ebpf_open,
    .close = ebpf_close,
    .adopt = ebpf_adopt,
    .apply = ebpf_apply,
    .poll_fd = ebpf_poll_fd,
    .poll = ebpf_poll,
    .counters = ebpf_counters,
};
