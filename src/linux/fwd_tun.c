/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast half of the `tun` back-end, in the router process (fwd_tun.h): takes packets from kira0 and
 * from the links in batches and walks them through fwd_tun_path.c.
 *
 * Changes of the model are in force as soon as they are made, since packets are looked up in the
 * model; `apply` only says so, notes them in the image that the next process will adopt, and keeps
 * the index of admitted neighbours. Nothing is read before that adoption: packets wait in the
 * device's queue and the socket's buffer.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "linux/fwd_tun.h"

static const char *const counter_names[HD_TUN_COUNTER_COUNT] = {
#define COUNTER_NAME(name, text) [HD_TUN_##name] = text,
    HD_TUN_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

static struct hd_tun *self(const struct hd_fwd *base)
{
    return HD_CONTAINER_OF((struct hd_fwd *)(uintptr_t)base, struct hd_tun, base);
}

uint32_t hd_tun_mtu(const struct hd_tun *t, uint32_t ifindex)
{
    for (uint32_t i = 0; i < HD_TUN_IFS_MAX; i++) {
        uint64_t word = atomic_load_explicit(&t->table->ifs[i], memory_order_relaxed);
        if (word >> 32 == ifindex && word != 0) {
            return (uint32_t)word;
        }
    }
    return 0;
}

/* --- admission
 * ------------------------------------------------------------------------------------- */

static uint64_t neighbour_hash(const struct hd_tun *t, uint32_t ifindex, const struct hd_mac *mac)
{
    uint64_t low = 0;
    memcpy(&low, mac->b, sizeof mac->b);
    return hd_mix64(low ^ (uint64_t)ifindex << 40 ^ t->reports->salt);
}

int hd_tun_index_admitted(struct hd_tun *t, const struct hd_model *m)
{
    uint32_t size = 16;
    while (size < m->adjs.len * 2) {
        size *= 2;
    }
    if (size != t->admitted_size) {
        free(t->admitted);
        t->admitted = malloc(size * sizeof *t->admitted);
        t->admitted_size = t->admitted != NULL ? size : 0;
        if (t->admitted == NULL) {
            return HD_ENOMEM;
        }
    }
    memset(t->admitted, 0, size * sizeof *t->admitted);
    for (uint32_t i = hd_model_next(m, HD_OBJ_ADJ, 0); i != 0;
         i = hd_model_next(m, HD_OBJ_ADJ, i)) {
        const struct hd_adj_value *v = &hd_model_adj(m, i)->v;
        if (!v->admitted) {
            continue;
        }
        uint64_t at = neighbour_hash(t, v->ifindex, &v->mac);
        while (t->admitted[at & (size - 1)] != 0) {
            at++;
        }
        t->admitted[at & (size - 1)] = i;
    }
    return HD_OK;
}

bool hd_tun_admitted(const struct hd_tun *t, uint32_t ifindex, const struct hd_mac *mac)
{
    if (t->admitted_size == 0) {
        return false;
    }
    /* The index is a hint: what the model says of the adjacency now is what counts. */
    uint64_t at = neighbour_hash(t, ifindex, mac);
    for (uint32_t adj; (adj = t->admitted[at & (t->admitted_size - 1)]) != 0; at++) {
        const struct hd_adj *a = hd_model_adj(t->model, adj);
        if (a != NULL && a->o.wanted && a->v.admitted && a->v.ifindex == ifindex &&
            hd_mac_equal(&a->v.mac, mac)) {
            return true;
        }
    }
    return false;
}

/* --- open and close
 * -------------------------------------------------------------------------------- */

static int watch(int epoll, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? HD_OK : HD_ESYS;
}

static int map_memory(struct hd_tun *t, int table, int image)
{
    void *at = mmap(NULL, sizeof *t->table, PROT_READ, MAP_SHARED, table, 0);
    if (at == MAP_FAILED) {
        return HD_ESYS;
    }
    t->table = at;
    t->image = hd_tun_image_map(image);
    if (t->image == NULL) {
        return HD_ESYS;
    }
    /* Only what packets really fill takes memory. */
    at = mmap(NULL, (size_t)HD_TUN_BATCH * HD_TUN_PACKET, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return HD_ESYS;
    }
    t->buffers = at;
    return HD_OK;
}

static void release(struct hd_tun *t)
{
    if (t->table != NULL) {
        munmap((void *)(uintptr_t)t->table, sizeof *t->table);
    }
    hd_tun_image_unmap(t->image);
    if (t->buffers != NULL) {
        munmap(t->buffers, (size_t)HD_TUN_BATCH * HD_TUN_PACKET);
    }
    if (t->poll >= 0) {
        close(t->poll);
    }
    hd_tun_output_free(t);
    free(t->reports);
    free(t->admitted);
    free(t);
}

static int prepare(struct hd_tun *t, const struct hd_fwd_handles *h)
{
    t->reports = calloc(1, sizeof *t->reports);
    if (t->reports == NULL || hd_tun_output_make(t) != HD_OK) {
        return HD_ENOMEM;
    }
    if (getrandom(&t->reports->salt, sizeof t->reports->salt, 0) != sizeof t->reports->salt) {
        return HD_ESYS;
    }
    int error = map_memory(t, h->fds[HD_TUN_FD_TABLE], h->fds[HD_TUN_FD_IMAGE]);
    if (error != HD_OK) {
        return error;
    }
    t->own = t->table->who.own;
    t->poll = epoll_create1(EPOLL_CLOEXEC);
    if (t->poll < 0 || watch(t->poll, t->device) != HD_OK || watch(t->poll, t->receive) != HD_OK) {
        return HD_ESYS;
    }
    return HD_OK;
}

int hd_tun_open(struct hd_fwd **out, const struct hd_fwd_handles *h)
{
    if (h->count != HD_TUN_FD_COUNT) {
        return HD_EINVAL;
    }
    struct hd_tun *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return HD_ENOMEM;
    }
    t->base.ops = &hd_fwd_tun_ops;
    t->poll = -1;
    t->device = h->fds[HD_TUN_FD_DEVICE];
    t->receive = h->fds[HD_TUN_FD_RECEIVE];
    t->send = h->fds[HD_TUN_FD_SEND];
    t->node_prefix = h->node_prefix;
    t->label_prefix = h->label_prefix;
    int error = prepare(t, h);
    if (error != HD_OK) {
        release(t); /* the descriptors stay the caller's when opening failed */
        return error;
    }
    close(h->fds[HD_TUN_FD_TABLE]); /* mapped */
    close(h->fds[HD_TUN_FD_IMAGE]);
    *out = &t->base;
    return HD_OK;
}

void hd_tun_close(struct hd_fwd *base)
{
    struct hd_tun *t = self(base);
    close(t->device);
    close(t->receive);
    close(t->send);
    release(t);
}

int hd_tun_adopt(struct hd_fwd *base, struct hd_model *m, uint8_t owner)
{
    int error = hd_tun_image_adopt(self(base), m, owner);
    return error == HD_OK ? hd_tun_index_admitted(self(base), m) : error;
}

void hd_tun_apply(struct hd_fwd *base, struct hd_model *m)
{
    struct hd_tun *t = self(base);
    struct hd_change c;
    bool neighbours = false, changed = false;
    uint32_t generation = m->generation;
    while (hd_model_pull(m, &c)) {
        neighbours = neighbours || c.kind == HD_OBJ_ADJ;
        changed = true;
        hd_tun_image_note(t, m, &c);
        hd_model_done(m, &c, HD_OK);
    }
    if (changed) {
        hd_tun_image_commit(t, m);
    }
    /* Without memory nobody is admitted until the next change: safe, and seen in the counters. */
    if (neighbours && hd_tun_index_admitted(t, m) != HD_OK) {
        t->counters[HD_TUN_DROP_FAILED]++;
    }
    hd_model_realised(m, generation);
}

bool hd_tun_police(struct hd_fwd *base, struct hd_model *m, uint32_t ifindex,
                   const struct hd_mac *from, hd_time now)
{
    struct hd_tun *t = self(base);
    t->model = m;
    bool conforms =
        hd_tun_conforms(t->reports, ifindex, from, hd_tun_admitted(t, ifindex, from), now);
    t->model = NULL;
    t->counters[HD_TUN_DROP_POLICED] += !conforms;
    return conforms;
}

/* --- polling
 * --------------------------------------------------------------------------------------- */

int hd_tun_poll_fd(const struct hd_fwd *base)
{
    return self(base)->poll;
}

static uint8_t *buffer(const struct hd_tun *t, uint32_t i)
{
    return t->buffers + (size_t)i * HD_TUN_PACKET;
}

static unsigned poll_device(struct hd_tun *t, unsigned max)
{
    unsigned n = 0;
    for (; n < max && n < HD_TUN_BATCH; n++) {
        struct hd_tun_packet p = {.bytes = buffer(t, n)};
        struct iovec part[2] = {
            {.iov_base = &p.vnet, .iov_len = sizeof p.vnet},
            {.iov_base = p.bytes, .iov_len = HD_TUN_PACKET},
        };
        ssize_t got = readv(t->device, part, 2);
        if (got < (ssize_t)sizeof p.vnet) {
            break;
        }
        p.len = (uint32_t)((size_t)got - sizeof p.vnet);
        hd_tun_from_device(t, &p);
    }
    hd_tun_flush(t);
    return n;
}

struct arrivals {
    struct mmsghdr message[HD_TUN_BATCH];
    struct sockaddr_ll from[HD_TUN_BATCH];
    struct iovec part[HD_TUN_BATCH][2];
    struct virtio_net_hdr vnet[HD_TUN_BATCH];
};

static void prepare_arrivals(const struct hd_tun *t, struct arrivals *a, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        a->part[i][0] = (struct iovec){.iov_base = &a->vnet[i], .iov_len = sizeof a->vnet[i]};
        a->part[i][1] = (struct iovec){.iov_base = buffer(t, i), .iov_len = HD_TUN_PACKET};
        a->message[i].msg_hdr = (struct msghdr){
            .msg_name = &a->from[i],
            .msg_namelen = sizeof a->from[i],
            .msg_iov = a->part[i],
            .msg_iovlen = 2,
        };
    }
}

/* What does not was let through by the socket's filter for its being an echo request. */
static bool bears_our_prefix(const struct hd_tun *t, const struct hd_tun_packet *p)
{
    if (p->len < HD_IP6_BYTES) {
        return true; /* to be refused there */
    }
    int from = p->bytes[8] << 8 | p->bytes[9], to = p->bytes[24] << 8 | p->bytes[25];
    return from == t->node_prefix || from == t->label_prefix || to == t->node_prefix ||
           to == t->label_prefix;
}

static void take_arrival(struct hd_tun *t, const struct arrivals *a, unsigned i)
{
    const struct mmsghdr *m = &a->message[i];
    const struct sockaddr_ll *from = &a->from[i];
    struct hd_mac mac;
    if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0 || m->msg_len < sizeof a->vnet[i] ||
        from->sll_halen != sizeof mac.b) {
        t->counters[HD_TUN_DROP_MALFORMED]++;
        return;
    }
    memcpy(mac.b, from->sll_addr, sizeof mac.b);
    struct hd_tun_packet p = {
        .bytes = buffer(t, i),
        .len = (uint32_t)(m->msg_len - sizeof a->vnet[i]),
        .vnet = a->vnet[i],
    };
    bool unfinished = (p.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    if (p.len < ETH_HLEN || (unfinished && p.vnet.csum_start < ETH_HLEN)) {
        t->counters[HD_TUN_DROP_MALFORMED]++;
        return;
    }
    hd_tun_strip(&p, ETH_HLEN);
    if (bears_our_prefix(t, &p)) {
        hd_tun_from_link(t, &p, (uint32_t)from->sll_ifindex, &mac);
    } else {
        hd_tun_reflect(t, &p, (uint32_t)from->sll_ifindex, &mac);
    }
}

static unsigned poll_links(struct hd_tun *t, unsigned max)
{
    struct arrivals a;
    unsigned want = HD_MIN(max, (unsigned)HD_TUN_BATCH);
    prepare_arrivals(t, &a, want);
    int n = recvmmsg(t->receive, a.message, want, MSG_DONTWAIT, NULL);
    if (n < 0) {
        /* A packet of a kind that this kernel cannot describe is consumed with an error. */
        if (errno != EINVAL) {
            return 0;
        }
        t->counters[HD_TUN_DROP_FAILED]++;
        return 1;
    }
    for (unsigned i = 0; i < (unsigned)n; i++) {
        take_arrival(t, &a, i);
    }
    hd_tun_flush(t);
    return (unsigned)n;
}

int hd_tun_poll(struct hd_fwd *base, struct hd_model *m, const struct hd_fwd_sink *sink,
                unsigned budget)
{
    struct hd_tun *t = self(base);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    t->now = HD_SEC(now.tv_sec) + now.tv_nsec;
    t->model = m;
    t->sink = sink;
    unsigned done = 0;
    while (done < budget) {
        /* Half of the rest for each, so that neither side starves the other. */
        unsigned n = poll_links(t, (budget - done + 1) / 2);
        n += done + n < budget ? poll_device(t, budget - done - n) : 0;
        if (n == 0) {
            break;
        }
        done += n;
    }
    t->model = NULL;
    t->sink = NULL;
    return (int)done;
}

uint32_t hd_tun_counters(struct hd_fwd *base, struct hd_fwd_counter *out, uint32_t max)
{
    const struct hd_tun *t = self(base);
    uint32_t n = HD_MIN(max, (uint32_t)HD_TUN_COUNTER_COUNT);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (struct hd_fwd_counter){.name = counter_names[i], .value = t->counters[i]};
    }
    return n;
}
