/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of virtual interfaces (virtual.h).
 *
 * Turning active is short, because hosts are waiting: the link comes up, then its addresses are
 * there, one request each. Turning standby goes the other way round. A table is walked: there are
 * at most a thousand, and they change when somebody configures or a router fails.
 */
#include "linux/virtual.h"

#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/refuse.h"
#include "linux/virtual_internal.h"

/* --- the table ----------------------------------------------------------------------------------
 */

static struct hd_virtual_link *next(struct hd_virtual_table *t, struct hd_virtual_link *l)
{
    l = l == NULL ? t->v : l + 1;
    while (t->v != NULL && l < t->v + HD_VIRTUALS_MAX) {
        if (l->used) {
            return l;
        }
        l++;
    }
    return NULL;
}

struct hd_virtual_link *hd_virtual_find(struct hd_virtual_table *t, uint8_t owner, uint32_t ifindex,
                                        uint8_t family, uint8_t number)
{
    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        const struct hd_virtual_value *v = &l->wanted;
        if (l->owner == owner && v->ifindex == ifindex && v->family == family &&
            v->number == number) {
            return l;
        }
    }
    return NULL;
}

static struct hd_virtual_link *place(struct hd_virtual_table *t, uint8_t owner, uint32_t ifindex,
                                     uint8_t family, uint8_t number)
{
    struct hd_virtual_link *l = hd_virtual_find(t, owner, ifindex, family, number);

    if (l != NULL) {
        return l;
    }
    if (t->v == NULL) {
        t->v = calloc(HD_VIRTUALS_MAX, sizeof *t->v);
    }
    for (uint32_t i = 0; t->v != NULL && i < HD_VIRTUALS_MAX; i++) {
        l = &t->v[i];
        if (!l->used) {
            *l = (struct hd_virtual_link){
                .used = true,
                .owner = owner,
                .wanted = {.ifindex = ifindex, .family = family, .number = number}};
            t->count++;
            return l;
        }
    }
    return NULL;
}

static void forget(struct hd_virtual_table *t, struct hd_virtual_link *l)
{
    l->used = false;
    t->count--;
    t->refusals_stale = true;
}

static int find_in(const struct hd_ip6 *v, unsigned count, const struct hd_ip6 *a)
{
    for (unsigned i = 0; i < count; i++) {
        if (hd_ip6_equal(&v[i], a)) {
            return (int)i;
        }
    }
    return -1;
}

static bool has(const struct hd_virtual_link *l, const struct hd_ip6 *a)
{
    return find_in(l->addresses, l->count, a) >= 0;
}

static bool wants(const struct hd_virtual_link *l, const struct hd_ip6 *a)
{
    return l->asked && l->wanted.active != 0 &&
           find_in(l->wanted.addresses, l->wanted.count, a) >= 0;
}

/* Whether all that is wanted is there. */
static bool is_whole(const struct hd_virtual_link *l)
{
    if (!l->asked || l->own_mac != (l->wanted.own_mac != 0) ||
        l->active != (l->wanted.active != 0) || (!l->own_mac && l->ifindex == 0)) {
        return false;
    }
    for (unsigned i = 0; l->active && i < l->wanted.count; i++) {
        if (!has(l, &l->wanted.addresses[i])) {
            return false;
        }
    }
    return l->count <= (l->active ? l->wanted.count : 0);
}

void hd_virtual_value_of(const struct hd_virtual_link *l, struct hd_virtual_value *v)
{
    *v = l->wanted;
    if (is_whole(l)) {
        return;
    }
    v->active = l->active;
    v->own_mac = l->own_mac;
    v->count = l->count;
    memset(v->addresses, 0, sizeof v->addresses);
    memcpy(v->addresses, l->addresses, l->count * sizeof l->addresses[0]);
}

/* --- looking -------------------------------------------------------------------------------------
 */

int hd_virtual_look_begin(struct hd_virtual_table *t)
{
    t->before = NULL;
    t->before_count = t->count;
    if (t->v != NULL) {
        t->before = malloc(HD_VIRTUALS_MAX * sizeof *t->v);
        if (t->before == NULL) {
            return HD_ENOMEM;
        }
        memcpy(t->before, t->v, HD_VIRTUALS_MAX * sizeof *t->v);
    }
    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        l->ifindex = 0;
        l->count = 0;
        l->active = false;
    }
    t->doubt = false;
    return 0;
}

void hd_virtual_look_failed(struct hd_virtual_table *t)
{
    free(t->v);
    t->v = t->before;
    t->count = t->before_count;
    t->before = NULL;
    t->doubt = true;
}

/* What is neither there nor wanted is no more. */
void hd_virtual_look_end(struct hd_virtual_table *t)
{
    free(t->before);
    t->before = NULL;
    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        l->provided = l->provided && l->ifindex != 0;
        if (!l->asked && l->ifindex == 0 && l->count == 0) {
            forget(t, l);
        }
    }
}

static struct hd_virtual_link *link_of(struct hd_virtual_table *t, uint32_t ifindex)
{
    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        if (l->ifindex == ifindex && ifindex != 0) {
            return l;
        }
    }
    return NULL;
}

static bool is_ours(const struct hd_link_facts *f, uint8_t *owner, uint8_t *family, uint8_t *number)
{
    return strcmp(f->kind, "macvlan") == 0 && f->below != 0 &&
           hd_virtual_name_read(f->name, owner, family, number);
}

/* By kind and name: an alias comes only after the link. */
bool hd_virtual_found(struct hd_virtual_table *t, const struct hd_link_facts *f)
{
    uint8_t owner, family, number;
    unsigned ignore, announce;

    if (!is_ours(f, &owner, &family, &number)) {
        return false;
    }
    struct hd_virtual_link *l = place(t, owner, f->below, family, number);
    if (l == NULL) {
        return true;
    }
    l->ifindex = f->ifindex;
    l->active = (f->flags & IFF_UP) != 0;
    if (!l->asked) {
        l->wanted.mac = f->mac;
    }
    if (!l->saved && sscanf(f->alias, HD_VIRTUAL_ALIAS, &ignore, &announce) == 2) {
        l->arp_ignore = (uint8_t)ignore;
        l->arp_announce = (uint8_t)announce;
        l->saved = true;
    }
    return true;
}

/* Without a link of its own. */
static struct hd_virtual_link *marked(struct hd_virtual_table *t, const struct hd_address_facts *f)
{
    uint8_t owner, family, number;

    if (f->protocol != HD_ROUTE_PROTOCOL ||
        !hd_virtual_mark_read(f->priority, &owner, &family, &number)) {
        return NULL;
    }
    return place(t, owner, f->ifindex, family, number);
}

bool hd_virtual_address(struct hd_virtual_table *t, const struct hd_address_facts *f)
{
    struct hd_virtual_link *l = link_of(t, f->ifindex);

    if (l == NULL && (l = marked(t, f)) != NULL) {
        l->own_mac = l->active = true;
    }
    if (l == NULL) {
        return false;
    }
    if (!f->gone && !has(l, &f->address) && l->count < HD_VIRTUAL_ADDRESSES_MAX) {
        l->addresses[l->count++] = f->address;
    }
    return true;
}

bool hd_virtual_link_news(struct hd_virtual_table *t, const struct hd_link_facts *f)
{
    uint8_t owner, family, number;
    const struct hd_virtual_link *l = link_of(t, f->ifindex);

    if (l != NULL && (f->gone || l->active != ((f->flags & IFF_UP) != 0))) {
        t->doubt = true;
    }
    return l != NULL || is_ours(f, &owner, &family, &number);
}

bool hd_virtual_address_news(struct hd_virtual_table *t, const struct hd_address_facts *f)
{
    uint8_t owner, family, number;
    bool ours = f->protocol == HD_ROUTE_PROTOCOL &&
                hd_virtual_mark_read(f->priority, &owner, &family, &number);
    const struct hd_virtual_link *l =
        ours ? hd_virtual_find(t, owner, f->ifindex, family, number) : link_of(t, f->ifindex);

    if (l != NULL && f->gone == has(l, &f->address)) {
        t->doubt = true;
    }
    return ours || l != NULL;
}

/* --- changes -------------------------------------------------------------------------------------
 */

/* How the interface below was before any of us: the neighbours know it, else it is so now. */
static int learn_arp(struct hd_virtual_table *t, struct hd_rtnl *n, struct hd_virtual_link *l)
{
    for (struct hd_virtual_link *o = next(t, NULL); o != NULL; o = next(t, o)) {
        if (!l->saved && o->saved && o->wanted.ifindex == l->wanted.ifindex) {
            l->arp_ignore = o->arp_ignore;
            l->arp_announce = o->arp_announce;
            l->saved = true;
        }
    }
    if (!l->saved) {
        l->saved = hd_virtual_arp_read(n, l->wanted.ifindex, &l->arp_ignore, &l->arp_announce);
    }
    return l->saved ? 0 : HD_ENOENT;
}

static void remove_address(struct hd_rtnl *n, struct hd_virtual_link *l, unsigned which)
{
    hd_virtual_address_del(n, l, &l->addresses[which]);
    l->addresses[which] = l->addresses[--l->count];
}

static void remove_unwanted(struct hd_rtnl *n, struct hd_virtual_link *l)
{
    for (unsigned i = l->count; i-- > 0;) {
        if (!wants(l, &l->addresses[i])) {
            remove_address(n, l, i);
        }
    }
}

/* An address that the interface has from somebody else does as well, and stays when we go. */
static int activate(struct hd_rtnl *n, struct hd_virtual_link *l)
{
    int error = l->own_mac || l->active ? 0 : hd_virtual_link_up(n, l, true);

    for (unsigned i = 0; i < l->wanted.count && error == 0; i++) {
        const struct hd_ip6 *a = &l->wanted.addresses[i];
        if (has(l, a)) {
            continue;
        }
        error = hd_virtual_address_add(n, l, a);
        if (error == 0) {
            l->addresses[l->count++] = *a;
        } else if (error == HD_EEXIST) {
            error = 0;
        }
        l->active = true;
    }
    l->active = l->active || error == 0;
    return error;
}

static void deactivate(struct hd_rtnl *n, struct hd_virtual_link *l)
{
    while (l->count > 0) {
        remove_address(n, l, l->count - 1u);
    }
    if (!l->own_mac && l->ifindex != 0) {
        (void)!hd_virtual_link_up(n, l, false);
    }
    l->active = false;
}

static bool is_last(struct hd_virtual_table *t, const struct hd_virtual_link *l)
{
    for (struct hd_virtual_link *o = next(t, NULL); o != NULL; o = next(t, o)) {
        if (o != l && o->ifindex != 0 && o->wanted.ifindex == l->wanted.ifindex) {
            return false;
        }
    }
    return true;
}

static void remove_all(struct hd_virtual_table *t, struct hd_rtnl *n, struct hd_virtual_link *l)
{
    if (l->active || l->count > 0) {
        deactivate(n, l);
    }
    if (l->ifindex == 0) {
        return;
    }
    hd_virtual_link_del(n, l);
    if (is_last(t, l)) {
        hd_virtual_arp_back(n, l);
    }
    l->ifindex = 0;
    l->provided = l->saved = false;
}

static int realise(struct hd_virtual_table *t, struct hd_rtnl *n, struct hd_virtual_link *l)
{
    bool own_mac = l->wanted.own_mac != 0;
    int error = 0;

    if (l->own_mac != own_mac) {
        remove_all(t, n, l);
        l->own_mac = own_mac;
    }
    if (!own_mac && !l->provided) {
        error = learn_arp(t, n, l);
        error = error == 0 ? hd_virtual_link_provide(n, l) : error;
        l->provided = error == 0;
        t->refusals_stale |= l->provided; /* its ifindex is in them */
    }
    if (error != 0) {
        return error;
    }
    if (l->wanted.active == 0) {
        if (l->active || l->count > 0) {
            deactivate(n, l);
        }
        return 0;
    }
    if (l->wanted.accept == 0 && !l->refused) {
        (void)!hd_virtual_settle(t); /* before it could be accepted */
    }
    error = activate(n, l);
    remove_unwanted(n, l);
    return error;
}

int hd_virtual_set(struct hd_virtual_table *t, struct hd_rtnl *n, uint8_t owner,
                   const struct hd_virtual_value *v)
{
    struct hd_virtual_link *l = place(t, owner, v->ifindex, v->family, v->number);

    if (l == NULL) {
        return t->v == NULL ? HD_ENOMEM : HD_ELIMIT;
    }
    bool same = l->asked && l->wanted.accept == v->accept && l->wanted.count == v->count &&
                memcmp(l->wanted.addresses, v->addresses, sizeof v->addresses) == 0;
    if (!same) {
        t->refusals_stale = true;
        l->refused = false;
    }
    l->wanted = *v;
    l->asked = true;
    return realise(t, n, l);
}

void hd_virtual_del(struct hd_virtual_table *t, struct hd_rtnl *n, uint8_t owner,
                    const struct hd_virtual_value *v)
{
    struct hd_virtual_link *l = hd_virtual_find(t, owner, v->ifindex, v->family, v->number);

    if (l != NULL) {
        remove_all(t, n, l);
        forget(t, l);
    }
}

uint32_t hd_virtual_repair(struct hd_virtual_table *t, struct hd_rtnl *n)
{
    uint32_t repaired = 0;

    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        if (l->asked && !is_whole(l)) {
            repaired += realise(t, n, l) == 0;
        }
    }
    return repaired;
}

void hd_virtual_del_all(struct hd_virtual_table *t, struct hd_rtnl *n)
{
    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        remove_all(t, n, l);
        forget(t, l);
    }
}

/* --- what is refused -----------------------------------------------------------------------------
 */

static uint32_t collect(struct hd_virtual_table *t, struct hd_refused *v)
{
    uint32_t n = 0;

    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        l->refused = true;
        for (unsigned i = 0; l->wanted.accept == 0 && i < l->wanted.count; i++) {
            const struct hd_ip6 *a = &l->wanted.addresses[i];
            uint32_t where = l->own_mac ? l->wanted.ifindex : l->ifindex;
            v[n++] =
                (struct hd_refused){.address = *a, .ifindex = hd_ip6_is_link_local(a) ? where : 0};
        }
    }
    return n;
}

int hd_virtual_settle(struct hd_virtual_table *t)
{
    uint32_t most = 0;

    if (!t->refusals_stale) {
        return 0;
    }
    for (struct hd_virtual_link *l = next(t, NULL); l != NULL; l = next(t, l)) {
        if (!l->asked) {
            return 0; /* what a predecessor said of it holds until somebody says more */
        }
        most += l->wanted.count;
    }
    struct hd_refused *v = calloc((size_t)most + 1, sizeof *v); /* none is no lack of memory */
    if (v == NULL) {
        return HD_ENOMEM;
    }
    t->refusals_stale = false;
    int error = hd_refuse(v, collect(t, v));
    free(v);
    return error;
}
