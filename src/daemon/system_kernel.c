/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system role and the kernel: what it learns by netlink, what it refuses, and how it notices
 * that something of ours was taken away. Everything is looked at again when a route or filter of
 * ours seems to be gone and when the kernel says that it had to drop news, but at most once in a
 * second; and every 30 s.
 */
#include <bpf/bpf.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/system.h"
#include "lib/base.h"
#include "lib/code_points.h"

#define ALIAS_SEEN 60 /* of the alias that is compared: back-ends may cut the rest */

static bool in_prefix(const struct hd_ip6 *a, uint16_t prefix)
{
    return a->b[0] == prefix >> 8 && a->b[1] == (prefix & 0xff);
}

bool hd_system_is_ours(const struct hd_system *s, const struct hd_ip6 *a)
{
    return in_prefix(a, s->node_prefix) || in_prefix(a, s->label_prefix);
}

static char *alias(const struct hd_system *s, char *buf, size_t size)
{
    snprintf(buf, size, "heddle %s", s->options.state_dir);
    return buf;
}

bool hd_system_kira0_is_ours(const struct hd_system *s)
{
    char want[HD_RTNL_ALIAS];
    const struct hd_interface *i =
        hd_interfaces_find((struct hd_interfaces *)(uintptr_t)&s->interfaces, s->interfaces.kira0);
    return i != NULL && strncmp(i->link.alias, alias(s, want, sizeof want), ALIAS_SEEN) == 0;
}

/* --- the sinks of dumps and notifications --------------------------------------------------------
 */

static void look_soon(struct hd_system *s)
{
    s->reconcile_at = hd_time_min(s->reconcile_at, s->looked_at + HD_SYSTEM_LOOK_EVERY);
}

static const char *interface_name(struct hd_system *s, uint32_t ifindex)
{
    const struct hd_interface *i = hd_interfaces_find(&s->interfaces, ifindex);
    return i != NULL ? i->link.name : "no interface";
}

static void on_link(void *user, const struct hd_link_facts *f)
{
    struct hd_system *s = user;
    if (s->looking ? hd_virtual_found(&s->virtuals, f) : hd_virtual_link_news(&s->virtuals, f)) {
        return;
    }
    if (strcmp(f->name, HD_KIRA_DEVICE) == 0) {
        if (f->gone && s->fwd != NULL && f->ifindex == s->interfaces.kira0) {
            hd_system_begin_anew(s, false, "kira0-vanished");
        }
        s->interfaces.kira0 = f->gone ? 0 : f->ifindex;
    }
    hd_interfaces_link(&s->interfaces, f);
}

static void on_address(void *user, const struct hd_address_facts *f)
{
    struct hd_system *s = user;
    if (s->looking ? hd_virtual_address(&s->virtuals, f)
                   : hd_virtual_address_news(&s->virtuals, f)) {
        return;
    }
    if (f->ifindex == s->interfaces.kira0 && hd_ip6_equal(&f->address, &s->own_address)) {
        s->own_address_seen = !f->gone;
        if (f->gone && s->fwd != NULL) {
            hd_system_begin_anew(s, true, "own-address-vanished");
        }
    }
    if (f->ifindex != s->interfaces.kira0 && hd_system_is_ours(s, &f->address)) {
        if (f->gone) {
            look_soon(s);
        } else {
            hd_system_foreign_seen(s, HD_FOREIGN_ADDRESS, &f->address, f->len, f->ifindex);
        }
    }
    hd_interfaces_address(&s->interfaces, f);
    if (f->ifindex != s->interfaces.kira0) {
        hd_addresses_take(&s->addresses, f);
    }
}

static void on_route(void *user, const struct hd_route_facts *f)
{
    struct hd_system *s = user;
    if (f->len == 0 && f->type == RTN_UNICAST && f->ifindex != 0) {
        /* A removal may leave another default route there: the next look decides. */
        if (!f->gone) {
            hd_interfaces_default_route(&s->interfaces, f->ifindex);
        }
    } else if (f->family == AF_INET6 && f->len == 16 && in_prefix(&f->to, s->node_prefix) &&
               f->ifindex == s->interfaces.kira0) {
        s->node_route_seen = !f->gone;
        if (f->gone) {
            look_soon(s);
        }
    } else if (f->family == AF_INET6 && f->len == 16 && in_prefix(&f->to, s->label_prefix) &&
               f->type == RTN_BLACKHOLE) {
        s->label_route_seen = !f->gone;
        if (f->gone) {
            look_soon(s);
        }
    } else if (f->family == AF_INET6 && f->len >= 16 && f->table == RT_TABLE_MAIN &&
               f->protocol != RTPROT_KERNEL && f->protocol != HD_ROUTE_PROTOCOL &&
               f->ifindex != s->interfaces.kira0 && hd_system_is_ours(s, &f->to)) {
        if (f->gone) {
            look_soon(s);
        } else {
            hd_system_foreign_seen(s, HD_FOREIGN_ROUTE, &f->to, f->len, f->ifindex);
        }
    }
}

static void on_filter_gone(void *user, uint32_t ifindex)
{
    look_soon(user);
}

/* --- refusals at the start -----------------------------------------------------------------------
 */

#define ADVICE "Heddle uses this prefix and would cut it off; remove it first"

static void check_address(void *user, const struct hd_address_facts *f)
{
    struct hd_system *s = user;
    char text[HD_IP6_TEXT];
    if (hd_system_is_ours(s, &f->address) &&
        !(f->ifindex == s->interfaces.kira0 && hd_system_kira0_is_ours(s))) {
        (void)hd_system_refuse(s, HD_EEXIST, "the address %s/%u of the interface %s: " ADVICE,
                               hd_ip6_format(&f->address, text), f->len,
                               interface_name(s, f->ifindex));
    }
}

/* Who made a route, in the words of rt_protos. */
static const char *protocol_name(uint8_t protocol)
{
    switch (protocol) {
    case RTPROT_KERNEL:
        return "the kernel";
    case RTPROT_BOOT:
        return "a command (boot)";
    case RTPROT_STATIC:
        return "static configuration";
    case RTPROT_RA:
        return "router advertisements";
    case RTPROT_BIRD:
        return "BIRD";
    case RTPROT_ZEBRA:
        return "zebra (FRR)";
    case RTPROT_BABEL:
        return "Babel";
    case RTPROT_DHCP:
        return "DHCP";
    default:
        return "another program";
    }
}

static void check_route(void *user, const struct hd_route_facts *f)
{
    struct hd_system *s = user;
    char text[HD_IP6_TEXT];
    bool of_kira0 = f->ifindex == s->interfaces.kira0 && hd_system_kira0_is_ours(s);
    if (f->family != AF_INET6 || f->len < 16 || !hd_system_is_ours(s, &f->to) || of_kira0 ||
        f->protocol == HD_ROUTE_PROTOCOL || s->sentence[0] != '\0') {
        return;
    }
    (void)hd_system_refuse(s, HD_EEXIST,
                           "the route %s/%u over %s, made by %s (protocol %u): " ADVICE,
                           hd_ip6_format(&f->to, text), f->len, interface_name(s, f->ifindex),
                           protocol_name(f->protocol), f->protocol);
}

static int check_kira0(struct hd_system *s)
{
    const struct hd_interface *i = hd_interfaces_find(&s->interfaces, s->interfaces.kira0);
    if (i == NULL || hd_system_kira0_is_ours(s)) {
        return 0;
    }
    return hd_system_refuse(s, HD_EEXIST,
                            "the device " HD_KIRA_DEVICE
                            " belongs to %s%s%s; stop its owner, or remove it with "
                            "`ip link del " HD_KIRA_DEVICE "`",
                            i->link.alias[0] != '\0' ? "\"" : "somebody else (no alias)",
                            i->link.alias, i->link.alias[0] != '\0' ? "\"" : "");
}

/* --- dumps ---------------------------------------------------------------------------------------
 */

static int dump_all(struct hd_system *s)
{
    const struct hd_rtnl_sink sink = {s, on_link, on_address, on_route, NULL};
    int error = hd_rtnl_dump(&s->rtnl, HD_RTNL_LINKS, &sink);
    error = error == 0 ? hd_rtnl_dump(&s->rtnl, HD_RTNL_ADDRESSES4, &sink) : error;
    error = error == 0 ? hd_rtnl_dump(&s->rtnl, HD_RTNL_ADDRESSES, &sink) : error;
    error = error == 0 ? hd_rtnl_dump(&s->rtnl, HD_RTNL_ROUTES6, &sink) : error;
    /* Default routes of IPv4 matter only where they decide about interfaces. */
    if (error == 0 && s->interfaces.rules.initial) {
        error = hd_rtnl_dump(&s->rtnl, HD_RTNL_ROUTES4, &sink);
    }
    return error;
}

/*
 * Looks at everything. What a look that fails has not seen may be there all the same: nothing is
 * taken for gone, and what was known before holds.
 */
static int look(struct hd_system *s)
{
    int error = hd_virtual_look_begin(&s->virtuals);
    s->looked_at = hd_clock_now();
    if (error < 0) {
        return error;
    }
    s->own_address_seen = s->node_route_seen = s->label_route_seen = false;
    s->looking = true;
    hd_system_foreign_begin(s);
    hd_interfaces_dump_begin(&s->interfaces);
    hd_addresses_dump_begin(&s->addresses);
    error = dump_all(s);
    s->looking = false;
    if (error < 0) {
        hd_virtual_look_failed(&s->virtuals);
        hd_system_foreign_failed(s);
        return error;
    }
    hd_interfaces_dump_end(&s->interfaces);
    hd_interfaces_tell(&s->interfaces); /* an interface before its addresses go */
    hd_addresses_dump_end(&s->addresses);
    hd_virtual_look_end(&s->virtuals);
    return 0;
}

static void interface_changed(void *user, struct hd_interface *i, struct hd_in_interface *now)
{
    struct hd_system *s = user;
    char why[HD_SYSTEM_SENTENCE] = "";
    bool use = now->usable && !now->gone;
    bool differs = i->attached != use || i->told.ifindex == 0 || i->told.mtu != now->mtu ||
                   !hd_mac_equal(&i->told.mac, &now->mac);
    bool never = now->why_not == HD_IF_OURS || now->why_not == HD_IF_LOOPBACK;

    if (s->fwd != NULL && differs && !never) {
        int error = hd_fwd_setup_interface(s->fwd, now->ifindex, now->mtu, use, why);
        if (error < 0 && !now->gone) {
            hd_log_line(&s->log, use ? HD_LOG_WARNING : HD_LOG_INFO, "not-attached",
                        "interface=%s use=%d error=%s why=\"%s\"", now->name, use,
                        hd_error_name(error), why);
        }
        if (error < 0 && use) {
            use = now->usable = false;
            now->why_not = HD_IF_ATTACH;
        }
    }
    i->attached = use;
    hd_system_ports_interface(s, now->ifindex, use);
    hd_log_line(&s->log, HD_LOG_INFO, "interface", "name=%s ifindex=%u use=%d up=%d why=%s",
                now->name, now->ifindex, use, now->up,
                hd_interface_why_name((enum hd_if_why)now->why_not));
    hd_system_router_tell_interface(s, now);
}

static void address_changed(void *user, const struct hd_in_address *a)
{
    hd_system_router_tell_address(user, a);
}

/*
 * By the pins; else by its name, hd_..., which takes CAP_SYS_ADMIN: only before the capabilities
 * are gone, if they were ever there, and needed only then.
 */
static bool program_is_ours(void *user, uint32_t program)
{
    const struct hd_system *s = user;
    if (s->fwd != NULL && hd_fwd_setup_has_xdp(s->fwd, program)) {
        return true;
    }
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof info;
    int fd = bpf_prog_get_fd_by_id(program);
    if (fd < 0) {
        return false;
    }
    int error = bpf_obj_get_info_by_fd(fd, &info, &size);
    close(fd);
    return error == 0 && strncmp(info.name, "hd_", 3) == 0;
}

static void on_news(void *user, uint32_t events)
{
    struct hd_system *s = user;
    const struct hd_rtnl_sink sink = {s, on_link, on_address, on_route, on_filter_gone};
    if (hd_rtnl_read(&s->rtnl, &sink) == HD_EAGAIN) {
        look_soon(s);
    }
    if (s->virtuals.doubt) {
        look_soon(s);
    }
    hd_interfaces_tell(&s->interfaces);
    hd_system_foreign_tell(s);
}

int hd_system_kernel_open(struct hd_system *s)
{
    const struct hd_interface_listener listener = {s, interface_changed, program_is_ours};
    const struct hd_interface_rules rules = {.globs = s->options.glob_count > 0 ? s->options.globs
                                                                                : NULL};
    const struct hd_rtnl_sink links = {.user = s, .link = on_link};
    const struct hd_rtnl_sink checks = {.user = s, .address = check_address, .route = check_route};

    hd_interfaces_init(&s->interfaces, &rules, &listener);
    hd_addresses_init(&s->addresses, s, address_changed);
    s->looking = true; /* what is ours in it is no news */
    if (hd_rtnl_open(&s->rtnl) < 0 || hd_rtnl_dump(&s->rtnl, HD_RTNL_LINKS, &links) < 0) {
        return hd_system_refuse(s, HD_ESYS, "cannot talk to the kernel by netlink");
    }
    s->looking = false;
    s->interfaces.rules.initial = hd_interfaces_namespace_is_initial(&s->interfaces);
    int error = check_kira0(s);
    if (error == 0 && (hd_rtnl_dump(&s->rtnl, HD_RTNL_ADDRESSES, &checks) < 0 ||
                       hd_rtnl_dump(&s->rtnl, HD_RTNL_ROUTES6, &checks) < 0)) {
        return hd_system_refuse(s, HD_ESYS, "cannot read addresses and routes by netlink");
    }
    return s->sentence[0] != '\0' ? HD_EEXIST : error;
}

int hd_system_kernel_begin(struct hd_system *s)
{
    char text[HD_RTNL_ALIAS];
    uint32_t kira0 = s->handles.kira0_ifindex;
    if (kira0 != 0 && hd_rtnl_link_alias(&s->rtnl, kira0, alias(s, text, sizeof text)) < 0) {
        return hd_system_refuse(s, HD_ESYS, "cannot mark " HD_KIRA_DEVICE);
    }
    s->interfaces.kira0 = kira0;
    if (look(s) < 0) {
        return hd_system_refuse(s, HD_ESYS, "cannot read links and addresses by netlink");
    }
    s->reconcile_at = hd_clock_now() + HD_SYSTEM_RECONCILE;
    s->rtnl_source = (struct hd_loop_source){hd_rtnl_fd(&s->rtnl), s, on_news};
    return hd_loop_add(&s->loop, &s->rtnl_source);
}

/* Soon, then ever later. */
static void look_again(struct hd_system *s)
{
    hd_time wait = HD_MIN(HD_SYSTEM_LOOK_EVERY << HD_MIN(s->looks_failed, 5u), HD_SYSTEM_RECONCILE);
    s->looks_failed++;
    s->reconcile_at = s->looked_at + wait;
    hd_log_line(&s->log, HD_LOG_ERROR, "dump-failed", "next_s=%d", (int)(wait / HD_SEC(1)));
}

void hd_system_reconcile(struct hd_system *s)
{
    s->reconcile_at = hd_clock_now() + HD_SYSTEM_RECONCILE;
    if (look(s) < 0) {
        look_again(s);
        return;
    }
    s->looks_failed = 0;
    hd_system_foreign_tell(s);
    hd_system_virtuals_repair(s);
    hd_system_router_tell_missed(s);
    if (s->fwd == NULL || s->stop) {
        return;
    }
    if (s->interfaces.kira0 == 0 || s->interfaces.kira0 != s->handles.kira0_ifindex) {
        hd_system_begin_anew(s, false, "kira0-vanished");
    } else if (!s->own_address_seen || !s->node_route_seen || !s->label_route_seen) {
        hd_system_begin_anew(s, true, "own-route-vanished");
    } else if (!hd_fwd_setup_intact(s->fwd)) {
        hd_system_begin_anew(s, true, "filter-vanished");
    }
}

/* --- MTU exceptions ------------------------------------------------------------------------------
 */

struct mtu_routes {
    struct hd_system *system;
    unsigned count;
    struct {
        struct hd_ip6 to;
        uint8_t len;
    } v[64];
};

static void collect(void *user, const struct hd_route_facts *f)
{
    struct mtu_routes *all = user;
    if (f->protocol == HD_ROUTE_PROTOCOL && f->mtu != 0 && f->len > 16 &&
        f->ifindex == all->system->interfaces.kira0 && all->count < HD_ARRAY_LEN(all->v)) {
        all->v[all->count].to = f->to;
        all->v[all->count++].len = f->len;
    }
}

void hd_system_flush_mtu_routes(struct hd_system *s)
{
    struct mtu_routes all = {.system = s};
    const struct hd_rtnl_sink sink = {.user = &all, .route = collect};
    do {
        all.count = 0;
        if (hd_rtnl_dump(&s->rtnl, HD_RTNL_ROUTES6, &sink) < 0) {
            return;
        }
        for (unsigned i = 0; i < all.count; i++) {
            int error =
                hd_rtnl_route_del(&s->rtnl, &all.v[i].to, all.v[i].len, s->interfaces.kira0);
            if (error < 0 && error != HD_ENOENT) { /* a dump may name one twice */
                return;
            }
        }
    } while (all.count == HD_ARRAY_LEN(all.v));
    s->mtu_routes = 0;
}
