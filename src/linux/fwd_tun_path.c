/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a packet in the `tun` back-end (kira.md 7.1, forwarding-on-linux.md 2.3 and 3).
 * It mirrors bpf/kira0.bpf.c and bpf/link.bpf.c case by case, and looks up routes and labels in the
 * router's own model: there is no second table.
 *
 *   from kira0   look up the destination; plain to a neighbour, with an outer header to anybody
 *                else
 *   from a link  admission; then swap the label, or the path ends: deliver, or go on over another
 *                path by changing the outer header in place (overlay hop), or plain to a neighbour
 *
 * Where the egress is down a packet takes the way round it that a guard knows, once in its life
 * (model/fwd.h). That an egress is down is what the router says: the carrier is not read here.
 */
#include <string.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "linux/fwd_tun.h"

#define UNREACHABLE   ((struct hd_icmp_error){.type = HD_ICMP_UNREACHABLE})
#define TIME_EXCEEDED ((struct hd_icmp_error){.type = HD_ICMP_TIME_EXCEEDED})

static const struct hd_icmp_error no_error;

/* --- headers
 * -------------------------------------------------------------------------------------- */

#define AT_PAYLOAD_LEN 4
#define AT_NEXT_HEADER 6
#define AT_HOP_LIMIT   7
#define AT_SOURCE      8
#define AT_DESTINATION 24

static struct hd_ip6 address_at(const uint8_t *ip, uint32_t offset)
{
    struct hd_ip6 a;
    memcpy(a.b, ip + offset, sizeof a.b);
    return a;
}

static uint16_t prefix_at(const uint8_t *ip, uint32_t offset)
{
    return (uint16_t)(ip[offset] << 8 | ip[offset + 1]);
}

static uint8_t traffic_class(const uint8_t *ip)
{
    return (uint8_t)(ip[0] << 4 | ip[1] >> 4);
}

/* The two ECN bits are the upper half of the second byte's upper half. */
static void set_ecn(uint8_t *ip, int ecn)
{
    ip[1] = (uint8_t)((ip[1] & 0xcf) | ecn << 4);
}

static bool is_multicast(const struct hd_ip6 *a)
{
    return a->b[0] == 0xff;
}

/* A label as an address. */
static void put_label(const struct hd_tun *t, uint8_t *address, const struct hd_label *label)
{
    address[0] = (uint8_t)(t->label_prefix >> 8);
    address[1] = (uint8_t)t->label_prefix;
    memcpy(address + 2, label->b, sizeof label->b);
}

/* A flow keeps to one path in networks that balance by label (RFC 6438). */
static uint32_t flow_label(const struct hd_tun *t, const uint8_t *ip, uint32_t len)
{
    uint8_t key[36] = {0};
    memcpy(key, ip + AT_SOURCE, 32);
    bool has_ports = ip[AT_NEXT_HEADER] == IPPROTO_TCP || ip[AT_NEXT_HEADER] == IPPROTO_UDP;
    if (has_ports && len >= HD_IP6_BYTES + 4) {
        memcpy(key + 32, ip + HD_IP6_BYTES, 4);
    }
    return (uint32_t)hd_hash64(t->reports->salt, key, sizeof key) & HD_TUN_FLOW_MASK;
}

static bool is_repaired(const uint8_t *ip)
{
    return (ip[1] & HD_TUN_MARK) != 0;
}

/* How a packet leaves. */
struct leaving {
    uint32_t adj; /* that of the entry, also when another is taken */
    uint32_t mtu;
    const struct hd_adj_value *to;
    bool encap, repaired;
    struct hd_label label;
    struct hd_label carry; /* with `repaired`; none: the path ends where the way round does */
};

/* Destination, and after a repair what is carried and the mark; else the source stays. */
static void write_outer(const struct hd_tun *t, uint8_t *ip, const struct leaving *l)
{
    put_label(t, ip + AT_DESTINATION, &l->label);
    if (!l->repaired) {
        return;
    }
    if (!hd_label_is_none(&l->carry)) {
        put_label(t, ip + AT_SOURCE, &l->carry);
    }
    ip[1] |= HD_TUN_MARK;
}

static void build_outer(const struct hd_tun *t, uint8_t outer[HD_ENCAP_BYTES],
                        const struct hd_tun_packet *p, const struct leaving *l)
{
    struct hd_writer w = hd_writer_make(outer, HD_ENCAP_BYTES);
    hd_write_u32(&w, 6u << 28 | (uint32_t)traffic_class(p->bytes) << 20 |
                         flow_label(t, p->bytes, p->len));
    hd_write_u16(&w, (uint16_t)(p->len + HD_ENCAP_BYTES - HD_IP6_BYTES));
    hd_write_u8(&w, IPPROTO_GRE);
    hd_write_u8(&w, HD_TUN_HOP_LIMIT);
    hd_write_bytes(&w, t->own.b, sizeof t->own.b);
    hd_write_bytes(&w, t->own.b, sizeof t->own.b); /* the destination follows */
    hd_write_u32(&w, HD_TUN_GRE);
    HD_ASSERT(!w.bad);
    write_outer(t, outer, l);
}

/* --- dropping
 * ------------------------------------------------------------------------------------- */

static void drop(struct hd_tun *t, enum hd_tun_counter why)
{
    t->counters[why]++;
}

/* A report (kind 0: none) and an ICMPv6 error (type 0: none) about the IPv6 header at `at`, both
 * within the limits. */
static void tell(struct hd_tun *t, struct hd_in_report *r, struct hd_icmp_error e,
                 const struct hd_tun_packet *p, uint32_t at)
{
    const uint8_t *ip = p->bytes + at;
    if (!hd_tun_may_report(t->reports, (uint32_t)r->kind << 16 | (uint32_t)e.type << 8 | e.code, ip,
                           t->now)) {
        drop(t, HD_TUN_REPORTS_LIMITED);
        return;
    }
    if (r->kind != 0) {
        r->to = address_at(ip, AT_DESTINATION);
        r->source = address_at(ip, AT_SOURCE);
        if (prefix_at(ip, AT_DESTINATION) == t->label_prefix) { /* else the caller's, or none */
            memcpy(r->label.b, ip + AT_DESTINATION + 2, sizeof r->label.b);
        }
        t->sink->report(t->sink->user, r);
    }
    /* On its way round a packet carries a label where its sender should be: nobody is told. */
    if (e.type != 0 && prefix_at(ip, AT_SOURCE) != t->label_prefix) {
        t->sink->icmp_error(t->sink->user, e.type, e.code, e.value, ip, p->len - at);
    }
}

/* Drops a packet and tells of it. */
static void refuse(struct hd_tun *t, enum hd_tun_counter why, struct hd_in_report *r,
                   struct hd_icmp_error e, const struct hd_tun_packet *p, uint32_t at)
{
    drop(t, why);
    tell(t, r, e, p, at);
}

static void refuse_plainly(struct hd_tun *t, enum hd_tun_counter why, struct hd_icmp_error e,
                           const struct hd_tun_packet *p, uint32_t at)
{
    struct hd_in_report none = {0};
    refuse(t, why, &none, e, p, at);
}

/* No entry leads on: an error for the sender, and news for the router when nothing matched at all.
 */
static void no_way(struct hd_tun *t, const struct hd_route_entry *route,
                   const struct hd_tun_packet *p, uint32_t at)
{
    struct hd_in_report r = {.kind = route == NULL ? HD_REPORT_NO_ROUTE : 0};
    refuse(t, route == NULL ? HD_TUN_DROP_NO_ROUTE : HD_TUN_DROP_UNREACHABLE, &r, UNREACHABLE, p,
           at);
}

/* --- leaving
 * --------------------------------------------------------------------------------------- */

/* Where an adjacency leads; false when it is not, or no longer, known. */
static bool find_egress(const struct hd_tun *t, uint32_t adj, struct leaving *l)
{
    const struct hd_adj *a = hd_model_adj(t->model, adj);
    l->mtu = a != NULL ? hd_tun_mtu(t, a->v.ifindex) : 0;
    l->to = a != NULL ? &a->v : NULL;
    return l->mtu != 0;
}

static bool take_guard(const struct hd_tun *t, const struct hd_repair *r, struct leaving *l)
{
    const struct hd_guard *g = r->guard != 0 ? hd_model_guard(t->model, r->guard) : NULL;
    bool carries = !hd_label_is_none(&r->then);
    if (g == NULL || !g->o.wanted || g->v.adj == 0 || (carries && !hd_label_is_none(&g->v.then)) ||
        !find_egress(t, g->v.adj, l) || l->to->down) {
        return false;
    }
    l->carry = carries ? r->then : g->v.then;
    l->label = g->v.out;
    l->repaired = l->encap = true;
    return true;
}

/*
 * The way round: the entry's own guard, with what it carries; else that of the adjacency, which
 * leads to the next node and carries the label that the packet would have had there.
 */
static bool go_round(const struct hd_tun *t, const struct hd_repair *own, struct leaving *l)
{
    const struct hd_adj *a = hd_model_adj(t->model, l->adj);
    const struct hd_repair link = {.guard = a != NULL ? a->v.guard : 0, .then = l->label};
    return take_guard(t, own, l) || (l->encap && take_guard(t, &link, l));
}

/*
 * Finds the egress of l->adj for the packet whose header at `at` counts, or the way round it; false
 * when the packet was dropped. `own`: the label is one that we would give it.
 */
static bool find_leaving(struct hd_tun *t, uint16_t repair, struct leaving *l,
                         const struct hd_tun_packet *p, uint32_t at, bool own)
{
    struct hd_in_report r = {.kind = HD_REPORT_EGRESS_DEAD, .adj = l->adj};
    if (!find_egress(t, l->adj, l)) {
        drop(t, HD_TUN_DROP_NO_EGRESS);
        return false;
    }
    if (!l->to->down) {
        return true;
    }
    if (own && l->encap) {
        r.label = l->label;
    }
    /* Of one that goes on over another path the mark ends here: it is nearer to its destination. */
    if (!own && is_repaired(p->bytes)) {
        refuse(t, HD_TUN_DROP_REPAIRED, &r, no_error, p, at);
        return false;
    }
    const struct hd_repair way = hd_model_repair(t->model, repair);
    if (!go_round(t, &way, l)) {
        refuse(t, HD_TUN_DROP_EGRESS_DEAD, &r, no_error, p, at);
        return false;
    }
    r.kind = HD_REPORT_REPAIRED;
    tell(t, &r, no_error, p, at);
    t->counters[HD_TUN_REPAIRED]++;
    return true;
}

/*
 * The part that packets from kira0 and packets at an overlay hop have in common: the route leads on
 * to somebody else, the packet's own header is at `at`. Finds the egress and checks the size.
 */
static bool check_onward(struct hd_tun *t, const struct hd_route_entry *route, struct leaving *l,
                         const struct hd_tun_packet *p, uint32_t at)
{
    *l = (struct leaving){
        .adj = route->v.adj, .encap = route->v.act == HD_ROUTE_ENCAP, .label = route->v.out};
    if (!find_leaving(t, route->repair, l, p, at, true)) {
        return false;
    }
    uint32_t mtu = l->encap ? l->mtu - HD_ENCAP_BYTES : l->mtu;
    if (route->v.mtu != 0 && route->v.mtu < mtu) {
        mtu = route->v.mtu;
    }
    mtu = HD_MAX(mtu, (uint32_t)HD_INNER_MTU);
    if (hd_tun_wire_len(p) - at > mtu) {
        struct hd_icmp_error e = {.type = HD_ICMP_TOO_BIG, .value = mtu};
        refuse_plainly(t, HD_TUN_DROP_TOO_BIG, e, p, at);
        return false;
    }
    return true;
}

static void note_flow(struct hd_tun *t, const struct hd_ip6 *to, uint32_t adj)
{
    uint64_t packets = hd_tun_note_flow(t->reports, to, t->now);
    if (packets > 0) {
        struct hd_in_report r = {.kind = HD_REPORT_FLOW, .adj = adj, .packets = packets, .to = *to};
        t->sink->report(t->sink->user, &r);
    }
}

/* --- from kira0
 * ------------------------------------------------------------------------------------ */

void hd_tun_from_device(struct hd_tun *t, struct hd_tun_packet *p)
{
    if (hd_tun_normalise(p) != HD_OK || hd_tun_is_gso(p)) {
        drop(t, HD_TUN_DROP_MALFORMED);
        return;
    }
    struct hd_ip6 to = address_at(p->bytes, AT_DESTINATION);
    /* The kernel's own chatter: these scopes have no meaning here. */
    if (is_multicast(&to) || hd_ip6_is_link_local(&to)) {
        return;
    }
    const struct hd_route_entry *route = hd_model_route_lookup(t->model, &to);
    if (route == NULL || route->v.act == HD_ROUTE_UNREACHABLE) {
        no_way(t, route, p, 0);
        return;
    }
    /* The kernel holds our addresses as local: this one went away, and would come back here. */
    if (route->v.act == HD_ROUTE_LOCAL) {
        drop(t, HD_TUN_DROP_NOT_OURS);
        return;
    }
    struct leaving out;
    if (!check_onward(t, route, &out, p, 0)) {
        return;
    }
    note_flow(t, &to, out.adj);
    if (!out.encap) {
        if (hd_tun_send(t, out.to, NULL, 0, p, 0)) {
            t->counters[HD_TUN_DIRECT]++;
        }
        return;
    }
    uint8_t outer[HD_ENCAP_BYTES];
    build_outer(t, outer, p, &out);
    if (hd_tun_send(t, out.to, outer, sizeof outer, p, 0)) {
        t->counters[HD_TUN_ENCAPSULATED]++;
    }
}

/* --- from a link
 * ----------------------------------------------------------------------------------- */

/* Removes the outer header, moving congestion marks inwards (RFC 6040); false when dropped. */
static bool pop(struct hd_tun *t, struct hd_tun_packet *p)
{
    uint8_t *inner = p->bytes + HD_ENCAP_BYTES;
    int ecn = hd_tun_ecn(traffic_class(p->bytes) & 3, traffic_class(inner) & 3);
    if (ecn < 0) {
        drop(t, HD_TUN_DROP_ECN);
        return false;
    }
    set_ecn(inner, ecn);
    hd_tun_strip(p, HD_ENCAP_BYTES);
    return true;
}

static void pop_and_deliver(struct hd_tun *t, struct hd_tun_packet *p)
{
    if (pop(t, p)) {
        hd_tun_deliver(t, p);
    }
}

/* The path ended here, and the packet is for somebody else whom we know. */
static void onward(struct hd_tun *t, const struct hd_route_entry *route, const struct hd_ip6 *to,
                   struct hd_tun_packet *p)
{
    uint8_t *inner = p->bytes + HD_ENCAP_BYTES;
    struct leaving out;
    if (inner[AT_HOP_LIMIT] <= 1) {
        refuse_plainly(t, HD_TUN_DROP_HOP_LIMIT, TIME_EXCEEDED, p, HD_ENCAP_BYTES);
        return;
    }
    if (!check_onward(t, route, &out, p, HD_ENCAP_BYTES)) {
        return;
    }
    note_flow(t, to, out.adj);
    if (!out.encap) {
        if (!pop(t, p)) {
            return;
        }
        p->bytes[AT_HOP_LIMIT]--;
        if (hd_tun_send(t, out.to, NULL, 0, p, 0)) {
            t->counters[HD_TUN_OVERLAY]++;
        }
        return;
    }
    memcpy(p->bytes + AT_SOURCE, t->own.b, sizeof t->own.b);
    p->bytes[1] &= (uint8_t)~HD_TUN_MARK;
    write_outer(t, p->bytes, &out);
    p->bytes[AT_HOP_LIMIT] = HD_TUN_HOP_LIMIT;
    inner[AT_HOP_LIMIT]--;
    if (hd_tun_send(t, out.to, NULL, 0, p, HD_ENCAP_BYTES)) {
        t->counters[HD_TUN_OVERLAY]++;
    }
}

/* True when the packet is IPv6 in GRE as we make it, with lengths that fit. */
static bool is_encapsulated(const struct hd_tun_packet *p)
{
    const uint8_t *ip = p->bytes;
    struct hd_reader r = hd_reader_make(ip + HD_IP6_BYTES, p->len - HD_IP6_BYTES);
    if (ip[AT_NEXT_HEADER] != IPPROTO_GRE || hd_read_u32(&r) != HD_TUN_GRE ||
        hd_reader_left(&r) < HD_IP6_BYTES || *r.at >> 4 != 6) {
        return false;
    }
    uint32_t len = prefix_at(r.at, AT_PAYLOAD_LEN) + HD_IP6_BYTES;
    return hd_tun_is_gso(p)
               ? p->vnet.csum_start >= HD_ENCAP_BYTES + HD_IP6_BYTES
               : len == hd_reader_left(&r) &&
                     (p->vnet.flags == 0 || p->vnet.csum_start >= HD_ENCAP_BYTES + HD_IP6_BYTES);
}

/* Where a packet came in. */
struct arrival {
    uint32_t ifindex;
    const struct hd_mac *from;
};

/*
 * True when a packet for our own address, whose header is at `at`, may go on. KIRA's notices are
 * small: whatever else has its port is nobody's who keeps to the protocol.
 */
static bool may_enter(struct hd_tun *t, const struct hd_tun_packet *p, uint32_t at,
                      const struct arrival *a)
{
    struct hd_reader r = hd_reader_make(p->bytes + at, p->len - at);
    bool whole = !hd_tun_is_gso(p);
    hd_read_bytes(&r, AT_NEXT_HEADER);
    uint8_t next = hd_read_u8(&r);
    hd_read_bytes(&r, HD_IP6_BYTES - AT_NEXT_HEADER - 1);
    if (next == IPPROTO_FRAGMENT) {
        next = hd_read_u8(&r);
        hd_read_u8(&r);
        uint16_t offset = hd_read_u16(&r);
        hd_read_u32(&r);
        if ((offset & 0xfff8) != 0) {
            return true; /* without its first part no packet is whole */
        }
        whole = false;
    }
    hd_read_u16(&r);
    uint16_t port = hd_read_u16(&r);
    if (r.bad || next != IPPROTO_UDP || port != HD_KIRA_UDP_PORT ||
        (whole && hd_tun_may_enter(t->reports, a->ifindex, a->from, t->now))) {
        return true;
    }
    drop(t, HD_TUN_DROP_POLICED);
    return false;
}

/* For our own address, where KIRA's own socket is. */
static void end_here(struct hd_tun *t, struct hd_tun_packet *p, const struct arrival *a)
{
    if (may_enter(t, p, HD_ENCAP_BYTES, a)) {
        pop_and_deliver(t, p);
    }
}

static void path_end(struct hd_tun *t, struct hd_tun_packet *p, const struct arrival *a)
{
    if (!is_encapsulated(p)) {
        drop(t, HD_TUN_DROP_MALFORMED);
        return;
    }
    const uint8_t *inner = p->bytes + HD_ENCAP_BYTES;
    struct hd_ip6 to = address_at(inner, AT_DESTINATION);
    if (hd_ip6_equal(&to, &t->own)) {
        end_here(t, p, a);
        return;
    }
    /* A header within a header: nobody makes that. */
    uint16_t prefix = prefix_at(inner, AT_DESTINATION);
    if (prefix == t->label_prefix || is_multicast(&to) || hd_ip6_is_link_local(&to)) {
        drop(t, HD_TUN_DROP_MALFORMED);
        return;
    }
    const struct hd_route_entry *route = hd_model_route_lookup(t->model, &to);
    if (route != NULL && route->v.act == HD_ROUTE_LOCAL) {
        end_here(t, p, a);
    } else if (route == NULL && prefix != t->node_prefix) {
        pop_and_deliver(t, p);
    } else if (route == NULL || route->v.act == HD_ROUTE_UNREACHABLE) {
        no_way(t, route, p, HD_ENCAP_BYTES);
    } else {
        onward(t, route, &to, p);
    }
}

static void swap(struct hd_tun *t, const struct hd_label_entry *l, struct hd_tun_packet *p)
{
    struct leaving out = {.adj = l->v.adj, .encap = true, .label = l->v.out};
    if (p->bytes[AT_HOP_LIMIT] <= 1) {
        refuse_plainly(t, HD_TUN_DROP_HOP_LIMIT, TIME_EXCEEDED, p, 0);
        return;
    }
    if (!find_leaving(t, l->repair, &out, p, 0, false)) {
        return;
    }
    if (hd_tun_wire_len(p) > out.mtu) {
        struct hd_icmp_error e = {.type = HD_ICMP_TOO_BIG, .value = out.mtu};
        refuse_plainly(t, HD_TUN_DROP_TOO_BIG, e, p, 0);
        return;
    }
    write_outer(t, p->bytes, &out);
    p->bytes[AT_HOP_LIMIT]--;
    /* Only a super-packet has to be understood to be passed on. */
    if (hd_tun_is_gso(p) && !is_encapsulated(p)) {
        drop(t, HD_TUN_DROP_MALFORMED);
    } else if (hd_tun_send(t, out.to, NULL, 0, p, HD_ENCAP_BYTES)) {
        t->counters[HD_TUN_SWAPPED]++;
    }
}

static void labelled(struct hd_tun *t, struct hd_tun_packet *p, const struct arrival *a)
{
    struct hd_label key;
    memcpy(key.b, p->bytes + AT_DESTINATION + 2, sizeof key.b);
    const struct hd_label_entry *l = hd_model_label_find(t->model, &key);
    /* A way round ends here: the packet goes on under the label that it carried. Once: the source
     * is no label after that. */
    if (l != NULL && l->v.act == HD_LABEL_DECAP &&
        prefix_at(p->bytes, AT_SOURCE) == t->label_prefix) {
        memcpy(p->bytes + AT_DESTINATION, p->bytes + AT_SOURCE, sizeof t->own.b);
        memcpy(p->bytes + AT_SOURCE, t->own.b, sizeof t->own.b);
        memcpy(key.b, p->bytes + AT_DESTINATION + 2, sizeof key.b);
        t->counters[HD_TUN_RESTORED]++;
        l = hd_model_label_find(t->model, &key);
    }
    if (l == NULL) {
        struct hd_in_report r = {.kind = HD_REPORT_LABEL_UNKNOWN};
        refuse(t, HD_TUN_DROP_LABEL_UNKNOWN, &r, UNREACHABLE, p, 0);
    } else if (l->v.act == HD_LABEL_SWAP) {
        swap(t, l, p);
    } else {
        path_end(t, p, a);
    }
}

/*
 * One-hop traffic. Plain packets for another node's address are a route on its way out or a lie:
 * nobody has to lower their hop limit, so they are not sent on. Those for foreign prefixes are for
 * hosts behind us and go to the kernel's routing; link-local and multicast destinations with a
 * node's source are dropped, because on kira0 they would mean another link.
 */
static void plain(struct hd_tun *t, struct hd_tun_packet *p, const struct arrival *a)
{
    struct hd_ip6 to = address_at(p->bytes, AT_DESTINATION);
    bool ours = hd_ip6_equal(&to, &t->own);
    if (ours && !may_enter(t, p, 0, a)) {
        return;
    }
    if ((!ours && prefix_at(p->bytes, AT_DESTINATION) == t->node_prefix) || is_multicast(&to) ||
        hd_ip6_is_link_local(&to)) {
        drop(t, HD_TUN_DROP_NOT_OURS);
        return;
    }
    hd_tun_deliver(t, p);
}

void hd_tun_from_link(struct hd_tun *t, struct hd_tun_packet *p, uint32_t ifindex,
                      const struct hd_mac *from)
{
    const struct arrival a = {ifindex, from};
    if (hd_tun_mtu(t, ifindex) == 0) {
        drop(t, HD_TUN_DROP_GUARD);
        return;
    }
    if (!hd_tun_admitted(t, ifindex, from)) {
        drop(t, HD_TUN_DROP_NOT_ADMITTED);
        return;
    }
    if (hd_tun_normalise(p) != HD_OK) {
        drop(t, HD_TUN_DROP_MALFORMED);
    } else if (prefix_at(p->bytes, AT_DESTINATION) == t->label_prefix) {
        labelled(t, p, &a);
    } else if (prefix_at(p->bytes, AT_SOURCE) == t->label_prefix) {
        drop(t, HD_TUN_DROP_MALFORMED);
    } else {
        plain(t, p, &a);
    }
}
