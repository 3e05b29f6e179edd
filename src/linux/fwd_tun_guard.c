/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard filter of the `tun` back-end (fwd_tun.h): traffic control drops on ingress what bears
 * one of our prefixes. Packet sockets have seen it by then. Without this the kernel would deliver
 * one-hop packets itself, around admission, and answer labelled ones with errors.
 *
 * It is classic BPF in a tc filter with direct action: that needs NET_ADMIN only, unlike eBPF. Same
 * filter on KIRA links and on all others that we are told of (design.md section 7).
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/base.h"
#include "linux/fwd_device.h"
#include "linux/fwd_tun.h"

#define GUARD_PRIORITY 0xc0dd /* far behind what people choose by hand */
#define GUARD_HANDLE   1
#define GUARD_NAME     "heddle-guard"

/* Verdicts as the program returns them; -1 lets the next filter look. */
#define VERDICT_NEXT 0xffffffffu
#define VERDICT_DROP 2u /* TC_ACT_SHOT */

union request {
    struct nlmsghdr head;
    char buffer[1024];
};

static int ask(union request *r)
{
    char answer[4096];
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (s == NULL) {
        return HD_ESYS;
    }
    int rc = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID);
    if (rc >= 0) {
        rc = (int)mnl_socket_sendto(s, &r->head, r->head.nlmsg_len);
    }
    ssize_t n = rc < 0 ? -1 : mnl_socket_recvfrom(s, answer, sizeof answer);
    if (n >= 0) {
        n = mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(s), NULL, NULL);
    }
    int saved = errno;
    mnl_socket_close(s);
    errno = saved;
    return n < 0 ? HD_ESYS : HD_OK;
}

static struct tcmsg *begin(union request *r, uint16_t type, uint16_t flags, uint32_t ifindex)
{
    memset(r, 0, sizeof *r);
    struct nlmsghdr *h = mnl_nlmsg_put_header(r->buffer);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    h->nlmsg_seq = 1;
    struct tcmsg *t = mnl_nlmsg_put_extra_header(h, sizeof *t);
    t->tcm_family = AF_UNSPEC;
    t->tcm_ifindex = (int)ifindex;
    return t;
}

static int make_qdisc(uint32_t ifindex, bool *made)
{
    union request r;
    struct tcmsg *t = begin(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
    t->tcm_parent = TC_H_CLSACT;
    t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    mnl_attr_put_strz(&r.head, TCA_KIND, "clsact");
    int error = ask(&r);
    *made = error == HD_OK;
    return error != HD_OK && errno == EEXIST ? HD_OK : error;
}

static void remove_qdisc(uint32_t ifindex)
{
    union request r;
    struct tcmsg *t = begin(&r, RTM_DELQDISC, 0, ifindex);
    t->tcm_parent = TC_H_CLSACT;
    t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    (void)ask(&r);
}

static void put_filter_key(struct tcmsg *t)
{
    t->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
    t->tcm_handle = GUARD_HANDLE;
    t->tcm_info = TC_H_MAKE((uint32_t)GUARD_PRIORITY << 16, htons(ETH_P_ALL));
}

static int make_filter(uint32_t ifindex, uint16_t node_prefix, uint16_t label_prefix)
{
    const uint32_t from = (uint32_t)SKF_NET_OFF + 8, to = (uint32_t)SKF_NET_OFF + 24;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 7),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, to),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, node_prefix, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, label_prefix, 3, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, from),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, node_prefix, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, label_prefix, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, VERDICT_DROP),
        BPF_STMT(BPF_RET | BPF_K, VERDICT_NEXT),
    };
    union request r;
    put_filter_key(begin(&r, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, ifindex));
    mnl_attr_put_strz(&r.head, TCA_KIND, "bpf");
    struct nlattr *options = mnl_attr_nest_start(&r.head, TCA_OPTIONS);
    mnl_attr_put_u16(&r.head, TCA_BPF_OPS_LEN, HD_ARRAY_LEN(code));
    mnl_attr_put(&r.head, TCA_BPF_OPS, sizeof code, code);
    mnl_attr_put_strz(&r.head, TCA_BPF_NAME, GUARD_NAME);
    mnl_attr_put_u32(&r.head, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(&r.head, options);
    return ask(&r);
}

int hd_tun_guard(uint32_t ifindex, uint16_t node_prefix, uint16_t label_prefix, bool *made_qdisc)
{
    int error = make_qdisc(ifindex, made_qdisc);
    return error != HD_OK ? error : make_filter(ifindex, node_prefix, label_prefix);
}

int hd_tun_guarded(uint32_t ifindex)
{
    return hd_fwd_filter_there(ifindex, false, GUARD_PRIORITY);
}

void hd_tun_unguard(uint32_t ifindex, bool made_qdisc)
{
    union request r;
    put_filter_key(begin(&r, RTM_DELTFILTER, 0, ifindex));
    (void)ask(&r); /* the interface may be gone, and the filter with it */
    if (made_qdisc && hd_fwd_filters_present(ifindex) == 0) {
        remove_qdisc(ifindex);
    }
}
