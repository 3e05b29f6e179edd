/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces and their real addresses, and which virtual routers stand on which. All that the
 * driver tells are kept, since configuration names them and tracking watches them; ports are open
 * only where a virtual router is. Those that we made ourselves are no place to stand on.
 */
#include "core/vrrp/state.h"

#define TABLE_BYTES (256 * sizeof(struct vrrp_instance *))

/* --- what is known of them ---------------------------------------------------------------------
 */

struct vrrp_interface *vrrp_interface_named(struct vrrp *v, const char *name)
{
    for (unsigned s = 0; s < HD_VRRP_INTERFACES_MAX; s++)
        if (v->interfaces[s] != NULL && vrrp_name_equal(v->interfaces[s]->name, name))
            return v->interfaces[s];
    return NULL;
}

static struct vrrp_interface *interface_numbered(struct vrrp *v, uint32_t ifindex)
{
    for (unsigned s = 0; s < HD_VRRP_INTERFACES_MAX; s++)
        if (v->interfaces[s] != NULL && v->interfaces[s]->ifindex == ifindex)
            return v->interfaces[s];
    return NULL;
}

/* The address whose prefix holds the virtual one, else the first (R17). */
static struct hd_ip6 primary_ip4(const struct vrrp_instance *i)
{
    const struct vrrp_interface *f = i->interface;
    struct hd_ip6 first = {{0}};

    for (uint32_t n = 0; n < f->addresses.len; n++) {
        const struct vrrp_real_address *a = &f->addresses.v[n];
        if (!vrrp_is_ip4(&a->address) || a->secondary)
            continue;
        unsigned bytes = a->len / 8, rest = a->len % 8;
        uint8_t mask = (uint8_t)(0xff00 >> rest);
        const uint8_t *x = a->address.b, *y = i->c.addresses[0].b;
        if (i->c.address_count > 0 && memcmp(x, y, bytes) == 0 &&
            (rest == 0 || ((x[bytes] ^ y[bytes]) & mask) == 0))
            return a->address;
        if (vrrp_address_none(&first))
            first = a->address;
    }
    return first;
}

struct hd_ip6 vrrp_primary(const struct vrrp_instance *i)
{
    if (i->interface == NULL)
        return (struct hd_ip6){{0}};
    return i->c.family == 4 ? primary_ip4(i) : i->interface->link_local;
}

struct hd_mac vrrp_instance_mac(const struct vrrp_instance *i)
{
    if (i->c.own_mac != 0 && i->interface != NULL)
        return i->interface->mac;
    return vrrp_mac(i->c.family, i->c.vrid);
}

/* --- ports -------------------------------------------------------------------------------------
 */

static void port_effect(struct hd_ctx *c, const struct vrrp_interface *f, unsigned family_index,
                        enum hd_effect_type type)
{
    struct hd_effect *e = hd_fx_append(c->fx, c->core, (uint16_t)type, 0);

    if (e == NULL)
        return;
    e->u.port = (struct hd_fx_port){.port = vrrp_port(f, family_index),
                                    .kind = HD_PORT_FRAME,
                                    .number = VRRP_PROTOCOL,
                                    .group = vrrp_group(family_index == 0 ? 4 : 6),
                                    .ifindex = f->ifindex};
}

static void close_port(struct hd_ctx *c, struct vrrp_interface *f, unsigned family_index)
{
    if (f->open[family_index])
        port_effect(c, f, family_index, HD_FX_CLOSE_PORT);
    f->open[family_index] = false;
}

void vrrp_interface_allow(struct vrrp *v, struct vrrp_interface *f)
{
    uint64_t expected = VRRP_WINDOW_FLOOR;

    for (uint32_t n = 0; n < v->instances.len; n++) {
        const struct vrrp_instance *i = v->instances.v[n];
        if (i->interface != f)
            continue;
        uint64_t routers = i->c.fast == HD_VRRP_FAST_P2P ? HD_VRRP_PEERS_MAX : 1;
        expected += 4 * routers * (1 + (uint64_t)(VRRP_WINDOW_NS / vrrp_own_interval(i)));
    }
    f->window_max = (uint32_t)HD_MIN(expected, UINT32_MAX);
}

/* --- virtual routers on them -------------------------------------------------------------------
 */

void vrrp_unbind(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    struct vrrp_interface *f = i->interface;
    unsigned family = vrrp_family_index(i->c.family);

    if (f == NULL)
        return;
    f->by_vrid[family][i->c.vrid] = NULL;
    i->interface = NULL;
    if (i->virt != 0)
        hd_model_virtual_del(c->model, i->virt);
    i->virt = 0;
    if (--f->users[family] == 0) {
        close_port(c, f, family);
        hd_pool_free(c->pool, f->by_vrid[family], TABLE_BYTES);
        f->by_vrid[family] = NULL;
    }
}

bool vrrp_bind(struct vrrp *v, struct hd_ctx *c, struct vrrp_instance *i)
{
    struct vrrp_interface *f = vrrp_interface_named(v, i->c.interface);
    unsigned family = vrrp_family_index(i->c.family);

    if (f == NULL || i->interface == f)
        return true;
    if (f->by_vrid[family] == NULL) {
        f->by_vrid[family] = hd_pool_alloc(c->pool, TABLE_BYTES);
        if (f->by_vrid[family] == NULL) {
            v->counts[VRRP_COUNT_NO_MEMORY]++;
            return false;
        }
    }
    if (i->interface != NULL) /* another one of that name: names move between interfaces */
        vrrp_unbind(v, c, i);
    f->by_vrid[family][i->c.vrid] = i;
    i->interface = f;
    if (f->users[family]++ == 0) {
        f->open[family] = true;
        port_effect(c, f, family, HD_FX_OPEN_PORT);
    }
    return true;
}

static void mark_all_on(struct vrrp *v, const struct vrrp_interface *f, enum hd_vrrp_last cause)
{
    for (unsigned family = 0; family < 2; family++)
        for (unsigned vrid = 0; f->by_vrid[family] != NULL && vrid < 256; vrid++)
            if (f->by_vrid[family][vrid] != NULL)
                vrrp_mark(v, f->by_vrid[family][vrid], cause);
}

/* --- inputs ------------------------------------------------------------------------------------
 */

static void interface_free(struct vrrp *v, struct hd_ctx *c, struct vrrp_interface *f)
{
    v->interfaces[f->slot] = NULL;
    hd_vec_free(c->pool, &f->addresses);
    hd_pool_free(c->pool, f, sizeof *f);
}

static void interface_gone(struct vrrp *v, struct hd_ctx *c, struct vrrp_interface *f)
{
    for (uint32_t n = 0; n < v->instances.len; n++) {
        struct vrrp_instance *i = v->instances.v[n];
        if (i->interface != f)
            continue;
        vrrp_unbind(v, c, i);
        vrrp_mark(v, i, HD_VRRP_EV_INTERFACE_DOWN);
    }
    interface_free(v, c, f);
}

static struct vrrp_interface *interface_new(struct vrrp *v, struct hd_ctx *c,
                                            const struct hd_in_interface *in)
{
    unsigned slot = 0;

    while (slot < HD_VRRP_INTERFACES_MAX && v->interfaces[slot] != NULL)
        slot++;
    if (slot == HD_VRRP_INTERFACES_MAX) {
        v->counts[VRRP_COUNT_INTERFACES_FULL]++;
        return NULL;
    }
    struct vrrp_interface *f = hd_pool_alloc(c->pool, sizeof *f);
    if (f == NULL) {
        v->counts[VRRP_COUNT_NO_MEMORY]++;
        return NULL;
    }
    f->ifindex = in->ifindex;
    f->slot = (uint16_t)slot;
    f->window_max = VRRP_WINDOW_FLOOR;
    memcpy(f->name, in->name, sizeof f->name);
    v->interfaces[slot] = f;
    return f;
}

/* Virtual routers that were configured for it stand on it now. */
static void bind_all(struct vrrp *v, struct hd_ctx *c, struct vrrp_interface *f)
{
    for (uint32_t n = 0; n < v->instances.len; n++) {
        struct vrrp_instance *i = v->instances.v[n];
        if (i->interface == NULL && vrrp_name_equal(i->c.interface, f->name) && vrrp_bind(v, c, i))
            vrrp_mark(v, i, HD_VRRP_EV_INTERFACE_UP);
    }
    vrrp_interface_allow(v, f);
}

void vrrp_on_interface(struct vrrp *v, struct hd_ctx *c, const struct hd_in_interface *in)
{
    struct vrrp_interface *f = interface_numbered(v, in->ifindex);

    if (f != NULL && (in->gone || !vrrp_name_equal(f->name, in->name))) {
        interface_gone(v, c, f);
        f = NULL;
    }
    if (!in->gone && (f != NULL || in->why_not != HD_IF_OURS)) {
        bool new = f == NULL;
        f = new ? interface_new(v, c, in) : f;
        if (f == NULL)
            return;
        bool was_up = f->up;
        f->up = in->up;
        f->mac = in->mac;
        f->link_local = in->link_local;
        if (new)
            bind_all(v, c, f);
        mark_all_on(v, f, f->up && !was_up ? HD_VRRP_EV_INTERFACE_UP : HD_VRRP_EV_PRIMARY_ADDRESS);
    }
    vrrp_tracks_look(v, c);
}

static uint32_t address_place(const struct vrrp_interface *f, const struct hd_ip6 *address)
{
    uint32_t n = 0;

    while (n < f->addresses.len && !hd_ip6_equal(&f->addresses.v[n].address, address))
        n++;
    return n;
}

void vrrp_on_address(struct vrrp *v, struct hd_ctx *c, const struct hd_in_address *in)
{
    struct vrrp_interface *f = interface_numbered(v, in->ifindex);
    struct vrrp_real_address a = {in->address, in->len, in->secondary};

    if (f == NULL || in->len > 128)
        return;
    uint32_t place = address_place(f, &in->address);
    bool known = place < f->addresses.len;
    if (in->gone && known) {
        hd_vec_remove(&f->addresses, place);
    } else if (known) {
        f->addresses.v[place] = a;
    } else if (!in->gone) {
        if (f->addresses.len == VRRP_REAL_ADDRESSES_MAX) {
            v->counts[VRRP_COUNT_ADDRESSES_FULL]++;
            return;
        }
        if (hd_vec_push(c->pool, &f->addresses, a) != 0) {
            v->counts[VRRP_COUNT_NO_MEMORY]++;
            return;
        }
    }
    mark_all_on(v, f, HD_VRRP_EV_PRIMARY_ADDRESS);
}

void vrrp_interfaces_free(struct vrrp *v, struct hd_ctx *c)
{
    for (unsigned s = 0; s < HD_VRRP_INTERFACES_MAX; s++)
        if (v->interfaces[s] != NULL)
            interface_free(v, c, v->interfaces[s]);
}
