/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the driver itself (driver_rows.h). A cursor is an index: these lists hardly change. */
#include <stdio.h>
#include <string.h>

#include "daemon/privileges.h"
#include "daemon/router.h"
#include "lib/base.h"

static const char *backend_name(uint32_t backend)
{
    return backend == HD_FWD_EBPF ? "ebpf" : backend == HD_FWD_TUN ? "tun" : "none";
}

static void fill_status(struct hd_router_role *r, struct hd_row_driver *row)
{
    const struct hd_pool *pool = hd_router_pool(r->driver.router);
    memset(row, 0, sizeof *row);
    snprintf(row->backend, sizeof row->backend, "%s", backend_name(r->handles.backend));
    snprintf(row->features, sizeof row->features, "%s", r->handles.features);
    snprintf(row->scheduling, sizeof row->scheduling, "%s",
             hd_privileges_is_realtime() ? "fifo" : "normal");
    snprintf(row->sandbox, sizeof row->sandbox, "%s", r->sandbox);
    snprintf(row->core, sizeof row->core, "%s", hd_core_ops(r->begin.core)->name);
    snprintf(row->state_dir, sizeof row->state_dir, "%s", r->begin.state_dir);
    row->open = r->begin.key == 0;
    row->resumed = r->resumed;
    row->kira0_ifindex = r->handles.kira0_ifindex;
    row->node_prefix = r->begin.node_prefix;
    row->label_prefix = r->begin.label_prefix;
    row->interfaces = r->interface_count;
    row->foreign = r->foreign_count;
    for (uint32_t i = 0; i < r->interface_count; i++) {
        row->interfaces_used += r->interfaces[i].i.usable;
    }
    row->pool_used_bytes = pool->used;
    row->pool_live_bytes = pool->live;
    row->pool_size_bytes = pool->size;
    row->uptime_ns = hd_clock_now() - r->started_at;
}

static uint32_t socket_rows(struct hd_router_role *r, struct hd_row_cursor *cursor,
                            struct hd_row_socket *out, uint32_t max)
{
    uint32_t n = 0;
    for (; cursor->a < HD_DRIVER_PORTS_MAX && n < max; cursor->a++) {
        const struct hd_driver_port *p = &r->driver.ports[cursor->a];
        if (!p->used) {
            continue;
        }
        struct hd_row_socket *row = &out[n++];
        memset(row, 0, sizeof *row);
        if (p->spec.kind == HD_PORT_FRAME) {
            snprintf(row->name, sizeof row->name, "ip %u if %u", p->spec.number, p->spec.ifindex);
        } else {
            snprintf(row->name, sizeof row->name, "udp %u", p->spec.number);
        }
        row->core = (uint8_t)p->core;
        row->number = p->spec.number;
        row->received = p->received;
        row->sent = p->sent;
        row->send_errors = p->send_errors;
        row->overflow = p->overflow;
    }
    cursor->end = cursor->a >= HD_DRIVER_PORTS_MAX;
    return n;
}

struct named {
    const char *name;
    uint64_t value;
};

static void put_counter(struct hd_channel_counter *c, const char *name, uint64_t value)
{
    memset(c, 0, sizeof *c);
    strncpy(c->name, name, sizeof c->name - 1);
    c->value = value;
}

#define OWN_COUNTERS      22
#define DATA_COUNTERS_MAX 64

static uint32_t own_counters(struct hd_router_role *r, struct named *out)
{
    const struct hd_driver_stats *s = &r->driver.stats;
    const struct named all[OWN_COUNTERS] = {
        {"driver.turns", s->turns},
        {"driver.datagrams", s->datagrams},
        {"driver.truncated", s->truncated},
        {"driver.mac-unknown", s->mac_unknown},
        {"driver.reports", s->reports},
        {"driver.icmp-sent", s->icmp_sent},
        {"driver.icmp-received", s->icmp_received},
        {"driver.work-slices", s->work_slices},
        {"driver.slice-over", s->slice_over},
        {"driver.effects-lost", s->effects_lost},
        {"driver.sends-unready", s->sends_unready},
        {"driver.sends-refused", s->sends_refused},
        {"driver.samples-unsupported", s->samples_unsupported},
        {"driver.traces", s->traces},
        {"driver.save-too-large", s->save_too_large},
        {"driver.events-lost", r->events_lost},
        {"driver.mtu-exceptions", r->driver.mtu_count},
        {"driver.pool-failures", hd_router_pool(r->driver.router)->failures},
        {"recording.calls", r->driver.recorder.calls},
        {"recording.snapshots", r->driver.recorder.snapshots},
        {"recording.snapshot-bytes", r->driver.recorder.snapshot_bytes},
        {"recording.too-large", r->driver.recorder.too_large},
    };
    memcpy(out, all, sizeof all);
    return OWN_COUNTERS;
}

/* Fits one answer always, so there is no second page. */
static uint32_t counter_rows(struct hd_router_role *r, struct hd_row_cursor *cursor,
                             struct hd_channel_counter *out, uint32_t max)
{
    struct hd_fwd_counter data[DATA_COUNTERS_MAX];
    struct named own[OWN_COUNTERS];
    uint32_t n = 0, owns = own_counters(r, own), datas = 0;
    if (r->driver.fwd != NULL) {
        datas = hd_fwd_counters(r->driver.fwd, data, DATA_COUNTERS_MAX);
    }
    for (; cursor->a < owns + datas && n < max; cursor->a++) {
        if (cursor->a < owns) {
            put_counter(&out[n++], own[cursor->a].name, own[cursor->a].value);
        } else {
            const struct hd_fwd_counter *c = &data[cursor->a - owns];
            put_counter(&out[n++], c->name, c->value);
        }
    }
    cursor->end = cursor->a >= owns + datas;
    return n;
}

static uint32_t process_rows(struct hd_router_role *r, struct hd_row_cursor *cursor,
                             struct hd_row_process *out, uint32_t max)
{
    hd_time since = hd_clock_now() - r->processes_at;
    uint32_t n = 0;
    for (; cursor->a < HD_ROLE_COUNT && n < max; cursor->a++) {
        out[n] = r->processes[cursor->a];
        out[n].uptime_ns += out[n].pid != 0 ? since : 0;
        n++;
    }
    cursor->end = cursor->a >= HD_ROLE_COUNT;
    return n;
}

static uint32_t interface_rows(struct hd_router_role *r, struct hd_row_cursor *cursor,
                               struct hd_in_interface *out, uint32_t max)
{
    uint32_t n = 0;
    for (; cursor->a < r->interface_count && n < max; cursor->a++) {
        out[n++] = r->interfaces[cursor->a].i;
    }
    cursor->end = cursor->a >= r->interface_count;
    return n;
}

static uint32_t foreign_rows(struct hd_router_role *r, struct hd_row_cursor *cursor,
                             struct hd_row_foreign *out, uint32_t max)
{
    uint32_t n = 0, all = HD_MIN(r->foreign_count, (uint32_t)HD_FOREIGN_MAX);
    for (; cursor->a < all && n < max; cursor->a++) {
        out[n++] = r->foreign[cursor->a];
    }
    cursor->end = cursor->a >= all;
    return n;
}

uint32_t hd_router_driver_rows(struct hd_router_role *r, uint16_t list,
                               struct hd_row_cursor *cursor, void *out, uint32_t max)
{
    if (list == HD_DRIVER_LIST_PROCESSES) {
        return process_rows(r, cursor, out, max);
    }
    if (list == HD_DRIVER_LIST_INTERFACES) {
        return interface_rows(r, cursor, out, max);
    }
    if (list == HD_DRIVER_LIST_FOREIGN) {
        return foreign_rows(r, cursor, out, max);
    }
    if (!r->started) { /* the rest is about the driver */
        cursor->end = true;
        return 0;
    }
    switch ((enum hd_driver_list)list) {
    case HD_DRIVER_LIST_STATUS:
        cursor->end = true;
        if (max > 0) {
            fill_status(r, out);
        }
        return HD_MIN(max, 1u);
    case HD_DRIVER_LIST_SOCKETS:
        return socket_rows(r, cursor, out, max);
    case HD_DRIVER_LIST_COUNTERS:
        return counter_rows(r, cursor, out, max);
    default:
        cursor->end = true;
        return 0;
    }
}
