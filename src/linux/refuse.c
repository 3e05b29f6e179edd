/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of refused addresses, in the messages of nf_tables (refuse.h). What is written here is
 *
 *   table inet heddle {
 *     set ip4 { type ipv4_addr; }
 *     set ip6 { type iface_index . ipv6_addr; }
 *     chain input { type filter hook input priority filter;
 *       iif 1 accept
 *       ip daddr @ip4 drop
 *       icmpv6 type nd-neighbor-solicit-nd-neighbor-advert accept
 *       0 . ip6 daddr @ip6 drop
 *       iif . ip6 daddr @ip6 drop } }
 *
 * A link-local address may be another machine's on the next interface, hence the second key.
 */
#include "linux/refuse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base.h"

#define TABLE            "heddle"
#define CHAIN            "input"
#define SET4             "ip4"
#define SET6             "ip6"
#define SET4_ID          1
#define SET6_ID          2
#define TYPE_IP4         7 /* what nft(8) prints elements by */
#define TYPE_IFINDEX_IP6 (20u << 6 | 8u)
#define KEY6_BYTES       20
#define LOOPBACK         1 /* ifindex, in every namespace */
#define WORD             NFT_REG32_00
#define PER_MESSAGE      1000 /* elements: an attribute holds 64 KiB */
#define ELEMENT_BYTES    48
#define FRAME_BYTES      8192 /* all but the elements */
#define ANSWER_BYTES     8192

struct batch {
    uint8_t *bytes;
    size_t used;
    uint32_t sequence;
    struct nlmsghdr *last;
};

/* --- messages ------------------------------------------------------------------------------------
 */

static struct nlmsghdr *begin(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
                              uint16_t resource)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(b->bytes + b->used);

    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    h->nlmsg_seq = ++b->sequence;
    struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
    g->nfgen_family = family;
    g->version = NFNETLINK_V0;
    g->res_id = htons(resource);
    return h;
}

static void end(struct batch *b, struct nlmsghdr *h)
{
    b->used += ((size_t)h->nlmsg_len + 3) & ~(size_t)3;
    b->last = h;
}

static struct nlmsghdr *table_message(struct batch *b, unsigned type, uint16_t flags)
{
    return begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
}

static void put32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
    mnl_attr_put_u32(h, type, htonl(v));
}

static void add_table(struct batch *b, unsigned type)
{
    struct nlmsghdr *h = table_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

    mnl_attr_put_strz(h, NFTA_TABLE_NAME, TABLE);
    end(b, h);
}

static void add_chain(struct batch *b)
{
    struct nlmsghdr *h = table_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

    mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, TABLE);
    mnl_attr_put_strz(h, NFTA_CHAIN_NAME, CHAIN);
    struct nlattr *hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
    put32(h, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
    put32(h, NFTA_HOOK_PRIORITY, 0);
    mnl_attr_nest_end(h, hook);
    mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
    end(b, h);
}

static void add_set(struct batch *b, const char *name, uint32_t id, uint32_t type, uint32_t bytes)
{
    struct nlmsghdr *h = table_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);

    mnl_attr_put_strz(h, NFTA_SET_TABLE, TABLE);
    mnl_attr_put_strz(h, NFTA_SET_NAME, name);
    put32(h, NFTA_SET_FLAGS, 0);
    put32(h, NFTA_SET_KEY_TYPE, type);
    put32(h, NFTA_SET_KEY_LEN, bytes);
    put32(h, NFTA_SET_ID, id);
    end(b, h);
}

/* --- rules ---------------------------------------------------------------------------------------
 */

struct rule {
    struct batch *b;
    struct nlmsghdr *h;
    struct nlattr *expressions, *element, *data;
};

static void rule_begin(struct rule *r, struct batch *b)
{
    r->b = b;
    r->h = table_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    mnl_attr_put_strz(r->h, NFTA_RULE_TABLE, TABLE);
    mnl_attr_put_strz(r->h, NFTA_RULE_CHAIN, CHAIN);
    r->expressions = mnl_attr_nest_start(r->h, NFTA_RULE_EXPRESSIONS);
}

static void expr_begin(struct rule *r, const char *name)
{
    r->element = mnl_attr_nest_start(r->h, NFTA_LIST_ELEM);
    mnl_attr_put_strz(r->h, NFTA_EXPR_NAME, name);
    r->data = mnl_attr_nest_start(r->h, NFTA_EXPR_DATA);
}

static void expr_end(struct rule *r)
{
    mnl_attr_nest_end(r->h, r->data);
    mnl_attr_nest_end(r->h, r->element);
}

static void put_value(struct rule *r, uint16_t type, const void *v, size_t bytes)
{
    struct nlattr *data = mnl_attr_nest_start(r->h, type);

    mnl_attr_put(r->h, NFTA_DATA_VALUE, bytes, v);
    mnl_attr_nest_end(r->h, data);
}

static void load_meta(struct rule *r, enum nft_meta_keys key)
{
    expr_begin(r, "meta");
    put32(r->h, NFTA_META_DREG, WORD);
    put32(r->h, NFTA_META_KEY, key);
    expr_end(r);
}

static void load_packet(struct rule *r, uint32_t to, enum nft_payload_bases base, uint32_t offset,
                        uint32_t bytes)
{
    expr_begin(r, "payload");
    put32(r->h, NFTA_PAYLOAD_DREG, to);
    put32(r->h, NFTA_PAYLOAD_BASE, base);
    put32(r->h, NFTA_PAYLOAD_OFFSET, offset);
    put32(r->h, NFTA_PAYLOAD_LEN, bytes);
    expr_end(r);
}

static void load_zero(struct rule *r)
{
    const uint32_t zero = 0;

    expr_begin(r, "immediate");
    put32(r->h, NFTA_IMMEDIATE_DREG, WORD);
    put_value(r, NFTA_IMMEDIATE_DATA, &zero, sizeof zero);
    expr_end(r);
}

static void must_equal(struct rule *r, const void *v, size_t bytes)
{
    expr_begin(r, "cmp");
    put32(r->h, NFTA_CMP_SREG, WORD);
    put32(r->h, NFTA_CMP_OP, NFT_CMP_EQ);
    put_value(r, NFTA_CMP_DATA, v, bytes);
    expr_end(r);
}

static void must_be_family(struct rule *r, uint8_t family)
{
    load_meta(r, NFT_META_NFPROTO);
    must_equal(r, &family, sizeof family);
}

static void must_be_between(struct rule *r, uint8_t from, uint8_t to)
{
    expr_begin(r, "range");
    put32(r->h, NFTA_RANGE_SREG, WORD);
    put32(r->h, NFTA_RANGE_OP, NFT_RANGE_EQ);
    put_value(r, NFTA_RANGE_FROM_DATA, &from, sizeof from);
    put_value(r, NFTA_RANGE_TO_DATA, &to, sizeof to);
    expr_end(r);
}

static void must_be_in(struct rule *r, const char *set, uint32_t id)
{
    expr_begin(r, "lookup");
    mnl_attr_put_strz(r->h, NFTA_LOOKUP_SET, set);
    put32(r->h, NFTA_LOOKUP_SREG, WORD);
    put32(r->h, NFTA_LOOKUP_SET_ID, id);
    expr_end(r);
}

static void rule_end(struct rule *r, uint32_t verdict)
{
    expr_begin(r, "immediate");
    put32(r->h, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *data = mnl_attr_nest_start(r->h, NFTA_IMMEDIATE_DATA);
    struct nlattr *code = mnl_attr_nest_start(r->h, NFTA_DATA_VERDICT);
    put32(r->h, NFTA_VERDICT_CODE, verdict);
    mnl_attr_nest_end(r->h, code);
    mnl_attr_nest_end(r->h, data);
    expr_end(r);
    mnl_attr_nest_end(r->h, r->expressions);
    end(r->b, r->h);
}

static void add_rules(struct batch *b)
{
    const uint32_t loopback = LOOPBACK;
    const uint8_t icmp6 = IPPROTO_ICMPV6;
    struct rule r;

    rule_begin(&r, b);
    load_meta(&r, NFT_META_IIF);
    must_equal(&r, &loopback, sizeof loopback);
    rule_end(&r, NF_ACCEPT);

    rule_begin(&r, b);
    must_be_family(&r, NFPROTO_IPV4);
    load_packet(&r, WORD, NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
    must_be_in(&r, SET4, SET4_ID);
    rule_end(&r, NF_DROP);

    rule_begin(&r, b);
    must_be_family(&r, NFPROTO_IPV6);
    load_meta(&r, NFT_META_L4PROTO);
    must_equal(&r, &icmp6, sizeof icmp6);
    load_packet(&r, WORD, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
    must_be_between(&r, ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT);
    rule_end(&r, NF_ACCEPT);

    for (unsigned here = 0; here < 2; here++) {
        rule_begin(&r, b);
        must_be_family(&r, NFPROTO_IPV6);
        if (here != 0) {
            load_meta(&r, NFT_META_IIF);
        } else {
            load_zero(&r);
        }
        load_packet(&r, WORD + 1, NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
        must_be_in(&r, SET6, SET6_ID);
        rule_end(&r, NF_DROP);
    }
}

/* --- elements ------------------------------------------------------------------------------------
 */

static bool is_ip4(const struct hd_ip6 *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

static void put_element(struct nlmsghdr *h, const struct hd_refused *v, bool ip4)
{
    uint8_t key[KEY6_BYTES];
    struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
    struct nlattr *nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);

    if (ip4) {
        mnl_attr_put(h, NFTA_DATA_VALUE, 4, v->address.b + 12);
    } else {
        memcpy(key, &v->ifindex, sizeof v->ifindex);
        memcpy(key + sizeof v->ifindex, v->address.b, sizeof v->address.b);
        mnl_attr_put(h, NFTA_DATA_VALUE, sizeof key, key);
    }
    mnl_attr_nest_end(h, nest);
    mnl_attr_nest_end(h, element);
}

/* Those of one family among v[from] and what follows; returns where it stopped. */
static uint32_t add_some(struct batch *b, bool ip4, const struct hd_refused *v, uint32_t count,
                         uint32_t from)
{
    struct nlmsghdr *h = table_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);

    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, TABLE);
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, ip4 ? SET4 : SET6);
    put32(h, NFTA_SET_ELEM_LIST_SET_ID, ip4 ? SET4_ID : SET6_ID);
    struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (unsigned n = 0; from < count && n < PER_MESSAGE; from++) {
        if (is_ip4(&v[from].address) == ip4) {
            put_element(h, &v[from], ip4);
            n++;
        }
    }
    mnl_attr_nest_end(h, list);
    end(b, h);
    return from;
}

static void add_elements(struct batch *b, const struct hd_refused *v, uint32_t count)
{
    for (unsigned family = 0; family < 2; family++) {
        bool ip4 = family == 0;
        uint32_t from = 0;
        while (from < count && is_ip4(&v[from].address) != ip4) {
            from++;
        }
        while (from < count) {
            from = add_some(b, ip4, v, count, from);
        }
    }
}

/* --- the transaction -----------------------------------------------------------------------------
 */

/* The first answer decides: that of a message which was refused, or of the last one. */
static int answer(const struct mnl_socket *s)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[ANSWER_BYTES];
    ssize_t got = mnl_socket_recvfrom(s, bytes, sizeof bytes);
    const struct nlmsghdr *h = (const void *)bytes;
    int left = (int)got;

    if (got <= 0 || !mnl_nlmsg_ok(h, left) || h->nlmsg_type != NLMSG_ERROR) {
        return HD_ESYS;
    }
    errno = -((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
    if (errno == 0) {
        return 0;
    }
    return errno == EOPNOTSUPP || errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT
               ? HD_EUNSUPPORTED
               : HD_ESYS;
}

static int transact(const struct batch *b)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

    if (s == NULL) {
        return errno == EPROTONOSUPPORT ? HD_EUNSUPPORTED : HD_ESYS;
    }
    int room = (int)b->used * 2, error = HD_ESYS;
    (void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(s, b->bytes, b->used) >= 0) {
        error = answer(s);
    }
    int saved = errno;
    mnl_socket_close(s);
    errno = saved;
    return error;
}

int hd_refuse(const struct hd_refused *v, uint32_t count)
{
    struct batch b = {.bytes = malloc(FRAME_BYTES + (size_t)count * ELEMENT_BYTES)};

    if (b.bytes == NULL) {
        return HD_ENOMEM;
    }
    end(&b, begin(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    add_table(&b, NFT_MSG_NEWTABLE); /* so that there is one to delete */
    add_table(&b, NFT_MSG_DELTABLE);
    if (count > 0) {
        add_table(&b, NFT_MSG_NEWTABLE);
        add_chain(&b);
        add_set(&b, SET4, SET4_ID, TYPE_IP4, 4);
        add_set(&b, SET6, SET6_ID, TYPE_IFINDEX_IP6, KEY6_BYTES);
        add_rules(&b);
        add_elements(&b, v, count);
    }
    b.last->nlmsg_flags |= NLM_F_ACK;
    end(&b, begin(&b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    int error = transact(&b);
    free(b.bytes);
    return error;
}
