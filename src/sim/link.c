/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: what they do to a datagram or packet between two ends.
 *
 * A link serialises at its rate behind a queue of limited bytes, then adds delay and jitter; it
 * loses, duplicates, overtakes and corrupts at rates per million, each direction by random numbers
 * of its own. A datagram above the MTU travels as fragments (the carrier of KIRA leaves that
 * to IPv6): it arrives when all have, so each of them is a chance to lose it. Whatever was under
 * way when a link was cut or silenced does not arrive.
 */
#include "sim/engine.h"

#include "lib/hash.h"

#define IP_UDP_BYTES   48
#define ETHERNET_BYTES 14
#define LABEL_BYTES    44
#define FRAGMENT_BYTES 8

/* The values of a link, shared with all links that have the same ones. */
void link_make_values(struct hd_sim *s, uint32_t link, const struct hd_scenario_link *values)
{
    struct hd_scenario_link v;
    memset(&v, 0, sizeof v); /* they are compared as bytes */
    v.mtu = values->mtu;
    v.loss_ppm = values->loss_ppm;
    v.duplicate_ppm = values->duplicate_ppm;
    v.reorder_ppm = values->reorder_ppm;
    v.corrupt_ppm = values->corrupt_ppm;
    v.delay_ns = values->delay_ns;
    v.jitter_ns = values->jitter_ns;
    v.rate_bps = values->rate_bps;
    v.queue_bytes = values->queue_bytes;
    uint64_t hash = hd_hash64(3, &v, sizeof v);
    uint32_t at;
    if (hd_map_get(&s->link_values_index, hash, &at) &&
        memcmp(&s->link_values[at], &v, sizeof v) == 0) {
        s->links[link].values = at;
        return;
    }
    if (s->link_values_count == s->link_values_cap)
        s->link_values =
            hd_sim_more(s->pool, s->link_values, &s->link_values_cap, sizeof *s->link_values);
    at = s->link_values_count++;
    s->link_values[at] = v;
    s->links[link].values = at;
    HD_ASSERT(hd_map_set(&s->link_values_index, s->pool, hash, at) == 0);
}

bool link_carrier(const struct hd_sim *s, uint32_t link)
{
    const struct end *e = &s->ends[(size_t)link * 2];
    return !s->links[link].cut && s->nodes[e[0].node].powered && s->nodes[e[1].node].powered;
}

/* Frames from this end reach the other one, but for random losses. */
bool link_passes(const struct hd_sim *s, const struct end *from)
{
    unsigned direction = (unsigned)(from - s->ends) & 1u;
    return link_carrier(s, from->link) && !(s->links[from->link].silent >> direction & 1u);
}

/* Random numbers of a direction: what number it is says all, so there is no state to keep. */
static uint64_t draw(struct worker *w, struct end *from, uint64_t bound)
{
    uint64_t number = (uint64_t)sim_end_index(w->s, from) << 32 | from->draws++;
    uint64_t word = hd_mix64(hd_mix64(number + w->s->o.seed) ^ 0x11a5ULL);
    return (uint64_t)((unsigned __int128)word * bound >> 64);
}

static bool chance(struct worker *w, struct end *from, uint32_t ppm)
{
    return ppm > 0 && draw(w, from, HD_SCENARIO_MILLION) < ppm;
}

/* Time of arrival at the other end, HD_NEVER when the queue has no room. */
static hd_time serialise(struct worker *w, struct end *from, uint64_t bytes)
{
    const struct hd_scenario_link *o = sim_link(w->s, from->link);
    hd_time leaves = w->now;
    if (o->rate_bps > 0) {
        uint64_t room = o->queue_bytes > 0 ? o->queue_bytes : w->s->o.queue_bytes;
        hd_time start = HD_MAX(from->busy_until, w->now);
        unsigned __int128 backlog = (unsigned __int128)(uint64_t)(start - w->now) * o->rate_bps;
        if ((uint64_t)(backlog / 8000000000ULL) + bytes > room) {
            w->stats.lost_queue++;
            return HD_NEVER;
        }
        leaves = start + (hd_time)((unsigned __int128)bytes * 8000000000ULL / o->rate_bps);
        from->busy_until = leaves;
    }
    hd_time jitter = 0;
    if (o->jitter_ns > 0)
        jitter = (hd_time)draw(w, from, (uint64_t)o->jitter_ns + 1);
    /* a delay of nothing would let an effect meet its cause; parallel engines need it too */
    return leaves + HD_MAX(o->delay_ns, HD_US(1)) + jitter;
}

/* Overtaking: this one waits so long that those behind pass it. */
static hd_time overtake(struct worker *w, struct end *from, hd_time at)
{
    const struct hd_scenario_link *o = sim_link(w->s, from->link);
    if (!chance(w, from, o->reorder_ppm))
        return at;
    w->stats.reordered++;
    return at + HD_MAX(o->delay_ns, HD_US(1)) + (hd_time)draw(w, from, (uint64_t)HD_MS(1));
}

static void corrupt(struct worker *w, struct end *from, uint8_t *bytes, uint32_t len)
{
    if (len == 0 || !chance(w, from, sim_link(w->s, from->link)->corrupt_ppm))
        return;
    uint64_t at = draw(w, from, len);
    bytes[at] = (uint8_t)(bytes[at] ^ (1u << draw(w, from, 8)));
    w->stats.corrupted++;
}

static bool lost(struct worker *w, struct end *from, uint32_t pieces)
{
    if (!link_passes(w->s, from)) {
        w->stats.lost_silent++;
        return true;
    }
    for (uint32_t i = 0; i < pieces; i++) {
        if (chance(w, from, sim_link(w->s, from->link)->loss_ppm)) {
            w->stats.lost_link++;
            return true;
        }
    }
    return false;
}

static uint32_t fragments(struct worker *w, uint32_t bytes, uint32_t mtu)
{
    if (bytes <= mtu)
        return 1;
    uint32_t room = (mtu - 40 - FRAGMENT_BYTES) & ~7u;
    uint32_t pieces = (bytes - 40 + room - 1) / room;
    w->stats.fragmented++;
    w->stats.fragments += pieces;
    return pieces;
}

/* Takes the datagram. */
void link_send_datagram(struct worker *w, struct end *from, struct datagram *d)
{
    const struct hd_scenario_link *o = sim_link(w->s, from->link);
    struct end *to = sim_peer(w->s, from);
    uint32_t pieces = fragments(w, d->len + IP_UDP_BYTES, HD_MAX(o->mtu, 1280u));
    hd_time at =
        lost(w, from, pieces)
            ? HD_NEVER
            : serialise(w, from,
                        (uint64_t)d->len + (uint64_t)pieces * (IP_UDP_BYTES + ETHERNET_BYTES));
    if (at == HD_NEVER) {
        sim_seen(w->s, HD_SIM_LOST, from->node, from->link, d->number, d->bytes, d->len);
        hd_sim_slab_give(&w->slabs, d, d->size);
        return;
    }
    d->end = sim_end_index(w->s, to);
    d->epoch = w->s->links[from->link].epoch;
    d->from = sim_link_local(from);
    d->mac = sim_mac(from);
    if (chance(w, from, o->duplicate_ppm)) {
        struct datagram *copy = hd_sim_slab_take(&w->slabs, d->size);
        memcpy(copy, d, sizeof *d + d->len);
        w->stats.duplicated++;
        worker_push(w, overtake(w, from, at), to->node, from->node, false, EV_DATAGRAM, copy, 0);
    }
    corrupt(w, from, d->bytes, d->len);
    worker_push(w, overtake(w, from, at), to->node, from->node, false, EV_DATAGRAM, d, 0);
}

/* Takes the packet; its loss here is noticed by nobody. */
void link_send_packet(struct worker *w, struct end *from, struct packet *p)
{
    const struct hd_scenario_link *o = sim_link(w->s, from->link);
    struct end *to = sim_peer(w->s, from);
    uint32_t bytes = p->size + (p->encap ? LABEL_BYTES : 0) + ETHERNET_BYTES;
    hd_time at = lost(w, from, 1) ? HD_NEVER : serialise(w, from, bytes);
    if (at == HD_NEVER) {
        sim_seen(w->s, HD_SIM_LOST, from->node, from->link, p->number, p->payload, p->payload_len);
        packet_count_fate(w, p, HD_SIM_LINK_LOST);
        packet_free(w, p);
        return;
    }
    p->epoch = w->s->links[from->link].epoch;
    p->end = sim_end_index(w->s, to);
    if (chance(w, from, o->duplicate_ppm)) {
        struct packet *copy = hd_sim_slab_take(&w->slabs, p->block);
        memcpy(copy, p, sizeof *p + p->payload_len);
        w->stats.duplicated++;
        worker_push(w, overtake(w, from, at), to->node, from->node, false, EV_PACKET, copy, 0);
    }
    corrupt(w, from, p->payload, p->payload_len);
    worker_push(w, overtake(w, from, at), to->node, from->node, false, EV_PACKET, p, 0);
}

/* --- faults --------------------------------------------------------------------------------------
 */

static void show_link(struct hd_sim *s, uint32_t link)
{
    const struct link *l = &s->links[link];
    sim_seen(s, HD_SIM_LINK_CHANGED, s->ends[(size_t)link * 2].node, link,
             (link_carrier(s, link) ? 0u : 1u) | (uint32_t)l->silent << 1, NULL, 0);
}

/* Both ends hear of the carrier as it then is, after the detection time. */
void link_changed(struct hd_sim *s, uint32_t link)
{
    s->links[link].epoch++;
    for (uint32_t side = 0; side < 2; side++) {
        struct end *e = &s->ends[(size_t)link * 2 + side];
        e->busy_until = 0;
        sim_push(s, s->now + s->o.detect_ns, e->node, WORLD, false, EV_CARRIER, NULL,
                 sim_end_index(s, e));
    }
    show_link(s, link);
    sim_fault(s);
}

void hd_sim_cut(struct hd_sim *s, uint32_t link)
{
    if (s->links[link].cut)
        return;
    s->links[link].cut = true;
    link_changed(s, link);
}

void hd_sim_silence(struct hd_sim *s, uint32_t link, unsigned directions)
{
    s->links[link].silent = (uint8_t)(directions & 3u);
    s->links[link].epoch++;
    show_link(s, link);
    sim_fault(s);
}

void hd_sim_heal(struct hd_sim *s, uint32_t link)
{
    if (!s->links[link].cut && s->links[link].silent == 0)
        return;
    s->links[link].cut = false;
    s->links[link].silent = 0;
    link_changed(s, link);
}

void hd_sim_change_link(struct hd_sim *s, uint32_t link, const struct hd_scenario_link *values,
                        uint32_t fields)
{
    struct hd_scenario_link new_values = *sim_link(s, link), *o = &new_values;
    if (fields & HD_SCENARIO_F_LOSS)
        o->loss_ppm = values->loss_ppm;
    if (fields & HD_SCENARIO_F_DELAY)
        o->delay_ns = values->delay_ns;
    if (fields & HD_SCENARIO_F_JITTER)
        o->jitter_ns = values->jitter_ns;
    if (fields & HD_SCENARIO_F_RATE)
        o->rate_bps = values->rate_bps;
    if (fields & HD_SCENARIO_F_DUPLICATE)
        o->duplicate_ppm = values->duplicate_ppm;
    if (fields & HD_SCENARIO_F_REORDER)
        o->reorder_ppm = values->reorder_ppm;
    if (fields & HD_SCENARIO_F_CORRUPT)
        o->corrupt_ppm = values->corrupt_ppm;
    if (fields & HD_SCENARIO_F_MTU)
        o->mtu = values->mtu;
    link_make_values(s, link, o);
    windows_lookahead(s, link);
    if (fields & HD_SCENARIO_F_MTU) {
        for (uint32_t side = 0; side < 2; side++) {
            struct end *e = &s->ends[(size_t)link * 2 + side];
            e->told_up = !link_carrier(s, link); /* tell it again, with the new MTU */
            sim_push(s, s->now + s->o.detect_ns, e->node, WORLD, false, EV_CARRIER, NULL,
                     sim_end_index(s, e));
        }
    }
    sim_fault(s);
}
