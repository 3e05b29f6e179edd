/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set-up half of the `tun` back-end, in the system process (fwd_tun.h): the device kira0 with its
 * address and routes, the two packet sockets, the table of interfaces, and a guard on every
 * interface.
 *
 * Of kira0's offloads only the checksum is negotiated: the kernel then cuts super-packets itself,
 * and leaves no more than a checksum to finish. Without that one UDP_SEGMENT would fail on kernels
 * before 6.11, which refuse it on devices that cannot do checksums.
 *
 * The device is persistent: it stays, with its address and the sockets bound to it, while nobody
 * reads. Packets are not forwarded then; that is the price of this back-end. They wait for the next
 * router process in the device's queue and the socket's buffer, which hold some thousand each, and
 * that process finds the tables in the image (fwd_tun_image.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base.h"
#include "linux/fwd_device.h"
#include "linux/fwd_tun.h"
#include "linux/sockets.h"

#define DEFAULT_LINK_MTU 1500
#define LINK_MTU_MIN     (HD_INNER_MTU + HD_ENCAP_BYTES)
#define RECEIVE_BYTES    (4 * 1024 * 1024)
#define DEVICE_QUEUE     2000 /* packets that the device holds while the router is replaced */

struct guard {
    uint32_t ifindex;
    uint32_t mtu; /* of a KIRA link, else 0 */
    bool made_qdisc;
};

struct tun_setup {
    struct hd_fwd_setup base; /* first, see fwd_backend.h */
    int fds[HD_TUN_FD_COUNT]; /* -1: not open */
    struct hd_tun_table *table;
    uint32_t ifindex;
    uint16_t node_prefix, label_prefix;
    struct hd_ip6 own;
    bool resumed; /* a qdisc that is there already was made by our predecessor */
    struct guard *guards;
    uint32_t guard_count, guard_cap;
};

/* --- device
 * --------------------------------------------------------------------------------------- */

/*
 * The device outlives whoever holds it. Then a queue is free, and without an owner anybody who may
 * open /dev/net/tun could take it, and with it the traffic of the fabric.
 */
static int open_device(char *why)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return hd_fwd_why(why, HD_ESYS, "cannot open /dev/net/tun: %s", strerror(errno));
    }
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    strcpy(request.ifr_name, HD_KIRA_DEVICE);
    int error = HD_OK;
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        error = hd_fwd_why(why, HD_ESYS, "cannot make the TUN device %s: %s", HD_KIRA_DEVICE,
                           errno == EBUSY    ? "another process holds it"
                           : errno == EINVAL ? "another kind of device has this name"
                                             : strerror(errno));
    } else if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) != 0 || ioctl(fd, TUNSETOWNER, 0) != 0 ||
               ioctl(fd, TUNSETPERSIST, 1) != 0) {
        error = hd_fwd_why(why, HD_ESYS, "cannot prepare %s: %s", HD_KIRA_DEVICE, strerror(errno));
    }
    if (error != HD_OK) {
        close(fd);
        return error;
    }
    return fd;
}

static uint32_t device_mtu(const struct tun_setup *s)
{
    uint32_t mtu = 0;
    for (uint32_t i = 0; i < s->guard_count; i++) {
        uint32_t link = s->guards[i].mtu;
        mtu = link != 0 && (mtu == 0 || link < mtu) ? link : mtu;
    }
    mtu = mtu == 0 ? DEFAULT_LINK_MTU : mtu;
    return HD_MAX(HD_MIN(mtu, 65535u) - HD_ENCAP_BYTES, (uint32_t)HD_INNER_MTU);
}

static int configure_device(struct tun_setup *s, char *why)
{
    struct hd_fwd_device d;
    int error = hd_fwd_device_get(HD_KIRA_DEVICE, 0, &d);
    if (error == HD_OK) {
        s->ifindex = d.ifindex;
        /* An adopted device has its MTU, and its links will be told again. */
        uint32_t mtu = d.alias[0] != 0 ? d.mtu : device_mtu(s);
        error = hd_fwd_device_prepare(d.ifindex, mtu, HD_FWD_ALIAS);
    }
    if (error == HD_OK) {
        error = hd_fwd_device_queue(s->ifindex, DEVICE_QUEUE);
    }
    if (error == HD_OK) {
        error = hd_fwd_address_add(s->ifindex, &s->own);
    }
    if (error == HD_OK) {
        error = hd_fwd_address_only(s->ifindex, &s->own);
    }
    if (error == HD_OK) {
        error = hd_fwd_route_set(s->node_prefix, s->ifindex, &s->own);
    }
    if (error == HD_OK) {
        error = hd_fwd_route_set(s->label_prefix, 0, NULL);
    }
    if (error != HD_OK) {
        return hd_fwd_why(why, error, "cannot configure %s: %s", HD_KIRA_DEVICE, strerror(errno));
    }
    return HD_OK;
}

/* --- sockets
 * -------------------------------------------------------------------------------------- */

/*
 * Frames for this host, on Ethernet, not of a VLAN, whose destination or source has one of our
 * prefixes; and echo requests of neighbours.
 */
static int filter_receive(int fd, uint16_t node_prefix, uint16_t label_prefix)
{
    const uint32_t ip = (uint32_t)SKF_NET_OFF, ancillary = (uint32_t)SKF_AD_OFF;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ancillary + SKF_AD_PROTOCOL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 21),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ancillary + SKF_AD_HATYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_ETHER, 0, 19),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ancillary + SKF_AD_PKTTYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 17),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ancillary + SKF_AD_VLAN_TAG_PRESENT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 15),
        /* destination, source */
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ip + 24),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, node_prefix, 12, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, label_prefix, 11, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ip + 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, node_prefix, 9, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, label_prefix, 8, 0),
        /* UDP of the right length to KIRA's port, with an echo request in it */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ip + 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 7),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ip + HD_IP6_BYTES + 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HD_KIRA_UDP_PORT, 0, 5),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ip + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HD_TUN_ECHO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ip + HD_IP6_BYTES + 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HD_TUN_ECHO_REQUEST, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, HD_TUN_PACKET),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return hd_socket_filter(fd, code, HD_ARRAY_LEN(code));
}

/*
 * The filter is in place before the socket is bound to a protocol and hears anything. Raw, because
 * only such sockets tell of offloads.
 */
static int open_receive(const struct tun_setup *s)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return HD_ESYS;
    }
    int one = 1, bytes = RECEIVE_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    if (filter_receive(fd, s->node_prefix, s->label_prefix) != HD_OK ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0 ||
        bind(fd, (const struct sockaddr *)&all, sizeof all) != 0) {
        close(fd);
        return HD_ESYS;
    }
    return fd;
}

/* Sends only: its filter refuses everything should the router bind it. */
static int open_send(void)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return HD_ESYS;
    }
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    if (hd_socket_filter(fd, nothing, HD_ARRAY_LEN(nothing)) != HD_OK) {
        close(fd);
        return HD_ESYS;
    }
    return fd;
}

/* --- table
 * ----------------------------------------------------------------------------------------- */

static int open_table(void)
{
    int fd = memfd_create("heddle-links", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, sizeof(struct hd_tun_table)) != 0) {
        close(fd);
        return HD_ESYS;
    }
    return fd < 0 ? HD_ESYS : fd;
}

static struct hd_tun_identity identity(const struct tun_setup *s)
{
    return (struct hd_tun_identity){.layout = HD_TUN_LAYOUT,
                                    .own = s->own,
                                    .node_prefix = s->node_prefix,
                                    .label_prefix = s->label_prefix};
}

_Static_assert(sizeof(struct hd_tun_identity) == 32, "no padding: it is compared as bytes");

static int map_table(struct tun_setup *s)
{
    void *at = mmap(NULL, sizeof *s->table, PROT_READ | PROT_WRITE, MAP_SHARED,
                    s->fds[HD_TUN_FD_TABLE], 0);
    if (at == MAP_FAILED) {
        return HD_ESYS;
    }
    s->table = at;
    s->table->who = identity(s);
    return HD_OK;
}

static int set_table(struct hd_tun_table *t, uint32_t ifindex, uint32_t mtu)
{
    _Atomic uint64_t *place = NULL;
    for (uint32_t i = 0; i < HD_TUN_IFS_MAX; i++) {
        uint64_t word = atomic_load_explicit(&t->ifs[i], memory_order_relaxed);
        if (word >> 32 == ifindex) {
            place = &t->ifs[i];
            break;
        }
        place = word == 0 && place == NULL ? &t->ifs[i] : place;
    }
    if (place == NULL) {
        return mtu == 0 ? HD_OK : HD_ELIMIT;
    }
    atomic_store_explicit(place, mtu == 0 ? 0 : (uint64_t)ifindex << 32 | mtu,
                          memory_order_relaxed);
    return HD_OK;
}

/* --- the calls
 * ------------------------------------------------------------------------------------- */

static void release(struct tun_setup *s)
{
    if (s->table != NULL) {
        munmap(s->table, sizeof *s->table);
    }
    for (unsigned i = 0; i < HD_TUN_FD_COUNT; i++) {
        if (s->fds[i] >= 0) {
            close(s->fds[i]);
        }
    }
    free(s->guards);
    free(s);
}

/* Routes of prefixes that are ours no more; what fails here was gone already. */
static void remove_old_routes(const struct tun_setup *s, const struct hd_tun_identity *old,
                              uint32_t kira0)
{
    if (old->label_prefix != s->label_prefix) {
        (void)!hd_fwd_route_del(old->label_prefix, 0);
    }
    if (old->node_prefix != s->node_prefix) {
        (void)!hd_fwd_route_del(old->node_prefix, kira0);
    }
}

/* Whether the kept descriptors are those of this node, made by a build that means the same by them.
 */
static bool kept_is_ours(const struct tun_setup *s, const struct hd_fwd_handles *kept)
{
    struct hd_tun_identity own = identity(s), old;
    int fd = kept->fds[HD_TUN_FD_TABLE];
    if (lseek(fd, 0, SEEK_END) != (off_t)sizeof *s->table ||
        pread(fd, &old, sizeof old, 0) != (ssize_t)sizeof old || old.layout != HD_TUN_LAYOUT) {
        return false;
    }
    remove_old_routes(s, &old, kept->kira0_ifindex);
    return memcmp(&own, &old, sizeof own) == 0;
}

/*
 * Of the descriptors that the keeper held over a restart of this process, those that still fit. The
 * device always does, and while one of it is open no other can be had.
 */
static void take_kept(struct tun_setup *s, const struct hd_fwd_handles *kept)
{
    bool ours = kept_is_ours(s, kept);
    for (unsigned i = 0; i < HD_TUN_FD_COUNT; i++) {
        bool take = i == HD_TUN_FD_DEVICE ||
                    (ours && (i != HD_TUN_FD_IMAGE || hd_tun_image_fits(kept->fds[i])));
        s->fds[i] = take ? fcntl(kept->fds[i], F_DUPFD_CLOEXEC, 3) : -1;
    }
}

static int open_missing(struct tun_setup *s, char *why)
{
    int *fd = s->fds;
    if (fd[HD_TUN_FD_DEVICE] < 0 && (fd[HD_TUN_FD_DEVICE] = open_device(why)) < 0) {
        return fd[HD_TUN_FD_DEVICE];
    }
    if (fd[HD_TUN_FD_RECEIVE] < 0) {
        fd[HD_TUN_FD_RECEIVE] = open_receive(s);
    }
    if (fd[HD_TUN_FD_SEND] < 0) {
        fd[HD_TUN_FD_SEND] = open_send();
    }
    if (fd[HD_TUN_FD_TABLE] < 0) {
        fd[HD_TUN_FD_TABLE] = open_table();
    }
    if (fd[HD_TUN_FD_IMAGE] < 0) {
        fd[HD_TUN_FD_IMAGE] = hd_tun_image_make();
    }
    for (unsigned i = 0; i < HD_TUN_FD_COUNT; i++) {
        if (s->fds[i] < 0) {
            return hd_fwd_why(why, HD_ESYS, "cannot open a packet socket or memory: %s",
                              strerror(errno));
        }
    }
    return HD_OK;
}

static int setup_open(struct hd_fwd_setup **out, const struct hd_fwd_setup_options *o, char *why)
{
    struct tun_setup *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return hd_fwd_why(why, HD_ENOMEM, "no memory");
    }
    s->base.ops = &hd_fwd_tun_ops;
    s->own = o->own_address;
    s->node_prefix = o->node_prefix;
    s->label_prefix = o->label_prefix;
    s->resumed = o->adopt; /* also after the keeper died and nothing was kept */
    memset(s->fds, 0xff, sizeof s->fds);

    const struct hd_fwd_handles *kept = o->adopt ? o->kept : NULL;
    if (kept != NULL && kept->backend == HD_FWD_TUN && kept->count == HD_TUN_FD_COUNT) {
        take_kept(s, kept);
    }
    int error = open_missing(s, why);
    if (error == HD_OK && map_table(s) != HD_OK) {
        error = hd_fwd_why(why, HD_ESYS, "cannot map the table of links: %s", strerror(errno));
    }
    if (error == HD_OK) {
        error = configure_device(s, why);
    }
    if (error != HD_OK) {
        release(s);
        return error;
    }
    *out = &s->base;
    return HD_OK;
}

static void setup_handles(const struct hd_fwd_setup *base, struct hd_fwd_handles *h)
{
    const struct tun_setup *s = (const struct tun_setup *)base;
    *h = (struct hd_fwd_handles){
        .backend = HD_FWD_TUN,
        .count = HD_TUN_FD_COUNT,
        .kira0_ifindex = s->ifindex,
        .node_prefix = s->node_prefix,
        .label_prefix = s->label_prefix,
        .features = "encapsulation, transit and delivery in user space (TUN, packet socket)",
    };
    memcpy(h->fds, s->fds, sizeof s->fds);
}

static struct guard *find_guard(struct tun_setup *s, uint32_t ifindex)
{
    for (uint32_t i = 0; i < s->guard_count; i++) {
        if (s->guards[i].ifindex == ifindex) {
            return &s->guards[i];
        }
    }
    return NULL;
}

static struct guard *make_guard(struct tun_setup *s, uint32_t ifindex)
{
    if (s->guard_count == s->guard_cap) {
        uint32_t cap = s->guard_cap * 2 + 8;
        struct guard *more = realloc(s->guards, cap * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        s->guards = more;
        s->guard_cap = cap;
    }
    bool made_qdisc = false;
    if (hd_tun_guard(ifindex, s->node_prefix, s->label_prefix, &made_qdisc) != HD_OK) {
        return NULL;
    }
    struct guard *g = &s->guards[s->guard_count++];
    *g = (struct guard){.ifindex = ifindex, .made_qdisc = made_qdisc || s->resumed};
    return g;
}

/* An interface that is gone took its filter along. */
static void forget_vanished(struct tun_setup *s, struct guard *g)
{
    struct hd_fwd_device d;
    if (hd_fwd_device_get(NULL, g->ifindex, &d) == HD_ENOENT) {
        *g = s->guards[--s->guard_count];
    }
}

static int setup_interface(struct hd_fwd_setup *base, uint32_t ifindex, uint32_t mtu, bool use,
                           char *why)
{
    struct tun_setup *s = (struct tun_setup *)base;
    if (use && mtu < LINK_MTU_MIN) {
        return hd_fwd_why(why, HD_EINVAL, "the MTU %u is below %u", mtu, LINK_MTU_MIN);
    }
    struct guard *g = find_guard(s, ifindex);
    if (g == NULL) {
        g = make_guard(s, ifindex);
    }
    int error = HD_OK;
    if (g == NULL && use) {
        return hd_fwd_why(why, HD_ESYS, "cannot attach the guard filter: %s", strerror(errno));
    }
    if (g != NULL) {
        g->mtu = use ? mtu : 0;
    }
    if (g != NULL && !use) {
        forget_vanished(s, g);
    }
    /* The table before the device: whatever comes in by kira0 must fit what the table says. */
    error = set_table(s->table, ifindex, use ? mtu : 0);
    if (error != HD_OK) {
        g->mtu = 0;
        return hd_fwd_why(why, error, "more than %d links", HD_TUN_IFS_MAX);
    }
    if (hd_fwd_device_mtu(s->ifindex, device_mtu(s)) != HD_OK) {
        return hd_fwd_why(why, HD_ESYS, "cannot set the MTU of %s: %s", HD_KIRA_DEVICE,
                          strerror(errno));
    }
    return HD_OK;
}

static bool setup_intact(struct hd_fwd_setup *base)
{
    const struct tun_setup *s = (const struct tun_setup *)base;
    struct hd_fwd_device d;

    for (uint32_t i = 0; i < s->guard_count; i++) {
        uint32_t at = s->guards[i].ifindex;
        if (hd_tun_guarded(at) == 0 && hd_fwd_device_get(NULL, at, &d) == HD_OK) {
            return false;
        }
    }
    return true;
}

static void setup_close(struct hd_fwd_setup *base, bool keep)
{
    struct tun_setup *s = (struct tun_setup *)base;
    if (!keep) {
        /* The other route goes with the device; what fails here was gone already. */
        int route = hd_fwd_route_del(s->label_prefix, 0);
        int device = hd_fwd_device_del(s->ifindex);
        (void)route;
        (void)device;
        for (uint32_t i = 0; i < s->guard_count; i++) {
            hd_tun_unguard(s->guards[i].ifindex, s->guards[i].made_qdisc);
        }
    }
    release(s);
}

const struct hd_fwd_backend_ops hd_fwd_tun_ops = {
    .name = "tun",
    .setup_open = setup_open,
    .setup_handles = setup_handles,
    .setup_interface = setup_interface,
    .setup_intact = setup_intact,
    .setup_close = setup_close,
    .open = hd_tun_open,
    .close = hd_tun_close,
    .adopt = hd_tun_adopt,
    .apply = hd_tun_apply,
    .poll_fd = hd_tun_poll_fd,
    .poll = hd_tun_poll,
    .police = hd_tun_police,
    .counters = hd_tun_counters,
};
