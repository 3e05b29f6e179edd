/* SPDX-License-Identifier: Apache-2.0 */
/* The judgement over one interface: a pure function of what is known of it (interfaces.h). */
#include "linux/interfaces.h"

#include <fnmatch.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <string.h>

#include "lib/base.h"

static bool one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Ethernet devices whose far end is reached through another network. */
static bool is_tunnel(const char *kind)
{
    static const char *const kinds[] = {"vxlan",     "geneve", "gretap", "ip6gretap", "erspan",
                                        "ip6erspan", "tun",    "l2tp",   "macsec",    "bareudp"};
    return one_of(kind, kinds, HD_ARRAY_LEN(kinds));
}

/* What a port hands to its master before IPv6 sees it can never be a link of ours. */
static bool is_port(const char *master_kind)
{
    static const char *const kinds[] = {"bridge", "bond", "team", "openvswitch"};
    return one_of(master_kind, kinds, HD_ARRAY_LEN(kinds));
}

static bool selected(const char *const *globs, const char *name)
{
    for (; *globs != NULL; globs++) {
        if (fnmatch(*globs, name, 0) == 0) {
            return true;
        }
    }
    return false;
}

/* What no option can change: without these a link does not work. */
static enum hd_if_why impossible(const struct hd_interface_view *v)
{
    const struct hd_link_facts *l = v->link;
    if ((l->flags & IFF_LOOPBACK) != 0) {
        return HD_IF_LOOPBACK;
    }
    if (v->ours) {
        return HD_IF_OURS;
    }
    if (l->type != ARPHRD_ETHER) {
        return HD_IF_NOT_ETHERNET;
    }
    return is_port(l->master_kind) ? HD_IF_BRIDGE_PORT : HD_IF_OK;
}

static enum hd_if_why unwanted(const struct hd_interface_rules *r,
                               const struct hd_interface_view *v)
{
    const struct hd_link_facts *l = v->link;
    if ((l->flags & IFF_NOARP) != 0) {
        return HD_IF_VIRTUAL; /* dummy, ifb and their like: nobody lives behind them */
    }
    if (!r->initial) {
        return HD_IF_OK;
    }
    if (is_tunnel(l->kind)) {
        return HD_IF_TUNNEL;
    }
    if (v->wireless) {
        return HD_IF_WIRELESS;
    }
    if (l->kind[0] != '\0' || !l->has_parent) {
        return HD_IF_VIRTUAL;
    }
    if (v->default_route) {
        return HD_IF_DEFAULT_ROUTE;
    }
    return v->foreign_xdp ? HD_IF_FOREIGN_XDP : HD_IF_OK;
}

enum hd_if_why hd_interface_judge(const struct hd_interface_rules *r,
                                  const struct hd_interface_view *v)
{
    enum hd_if_why why = impossible(v);
    if (why == HD_IF_OK && r->globs != NULL) {
        why = selected(r->globs, v->link->name) ? HD_IF_OK : HD_IF_NOT_SELECTED;
    } else if (why == HD_IF_OK) {
        why = unwanted(r, v);
    }
    if (why == HD_IF_OK && v->link->mtu < HD_INTERFACE_MTU_MIN) {
        why = HD_IF_MTU_SMALL;
    }
    if (why == HD_IF_OK && v->link->ipv6_off) {
        why = HD_IF_NO_IPV6;
    }
    return why;
}

const char *hd_interface_why_name(enum hd_if_why why)
{
    static const char *const names[HD_IF_WHY_END] = {
        [HD_IF_OK] = "ok",
        [HD_IF_LOOPBACK] = "loopback",
        [HD_IF_NOT_ETHERNET] = "not-ethernet",
        [HD_IF_BRIDGE_PORT] = "bridge-port",
        [HD_IF_TUNNEL] = "tunnel",
        [HD_IF_WIRELESS] = "wireless",
        [HD_IF_DEFAULT_ROUTE] = "default-route",
        [HD_IF_FOREIGN_XDP] = "foreign-xdp",
        [HD_IF_VIRTUAL] = "virtual",
        [HD_IF_NOT_SELECTED] = "not-selected",
        [HD_IF_MTU_SMALL] = "mtu-small",
        [HD_IF_NO_IPV6] = "no-ipv6",
        [HD_IF_OURS] = "ours",
        [HD_IF_ATTACH] = "attach",
    };
    return why < HD_IF_WHY_END && names[why] != NULL ? names[why] : "?";
}
