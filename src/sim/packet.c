/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data packets (spec/forwarding-on-linux.md, sections 2 and 3, in the abstract).
 *
 * One function, packet_step, says what a node does with a packet; walks and real packets share it.
 * At the source, and again wherever a label ends and the inner destination is not local (an overlay
 * hop), the longest route decides: deliver, hand to the neighbour, or push a label. In between,
 * labels are rewritten and nothing else is looked at. Outer hop limit: 64 at each encapsulation;
 * inner hop limit: one less at each overlay hop.
 *
 * What the real programs put on their event ring becomes a report to the owner core. Too-big is
 * reported to the node that encapsulated, after as long as the packet needed to get here.
 */
#include "sim/engine.h"

#include "lib/hash.h"

#define HOP_LIMIT      64
#define LABEL_BYTES    44
#define FLOW_REPORT_NS HD_SEC(8)
#define QUIET_MS       10 /* between two reports of one matter at one node */
#define NO_FLOW        UINT32_MAX

struct packet *packet_make(struct worker *w, uint32_t from, uint32_t payload_len)
{
    size_t block = sizeof(struct packet) + payload_len;
    struct packet *p = hd_sim_slab_take(&w->slabs, block);
    memset(p, 0, sizeof *p);
    p->source = from;
    p->flow = NO_FLOW;
    p->block = (uint32_t)block;
    p->payload_len = payload_len;
    p->inner_hops = HOP_LIMIT;
    p->origin = true;
    p->sent_at = w->now;
    return p;
}

void packet_free(struct worker *w, struct packet *p)
{
    hd_sim_slab_give(&w->slabs, p, p->block);
}

/* --- one step ------------------------------------------------------------------------------------
 */

static bool admits(struct node *n, struct end *in, const struct hd_mac *mac)
{
    struct hd_adj_value v;
    /* walks of several threads pass here; whatever the hint is, it is looked at before it counts */
    uint32_t hint = __atomic_load_n(&in->adj_hint, __ATOMIC_RELAXED);
    if (hint != 0 && force_adj(n, hint, &v) && v.admitted && v.ifindex == in->ifindex &&
        hd_mac_equal(&v.mac, mac))
        return true;
    for (uint32_t i = 1; i < n->model->adjs.len; i++) {
        if (force_adj(n, i, &v) && v.admitted && v.ifindex == in->ifindex &&
            hd_mac_equal(&v.mac, mac)) {
            __atomic_store_n(&in->adj_hint, i, __ATOMIC_RELAXED);
            return true;
        }
    }
    return false;
}

static bool pretended(const struct hd_sim *s, uint32_t link, uint32_t peer)
{
    const struct hd_sim_dead *d = &s->pretend;
    return link == d->link[0] || link == d->link[1] || peer == d->node[0] || peer == d->node[1];
}

/* The end by which an adjacency leaves; NULL when its data plane sees that it is dead. */
static struct end *alive(struct hd_sim *s, uint32_t node, uint32_t adj, struct hd_adj_value *v)
{
    struct end *e;
    if (!force_adj(&s->nodes[node], adj, v) || v->down ||
        (e = sim_end_of(s, node, v->ifindex)) == NULL || !link_carrier(s, e->link) ||
        pretended(s, e->link, sim_peer(s, e)->node))
        return NULL;
    return e;
}

/*
 * Puts a packet on the way round (doc/decisions/0026): with the guard of its entry, else with that
 * of the adjacency, which leads to the next node and carries the label that it has.
 */
static struct end *repair(struct hd_sim *s, uint32_t node, struct packet *p,
                          const struct hd_repair *own, struct hd_adj_value *v, struct step *out)
{
    struct node *n = &s->nodes[node];
    struct hd_adj_value first;
    const struct hd_repair tries[] = {
        *own,
        {.then = p->label, .guard = force_adj(n, out->adj, &first) && p->encap ? first.guard : 0}};
    for (unsigned i = 0; i < HD_ARRAY_LEN(tries) && !p->marked; i++) {
        struct hd_guard_value g;
        struct end *e;
        bool none = hd_label_is_none(&tries[i].then);
        if (tries[i].guard == 0 || !force_guard(n, tries[i].guard, &g) || g.adj == 0 ||
            (!none && !hd_label_is_none(&g.then)) || (e = alive(s, node, g.adj, v)) == NULL)
            continue;
        if (!p->encap) {
            p->outer_hops = HOP_LIMIT;
            p->outer_source = node;
            out->pushed = true;
        }
        p->encap = p->marked = out->repaired = true;
        p->carry = none ? g.then : tries[i].then;
        p->carries = !hd_label_is_none(&p->carry);
        p->label = g.out;
        return e;
    }
    return NULL;
}

static void leave(struct hd_sim *s, uint32_t node, struct packet *p, uint32_t adj,
                  const struct hd_repair *own, struct step *out)
{
    struct hd_adj_value v;
    out->adj = adj;
    out->fate = HD_SIM_EGRESS_DEAD;
    struct end *e = alive(s, node, adj, &v);
    if (e == NULL && (e = repair(s, node, p, own, &v, out)) == NULL)
        return;
    struct hd_mac mac = sim_mac(sim_peer(s, e));
    if (!hd_mac_equal(&v.mac, &mac)) {
        out->fate = HD_SIM_LINK_LOST;
        return;
    }
    uint32_t mtu = sim_link(s, e->link)->mtu;
    if (p->size + (p->encap ? LABEL_BYTES : 0u) > mtu) {
        out->fate = HD_SIM_TOO_BIG;
        out->value = mtu;
        return;
    }
    out->fate = HD_SIM_ARRIVED;
    out->next = sim_end_index(s, e);
    p->hops++;
    p->origin = false;
}

static void swap_label(struct hd_sim *s, uint32_t node, struct packet *p,
                       const struct force_label *l, struct step *out)
{
    if (p->outer_hops <= 1) {
        out->fate = HD_SIM_HOP_LIMIT;
        return;
    }
    p->outer_hops--;
    p->label = l->v.out;
    leave(s, node, p, l->v.adj, &l->repair, out);
}

/* Overlay stages have to come closer to the destination: the measure that forbids loops. */
static void count_stage(struct hd_sim *s, uint32_t node, struct packet *p)
{
    struct hd_id to;
    p->stages++;
    if (p->stages > 1 && hd_id_from_ip6(&p->to, 0xfc00, &to) &&
        hd_id_closer(&to, &s->nodes[node].id, &s->nodes[p->outer_source].id) >= 0)
        p->away = true;
    p->outer_source = node;
}

static void route(struct hd_sim *s, uint32_t node, struct packet *p, struct step *out)
{
    struct force_route found;
    const struct hd_route_value *r = &found.v;
    if (!force_route(&s->nodes[node], &p->to, &found)) {
        out->fate = HD_SIM_NO_ROUTE;
        return;
    }
    if (r->act == HD_ROUTE_LOCAL) {
        out->fate = HD_SIM_ARRIVED;
        return;
    }
    if (r->act == HD_ROUTE_UNREACHABLE) {
        out->fate = HD_SIM_UNREACHABLE;
        return;
    }
    if (!p->origin) {
        if (p->inner_hops <= 1) {
            out->fate = HD_SIM_HOP_LIMIT;
            return;
        }
        p->inner_hops--;
    }
    count_stage(s, node, p);
    if (r->act == HD_ROUTE_ENCAP) {
        p->encap = true;
        p->label = out->label = r->out;
        p->outer_hops = HOP_LIMIT;
        out->pushed = true;
        if (r->mtu != 0 && p->size > r->mtu) {
            out->fate = HD_SIM_TOO_BIG;
            out->value = r->mtu;
            return;
        }
    }
    leave(s, node, p, r->adj, &found.repair, out);
}

/* in: the end it came by, NULL at its source. Changes the packet as the node would. */
void packet_step(struct hd_sim *s, uint32_t node, const struct end *in, struct packet *p,
                 struct step *out)
{
    struct node *n = &s->nodes[node];
    *out = (struct step){.next = HD_SIM_NONE, .label = p->label};
    if (n->model == NULL) {
        out->fate = HD_SIM_NODE_DEAD;
        return;
    }
    if (in != NULL) {
        struct hd_mac mac = sim_mac(sim_peer(s, in));
        if (!admits(n, &s->ends[sim_end_index(s, in)], &mac)) {
            out->fate = HD_SIM_NOT_ADMITTED;
            return;
        }
    }
    if (p->encap) {
        struct force_label l;
        bool known = force_label(n, &p->label, &l, &out->label_index);
        if (known && l.v.act == HD_LABEL_DECAP && p->carries) { /* the way round ends here */
            p->carries = false;
            p->outer_source = node;
            p->label = out->label = p->carry;
            known = force_label(n, &p->label, &l, &out->label_index);
        }
        if (!known) {
            out->fate = HD_SIM_LABEL_UNKNOWN;
            return;
        }
        if (l.v.act == HD_LABEL_SWAP) {
            swap_label(s, node, p, &l, out);
            return;
        }
        p->encap = p->marked = false; /* nearer to its destination, it may be repaired again */
    }
    route(s, node, p, out);
}

/* --- reports -------------------------------------------------------------------------------------
 */

/* True when this matter may be reported again; the data plane limits its own noise. */
static bool speak(struct worker *w, uint32_t node, uint32_t kind, const void *key, size_t len)
{
    uint64_t h = hd_hash64((uint64_t)node << 8 | kind, key, len);
    uint32_t until, now = (uint32_t)(w->now / 1000000);
    if (hd_map_get(&w->quiet, h, &until) && now < until)
        return false;
    HD_ASSERT(hd_map_set(&w->quiet, w->pool, h, now + QUIET_MS) == 0);
    return true;
}

static void report(struct worker *w, uint32_t node, uint32_t from, hd_time at,
                   const struct hd_in_report *r)
{
    struct report *copy = hd_sim_slab_take(&w->slabs, sizeof *copy);
    *copy = (struct report){.core = w->s->o.cores[0], .r = *r};
    worker_push(w, at, node, from, false, EV_REPORT, copy, 0);
}

/* The first repaired packet of a label tells the router, whose notice tells the source. */
static void report_repair(struct worker *w, uint32_t node, const struct packet *p,
                          const struct step *st)
{
    struct hd_in_report r = {.kind = HD_REPORT_REPAIRED,
                             .adj = st->adj,
                             .packets = 1,
                             .to = p->to,
                             .source = hd_sim_address(w->s, p->outer_source),
                             .label = st->label};
    if (speak(w, node, r.kind, &st->label, sizeof st->label))
        report(w, node, node, w->now, &r);
}

static void report_fate(struct worker *w, uint32_t node, const struct packet *p,
                        const struct step *st)
{
    static const uint8_t kinds[HD_SIM_FATES] = {
        [HD_SIM_NO_ROUTE] = HD_REPORT_NO_ROUTE,
        [HD_SIM_LABEL_UNKNOWN] = HD_REPORT_LABEL_UNKNOWN,
        [HD_SIM_EGRESS_DEAD] = HD_REPORT_EGRESS_DEAD,
        [HD_SIM_TOO_BIG] = HD_REPORT_TOO_BIG,
    };
    uint8_t kind = kinds[st->fate];
    if (kind == 0)
        return;
    struct hd_in_report r = {.kind = kind,
                             .adj = st->adj,
                             .value = st->value,
                             .packets = 1,
                             .to = p->to,
                             .source = hd_sim_address(w->s, p->encap ? p->outer_source : p->source),
                             .label = st->label};
    const void *key = p->encap ? (const void *)&st->label : (const void *)&p->to;
    size_t len = p->encap ? sizeof st->label : sizeof p->to;
    if (!speak(w, node, kind, key, len))
        return;
    if (kind == HD_REPORT_TOO_BIG && p->encap && p->outer_source != node)
        report(w, p->outer_source, node, w->now + (w->now - p->encap_at) + HD_US(1), &r);
    else
        report(w, node, node, w->now, &r);
}

/* First packet to a destination at its source, then what came since, at most every 8 s. */
static void note_flow(struct worker *w, uint32_t node, const struct packet *p)
{
    uint64_t h = hd_hash64(node, p->to.b, sizeof p->to.b);
    uint32_t at;
    if (!hd_map_get(&w->flow_index, h, &at)) {
        if (w->flows_seen_count == w->flows_seen_cap)
            w->flows_seen =
                hd_sim_more(w->pool, w->flows_seen, &w->flows_seen_cap, sizeof *w->flows_seen);
        at = w->flows_seen_count++;
        w->flows_seen[at] = (struct flow_seen){.last = -FLOW_REPORT_NS};
        HD_ASSERT(hd_map_set(&w->flow_index, w->pool, h, at) == 0);
    }
    struct flow_seen *f = &w->flows_seen[at];
    f->packets++;
    if (w->now - f->last < FLOW_REPORT_NS)
        return;
    struct hd_in_report r = {.kind = HD_REPORT_FLOW, .packets = f->packets, .to = p->to};
    f->last = w->now;
    f->packets = 0;
    report(w, node, node, w->now, &r);
}

static void count_usage(struct worker *w, uint32_t node, enum hd_object_kind kind, uint32_t index,
                        uint32_t bytes)
{
    uint64_t key = (uint64_t)node << 34 | (uint64_t)kind << 32 | index;
    uint32_t at;
    if (index == 0)
        return;
    if (!hd_map_get(&w->usage_index, key, &at)) {
        if (w->usage_count == w->usage_cap)
            w->usages = hd_sim_more(w->pool, w->usages, &w->usage_cap, sizeof *w->usages);
        at = w->usage_count++;
        w->usages[at] = (struct usage){0};
        HD_ASSERT(hd_map_set(&w->usage_index, w->pool, key, at) == 0);
    }
    w->usages[at].packets++;
    w->usages[at].bytes += bytes;
}

/* --- packets on their way ------------------------------------------------------------------------
 */

static void deliver_payload(struct worker *w, uint32_t node, const struct packet *p)
{
    size_t size = sizeof(struct datagram) + p->payload_len;
    struct datagram *d = hd_sim_slab_take(&w->slabs, size);
    *d = (struct datagram){.len = p->payload_len,
                           .size = (uint32_t)size,
                           .end = HD_SIM_NONE,
                           .number = p->number,
                           .hop_limit = p->inner_hops,
                           .traffic_class = p->traffic_class,
                           .from = hd_sim_address(w->s, p->source),
                           .to = p->to};
    memcpy(d->bytes, p->payload, p->payload_len);
    worker_push(w, w->now, node, node, false, EV_DATAGRAM, d, 0);
}

static void flow_arrived(struct worker *w, const struct packet *p)
{
    struct hd_sim_flow *f = &w->s->flows[p->flow];
    if (f->arrived == 0) {
        f->last_at = p->sent_at;
    } else if (p->sequence == f->last_arrived) {
        f->duplicates++;
        return;
    } else if (p->sequence < f->last_arrived) {
        f->reordered++;
    }
    f->arrived++;
    if (p->sequence > f->last_arrived)
        f->last_arrived = p->sequence;
    if (w->now - f->last_at > f->longest_gap_ns) {
        f->longest_gap_ns = w->now - f->last_at;
        f->gap_at = w->now;
    }
    f->last_at = w->now;
    f->worst_delay_ns = HD_MAX(f->worst_delay_ns, w->now - p->sent_at);
}

/* A packet may end anywhere: this is the one number of a flow that all workers count up. */
void packet_count_fate(struct worker *w, const struct packet *p, enum hd_sim_fate fate)
{
    w->stats.fates[fate]++;
    if (p->flow < w->s->flow_count)
        __atomic_fetch_add(&w->s->flows[p->flow].fates[fate], 1, __ATOMIC_RELAXED);
}

static void end_packet(struct worker *w, uint32_t node, struct packet *p, const struct step *st)
{
    struct hd_sim *s = w->s;
    enum hd_sim_fate fate = st->fate;
    if (fate == HD_SIM_ARRIVED && p->flow < s->flow_count && s->flows[p->flow].to != node)
        fate = HD_SIM_NO_ROUTE; /* somebody claims an address that is not its own */
    packet_count_fate(w, p, fate);
    sim_seen(s, HD_SIM_PACKET, node, p->source, fate, NULL, 0);
    if (fate == HD_SIM_ARRIVED) {
        if (p->payload_len > 0)
            deliver_payload(w, node, p);
        else if (p->flow != NO_FLOW)
            flow_arrived(w, p);
    } else {
        report_fate(w, node, p, st);
    }
    if (fate == HD_SIM_HOP_LIMIT && s->checks.loops)
        sim_fail(s, "a packet from node %u ran out of hops at node %u", p->source, node);
    packet_free(w, p);
}

static void go_on(struct worker *w, uint32_t node, struct packet *p, const struct step *st)
{
    if (st->pushed)
        p->encap_at = w->now;
    if (st->next == HD_SIM_NONE) {
        end_packet(w, node, p, st);
        return;
    }
    w->stats.packet_hops++;
    if (st->repaired) {
        w->stats.repaired++;
        report_repair(w, node, p, st);
    }
    count_usage(w, node, HD_OBJ_ADJ, st->adj, p->size);
    count_usage(w, node, HD_OBJ_LABEL, st->label_index, p->size);
    link_send_packet(w, &w->s->ends[st->next], p);
}

void packet_arrive(struct worker *w, uint32_t node, struct packet *p)
{
    const struct end *in = &w->s->ends[p->end];
    struct step st = {.fate = HD_SIM_LINK_LOST, .next = HD_SIM_NONE};
    if (p->epoch == w->s->links[in->link].epoch)
        packet_step(w->s, node, in, p, &st);
    go_on(w, node, p, &st);
}

void packet_originate(struct worker *w, uint32_t from, struct packet *p)
{
    struct step st;
    w->stats.packets_sent++;
    if (w->s->nodes[from].router != NULL)
        note_flow(w, from, p);
    packet_step(w->s, from, NULL, p, &st);
    go_on(w, from, p, &st);
}

uint32_t hd_sim_add_flow(struct hd_sim *s, uint32_t from, uint32_t to)
{
    if (s->flow_count == s->flow_cap)
        s->flows = hd_sim_more(s->pool, s->flows, &s->flow_cap, sizeof *s->flows);
    s->flows[s->flow_count] = (struct hd_sim_flow){.from = from, .to = to};
    if (s->group != NULL) {
        if (s->flow_count == s->flow_sums_cap)
            s->flow_sums =
                hd_sim_more(s->pool, s->flow_sums, &s->flow_sums_cap, sizeof *s->flow_sums);
        s->flow_sums[s->flow_count] = s->flows[s->flow_count];
    }
    return s->flow_count++;
}

const struct hd_sim_flow *hd_sim_flow(const struct hd_sim *s, uint32_t flow)
{
    return s->group != NULL ? &s->flow_sums[flow] : &s->flows[flow];
}

uint32_t hd_sim_flow_count(const struct hd_sim *s)
{
    return s->flow_count;
}

/* From a node of the worker. */
void packet_probe(struct worker *w, uint32_t from, uint32_t to, uint32_t size, uint32_t flow)
{
    struct hd_sim *s = w->s;
    struct packet *p = packet_make(w, from, 0);
    p->to = hd_sim_address(s, to);
    p->size = size;
    if (flow < s->flow_count) {
        p->flow = flow;
        p->sequence = ++s->flows[flow].next_sequence;
        s->flows[flow].sent++;
    }
    packet_originate(w, from, p);
}

void hd_sim_send_packet(struct hd_sim *s, uint32_t from, uint32_t to, uint32_t size, uint32_t flow)
{
    if (sim_is_here(s, from))
        packet_probe(sim_enter(s, from), from, to, size, flow);
}

const char *hd_sim_fate_name(enum hd_sim_fate f)
{
    static const char *const names[HD_SIM_FATES] = {
        "arrived", "no-route",     "unreachable", "label-unknown", "egress-dead", "hop-limit",
        "too-big", "not-admitted", "link-lost",   "node-dead",     "loop",
    };
    return (unsigned)f < HD_SIM_FATES ? names[f] : "unknown";
}
