/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces and hellos (kira.md 5.2). A usable interface that comes up says hello at once, then at
 * 200 ms doubling to 30 s. Whenever the own set of neighbours changes, all interfaces say so within
 * 10 ms: the gap gathers the many changes of a start into one hello.
 *
 * This file also keeps the neighbours' addresses in the durable store, so that a router process
 * that was killed resumes with the same neighbours and the same sequence number, and nobody
 * notices.
 */
#include "core/kira/state.h"

/* Where the system numbered them one after the other, as it does, the number says the place. */
struct kira_interface *kira_interface_find(struct kira *k, uint32_t ifindex)
{
    uint32_t at = k->interfaces.len == 0 ? 0 : ifindex - k->interfaces.v[0]->ifindex;

    if (at < k->interfaces.len && k->interfaces.v[at]->ifindex == ifindex)
        return k->interfaces.v[at];
    for (uint32_t i = 0; i < k->interfaces.len; i++)
        if (k->interfaces.v[i]->ifindex == ifindex)
            return k->interfaces.v[i];
    return NULL;
}

static bool kira_interface_ready(const struct kira_interface *i)
{
    return i->up && i->usable && hd_ip6_is_link_local(&i->link_local);
}

static struct kira_interface *kira_interface_add(struct kira_call *x, uint32_t ifindex)
{
    struct kira *k = x->k;
    struct kira_interface *i;

    if (k->interfaces.len >= HD_KIRA_INTERFACES_MAX)
        return NULL;
    i = hd_pool_alloc(x->c->pool, sizeof *i);
    if (i == NULL || hd_vec_push(x->c->pool, &k->interfaces, i) != 0) {
        hd_pool_free(x->c->pool, i, sizeof *i);
        kira_no_memory(x);
        return NULL;
    }
    i->ifindex = ifindex;
    return i;
}

static void kira_interface_remove(struct kira_call *x, struct kira_interface *i)
{
    struct kira *k = x->k;

    kira_disarm(x, &i->hello);
    for (uint32_t n = 0; n < k->interfaces.len; n++)
        if (k->interfaces.v[n] == i) {
            hd_vec_remove(&k->interfaces, n);
            break;
        }
    hd_pool_free(x->c->pool, i, sizeof *i);
}

static void kira_interface_copy(struct kira_interface *i, const struct hd_in_interface *in)
{
    memcpy(i->name, in->name, sizeof i->name);
    i->name[sizeof i->name - 1] = 0;
    i->up = in->up && !in->gone;
    i->usable = in->usable;
    i->why_not = in->why_not;
    i->mtu = in->mtu;
    i->mac = in->mac;
    i->link_local = in->link_local;
}

void kira_interface_input(struct kira_call *x, const struct hd_in_interface *in)
{
    struct kira_interface *i = kira_interface_find(x->k, in->ifindex);

    if (i == NULL && (in->gone || (i = kira_interface_add(x, in->ifindex)) == NULL))
        return;
    bool was_ready = kira_interface_ready(i);
    bool moved = !hd_mac_equal(&i->mac, &in->mac) || !hd_ip6_equal(&i->link_local, &in->link_local);
    kira_interface_copy(i, in);
    bool ready = kira_interface_ready(i);
    if (was_ready && !ready) {
        kira_disarm(x, &i->hello);
        kira_links_of_interface_down(x, i->ifindex);
    }
    /* Neighbours refuse packets from a MAC address that they do not know: tell them the new one. */
    if (ready && (!was_ready || moved)) {
        i->hello_interval = HD_KIRA_HELLO_FIRST;
        kira_arm(x, &i->hello, KIRA_T_HELLO, x->c->now);
    }
    if (was_ready != ready || in->gone)
        kira_event(x, HD_KIRA_EV_INTERFACE, 0, 0, i->ifindex, ready);
    if (in->gone)
        kira_interface_remove(x, i);
}

static void kira_hello_send(struct kira_call *x, const struct kira_interface *i)
{
    static const struct hd_id all = {
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    static const struct hd_ip6 group = {{0xff, 0x02, [15] = 0x01}};
    struct kira_out o;

    if (!kira_out_begin(x, &o, HD_KIRA_HELLO, 0, &all, kira_msg_id(x), 0))
        return;
    kira_out_to(x, &o, i->ifindex, &group);
}

void kira_hello_due(struct kira_call *x, struct kira_interface *i)
{
    if (x->k->resting)
        return;
    kira_hello_send(x, i);
    kira_arm(x, &i->hello, KIRA_T_HELLO, x->c->now + kira_jitter(x, i->hello_interval));
    i->hello_interval = hd_time_min(2 * i->hello_interval, HD_KIRA_HELLO_LAST);
}

/* A neighbour fell silent on a working interface: if it comes back, it shall be found soon. */
void kira_hello_restart(struct kira_call *x, uint32_t ifindex)
{
    struct kira_interface *i = kira_interface_find(x->k, ifindex);

    if (i == NULL || !kira_interface_ready(i) || x->k->stopping || x->k->resting)
        return;
    i->hello_interval = HD_KIRA_HELLO_FIRST;
    kira_arm(x, &i->hello, KIRA_T_HELLO, x->c->now + kira_jitter(x, HD_KIRA_HELLO_FIRST));
}

/* The regular hello is drawn forward; its interval goes on as it was. */
void kira_hello_all(struct kira_call *x, hd_time within)
{
    struct kira *k = x->k;
    hd_time at = x->c->now + within;

    if (k->stopping || k->resting)
        return;
    for (uint32_t n = 0; n < k->interfaces.len; n++) {
        struct kira_interface *i = k->interfaces.v[n];
        if (kira_interface_ready(i) && (!hd_timer_armed(&i->hello) || i->hello.at > at))
            kira_arm(x, &i->hello, KIRA_T_HELLO, at);
    }
}

/* --- the durable list of neighbours -------------------------------------------------------------
 */

#define KIRA_SAVED_LINK 40 /* id 14, ifindex 4, link-local 16, MAC 6 */

static bool kira_link_saved(const struct kira_link *l)
{
    return !l->dead;
}

static void kira_save_list(struct kira_call *x)
{
    struct kira *k = x->k;
    uint32_t links = 0;
    struct hd_effect *e;

    for (uint32_t i = 0; i < k->ulns.len; i++)
        for (uint32_t j = 0; j < k->ulns.v[i]->links_len; j++)
            links += kira_link_saved(k->ulns.v[i]->links[j]);
    links = HD_MIN(links, 512u);
    if (k->stopping || !hd_fx_room(x->c->fx, 4 + links * KIRA_SAVED_LINK))
        return;
    e = hd_fx_append(x->c->fx, x->c->core, HD_FX_SAVE, 4 + links * KIRA_SAVED_LINK);
    if (e == NULL)
        return;
    e->u.save.key = HD_KIRA_SAVED_NEIGHBOURS;
    e->u.save.len = 4 + links * KIRA_SAVED_LINK;
    struct hd_writer w = hd_writer_make(hd_fx_payload(e), e->u.save.len);
    hd_write_u32(&w, k->ssn);
    for (uint32_t i = 0; i < k->ulns.len; i++)
        for (uint32_t j = 0; j < k->ulns.v[i]->links_len; j++) {
            const struct kira_link *l = k->ulns.v[i]->links[j];
            if (!kira_link_saved(l) || hd_writer_left(&w) < KIRA_SAVED_LINK)
                continue;
            hd_kira_write_id(&w, kira_id(x, k->ulns.v[i]->node));
            hd_write_u32(&w, l->ifindex);
            hd_write_bytes(&w, l->link_local.b, 16);
            hd_write_bytes(&w, l->mac.b, 6);
        }
}

/* What is saved has no sequence number: it is not to be resumed. */
void kira_save_no_neighbours(struct kira_call *x)
{
    struct hd_effect *e;

    if (x->k->stopping || !hd_fx_room(x->c->fx, 4) ||
        (e = hd_fx_append(x->c->fx, x->c->core, HD_FX_SAVE, 4)) == NULL)
        return;
    e->u.save.key = HD_KIRA_SAVED_NEIGHBOURS;
    e->u.save.len = 4;
    memset(hd_fx_payload(e), 0, 4);
}

/*
 * A restart with an old sequence number would look like a twin. So when a neighbour comes and goes
 * all the time, what is saved at once is that nothing is saved, and the list follows with the tick.
 */
void kira_save_neighbours(struct kira_call *x)
{
    if (kira_take_token(x, &x->k->saves, HD_KIRA_RATE_SAVE)) {
        x->k->save_late = false;
        kira_save_list(x);
    } else if (!x->k->save_late) {
        x->k->save_late = true;
        kira_save_no_neighbours(x);
    }
}

void kira_save_tick(struct kira_call *x)
{
    if (x->k->save_late && !x->k->resting)
        kira_save_neighbours(x);
}

bool kira_resume_neighbours(struct kira_call *x, const void *bytes, uint32_t len)
{
    struct hd_reader r = hd_reader_make(bytes, len);
    uint32_t ssn = hd_read_u32(&r);

    if (ssn == HD_KIRA_SSN_INVALID || ssn == HD_KIRA_SSN_RESET)
        return false;
    x->k->ssn = ssn;
    while (hd_reader_left(&r) >= KIRA_SAVED_LINK) {
        struct hd_id id;
        struct hd_ip6 link_local;
        struct hd_mac mac;
        memcpy(id.b, hd_read_bytes(&r, HD_ID_BYTES), HD_ID_BYTES);
        uint32_t ifindex = hd_read_u32(&r);
        memcpy(link_local.b, hd_read_bytes(&r, 16), 16);
        memcpy(mac.b, hd_read_bytes(&r, 6), 6);
        hd_node node = hd_ids_intern(x->c->ids, &id);
        if (node == 0 || node == x->k->self ||
            kira_link_adopt(x, node, ifindex, &link_local, &mac) == NULL)
            return false;
    }
    /* only now, so that the questions carry the whole list that goes with the number */
    for (uint32_t i = 0; i < x->k->ulns.len; i++)
        kira_ask(x, x->k->ulns.v[i]);
    kira_join_soon(x, true);
    return true;
}
