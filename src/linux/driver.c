/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn of the linux driver (driver.h): sockets, reports, deadlines, work, in this order. What
 * effects turn into is in driver_effects.c.
 */
#include "linux/driver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/driver_internal.h"

#define WALL_EVERY      HD_SEC(600) /* when the wall clock is told again */
#define WORK_UNITS      128
#define WORK_UNITS_MAX  4096
#define WORK_UNITS_MIN  16
#define URGENT_SLICES   64 /* of urgent work in one go; then the sockets get their look */
#define ROUNDS_MAX      128
#define MTU_CHECK_EVERY HD_SEC(30)
#define REFUSALS_EVERY  HD_SEC(1)

static void nothing(void *user, uint32_t events)
{
    /* The turn that follows reads every socket anyway: epoll only has to wake up. */
}

static void note_icmp(void *user, uint32_t events)
{
    ((struct hd_driver *)user)->icmp_waits = true;
}

int hd_driver_init(struct hd_driver *d, const struct hd_driver_options *o)
{
    struct hd_router_start start = {.seed = o->seed, .now = hd_clock_now()};
    memset(d, 0, sizeof *d);
    d->loop = o->loop;
    d->log = o->log;
    d->host = *o->host;
    d->core = o->core;
    d->own_address = o->own_address;
    d->label_prefix = o->label_prefix;
    d->icmp = d->icmp_source.fd = d->fwd_source.fd = -1;
    d->work_units = WORK_UNITS;
    d->now = start.now;
    d->answer.deadline = d->mtu_check_at = d->virtual_sweep_at = HD_NEVER;
    hd_keyring_init(&d->keys);
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        d->ports[i].fd = d->ports[i].witness = d->ports[i].source.fd = -1;
    }
    void *pages = mmap(hd_driver_region_hint(), HD_DRIVER_POOL_BYTES + HD_DRIVER_FX_BYTES,
                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED || hd_udp6_batch_init(&d->batch) < 0) {
        return HD_ENOMEM;
    }
    hd_fx_init(&d->fx, (uint8_t *)pages + HD_DRIVER_POOL_BYTES, HD_DRIVER_FX_BYTES);
    d->router = hd_router_create(pages, HD_DRIVER_POOL_BYTES, &start);
    if (d->router == NULL) {
        return HD_ENOMEM;
    }
    struct hd_recorder_start recording = {.ring = o->recording,
                                          .bytes = o->recording_bytes,
                                          .region = pages,
                                          .region_bytes = HD_DRIVER_POOL_BYTES,
                                          .router = d->router,
                                          .fx_bytes = HD_DRIVER_FX_BYTES,
                                          .now = d->now,
                                          .unix_ns = d->now + hd_clock_wall_ahead()};
    return o->recording != NULL ? hd_recorder_init(&d->recorder, &recording) : 0;
}

void hd_driver_free(struct hd_driver *d)
{
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        hd_driver_port_close(d, &d->ports[i]);
    }
    hd_loop_del(d->loop, &d->fwd_source);
    hd_loop_del(d->loop, &d->icmp_source);
    hd_fwd_close(d->fwd);
    if (d->icmp >= 0) {
        close(d->icmp);
    }
    free(d->icmp_limiter);
    free(d->frames);
    hd_driver_sender_free(d);
    hd_keyring_free(&d->keys);
    hd_udp6_batch_free(&d->batch);
    munmap(d->fx.buf - HD_DRIVER_POOL_BYTES, HD_DRIVER_POOL_BYTES + HD_DRIVER_FX_BYTES);
    d->router = NULL;
}

int hd_driver_forwarding(struct hd_driver *d, const struct hd_fwd_handles *h, bool adopt)
{
    d->kira0_ifindex = h->kira0_ifindex;
    if (h->backend == 0) {
        return 0; /* control plane alone */
    }
    int error = hd_fwd_open(&d->fwd, h);
    if (error == 0 && adopt) {
        error = hd_fwd_adopt(d->fwd, hd_router_model(d->router), d->core);
    }
    if (error < 0) {
        return error;
    }
    d->fwd_source = (struct hd_loop_source){hd_fwd_poll_fd(d->fwd), d, nothing};
    return d->fwd_source.fd >= 0 ? hd_loop_add(d->loop, &d->fwd_source) : 0;
}

int hd_driver_icmp(struct hd_driver *d, int fd)
{
    /* Four KiB that a node without the socket does not need. */
    d->icmp_limiter = calloc(1, sizeof *d->icmp_limiter);
    if (d->icmp_limiter == NULL) {
        return HD_ENOMEM;
    }
    hd_icmp_limiter_init(d->icmp_limiter, (uint64_t)d->now);
    d->icmp = fd;
    d->icmp_source = (struct hd_loop_source){fd, d, note_icmp};
    return hd_loop_add(d->loop, &d->icmp_source);
}

int hd_driver_port_opened(struct hd_driver *d, uint16_t core, uint16_t port, int fd, int witness)
{
    struct hd_driver_port *p = hd_driver_port_find(d, core, port);
    if (p == NULL || p->fd >= 0) {
        /* Closed meanwhile, or asked for twice because system was restarted: the first one serves.
         */
        close(fd);
        if (witness >= 0) {
            close(witness);
        }
        return 0;
    }
    p->fd = fd;
    p->witness = witness;
    if (p->spec.kind == HD_PORT_FRAME) {
        return hd_driver_frame_port(d, p);
    }
    p->source = (struct hd_loop_source){fd, d, nothing};
    return hd_loop_add(d->loop, &p->source);
}

/* --- calls into the router -----------------------------------------------------------------------
 */

static void advance(struct hd_driver *d)
{
    hd_time now = hd_clock_now();
    d->now = HD_MAX(d->now, now);
    d->ahead = hd_clock_wall_ahead();
}

/* What follows every call: urgent work, the model in force, then the effects. */
static void finish_call(struct hd_driver *d, struct hd_answer answer)
{
    d->answer = answer;
    hd_driver_realise(d);
    for (unsigned i = 0; i < URGENT_SLICES && d->answer.pending == HD_PENDING_URGENT; i++) {
        d->answer = hd_driver_call_work(d);
        d->stats.work_slices++;
        hd_driver_realise(d);
    }
}

void hd_driver_deliver(struct hd_driver *d, const struct hd_input *in)
{
    finish_call(d, hd_driver_call_input(d, in));
}

void hd_driver_input(struct hd_driver *d, struct hd_input *in)
{
    advance(d);
    in->arrived = d->now;
    hd_driver_deliver(d, in);
}

static void tell_wall_clock(struct hd_driver *d)
{
    struct hd_input in = {.type = HD_IN_WALL_CLOCK,
                          .arrived = d->now,
                          .u.wall_clock = {.unix_ns = d->now + d->ahead, .error_ns = HD_SEC(1)}};
    d->wall_told_at = d->now;
    hd_driver_deliver(d, &in);
}

int hd_driver_start(struct hd_driver *d, uint8_t core, const struct hd_start *s)
{
    struct hd_router_core c = {.core = core, .start = *s};
    advance(d);
    int error = hd_driver_call_start(d, &c);
    if (error < 0) {
        return error;
    }
    hd_driver_realise(d);
    /* The answer of the start comes with the first input. */
    tell_wall_clock(d);
    return 0;
}

void hd_driver_stop(struct hd_driver *d)
{
    advance(d);
    hd_driver_call_stop(d);
    hd_driver_realise(d);
    d->answer = (struct hd_answer){.deadline = HD_NEVER};
}

/* --- the turn ------------------------------------------------------------------------------------
 */

static void deliver_datagram(struct hd_driver *d, struct hd_driver_port *p,
                             const struct hd_udp6_datagram *u)
{
    if (u->len == 0) {
        d->stats.truncated++;
        return;
    }
    hd_time arrived = u->wall_ns != 0 ? u->wall_ns - d->ahead : d->now;
    struct hd_input in = {.type = HD_IN_DATAGRAM,
                          .core = (uint8_t)p->core,
                          .arrived = HD_MIN(arrived, d->now),
                          .u.datagram = {.bytes = u->bytes,
                                         .len = u->len,
                                         .port = p->spec.port,
                                         .hop_limit = u->hop_limit,
                                         .traffic_class = u->traffic_class,
                                         .ifindex = u->ifindex,
                                         .from = u->from,
                                         .to = u->to}};
    struct hd_in_datagram *g = &in.u.datagram;
    g->multicast = u->to.b[0] == 0xff;
    bool plain = p->spec.kind == HD_PORT_UDP; /* no neighbours, no fabric: a protocol of its own */
    g->routed = !plain && !g->multicast && !hd_ip6_is_link_local(&u->to);
    if (!g->routed && !plain &&
        !hd_witness_find(&d->witness, u->ifindex, &u->from, u->wall_ns, &g->from_mac)) {
        d->stats.mac_unknown++;
    }
    p->received++;
    p->overflow = u->overflow;
    d->stats.datagrams++;
    if (!g->routed && !plain && d->fwd != NULL &&
        !hd_fwd_police(d->fwd, hd_router_model(d->router), g->ifindex, &g->from_mac, d->now)) {
        return;
    }
    if (plain) {
        g->key = hd_driver_check_auth(d, g);
    } else if (d->keys.count > 0) {
        g->key = hd_keyring_verify(&d->keys, u->bytes, u->len);
    }
    hd_driver_deliver(d, &in);
}

/*
 * Empties a socket as far as it was filled when the turn began: what arrives later is after every
 * deadline that this turn serves.
 */
static void drain_port(struct hd_driver *d, struct hd_driver_port *p)
{
    for (unsigned round = 0; round < ROUNDS_MAX && p->fd >= 0; round++) {
        unsigned n = hd_udp6_receive(p->fd, &d->batch);
        if (n == 0) {
            return;
        }
        hd_time last = d->batch.in[n - 1].wall_ns;
        if (p->witness >= 0) {
            hd_witness_read(&d->witness, p->witness, last);
        }
        for (unsigned i = 0; i < n; i++) {
            deliver_datagram(d, p, &d->batch.in[i]);
        }
        if (n < HD_UDP6_BATCH || (last != 0 && last - d->ahead > d->now)) {
            return;
        }
    }
}

/* Reports are copied out first: delivering one changes the model that the data plane is reading. */
struct reports {
    struct hd_driver *driver;
    unsigned count;
    struct hd_in_report v[HD_DRIVER_REPORTS_MAX];
};

static void take_report(void *user, const struct hd_in_report *r)
{
    struct reports *all = user;
    if (all->count < HD_DRIVER_REPORTS_MAX) {
        all->v[all->count++] = *r;
    }
}

static void take_icmp_error(void *user, uint8_t type, uint8_t code, uint32_t value,
                            const uint8_t *packet, uint32_t len)
{
    struct hd_driver *d = ((struct reports *)user)->driver;
    struct hd_icmp_error e = {.type = type, .code = code, .value = value};
    if (d->icmp >= 0 && hd_icmp_send(d->icmp, d->icmp_limiter, d->now, &e, packet, len) == 0) {
        d->stats.icmp_sent++;
    }
}

static void deliver_report(struct hd_driver *d, const struct hd_in_report *r)
{
    struct hd_input in = {.type = HD_IN_REPORT, .core = d->core, .arrived = d->now, .u.report = *r};
    d->stats.reports++;
    if (r->kind == HD_REPORT_TOO_BIG) {
        d->mtu_check_at = d->now; /* the core may have given a route an MTU */
    }
    hd_driver_deliver(d, &in);
}

static void drain_reports(struct hd_driver *d)
{
    if (d->fwd == NULL) {
        return;
    }
    struct reports all = {.driver = d};
    struct hd_fwd_sink sink = {&all, take_report, take_icmp_error};
    hd_fwd_poll(d->fwd, hd_router_model(d->router), &sink, HD_DRIVER_REPORTS_MAX);
    for (unsigned i = 0; i < all.count; i++) {
        deliver_report(d, &all.v[i]);
    }
}

/* Errors may be late: this socket alone is not worth a system call in every turn. */
static void drain_icmp(struct hd_driver *d)
{
    for (unsigned i = 0; i < HD_DRIVER_REPORTS_MAX && d->icmp_waits; i++) {
        struct hd_in_report r = {0};
        int error = hd_icmp_receive(d->icmp, &d->own_address, d->label_prefix, &r);
        if (error == 0) {
            d->stats.icmp_received++;
            deliver_report(d, &r);
        } else if (error != HD_EMALFORMED) {
            d->icmp_waits = false;
        }
    }
}

/* One slice, and what was learnt about how long a unit takes. */
static void work_slice(struct hd_driver *d)
{
    hd_time before = hd_clock_now();
    finish_call(d, hd_driver_call_work(d));
    hd_time took = hd_clock_now() - before;
    d->stats.work_slices++;
    if (took > HD_DRIVER_SLICE_NS) {
        d->stats.slice_over++;
        d->work_units = HD_MAX(d->work_units / 2, WORK_UNITS_MIN);
    } else if (took < HD_DRIVER_SLICE_NS / 4) {
        d->work_units = HD_MIN(d->work_units * 2, WORK_UNITS_MAX);
    }
}

hd_time hd_driver_deadline(const struct hd_driver *d)
{
    if (d->answer.pending != HD_PENDING_NONE) {
        return d->now;
    }
    hd_time sender = hd_time_min(hd_driver_sender_deadline(d), d->virtual_sweep_at);
    return hd_time_min(sender, hd_time_min(d->answer.deadline, d->mtu_check_at));
}

void hd_driver_turn(struct hd_driver *d)
{
    advance(d);
    d->stats.turns++;
    for (unsigned i = 0; i < HD_DRIVER_PORTS_MAX; i++) {
        const struct hd_driver_port *p = &d->ports[i];
        if (p->used && p->fd >= 0 && p->spec.kind != HD_PORT_FRAME) {
            drain_port(d, &d->ports[i]);
        }
    }
    hd_driver_drain_frames(d, d->answer.deadline <= d->now);
    drain_reports(d);
    drain_icmp(d);
    if (d->answer.deadline <= d->now) {
        finish_call(d, hd_driver_call_due(d));
    }
    if (d->answer.pending != HD_PENDING_NONE) {
        work_slice(d);
    }
    hd_driver_sender_turn(d);
    hd_driver_virtual_turn(d);
    if (d->now - d->wall_told_at > WALL_EVERY) {
        tell_wall_clock(d);
    }
    if (hd_router_model(d->router)->refusals != d->refusals_seen && d->refusals_at <= d->now) {
        d->refusals_at = d->now + REFUSALS_EVERY;
        hd_driver_tell_refused(d);
    }
    if (d->mtu_check_at <= d->now) {
        hd_driver_check_mtus(d);
        d->mtu_check_at = d->mtu_count > 0 ? d->now + MTU_CHECK_EVERY : HD_NEVER;
    }
}
