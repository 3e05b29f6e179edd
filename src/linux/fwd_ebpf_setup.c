/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set-up half of the eBPF back-end, in the system process: kira0, its address and routes;
 * programs and pinned maps; interfaces. forwarding-on-linux.md, 2.1, 4, 5.
 *
 * The order matters both ways. A route to kira0 is made when the program there runs, an interface
 * stands in the map before its program runs, and all is undone in reverse. What is in the kernel is
 * its own record: the map of interfaces tells the next process where programs hang.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/code_points.h"
#include "linux/fwd_bpffs.h"
#include "linux/fwd_device.h"
#include "linux/fwd_ebpf_attach.h"
#include "linux/fwd_ebpf_load.h"

#define MTU_USUAL    1500 /* while there is no link */
#define MTU_LINK_MIN (HD_BPF_MTU_MIN + HD_BPF_ENCAP_LEN)
#define XDP_PIN      "hd_prog_xdp"

struct ebpf_setup {
    struct hd_fwd_setup base;
    struct hd_fwd_ebpf_objects o;
    char pin_dir[HD_FWD_BPFFS_PATH];
    struct hd_ip6 own;
    uint16_t node_prefix, label_prefix;
    struct hd_fwd_device kira0;
    int old_xdp; /* the predecessor's program, to be replaced; or -1 */
};

static struct ebpf_setup *setup_of(const struct hd_fwd_setup *s)
{
    return HD_CONTAINER_OF((struct hd_fwd_setup *)s, struct ebpf_setup, base);
}

/* --- kira0
 * ---------------------------------------------------------------------------------------- */

/* IPv6 may be off by default; a device without it takes no address. */
static void enable_ipv6(const char *device, bool on)
{
    char path[96];
    int fd;

    snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", device);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, on ? "0" : "1", 1) != 1) {
        /* then adding the address will say what is wrong */
    }
    close(fd);
}

static int prepare_peer(void)
{
    struct hd_fwd_device peer;
    int error = hd_fwd_device_get(HD_FWD_PEER, 0, &peer);

    if (error == 0) {
        enable_ipv6(HD_FWD_PEER, false);
        error = hd_fwd_device_prepare(peer.ifindex, peer.mtu, HD_FWD_ALIAS);
    }
    return error;
}

/* dummy is the natural choice, but a kernel may lack it; the others behave the same in all we need.
 */
static int create_kira0(char *why)
{
    static const char *const kinds[] = {"dummy", "ifb", "veth"};
    int error = 0;

    for (unsigned i = 0; i < HD_ARRAY_LEN(kinds); i++) {
        error = hd_fwd_device_add(HD_KIRA_DEVICE, kinds[i], i == 2 ? HD_FWD_PEER : NULL);
        if (error == 0)
            return 0;
    }
    return hd_fwd_why(why, error, "cannot make the device " HD_KIRA_DEVICE ": %s", strerror(errno));
}

static bool kira0_is_ours(const struct hd_fwd_device *d)
{
    return strncmp(d->alias, HD_FWD_ALIAS, sizeof HD_FWD_ALIAS - 1) == 0;
}

static int make_kira0(struct ebpf_setup *s, bool adopt, char *why)
{
    int error = hd_fwd_device_get(HD_KIRA_DEVICE, 0, &s->kira0);
    uint32_t mtu = MTU_USUAL - HD_BPF_ENCAP_LEN;

    if (error == 0 && !kira0_is_ours(&s->kira0))
        return hd_fwd_why(why, HD_EEXIST, "a device " HD_KIRA_DEVICE " of somebody else exists");
    if (error == 0 && adopt && strcmp(s->kira0.kind, "tun") != 0) {
        mtu = s->kira0.mtu;
    } else {
        if (error == 0 && hd_fwd_device_del(s->kira0.ifindex) != 0)
            return hd_fwd_why(why, HD_ESYS, "cannot remove the old " HD_KIRA_DEVICE ": %s",
                              strerror(errno));
        error = create_kira0(why);
        if (error != 0)
            return error;
    }
    error = hd_fwd_device_get(HD_KIRA_DEVICE, 0, &s->kira0);
    if (error == 0) {
        enable_ipv6(HD_KIRA_DEVICE, true);
        error = hd_fwd_device_prepare(s->kira0.ifindex, mtu,
                                      kira0_is_ours(&s->kira0) ? s->kira0.alias : HD_FWD_ALIAS);
    }
    if (error == 0 && strcmp(s->kira0.kind, "veth") == 0)
        error = prepare_peer();
    if (error == 0)
        error = hd_fwd_device_get(HD_KIRA_DEVICE, 0, &s->kira0);
    if (error != 0)
        return hd_fwd_why(why, error, "cannot set up " HD_KIRA_DEVICE ": %s", strerror(errno));
    return 0;
}

static int make_routes(const struct ebpf_setup *s, char *why)
{
    int error = hd_fwd_address_add(s->kira0.ifindex, &s->own);

    if (error == 0)
        error = hd_fwd_address_only(s->kira0.ifindex, &s->own);
    if (error != 0)
        return hd_fwd_why(why, error, "cannot give " HD_KIRA_DEVICE " its address: %s",
                          strerror(errno));
    error = hd_fwd_route_set(s->node_prefix, s->kira0.ifindex, &s->own);
    /* Labels mean something on links only: what the kernel itself would send there dies. */
    if (error == 0)
        error = hd_fwd_route_set(s->label_prefix, 0, NULL);
    return error == 0 ? 0 : hd_fwd_why(why, error, "cannot set the routes: %s", strerror(errno));
}

/* --- maps
 * ------------------------------------------------------------------------------------------ */

static int write_config(const struct ebpf_setup *s, char *why)
{
    struct hd_bpf_config c = {.version = HD_BPF_VERSION,
                              .kira0_ifindex = s->kira0.ifindex,
                              .node_prefix = __builtin_bswap16(s->node_prefix),
                              .label_prefix = __builtin_bswap16(s->label_prefix)};
    uint32_t zero = 0;

    memcpy(c.own, &s->own, sizeof c.own);
    memcpy(c.kira0_mac, &s->kira0.mac, sizeof c.kira0_mac);
    if (bpf_map_update_elem(s->o.maps[HD_EBPF_CONFIG], &zero, &c, BPF_ANY) == 0)
        return 0;
    return hd_fwd_why(why, HD_ESYS, "cannot write the configuration map: %s", strerror(errno));
}

/* Whose the pinned maps are: false when there are none that this build understands. */
static bool pinned_config(const struct ebpf_setup *s, struct hd_bpf_config *c)
{
    uint32_t zero = 0;
    int fd = hd_fwd_bpffs_get(s->pin_dir, "hd_config");
    bool known;

    if (fd < 0)
        return false;
    memset(c, 0, sizeof *c);
    known = bpf_map_lookup_elem(fd, &zero, c) == 0 && c->version == HD_BPF_VERSION;
    close(fd);
    return known;
}

/* Whether the pinned maps are those of this node, made by a build that means the same by them. */
static bool maps_are_ours(const struct ebpf_setup *s)
{
    struct hd_bpf_config c;

    return pinned_config(s, &c) && memcmp(c.own, &s->own, sizeof c.own) == 0 &&
           c.node_prefix == __builtin_bswap16(s->node_prefix) &&
           c.label_prefix == __builtin_bswap16(s->label_prefix);
}

/* --- interfaces
 * ------------------------------------------------------------------------------------ */

static bool get_if(int map, uint32_t ifindex, struct hd_bpf_if *v)
{
    memset(v, 0, sizeof *v);
    return bpf_map_lookup_elem(map, &ifindex, v) == 0;
}

/* Takes our programs from an interface; its map entry must be unused or gone by now. */
static void detach(struct ebpf_setup *s, uint32_t ifindex, const struct hd_bpf_if *v)
{
    int fd;

    if (v->flags & HD_BPF_IF_XDP) {
        fd = hd_fwd_bpffs_get(s->pin_dir, XDP_PIN);
        hd_fwd_xdp_detach(ifindex, fd);
        if (fd >= 0)
            close(fd);
        if (s->o.maps[HD_EBPF_DEVS] >= 0)
            (void)bpf_map_delete_elem(s->o.maps[HD_EBPF_DEVS], &ifindex);
    }
    if (v->flags & (HD_BPF_IF_USED | HD_BPF_IF_GUARDED))
        hd_fwd_tc_detach(ifindex, false, s->o.programs, (v->flags & HD_BPF_IF_CLSACT) != 0);
}

/* Detaches from all interfaces that a map of interfaces names, and empties it. */
static void detach_all(struct ebpf_setup *s, int ifs)
{
    uint32_t ifindex;
    struct hd_bpf_if v;

    while (ifs >= 0 && bpf_map_get_next_key(ifs, NULL, &ifindex) == 0) {
        bool there = get_if(ifs, ifindex, &v);
        if (bpf_map_delete_elem(ifs, &ifindex) != 0)
            break;
        if (there)
            detach(s, ifindex, &v);
    }
}

/* Forgets interfaces that went away while nobody looked: their numbers may come again. */
static void prune(struct ebpf_setup *s)
{
    int map = s->o.maps[HD_EBPF_IFS];
    uint32_t found[HD_BPF_IFS_MAX], count = 0, next;
    struct hd_fwd_device d;

    for (uint32_t *from = NULL;
         count < HD_BPF_IFS_MAX && bpf_map_get_next_key(map, from, &next) == 0; count++) {
        found[count] = next;
        from = &found[count];
    }
    for (uint32_t i = 0; i < count; i++)
        if (hd_fwd_device_get(NULL, found[i], &d) == HD_ENOENT)
            (void)bpf_map_delete_elem(map, &found[i]);
}

/* kira0's MTU follows the smallest link, behind the map so that no packet finds the old limit. */
static int adjust_mtu(struct ebpf_setup *s, char *why)
{
    uint32_t at = 0, next, least = UINT32_MAX;
    struct hd_bpf_if v;
    int map = s->o.maps[HD_EBPF_IFS], error = 0;

    for (uint32_t *from = NULL; bpf_map_get_next_key(map, from, &next) == 0; from = &at) {
        if (get_if(map, next, &v) && v.flags & HD_BPF_IF_USED)
            least = HD_MIN(least, v.mtu);
        at = next;
    }
    if (least == UINT32_MAX)
        least = MTU_USUAL;
    least -= HD_BPF_ENCAP_LEN;
    if (least != s->kira0.mtu)
        error = hd_fwd_device_mtu(s->kira0.ifindex, least);
    if (error != 0)
        return hd_fwd_why(why, error, "cannot set the MTU of " HD_KIRA_DEVICE " to %u: %s", least,
                          strerror(errno));
    s->kira0.mtu = least;
    return 0;
}

static int put_if(const struct ebpf_setup *s, uint32_t ifindex, const struct hd_bpf_if *v,
                  char *why)
{
    if (bpf_map_update_elem(s->o.maps[HD_EBPF_IFS], &ifindex, v, BPF_ANY) == 0)
        return 0;
    return hd_fwd_why(why, errno == E2BIG ? HD_ELIMIT : HD_ESYS,
                      "cannot write the interface map: %s", strerror(errno));
}

/* A real NIC gets the fast path in addition; where that fails tc does all. */
static void try_xdp(struct ebpf_setup *s, const struct hd_fwd_device *d, struct hd_bpf_if *v)
{
    uint32_t ifindex = d->ifindex;

    v->flags &= ~(uint32_t)HD_BPF_IF_XDP;
    if (s->o.programs[HD_EBPF_XDP] < 0 || s->o.maps[HD_EBPF_DEVS] < 0 || !hd_fwd_xdp_suits(d))
        return;
    if (hd_fwd_xdp_attach(ifindex, s->o.programs[HD_EBPF_XDP], s->old_xdp) != 0)
        return;
    if (bpf_map_update_elem(s->o.maps[HD_EBPF_DEVS], &ifindex, &ifindex, BPF_ANY) == 0)
        v->flags |= HD_BPF_IF_XDP;
    else
        hd_fwd_xdp_detach(ifindex, s->o.programs[HD_EBPF_XDP]);
}

static int attach_program(struct ebpf_setup *s, const struct hd_fwd_device *d,
                          enum hd_fwd_ebpf_program program, struct hd_bpf_if *v, char *why)
{
    bool own_qdisc = (v->flags & HD_BPF_IF_CLSACT) != 0;
    int error = hd_fwd_tc_attach(d->ifindex, false, s->o.programs, program, &own_qdisc);

    v->flags &= ~(uint32_t)HD_BPF_IF_CLSACT;
    if (own_qdisc)
        v->flags |= HD_BPF_IF_CLSACT;
    return error == 0 ? 0
                      : hd_fwd_why(why, error, "cannot attach to %s: %s", d->name, strerror(errno));
}

static int use_interface(struct ebpf_setup *s, const struct hd_fwd_device *d, uint32_t mtu,
                         char *why)
{
    struct hd_bpf_if v;
    int error;

    if (mtu < MTU_LINK_MIN)
        return hd_fwd_why(why, HD_EINVAL, "the MTU of %s is %u, a link needs %d", d->name, mtu,
                          MTU_LINK_MIN);
    (void)get_if(s->o.maps[HD_EBPF_IFS], d->ifindex, &v);
    v.mtu = mtu;
    memcpy(v.mac, &d->mac, sizeof v.mac);
    v.flags = (v.flags & ~(uint32_t)HD_BPF_IF_GUARDED) | HD_BPF_IF_USED;
    error = put_if(s, d->ifindex, &v, why);
    if (error == 0)
        error = adjust_mtu(s, why);
    if (error == 0)
        error = attach_program(s, d, HD_EBPF_LINK, &v, why);
    if (error != 0) {
        (void)bpf_map_delete_elem(s->o.maps[HD_EBPF_IFS], &d->ifindex);
        return error;
    }
    try_xdp(s, d, &v);
    return put_if(s, d->ifindex, &v, why);
}

/* Not a link (any more): our prefixes are stopped there; an interface that is gone leaves the map.
 */
static int leave_interface(struct ebpf_setup *s, uint32_t ifindex, const struct hd_fwd_device *d,
                           char *why)
{
    struct hd_bpf_if old, v;
    int error;

    (void)get_if(s->o.maps[HD_EBPF_IFS], ifindex, &old);
    v = old;
    (void)bpf_map_delete_elem(s->o.maps[HD_EBPF_IFS], &ifindex);
    error = adjust_mtu(s, why);
    if (d == NULL || d->flags & IFF_LOOPBACK || kira0_is_ours(d)) {
        detach(s, ifindex, &old);
        return error;
    }
    /* The guard replaces the link's program in one step: no packet slips between. */
    old.flags &= ~(uint32_t)(HD_BPF_IF_USED | HD_BPF_IF_GUARDED);
    detach(s, ifindex, &old);
    v.flags = (v.flags & HD_BPF_IF_CLSACT) | HD_BPF_IF_GUARDED;
    if (error == 0)
        error = attach_program(s, d, HD_EBPF_GUARD, &v, why);
    return error == 0 ? put_if(s, ifindex, &v, why) : error;
}

int hd_fwd_ebpf_setup_interface(struct hd_fwd_setup *base, uint32_t ifindex, uint32_t mtu, bool use,
                                char *why)
{
    struct ebpf_setup *s = setup_of(base);
    struct hd_fwd_device d;
    int error = hd_fwd_device_get(NULL, ifindex, &d);

    if (use && error != 0)
        return hd_fwd_why(why, error, "there is no interface %u", ifindex);
    if (use)
        return use_interface(s, &d, mtu, why);
    return leave_interface(s, ifindex, error == 0 ? &d : NULL, why);
}

bool hd_fwd_ebpf_setup_intact(struct hd_fwd_setup *base)
{
    const struct ebpf_setup *s = setup_of(base);
    uint32_t at = 0, next;
    struct hd_fwd_device d;
    struct hd_bpf_if v;
    int map = s->o.maps[HD_EBPF_IFS];

    if (hd_fwd_tc_attached(s->kira0.ifindex, true, s->o.programs) == 0)
        return false;
    for (uint32_t *from = NULL; bpf_map_get_next_key(map, from, &next) == 0; from = &at) {
        at = next;
        if (get_if(map, next, &v) && v.flags & (HD_BPF_IF_USED | HD_BPF_IF_GUARDED) &&
            hd_fwd_tc_attached(next, false, s->o.programs) == 0 &&
            hd_fwd_device_get(NULL, next, &d) == 0)
            return false;
    }
    return true;
}

/* --- open and close
 * -------------------------------------------------------------------------------- */

/* Its prefixes may be others than ours. What is gone already needs no removal. */
static void remove_old_routes(const struct ebpf_setup *s)
{
    struct hd_bpf_config c;

    if (!pinned_config(s, &c))
        return;
    (void)!hd_fwd_route_del(__builtin_bswap16(c.label_prefix), 0);
    (void)!hd_fwd_route_del(__builtin_bswap16(c.node_prefix), c.kira0_ifindex);
}

/* Removes what an earlier instance left behind, by what its pins tell. */
static void wipe(struct ebpf_setup *s)
{
    int ifs = hd_fwd_bpffs_get(s->pin_dir, "hd_ifs");

    remove_old_routes(s);
    detach_all(s, ifs);
    if (ifs >= 0)
        close(ifs);
    hd_fwd_bpffs_clear(s->pin_dir);
}

static int load(struct ebpf_setup *s, const char *pin_dir, bool adopt, char *why)
{
    int error = hd_fwd_bpffs_open(pin_dir, s->pin_dir);

    if (error != 0)
        return hd_fwd_why(why, error, "cannot make a BPF file system at %s: %s", pin_dir,
                          strerror(errno));
    if (!adopt || !maps_are_ours(s))
        wipe(s);
    s->old_xdp = hd_fwd_bpffs_get(s->pin_dir, XDP_PIN);
    error = hd_fwd_ebpf_load(&s->o, s->pin_dir, why);
    if (error == HD_EINVAL) { /* maps of an older build */
        wipe(s);
        error = hd_fwd_ebpf_load(&s->o, s->pin_dir, why);
    }
    if (error == 0 && s->o.programs[HD_EBPF_XDP] >= 0)
        error = hd_fwd_bpffs_pin(s->pin_dir, XDP_PIN, s->o.programs[HD_EBPF_XDP]);
    return error;
}

static int attach_kira0(struct ebpf_setup *s, char *why)
{
    bool own_qdisc = true; /* it goes with the device */
    int error = hd_fwd_tc_attach(s->kira0.ifindex, true, s->o.programs, HD_EBPF_KIRA0, &own_qdisc);

    return error == 0
               ? 0
               : hd_fwd_why(why, error, "cannot attach to " HD_KIRA_DEVICE ": %s", strerror(errno));
}

static int build(struct ebpf_setup *s, const char *pin_dir, bool adopt, char *why)
{
    int error = load(s, pin_dir, adopt, why);

    if (error == 0)
        error = make_kira0(s, adopt, why);
    if (error == 0)
        error = write_config(s, why);
    if (error == 0)
        error = attach_kira0(s, why);
    if (error == 0)
        error = make_routes(s, why);
    if (error == 0)
        prune(s);
    return error;
}

int hd_fwd_ebpf_setup_open(struct hd_fwd_setup **out, const struct hd_fwd_setup_options *o,
                           char *why)
{
    struct ebpf_setup *s = calloc(1, sizeof *s);
    int error;

    if (s == NULL)
        return hd_fwd_why(why, HD_ENOMEM, "out of memory");
    s->base.ops = &hd_fwd_ebpf_ops;
    s->old_xdp = -1;
    memset(&s->o, 0xff, sizeof s->o);
    s->own = o->own_address;
    s->node_prefix = o->node_prefix;
    s->label_prefix = o->label_prefix;
    error = build(s, o->pin_dir, o->adopt, why);
    if (error != 0) {
        hd_fwd_ebpf_setup_close(&s->base, false);
        return error;
    }
    *out = &s->base;
    return 0;
}

static bool has_id(int fd, uint32_t program)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof info;

    return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.id == program;
}

bool hd_fwd_ebpf_setup_has_xdp(const struct hd_fwd_setup *base, uint32_t program)
{
    const struct ebpf_setup *s = setup_of(base);

    return has_id(s->old_xdp, program) || has_id(s->o.programs[HD_EBPF_XDP], program);
}

static void describe(const struct ebpf_setup *s, char *text, size_t size)
{
    int map = s->o.maps[HD_EBPF_IFS], n;
    char name[IF_NAMESIZE];
    uint32_t at = 0, next;
    struct hd_bpf_if v;

    n = snprintf(text, size, "kira0 %s; encapsulation tc; transit tc", s->kira0.kind);
    for (uint32_t *from = NULL; bpf_map_get_next_key(map, from, &next) == 0; from = &at) {
        at = next;
        if (n > 0 && (size_t)n < size && get_if(map, next, &v) && v.flags & HD_BPF_IF_XDP &&
            if_indextoname(next, name) != NULL)
            n += snprintf(text + n, size - (size_t)n, ", xdp %s", name);
    }
}

void hd_fwd_ebpf_setup_handles(const struct hd_fwd_setup *base, struct hd_fwd_handles *h)
{
    const struct ebpf_setup *s = setup_of(base);

    memset(h, 0, sizeof *h);
    memset(h->fds, 0xff, sizeof h->fds);
    h->backend = HD_FWD_EBPF;
    h->count = HD_EBPF_HANDED;
    memcpy(h->fds, s->o.maps, HD_EBPF_HANDED * sizeof h->fds[0]);
    h->kira0_ifindex = s->kira0.ifindex;
    h->node_prefix = s->node_prefix;
    h->label_prefix = s->label_prefix;
    h->cpus = (uint32_t)HD_MAX(libbpf_num_possible_cpus(), 1);
    describe(s, h->features, sizeof h->features);
}

static void remove_all(struct ebpf_setup *s)
{
    detach_all(s, s->o.maps[HD_EBPF_IFS]);
    if (s->kira0.ifindex != 0 && kira0_is_ours(&s->kira0)) {
        (void)!hd_fwd_route_del(s->label_prefix, 0);
        (void)!hd_fwd_device_del(s->kira0.ifindex); /* takes address, route and program along */
    }
    hd_fwd_bpffs_remove(s->pin_dir);
}

void hd_fwd_ebpf_setup_close(struct hd_fwd_setup *base, bool keep)
{
    struct ebpf_setup *s = setup_of(base);

    if (!keep && s->pin_dir[0] != '\0')
        remove_all(s);
    hd_fwd_ebpf_unload(&s->o);
    if (s->old_xdp >= 0)
        close(s->old_xdp);
    free(s);
}
