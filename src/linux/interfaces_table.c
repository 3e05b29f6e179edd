/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table that follows the kernel's links and addresses (interfaces.h). Facts come in any order
 * and any number; what they mean is worked out once per round by hd_interfaces_tell, which compares
 * with what was told before. So a lost notification costs a dump and nothing else.
 */
#include "linux/interfaces.h"

#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"

#define OPERSTATE_DOWN       2 /* RFC 2863, linux/if.h */
#define OPERSTATE_LOWER_DOWN 3

void hd_interfaces_init(struct hd_interfaces *t, const struct hd_interface_rules *rules,
                        const struct hd_interface_listener *listener)
{
    memset(t, 0, sizeof *t);
    t->rules = *rules;
    t->listener = *listener;
}

void hd_interfaces_free(struct hd_interfaces *t)
{
    free(t->v);
    t->v = NULL;
    t->len = t->cap = 0;
}

struct hd_interface *hd_interfaces_find(struct hd_interfaces *t, uint32_t ifindex)
{
    for (uint32_t i = 0; i < t->len; i++) {
        if (t->v[i].link.ifindex == ifindex) {
            return &t->v[i];
        }
    }
    return NULL;
}

static struct hd_interface *make(struct hd_interfaces *t, uint32_t ifindex)
{
    struct hd_interface *i = hd_interfaces_find(t, ifindex);
    if (i != NULL) {
        return i;
    }
    if (t->len == t->cap) {
        uint32_t cap = t->cap == 0 ? 8 : t->cap * 2;
        struct hd_interface *v = reallocarray(t->v, cap, sizeof *v);
        if (v == NULL) {
            return NULL; /* the next dump tries again */
        }
        t->v = v;
        t->cap = cap;
    }
    i = &t->v[t->len++];
    memset(i, 0, sizeof *i);
    i->link.ifindex = ifindex;
    return i;
}

void hd_interfaces_link(void *table, const struct hd_link_facts *f)
{
    struct hd_interfaces *t = table;
    struct hd_interface *i = f->gone ? hd_interfaces_find(t, f->ifindex) : make(t, f->ifindex);
    if (i == NULL) {
        return;
    }
    i->link = *f;
    i->seen = true;
    if (f->gone) {
        i->link_local_count = 0;
    }
}

static void forget_link_local(struct hd_interface *i, const struct hd_ip6 *a)
{
    for (uint8_t k = 0; k < i->link_local_count; k++) {
        if (hd_ip6_equal(&i->link_locals[k], a)) {
            i->link_local_count--;
            memmove(&i->link_locals[k], &i->link_locals[k + 1],
                    (size_t)(i->link_local_count - k) * sizeof *a);
            return;
        }
    }
}

void hd_interfaces_address(void *table, const struct hd_address_facts *f)
{
    struct hd_interfaces *t = table;
    struct hd_interface *i = hd_interfaces_find(t, f->ifindex);
    if (i == NULL || !hd_ip6_is_link_local(&f->address)) {
        return;
    }
    /* The first stays in use for as long as it exists: neighbours know us by it. */
    for (uint8_t k = 0; k < i->link_local_count && !f->gone && !f->tentative; k++) {
        if (hd_ip6_equal(&i->link_locals[k], &f->address)) {
            return;
        }
    }
    forget_link_local(i, &f->address);
    if (!f->gone && !f->tentative && i->link_local_count < HD_INTERFACE_LINK_LOCALS) {
        i->link_locals[i->link_local_count++] = f->address;
    }
}

void hd_interfaces_default_route(struct hd_interfaces *t, uint32_t ifindex)
{
    struct hd_interface *i = hd_interfaces_find(t, ifindex);
    if (i != NULL) {
        i->default_route = i->default_route_seen = true;
    }
}

void hd_interfaces_dump_begin(struct hd_interfaces *t)
{
    for (uint32_t i = 0; i < t->len; i++) {
        t->v[i].seen = t->v[i].default_route_seen = false;
    }
}

void hd_interfaces_dump_end(struct hd_interfaces *t)
{
    for (uint32_t i = 0; i < t->len; i++) {
        t->v[i].default_route = t->v[i].default_route_seen;
        if (!t->v[i].seen) {
            t->v[i].link.gone = true;
        }
    }
}

/* --- telling -------------------------------------------------------------------------------------
 */

static bool is_wireless(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/class/net/%s/phy80211", name);
    return access(path, F_OK) == 0;
}

static bool is_up(const struct hd_link_facts *f)
{
    return (f->flags & IFF_UP) != 0 && (f->flags & IFF_LOWER_UP) != 0 &&
           f->operstate != OPERSTATE_DOWN && f->operstate != OPERSTATE_LOWER_DOWN;
}

static void work_out(struct hd_interfaces *t, struct hd_interface *i, struct hd_in_interface *now)
{
    const struct hd_link_facts *f = &i->link;
    memset(now, 0, sizeof *now);
    now->ifindex = f->ifindex;
    memcpy(now->name, f->name, sizeof now->name);
    now->mac = f->mac;
    now->mtu = f->mtu;
    if (f->gone) {
        now->gone = true;
        return;
    }
    struct hd_interface_view v = {
        .link = f,
        .ours = f->ifindex == t->kira0 || strncmp(f->alias, "heddle", 6) == 0,
        .default_route = i->default_route,
        .wireless = t->rules.initial && is_wireless(f->name),
        .foreign_xdp = f->xdp_program != 0 && !i->attached &&
                       !t->listener.program_is_ours(t->listener.user, f->xdp_program),
    };
    enum hd_if_why why = hd_interface_judge(&t->rules, &v);
    now->why_not = (uint8_t)why;
    now->usable = why == HD_IF_OK;
    now->up = is_up(f);
    if (i->link_local_count > 0) {
        now->link_local = i->link_locals[0];
    }
}

/* Field by field: structs have padding. */
static bool same(const struct hd_in_interface *a, const struct hd_in_interface *b)
{
    return a->ifindex == b->ifindex && strncmp(a->name, b->name, sizeof a->name) == 0 &&
           a->gone == b->gone && a->up == b->up && a->usable == b->usable &&
           a->why_not == b->why_not && a->mtu == b->mtu && hd_mac_equal(&a->mac, &b->mac) &&
           hd_ip6_equal(&a->link_local, &b->link_local);
}

void hd_interfaces_tell(struct hd_interfaces *t)
{
    for (uint32_t k = 0; k < t->len;) {
        struct hd_interface *i = &t->v[k];
        struct hd_in_interface now;
        work_out(t, i, &now);
        bool known = i->told.ifindex != 0;
        if (!same(&now, &i->told) && (known || !now.gone)) {
            t->listener.changed(t->listener.user, i, &now);
            i->told = now;
        }
        if (now.gone) {
            t->v[k] = t->v[--t->len];
        } else {
            k++;
        }
    }
}

bool hd_interfaces_namespace_is_initial(const struct hd_interfaces *t)
{
    char ours[64], first[64];
    ssize_t a = readlink("/proc/self/ns/net", ours, sizeof ours);
    ssize_t b = readlink("/proc/1/ns/net", first, sizeof first);
    if (a > 0 && b > 0) {
        return a == b && memcmp(ours, first, (size_t)a) == 0;
    }
    for (uint32_t i = 0; i < t->len; i++) {
        if (t->v[i].link.has_parent && !t->v[i].link.gone) {
            return true;
        }
    }
    return false;
}
