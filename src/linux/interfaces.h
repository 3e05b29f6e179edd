/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which interfaces Heddle uses, and why not the others (design.md, section 7).
 *
 * A host with two networks becomes a router between them as soon as both are used, so in the
 * initial namespace only ports that are certainly meant are taken: physical Ethernet without the
 * default route and without somebody else's XDP program. In any other namespace somebody made the
 * interfaces on purpose: all Ethernet is taken. `--interface GLOB` overrides both ways: what fits
 * is taken wherever it can work at all, what does not fit is left.
 *
 * The judgement is a pure function; around it a table follows the kernel and tells changes.
 */
#ifndef HD_LINUX_INTERFACES_H
#define HD_LINUX_INTERFACES_H

#include "linux/rtnl.h"

/* 1280 bytes for IPv6 and 44 for the label header (forwarding-on-linux.md, section 4). */
#define HD_INTERFACE_MTU_MIN 1324

#define HD_INTERFACE_LINK_LOCALS 4 /* addresses remembered of each interface */

struct hd_interface_rules {
    const char *const *globs; /* --interface, NULL-terminated; NULL: none given */
    bool initial;             /* the rules of the initial namespace */
};

/* What the judgement needs beside the link itself. */
struct hd_interface_view {
    const struct hd_link_facts *link;
    bool ours;          /* kira0 */
    bool default_route; /* the namespace's default route leaves here */
    bool wireless;
    bool foreign_xdp;
};

/* HD_IF_OK or the reason. */
enum hd_if_why hd_interface_judge(const struct hd_interface_rules *r,
                                  const struct hd_interface_view *v);
/* The reason as a short name ("default-route"); never NULL. */
const char *hd_interface_why_name(enum hd_if_why why);

struct hd_interface {
    struct hd_link_facts link;
    struct hd_ip6 link_locals[HD_INTERFACE_LINK_LOCALS];
    uint8_t link_local_count;
    bool default_route;
    bool seen;                   /* in the dump that runs */
    bool default_route_seen;     /* the same */
    bool attached;               /* the data plane was told to use it */
    struct hd_in_interface told; /* what the listener knows */
};

struct hd_interfaces {
    struct hd_interface *v;
    uint32_t len, cap;
    struct hd_interface_rules rules;
    uint32_t kira0; /* its ifindex, 0 while there is none */
    struct hd_interface_listener {
        void *user;
        /*
         * An interface appeared, changed or vanished. Called before the change counts as told:
         * returning an error leaves the interface unusable with the reason in `why_not`.
         */
        void (*changed)(void *user, struct hd_interface *i, struct hd_in_interface *now);
        /* Is the attached program one of ours? */
        bool (*program_is_ours)(void *user, uint32_t program);
    } listener;
};

void hd_interfaces_init(struct hd_interfaces *t, const struct hd_interface_rules *rules,
                        const struct hd_interface_listener *listener);
void hd_interfaces_free(struct hd_interfaces *t);

/* Feed for netlink; changes are told by hd_interfaces_tell only. */
void hd_interfaces_link(void *table, const struct hd_link_facts *f);
void hd_interfaces_address(void *table, const struct hd_address_facts *f);
void hd_interfaces_default_route(struct hd_interfaces *t, uint32_t ifindex);

/*
 * Around a dump of links, addresses and routes: what did not come again is gone. A dump that failed
 * does not end: what it told counts, what it left out does not.
 */
void hd_interfaces_dump_begin(struct hd_interfaces *t);
void hd_interfaces_dump_end(struct hd_interfaces *t);

/* Judges all and tells what differs from what was told before. */
void hd_interfaces_tell(struct hd_interfaces *t);

struct hd_interface *hd_interfaces_find(struct hd_interfaces *t, uint32_t ifindex);

/*
 * True when we live in the initial network namespace, or cannot know and there is a physical port:
 * then the stricter rules hold.
 */
bool hd_interfaces_namespace_is_initial(const struct hd_interfaces *t);

#endif
