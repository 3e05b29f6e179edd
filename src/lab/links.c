/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: veth pairs made by rtnetlink in batches, each end put straight into its namespace under
 * its final name, so that a link is one message. A wired link is two pairs with the wire's
 * namespace in the middle. Rates are token buckets (tbf) at both ends.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lab/internal.h"
#include "lib/base.h"

#define BATCH_BYTES    16384
#define BATCH_MESSAGES 64 /* bounds the answers that wait in the socket */

/* --- one interface of the namespace we are in ----------------------------------------------------
 */

/* Does an ioctl on an interface; ifr->ifr_name is filled here. */
static int interface_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return HD_ESYS;
    snprintf(ifr->ifr_name, sizeof ifr->ifr_name, "%s", ifname);
    int rc = ioctl(fd, request, ifr) < 0 ? HD_ESYS : 0;
    int saved = errno;

    close(fd);
    errno = saved;
    return rc;
}

int hd_lab_if_flags(const char *ifname)
{
    struct ifreq ifr = {0};
    int rc = interface_ioctl(ifname, SIOCGIFFLAGS, &ifr);

    return rc < 0 ? rc : (unsigned short)ifr.ifr_flags;
}

int hd_lab_if_set(const char *ifname, bool up)
{
    struct ifreq ifr = {0};
    int flags = hd_lab_if_flags(ifname);

    if (flags < 0)
        return flags;
    ifr.ifr_flags = (short)(up ? flags | IFF_UP : flags & ~IFF_UP);
    return interface_ioctl(ifname, SIOCSIFFLAGS, &ifr);
}

/* IFF_RUNNING may lag behind by a second; this does not. */
int hd_lab_if_carrier(const char *ifname)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq ifr = {0};

    ifr.ifr_data = (void *)&value;
    return interface_ioctl(ifname, SIOCETHTOOL, &ifr) < 0 ? HD_ESYS : value.data != 0;
}

/*
 * The wire sees frames as the sender's interface hands them over. Without these offloads they are
 * real frames: segmented, with checksums.
 */
static int offloads_off(const char *ifname)
{
    static const uint32_t commands[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO};

    for (size_t i = 0; i < HD_ARRAY_LEN(commands); i++) {
        struct ethtool_value value = {.cmd = commands[i], .data = 0};
        struct ifreq ifr = {0};

        ifr.ifr_data = (void *)&value;
        if (interface_ioctl(ifname, SIOCETHTOOL, &ifr) < 0)
            return HD_ESYS;
    }
    return 0;
}

/* --- one request with its answer -----------------------------------------------------------------
 */

static int request(struct nlmsghdr *nlh)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    char answer[4096];
    int rc = HD_ESYS;

    if (nl == NULL)
        return HD_ESYS;
    nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    nlh->nlmsg_seq = 1;
    if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0) {
        ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof answer);

        if (n > 0 &&
            mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) != MNL_CB_ERROR)
            rc = 0;
    }
    int saved = errno;

    mnl_socket_close(nl);
    errno = saved;
    return rc;
}

static struct tcmsg *qdisc_header(struct nlmsghdr *nlh, unsigned ifindex)
{
    struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof *tc);

    tc->tcm_family = AF_UNSPEC;
    tc->tcm_ifindex = (int)ifindex;
    tc->tcm_parent = TC_H_ROOT;
    tc->tcm_handle = 1 << 16;
    return tc;
}

/*
 * The bucket holds a millisecond of the rate and never less than two frames; the queue holds what
 * the scenario says, else 20 ms. The kernel wants the bucket's depth in ticks of 64 ns.
 */
static void put_tbf(struct nlmsghdr *nlh, uint64_t rate_bps, uint64_t queue_bytes, uint32_t mtu)
{
    uint64_t bytes_per_s = HD_MAX(rate_bps / 8, 1);
    uint64_t burst = HD_MAX(bytes_per_s / 1000, 2 * ((uint64_t)mtu + 18));
    uint64_t queue = queue_bytes != 0 ? queue_bytes : HD_MAX(bytes_per_s / 50, 16 * burst);
    struct tc_tbf_qopt q = {0};

    burst = HD_MIN(burst, 4 << 20);
    q.rate.rate = (uint32_t)HD_MIN(bytes_per_s, UINT32_MAX);
    q.rate.linklayer = 1; /* Ethernet */
    q.limit = (uint32_t)HD_MIN(queue + burst, UINT32_MAX);
    q.buffer = (uint32_t)HD_MIN(burst * 1000000000 / bytes_per_s / 64, UINT32_MAX);
    struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

    mnl_attr_put(nlh, TCA_TBF_PARMS, sizeof q, &q);
    mnl_attr_put_u32(nlh, TCA_TBF_BURST, (uint32_t)burst);
    if (bytes_per_s > UINT32_MAX)
        mnl_attr_put_u64(nlh, TCA_TBF_RATE64, bytes_per_s);
    mnl_attr_nest_end(nlh, options);
}

int hd_lab_if_rate(const char *ifname, uint64_t rate_bps, uint64_t queue_bytes, uint32_t mtu)
{
    char buf[1024];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    unsigned ifindex = if_nametoindex(ifname);

    if (ifindex == 0)
        return HD_ESYS;
    qdisc_header(nlh, ifindex);
    if (rate_bps == 0) {
        nlh->nlmsg_type = RTM_DELQDISC;
        int rc = request(nlh);

        return rc < 0 && (errno == ENOENT || errno == EINVAL) ? 0 : rc;
    }
    nlh->nlmsg_type = RTM_NEWQDISC;
    nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
    mnl_attr_put_strz(nlh, TCA_KIND, "tbf");
    put_tbf(nlh, rate_bps, queue_bytes, mtu);
    return request(nlh);
}

/* --- all links in batches ------------------------------------------------------------------------
 */

struct batch {
    struct hd_lab *lab;
    struct mnl_socket *nl;
    struct mnl_nlmsg_batch *b;
    char *buf;
    uint32_t first, next; /* sequence numbers: sent and not answered */
};

static int answers(struct batch *x)
{
    char buf[8192];

    while (x->first < x->next) {
        ssize_t n = mnl_socket_recvfrom(x->nl, buf, sizeof buf);

        if (n < 0)
            return hd_lab_fail(x->lab, HD_ESYS, "netlink: %s", strerror(errno));
        int left = (int)n;

        for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

            x->first++;
            if (h->nlmsg_type == NLMSG_ERROR && e->error != 0)
                return hd_lab_fail(x->lab, HD_ESYS, "link %u: %s", h->nlmsg_seq - 1,
                                   strerror(-e->error));
        }
    }
    return 0;
}

static int flush(struct batch *x)
{
    if (mnl_nlmsg_batch_is_empty(x->b))
        return 0;
    if (mnl_socket_sendto(x->nl, mnl_nlmsg_batch_head(x->b), mnl_nlmsg_batch_size(x->b)) < 0)
        return hd_lab_fail(x->lab, HD_ESYS, "netlink: %s", strerror(errno));
    mnl_nlmsg_batch_reset(x->b);
    return answers(x);
}

/* One end of a pair. */
struct end {
    int ns;
    const char *ifname;
    uint8_t mac[6];
};

static void put_end(struct nlmsghdr *nlh, const struct end *e, uint32_t mtu)
{
    mnl_attr_put_strz(nlh, IFLA_IFNAME, e->ifname);
    mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)e->ns);
    mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
    mnl_attr_put(nlh, IFLA_ADDRESS, sizeof e->mac, e->mac);
}

static int add_pair(struct batch *x, const struct end *a, const struct end *b, uint32_t mtu,
                    uint32_t link)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(x->b));
    const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    nlh->nlmsg_type = RTM_NEWLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    nlh->nlmsg_seq = link + 1;
    x->next++;
    *(struct ifinfomsg *)mnl_nlmsg_put_extra_header(nlh, sizeof up) = up;
    put_end(nlh, a, mtu);
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);

    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);

    *(struct ifinfomsg *)mnl_nlmsg_put_extra_header(nlh, sizeof up) = (struct ifinfomsg){0};
    put_end(nlh, b, mtu);
    mnl_attr_nest_end(nlh, peer);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
    if (!mnl_nlmsg_batch_next(x->b) || x->next - x->first >= BATCH_MESSAGES)
        return flush(x);
    return 0;
}

char *hd_lab_wire_ifname(uint32_t link, unsigned side, char *buf)
{
    snprintf(buf, IFNAMSIZ, "w%u%c", link, side == 0 ? 'a' : 'b');
    return buf;
}

/* Locally administered, readable in a capture: link number and side. The wire's ends have 0x06. */
static void make_mac(struct end *e, uint8_t first, uint32_t link, unsigned side)
{
    const uint8_t mac[6] = {first,
                            0x1d,
                            (uint8_t)(link >> 16),
                            (uint8_t)(link >> 8),
                            (uint8_t)link,
                            (uint8_t)(side + 1)};

    memcpy(e->mac, mac, sizeof mac);
}

static int create_link(struct batch *x, uint32_t i, const int *ns, int wire_ns)
{
    const struct hd_lab_link *l = &x->lab->links[i];
    struct end ends[2];

    for (unsigned side = 0; side < 2; side++) {
        ends[side].ns = ns[l->node[side]];
        ends[side].ifname = l->ifname[side];
        make_mac(&ends[side], 0x02, i, side);
    }
    if (!l->wired)
        return add_pair(x, &ends[0], &ends[1], l->values.mtu, i);
    for (unsigned side = 0; side < 2; side++) {
        char name[IFNAMSIZ];
        struct end middle = {.ns = wire_ns, .ifname = hd_lab_wire_ifname(i, side, name)};

        make_mac(&middle, 0x06, i, side);
        int rc = add_pair(x, &ends[side], &middle, l->values.mtu, i);

        if (rc < 0)
            return rc;
    }
    return 0;
}

bool hd_lab_needs_wire(const struct hd_lab *lab)
{
    for (uint32_t i = 0; i < lab->link_count; i++) {
        if (lab->links[i].wired)
            return true;
    }
    return false;
}

static int create_all(struct batch *x, const int *ns)
{
    int wire_ns = hd_lab_needs_wire(x->lab) ? hd_lab_ns_open(x->lab, HD_LAB_WIRE_NS) : -1;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < x->lab->link_count; i++)
        rc = create_link(x, i, ns, wire_ns);
    if (rc == 0)
        rc = flush(x);
    if (wire_ns >= 0)
        close(wire_ns);
    return rc;
}

static int batch_run(struct hd_lab *lab, const int *ns)
{
    struct batch x = {.lab = lab};
    int rc = HD_ESYS;

    x.buf = malloc(2 * BATCH_BYTES);
    x.b = x.buf == NULL ? NULL : mnl_nlmsg_batch_start(x.buf, BATCH_BYTES);
    x.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (x.b != NULL && x.nl != NULL && mnl_socket_bind(x.nl, 0, MNL_SOCKET_AUTOPID) == 0)
        rc = create_all(&x, ns);
    else
        hd_lab_fail(lab, rc, "netlink: %s", strerror(errno));
    if (x.nl != NULL)
        mnl_socket_close(x.nl);
    if (x.b != NULL)
        mnl_nlmsg_batch_stop(x.b);
    free(x.buf);
    return rc;
}

/* Up, without offloads where the wire is at the other end, and with its rate. */
static int finish_end(const struct hd_lab_link *l, unsigned side)
{
    int rc = hd_lab_if_set(l->ifname[side], true);

    if (rc == 0 && l->wired)
        rc = offloads_off(l->ifname[side]);
    if (rc == 0 && l->values.rate_bps != 0)
        rc = hd_lab_if_rate(l->ifname[side], l->values.rate_bps, l->values.queue_bytes,
                            l->values.mtu);
    return rc;
}

/* The second end of a pair cannot be created up: it has no peer yet when its flags are set. */
static int finish_ends(struct hd_lab *lab)
{
    for (uint32_t i = 0; i < lab->link_count; i++) {
        const struct hd_lab_link *l = &lab->links[i];

        for (unsigned side = 0; side < 2; side++) {
            char middle[IFNAMSIZ];
            int rc = hd_lab_enter(lab, l->node[side]);

            if (rc < 0)
                return rc;
            rc = finish_end(l, side);
            if (rc == 0 && l->wired) {
                rc = hd_lab_enter(lab, HD_LAB_WIRE_NS);
                if (rc == 0)
                    rc = hd_lab_if_set(hd_lab_wire_ifname(i, side, middle), true);
            }
            hd_lab_leave(lab);
            if (rc < 0)
                return hd_lab_fail(lab, rc, "%s of %s: %s", l->ifname[side],
                                   lab->nodes[l->node[side]].name, strerror(errno));
        }
    }
    return 0;
}

int hd_lab_links_create(struct hd_lab *lab)
{
    int *ns = calloc((size_t)lab->node_count + 1, sizeof *ns);
    uint32_t opened = 0;
    int rc = 0;

    if (ns == NULL)
        return hd_lab_fail(lab, HD_ENOMEM, "out of memory");
    while (rc == 0 && opened < lab->node_count) {
        ns[opened] = hd_lab_ns_open(lab, opened);
        if (ns[opened] < 0)
            rc = ns[opened];
        else
            opened++;
    }
    if (rc == 0)
        rc = batch_run(lab, ns);
    while (opened > 0)
        close(ns[--opened]);
    free(ns);
    return rc == 0 ? finish_ends(lab) : rc;
}
