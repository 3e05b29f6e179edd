/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces and addresses as system tells them: kept, so that a core which is started later hears
 * of all, and compared, so that a new system's account is news only where it differs. An interface
 * is told before its addresses.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/router.h"
#include "lib/base.h"

/* --- interfaces ----------------------------------------------------------------------------------
 */

static struct hd_router_interface *interface_place(struct hd_router_role *r, uint32_t ifindex)
{
    for (uint32_t i = 0; i < r->interface_count; i++) {
        if (r->interfaces[i].i.ifindex == ifindex) {
            return &r->interfaces[i];
        }
    }
    if (r->interface_count == r->interface_cap) {
        uint32_t cap = r->interface_cap == 0 ? 8 : r->interface_cap * 2;
        struct hd_router_interface *v = reallocarray(r->interfaces, cap, sizeof *v);
        if (v == NULL) {
            return NULL;
        }
        r->interfaces = v;
        r->interface_cap = cap;
    }
    struct hd_router_interface *n = &r->interfaces[r->interface_count++];
    memset(n, 0, sizeof *n);
    n->i.ifindex = ifindex;
    return n;
}

static void deliver_interface(struct hd_router_role *r, const struct hd_in_interface *i)
{
    struct hd_input in = {.type = HD_IN_INTERFACE, .u.interface = *i};
    hd_driver_input(&r->driver, &in);
}

static bool same_interface(const struct hd_in_interface *a, const struct hd_in_interface *b)
{
    return strncmp(a->name, b->name, sizeof a->name) == 0 && a->up == b->up &&
           a->usable == b->usable && a->why_not == b->why_not && a->mtu == b->mtu &&
           hd_mac_equal(&a->mac, &b->mac) && hd_ip6_equal(&a->link_local, &b->link_local);
}

void hd_router_on_interface(struct hd_router_role *r, const struct hd_in_interface *i)
{
    struct hd_router_interface *p = interface_place(r, i->ifindex);
    if (p == NULL) {
        hd_log_line(&r->log, HD_LOG_ERROR, "no-memory", "for=interface");
        return;
    }
    bool known = p->i.name[0] != '\0' && same_interface(&p->i, i);
    p->i = *i;
    p->i.name[sizeof p->i.name - 1] = '\0';
    p->seen = true;
    if (i->gone) {
        *p = r->interfaces[--r->interface_count];
        known = false;
    }
    if (r->interfaces_told && !known) {
        deliver_interface(r, i);
    }
}

/* A new system has told what there is: what it did not name is gone. */
static void sweep_interfaces(struct hd_router_role *r)
{
    for (uint32_t i = 0; i < r->interface_count;) {
        if (r->interfaces[i].seen) {
            i++;
            continue;
        }
        struct hd_in_interface gone = {.ifindex = r->interfaces[i].i.ifindex, .gone = true};
        memcpy(gone.name, r->interfaces[i].i.name, sizeof gone.name);
        r->interfaces[i] = r->interfaces[--r->interface_count];
        deliver_interface(r, &gone);
    }
}

/* --- addresses -----------------------------------------------------------------------------------
 */

static void deliver_address(struct hd_router_role *r, const struct hd_in_address *a)
{
    struct hd_input in = {.type = HD_IN_ADDRESS, .u.address = *a};
    hd_driver_input(&r->driver, &in);
}

static struct hd_router_address *find_address(struct hd_router_role *r,
                                              const struct hd_in_address *a)
{
    for (uint32_t i = 0; i < r->address_count; i++) {
        const struct hd_in_address *b = &r->addresses[i].a;
        if (b->ifindex == a->ifindex && hd_ip6_equal(&b->address, &a->address)) {
            return &r->addresses[i];
        }
    }
    return NULL;
}

static struct hd_router_address *add_address(struct hd_router_role *r)
{
    if (r->address_count == r->address_cap) {
        uint32_t cap = r->address_cap == 0 ? 16 : r->address_cap * 2;
        struct hd_router_address *v = reallocarray(r->addresses, cap, sizeof *v);
        if (v == NULL) {
            return NULL;
        }
        r->addresses = v;
        r->address_cap = cap;
    }
    return &r->addresses[r->address_count++];
}

static void remove_address(struct hd_router_role *r, struct hd_router_address *p)
{
    struct hd_in_address gone = p->a;
    gone.gone = true;
    *p = r->addresses[--r->address_count];
    if (r->interfaces_told) {
        deliver_address(r, &gone);
    }
}

void hd_router_on_address(struct hd_router_role *r, const struct hd_in_address *a)
{
    struct hd_router_address *p = find_address(r, a);
    if (a->gone) {
        if (p != NULL) {
            remove_address(r, p);
        }
        return;
    }
    bool known = p != NULL && p->a.len == a->len && p->a.secondary == a->secondary;
    p = p != NULL ? p : add_address(r);
    if (p == NULL) {
        hd_log_line(&r->log, HD_LOG_ERROR, "no-memory", "for=address");
        return;
    }
    *p = (struct hd_router_address){.a = *a, .seen = true};
    if (r->interfaces_told && !known) {
        deliver_address(r, a);
    }
}

static void sweep_addresses(struct hd_router_role *r)
{
    for (uint32_t i = r->address_count; i-- > 0;) {
        if (!r->addresses[i].seen) {
            remove_address(r, &r->addresses[i]);
        }
    }
}

/* --- all of them ---------------------------------------------------------------------------------
 */

void hd_router_links_begin(struct hd_router_role *r)
{
    for (uint32_t i = 0; i < r->interface_count; i++) {
        r->interfaces[i].seen = false;
    }
    for (uint32_t i = 0; i < r->address_count; i++) {
        r->addresses[i].seen = false;
    }
}

void hd_router_links_sweep(struct hd_router_role *r)
{
    if (r->interfaces_told) {
        sweep_addresses(r);
        sweep_interfaces(r);
    }
}

void hd_router_tell_interfaces(struct hd_router_role *r)
{
    for (uint32_t i = 0; i < r->interface_count; i++) {
        deliver_interface(r, &r->interfaces[i].i);
    }
    for (uint32_t i = 0; i < r->address_count; i++) {
        deliver_address(r, &r->addresses[i].a);
    }
}
