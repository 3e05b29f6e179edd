/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A router's life in the simulator: start, the calls of the contract, death. It is driven exactly
 * as the Linux driver drives it: room for effects before each call, urgent work before the next
 * input, background work when nothing else is due, deadlines after everything that arrived before
 * them.
 */
#include "sim/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/hash.h"

#define URGENT_SLICES_MAX 100000 /* more in one instant: the core does not end */
#define DUE_CALLS_MAX     1000   /* the same for timers that do not move */
#define START_AGAIN_NS    HD_SEC(1)
#define MTU_MIN           1324 /* 1280 and a label header, spec/forwarding-on-linux.md 4 */

/* --- clocks --------------------------------------------------------------------------------------
 */

hd_time node_local(const struct hd_sim *s, uint32_t node, hd_time at)
{
    hd_time ppm = s->sc->nodes[node].skew_ppm;
    return at + at / 1000000 * ppm + at % 1000000 * ppm / 1000000;
}

/* The first instant of the simulation at which the node's clock shows `local` or more. */
static hd_time node_global(const struct hd_sim *s, uint32_t node, hd_time local)
{
    hd_time ppm = s->sc->nodes[node].skew_ppm;
    if (ppm == 0 || local == HD_NEVER)
        return local;
    hd_time at = local - local / (1000000 + ppm) * ppm;
    while (node_local(s, node, at) >= local)
        at -= 1000;
    while (node_local(s, node, at) < local) {
        hd_time missing = local - node_local(s, node, at);
        at += HD_MAX(missing / 2, (hd_time)1);
    }
    return at;
}

/* --- calls ---------------------------------------------------------------------------------------
 */

static void before_call(struct worker *w, struct node *n)
{
    hd_fx_clear(&w->fx);
    install_before(w, n);
}

static void arm(struct worker *w, uint32_t node, hd_time local_deadline)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    n->deadline = node_global(s, node, local_deadline);
    if (n->deadline < w->now && node_local(s, node, w->now) == local_deadline)
        n->deadline = w->now; /* a slow clock shows one reading for two instants */
    if (n->deadline == HD_NEVER || n->timer_at <= n->deadline)
        return;
    n->timer_at = HD_MAX(n->deadline, w->now);
    worker_push(w, n->timer_at, node, node, true, EV_DEADLINE, NULL, n->incarnation);
}

static void queue_work(struct worker *w, uint32_t node, hd_time at)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->work_queued)
        return;
    n->work_queued = true;
    worker_push(w, at, node, node, true, EV_WORK, NULL, n->incarnation);
}

/* After a call: changes on their way, effects carried out, urgent work done, timers armed. */
static void settle(struct worker *w, uint32_t node, struct hd_answer a, hd_time work_at)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    hd_time now = node_local(s, node, w->now);
    for (unsigned slices = 0;; slices++) {
        install_pull(w, node);
        effects_consume(w, node);
        check_answer(s, node, &a, now);
        if (a.pending != HD_PENDING_URGENT)
            break;
        if (slices == URGENT_SLICES_MAX) {
            sim_fail(s, "node %u: urgent work without end", node);
            break;
        }
        before_call(w, n);
        a = hd_router_work(n->router, s->o.work_units, now, &w->fx);
        w->stats.work_slices++;
    }
    if (a.pending == HD_PENDING_BACKGROUND)
        queue_work(w, node, work_at);
    arm(w, node, a.deadline);
    if (s->o.hooks.settled != NULL)
        s->o.hooks.settled(s->o.hooks.user, s, node);
}

void node_input(struct worker *w, uint32_t node, const struct hd_input *in)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->router == NULL)
        return;
    struct hd_input copy = *in;
    hd_time now = node_local(s, node, w->now);
    copy.arrived = now;
    before_call(w, n);
    struct hd_answer a = hd_router_input(n->router, &copy, now, &w->fx);
    w->stats.inputs++;
    settle(w, node, a, w->now);
}

void node_deadline(struct worker *w, uint32_t node, uint64_t incarnation)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->router == NULL || incarnation != n->incarnation || n->timer_at != w->now)
        return;
    n->timer_at = HD_NEVER;
    if (n->deadline > w->now) { /* it has moved since */
        arm(w, node, n->deadline == HD_NEVER ? HD_NEVER : node_local(s, node, n->deadline));
        return;
    }
    if (n->deadline < w->now)
        sim_fail(s, "node %u: a deadline was served %lld ns late", node,
                 (long long)(w->now - n->deadline));
    hd_time now = node_local(s, node, w->now);
    struct hd_answer a;
    unsigned calls = 0;
    do {
        before_call(w, n);
        a = hd_router_due(n->router, now, &w->fx);
        w->stats.deadlines++;
        if (a.deadline <= now) { /* another core's, or a timer of no duration */
            install_pull(w, node);
            effects_consume(w, node);
        }
    } while (a.deadline <= now && ++calls < DUE_CALLS_MAX);
    if (a.deadline <= now) {
        sim_fail(s, "node %u: deadlines do not move on", node);
        a.deadline = now + HD_MS(1);
    }
    settle(w, node, a, w->now);
}

/* One slice; the next one not before the time that this one would have taken. */
void node_work(struct worker *w, uint32_t node, uint64_t incarnation)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->router == NULL || incarnation != n->incarnation)
        return;
    n->work_queued = false;
    before_call(w, n);
    struct hd_answer a =
        hd_router_work(n->router, s->o.work_units, node_local(s, node, w->now), &w->fx);
    w->stats.work_slices++;
    settle(w, node, a, w->now + HD_US(s->o.work_units));
}

void node_install(struct worker *w, uint32_t node, uint64_t incarnation)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->router == NULL || incarnation != n->incarnation || !install_due(w, node))
        return;
    effects_release(w, node);
    if (s->worker_count == 1)
        check_batch(w);
    else
        w->batches++;
}

/* --- inputs --------------------------------------------------------------------------------------
 */

static uint32_t key_that_fits(const struct node *n, const struct datagram *d)
{
    if (d->len < 16)
        return 0;
    for (unsigned i = 0; i < n->key_count; i++) {
        uint64_t tag[2] = {hd_hash64(n->keys[i].secret, d->bytes, d->len - 16),
                           hd_hash64(~n->keys[i].secret, d->bytes, d->len - 16)};
        if (memcmp(tag, d->bytes + d->len - 16, 16) == 0)
            return n->keys[i].handle;
    }
    return 0;
}

static const struct port *find_port(const struct node *n, uint16_t number)
{
    for (unsigned i = 0; i < n->port_count; i++) {
        if (n->ports[i].number == number)
            return &n->ports[i];
    }
    return NULL;
}

void node_datagram(struct worker *w, struct datagram *d, uint32_t node)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    const struct end *e = d->end == HD_SIM_NONE ? NULL : &s->ends[d->end];
    if (e != NULL && d->epoch != s->links[e->link].epoch) {
        w->stats.lost_silent++;
        return;
    }
    if (n->router == NULL) {
        w->stats.lost_dead++;
        return;
    }
    const struct port *p = find_port(n, d->number);
    if (p == NULL) {
        w->stats.lost_port++;
        return;
    }
    struct hd_input in = {.type = HD_IN_DATAGRAM, .core = p->core};
    in.u.datagram = (struct hd_in_datagram){.bytes = d->bytes,
                                            .len = d->len,
                                            .port = p->port,
                                            .hop_limit = d->hop_limit,
                                            .traffic_class = d->traffic_class,
                                            .ifindex = e == NULL ? 0 : e->ifindex,
                                            .routed = e == NULL,
                                            .multicast = d->multicast,
                                            .key = key_that_fits(n, d),
                                            .from = d->from,
                                            .to = d->to,
                                            .from_mac = d->mac};
    n->received++;
    w->stats.datagrams_received++;
    sim_seen(s, HD_SIM_RECEIVED, node, e == NULL ? HD_SIM_NONE : sim_peer(s, e)->node, d->number,
             d->bytes, d->len);
    node_input(w, node, &in);
}

void hd_sim_inject(struct hd_sim *s, uint32_t node, uint32_t ifindex, uint16_t number,
                   const void *bytes, uint32_t len)
{
    struct end *e = sim_end_of(s, node, ifindex);
    size_t size = sizeof(struct datagram) + len;
    if (e == NULL || len > 65535 - 256)
        return;
    if (!sim_is_here(s, node)) {
        s->world_counter++;
        return;
    }
    struct datagram *d = hd_sim_slab_take(&sim_enter(s, node)->slabs, size);
    *d = (struct datagram){.len = len,
                           .size = (uint32_t)size,
                           .end = sim_end_index(s, e),
                           .epoch = s->links[e->link].epoch,
                           .number = number,
                           .hop_limit = 255,
                           .from = sim_link_local(sim_peer(s, e)),
                           .to = sim_link_local(e),
                           .mac = sim_mac(sim_peer(s, e))};
    memcpy(d->bytes, bytes, len);
    sim_push(s, s->now, node, WORLD, false, EV_DATAGRAM, d, 0);
}

static void tell_interface(struct worker *w, uint32_t node, struct end *e)
{
    struct hd_sim *s = w->s;
    struct hd_input in = {.type = HD_IN_INTERFACE};
    struct hd_in_interface *i = &in.u.interface;
    const struct end *peer = sim_peer(s, e);
    e->told_up = link_carrier(s, e->link);
    i->ifindex = e->ifindex;
    i->up = e->told_up;
    i->mtu = sim_link(s, e->link)->mtu;
    i->usable = i->mtu >= MTU_MIN;
    i->why_not = i->usable ? HD_IF_OK : HD_IF_MTU_SMALL;
    i->mac = sim_mac(e);
    i->link_local = sim_link_local(e);
    (void)snprintf(i->name, sizeof i->name, "to-%.12s", s->sc->nodes[peer->node].name);
    node_input(w, node, &in);
}

void node_carrier(struct worker *w, uint32_t end)
{
    struct hd_sim *s = w->s;
    struct end *e = &s->ends[end];
    if (s->nodes[e->node].router != NULL && e->told_up != link_carrier(s, e->link))
        tell_interface(w, e->node, e);
}

void node_report(struct worker *w, uint32_t node, const struct report *r)
{
    struct hd_input in = {.type = HD_IN_REPORT, .core = r->core};
    in.u.report = r->r;
    w->stats.reports++;
    node_input(w, node, &in);
}

/* --- birth and death -----------------------------------------------------------------------------
 */

static int start_core(struct worker *w, uint32_t node, uint8_t core, bool resumed, hd_time now)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    struct hd_saved_value values[16];
    struct hd_router_core c = {.core = core};
    c.start.saved = values;
    for (uint32_t i = 0; i < n->saved_count && c.start.saved_count < HD_ARRAY_LEN(values); i++) {
        if (n->saved[i].core == core)
            values[c.start.saved_count++] = (struct hd_saved_value){
                .key = n->saved[i].key, .len = n->saved[i].len, .bytes = n->saved[i].bytes};
    }
    void *config = NULL;
    if (s->o.config != NULL)
        config = s->o.config(s->o.config_user, s, node, core, &c.start.config_len);
    c.start.config = config;
    c.start.resumed = resumed;
    c.start.key = n->key_count > 0 ? n->keys[0].handle : 0;
    before_call(w, n);
    int error = hd_router_start_core(n->router, &c, now, &w->fx);
    free(config);
    return error;
}

/* What the kernel still holds goes into the new model; present in the old one means: in the kernel.
 */
static int adopt_all(struct hd_model *to, const struct hd_model *from)
{
    int error = 0;
    for (uint32_t i = 1; i < from->adjs.len && error == 0; i++) {
        const struct hd_adj *a = &from->adjs.v[i];
        if (a->o.in_use && a->o.present)
            error = hd_model_adopt_adj(to, a->o.owner, i, &a->v);
    }
    for (uint32_t i = 1; from->guards != NULL && i < from->guards->v.len && error == 0; i++) {
        const struct hd_guard *g = hd_model_guard(from, i);
        if (g != NULL && g->o.present)
            error = hd_model_adopt_guard(to, g->o.owner, i, &g->v);
    }
    for (uint32_t i = 1; i < from->labels.len && error == 0; i++) {
        const struct hd_label_entry *l = &from->labels.v[i];
        struct hd_repair repair = hd_model_repair(from, l->repair);
        if (l->o.in_use && l->o.present)
            error = hd_model_adopt_label(to, l->o.owner, &l->key, &l->v, &repair);
    }
    for (uint32_t i = 1; i < from->routes.len && error == 0; i++) {
        const struct hd_route_entry *r = &from->routes.v[i];
        struct hd_repair repair = hd_model_repair(from, r->repair);
        if (r->o.in_use && r->o.present)
            error = hd_model_adopt_route(to, r->o.owner, &r->key, &r->v, &repair);
    }
    return error;
}

/* Packed with the others of its worker, or a mapping for itself, which tests copy. */
static struct hd_pool *make_pool(struct worker *w)
{
    const struct hd_sim_options *o = &w->s->o;
    if (!o->own_regions)
        return hd_pool_create_packed(w->pool, o->region_bytes);
    void *region = mmap(NULL, o->region_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HD_ASSERT(region != MAP_FAILED);
    return hd_pool_create(region, o->region_bytes);
}

static void drop_pool(struct hd_sim *s, struct hd_pool *p)
{
    if (p == NULL)
        return;
    if (s->o.own_regions)
        (void)munmap(p, s->o.region_bytes);
    else
        hd_pool_release(p);
}

static bool make_router(struct worker *w, uint32_t node)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    n->pool = make_pool(w);
    if (n->pool == NULL)
        return false;
    struct hd_router_start start = {
        .seed = hd_mix64(s->o.seed ^ hd_mix64(((uint64_t)node << 32) + n->incarnation + 1)),
        .shared_ids = s->o.shared_ids ? &s->ids : NULL,
        .now = node_local(s, node, w->now)};
    n->router = hd_router_create_in(n->pool, &start);
    return n->router != NULL;
}

static void drop_pools(struct hd_sim *s, struct node *n)
{
    drop_pool(s, n->pool);
    drop_pool(s, n->old_pool);
    n->pool = n->old_pool = NULL;
    n->router = NULL;
    n->model = n->old_model = NULL;
}

/* The keeper tries again after a while, as after any death. */
static void start_failed(struct worker *w, uint32_t node)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    w->stats.start_failures++;
    drop_pool(s, n->pool);
    n->pool = NULL;
    n->router = NULL;
    n->model = n->old_model;
    n->incarnation++;
    install_drop(w, n);
    effects_drop_held(w, n);
    n->port_count = 0;
    worker_push(w, w->now + START_AGAIN_NS, node, node, false, EV_START, NULL, n->incarnation);
}

/* Timers armed in the start of a core show only in an answer. */
static void first_deadline(struct worker *w, uint32_t node)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    before_call(w, n);
    struct hd_answer a = hd_router_due(n->router, node_local(s, node, w->now), &w->fx);
    settle(w, node, a, w->now);
}

static int start_cores(struct worker *w, uint32_t node, bool resumed)
{
    struct hd_sim *s = w->s;
    int error = 0;
    for (unsigned i = 0; i < HD_SIM_CORES_MAX && s->o.cores[i] != 0 && error == 0; i++) {
        error = start_core(w, node, s->o.cores[i], resumed, node_local(s, node, w->now));
        if (error == 0)
            settle(w, node, (struct hd_answer){.deadline = HD_NEVER}, w->now);
    }
    return error;
}

static void power_on(struct hd_sim *s, uint32_t node)
{
    struct node *n = &s->nodes[node];
    if (n->powered)
        return;
    n->powered = true;
    for (uint32_t i = 0; i < n->end_count; i++)
        link_changed(s, s->ends[s->ends_of[n->first_end + i]].link);
}

static void start_router(struct worker *w, uint32_t node)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->router != NULL)
        return;
    bool resumed = n->process_died && n->old_pool != NULL;
    n->start_queued = false;
    w->stats.starts++;
    power_on(s, node);
    int error = make_router(w, node) ? 0 : HD_ENOMEM;
    if (error == 0) {
        n->model = hd_router_model(n->router);
        n->timer_at = n->deadline = HD_NEVER;
        n->work_queued = false;
        if (resumed)
            error = adopt_all(n->model, n->old_model);
    }
    if (error == 0)
        error = start_cores(w, node, resumed);
    n->lives = error == 0;
    if (error != 0) {
        start_failed(w, node);
        return;
    }
    drop_pool(s, n->old_pool);
    n->old_pool = NULL;
    n->old_model = NULL;
    n->process_died = false;
    sim_seen(s, HD_SIM_STARTED, node, 0, 0, NULL, 0);
    first_deadline(w, node);
    for (uint32_t i = 1; i <= n->end_count; i++)
        tell_interface(w, node, sim_end_of(s, node, i));
    sim_fault(s);
}

/* In every process; where the node is not, it is taken to start well until all agree. */
void node_start(struct hd_sim *s, uint32_t node)
{
    if (sim_is_here(s, node)) {
        start_router(sim_enter(s, node), node);
    } else if (!sim_lives(s, node)) {
        power_on(s, node);
        s->nodes[node].lives = true;
        sim_fault(s);
    }
}

/* Its own event: the first start, or one more after a start that failed; its power is on. */
void node_first_start(struct worker *w, uint32_t node, uint64_t incarnation)
{
    struct node *n = &w->s->nodes[node];
    if (n->incarnation == incarnation && n->router == NULL && n->powered)
        start_router(w, node);
}

static void end_router(struct worker *w, uint32_t node, enum hd_sim_death death)
{
    struct hd_sim *s = w->s;
    struct node *n = &s->nodes[node];
    if (n->router != NULL && death == HD_SIM_DEATH_PROCESS) {
        install_now(w, n);
        n->old_pool = n->pool;
        n->old_model = n->model;
        n->pool = NULL;
        n->router = NULL;
        n->process_died = true;
    } else if (death != HD_SIM_DEATH_PROCESS) {
        drop_pools(s, n);
        n->process_died = false;
    }
    n->incarnation++;
    install_drop(w, n);
    n->port_count = 0;
    n->timer_at = n->deadline = HD_NEVER;
    effects_drop_held(w, n);
}

/* In every process, as everything that the world does. */
void node_die(struct hd_sim *s, uint32_t node, enum hd_sim_death death)
{
    struct node *n = &s->nodes[node];
    sim_seen(s, HD_SIM_DIED, node, 0, death, NULL, 0);
    if (sim_is_here(s, node))
        end_router(sim_enter(s, node), node, death);
    n->lives = false;
    if (death == HD_SIM_DEATH_POWER && n->powered) {
        n->powered = false;
        for (uint32_t i = 0; i < n->end_count; i++)
            link_changed(s, s->ends[s->ends_of[n->first_end + i]].link);
    }
    sim_fault(s);
}

void hd_sim_kill(struct hd_sim *s, uint32_t node, enum hd_sim_death death)
{
    node_die(s, node, death);
}

void hd_sim_stop(struct hd_sim *s, uint32_t node)
{
    struct node *n = &s->nodes[node];
    if (!n->lives)
        return;
    if (sim_is_here(s, node)) {
        struct worker *w = sim_enter(s, node);
        before_call(w, n);
        hd_router_stop(n->router, node_local(s, node, w->now), &w->fx);
        install_pull(w, node);
        effects_consume(w, node);
    }
    node_die(s, node, HD_SIM_DEATH_SILENT);
}

void hd_sim_start(struct hd_sim *s, uint32_t node)
{
    node_start(s, node);
}

void hd_sim_set_lying(struct hd_sim *s, uint32_t node, bool lying)
{
    s->nodes[node].lying = lying;
    s->nodes[node].lied |= lying;
}

int hd_sim_add_key(struct hd_sim *s, uint32_t node, uint32_t handle, uint64_t secret)
{
    struct node *n = &s->nodes[node];
    if (handle == 0) {
        n->key_count = 0;
        return 0;
    }
    if (n->keys == NULL)
        n->keys = hd_pool_alloc(s->pool, HD_SIM_KEYS_MAX * sizeof *n->keys);
    if (n->keys == NULL)
        return HD_ENOMEM;
    unsigned i = 0;
    while (i < n->key_count && n->keys[i].handle != handle)
        i++;
    if (i == HD_SIM_KEYS_MAX)
        return HD_ELIMIT;
    n->keys[i] = (struct key){handle, secret};
    if (i == n->key_count)
        n->key_count++;
    return 0;
}

/* What of a node lies outside of the image. */
void node_free(struct hd_sim *s, uint32_t node)
{
    if (s->o.own_regions)
        drop_pools(s, &s->nodes[node]);
}
