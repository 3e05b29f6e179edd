/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VRRP router for tests: heddled's parts without heddled. The parent is what the keeper is there:
 * it starts the router process again when that dies. The child runs the linux driver with the VRRP
 * and BFD cores, and changes the kernel itself.
 *
 *   vrrp-node [--rows MILLISECONDS] ROUTER...
 *
 * ROUTER is words joined by commas: INTERFACE,FAMILY,VRID,PRIORITY,INTERVAL_CS,ADDRESS[+ADDRESS...]
 * and options: v2, accept, own-mac, no-preempt, checksum=auto|pseudo, fast=track|p2p|p2mp,
 * group=NAME, unicast=ADDRESS.
 *
 * Every event is a line: "SECONDS state=.. vrid=.. family=.. cause=..", every --rows the routers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/bfd/bfd.h"
#include "core/vrrp/vrrp.h"
#include "lib/base.h"
#include "linux/driver.h"
#include "linux/rtnl.h"
#include "linux/sender.h"
#include "linux/virtual.h"

#define ROUTERS_MAX 512

static struct {
    struct hd_vrrp_config head;
    struct hd_vrrp_instance_config routers[ROUTERS_MAX];
} config;

struct node {
    struct hd_loop loop;
    struct hd_log log;
    struct hd_driver driver;
    struct hd_rtnl rtnl;
    struct hd_loop_source news;
    struct hd_virtual_table virtuals;
    int bfd[3];
    struct hd_in_interface interfaces[64];
    unsigned interface_count;
    struct hd_virtual_change changes[4 * ROUTERS_MAX];
    unsigned change_count;
};

static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    stopping = 1;
}

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- arguments ----------------------------------------------------------------------------------
 */

static struct hd_ip6 address(const char *text)
{
    struct hd_ip6 a;
    char mapped[64];

    snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') == NULL ? "::ffff:" : "", text);
    if (inet_pton(AF_INET6, mapped, &a) != 1) {
        die(text);
    }
    return a;
}

static void option(struct hd_vrrp_instance_config *c, const char *word)
{
    static const char *const modes[] = {"fast=none", "fast=track", "fast=p2p", "fast=p2mp"};

    c->version = strcmp(word, "v2") == 0 ? 2 : c->version;
    c->accept |= strcmp(word, "accept") == 0;
    c->own_mac |= strcmp(word, "own-mac") == 0;
    c->preempt = strcmp(word, "no-preempt") == 0 ? 0 : c->preempt;
    if (strcmp(word, "checksum=auto") == 0) {
        c->checksum = HD_VRRP_CHECKSUM_AUTO;
    } else if (strcmp(word, "checksum=pseudo") == 0) {
        c->checksum = HD_VRRP_CHECKSUM_PSEUDO;
    } else if (strncmp(word, "group=", 6) == 0) {
        snprintf(c->group, sizeof c->group, "%s", word + 6);
    } else if (strncmp(word, "unicast=", 8) == 0) {
        c->unicast[c->unicast_count++] = address(word + 8);
    }
    for (unsigned i = 0; i < HD_ARRAY_LEN(modes); i++) {
        c->fast = strcmp(word, modes[i]) == 0 ? (uint8_t)i : c->fast;
    }
}

static void add(char *text)
{
    struct hd_vrrp_instance_config *c = &config.routers[config.head.instance_count++];
    char *words[6] = {NULL};

    hd_vrrp_instance_config_default(c);
    for (unsigned i = 0; i < 6; i++) {
        words[i] = strsep(&text, ",");
        if (words[i] == NULL) {
            die("router");
        }
    }
    snprintf(c->interface, sizeof c->interface, "%s", words[0]);
    c->family = (uint8_t)atoi(words[1]);
    c->vrid = (uint8_t)atoi(words[2]);
    c->priority = (uint8_t)atoi(words[3]);
    c->interval_cs = (uint16_t)atoi(words[4]);
    for (char *a; (a = strsep(&words[5], "+")) != NULL;) {
        c->addresses[c->address_count++] = address(a);
    }
    for (char *w; text != NULL && (w = strsep(&text, ",")) != NULL;) {
        option(c, w);
    }
}

/* --- the driver's host ---------------------------------------------------------------------------
 */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_port(void *user, uint16_t core, const struct hd_fx_port *p)
{
    struct node *n = user;
    int packet = -1, raw = -1;

    if (p->kind == HD_PORT_UDP) {
        packet = dup(n->bfd[p->port - 1]);
    } else if (hd_frame_open(p, &packet, &raw) < 0) {
        die("frames");
    }
    if (hd_driver_port_opened(&n->driver, core, p->port, packet, raw) < 0) {
        die("port");
    }
}

static void close_port(void *user, uint16_t core, const struct hd_fx_port *p)
{
}

static void save(void *user, uint16_t core, uint16_t key, const void *bytes, uint32_t len)
{
}

static void event(void *user, uint16_t core, uint16_t list, const void *row, uint32_t len)
{
    const struct hd_vrrp_row_event *e = row;

    if (core == HD_CORE_VRRP && list == HD_VRRP_LIST_EVENT) {
        printf("%.6f state=%u old=%u vrid=%u family=%u cause=%u reason=%u priority=%u\n", seconds(),
               e->state, e->old_state, e->vrid, e->family, e->last_event, e->reason, e->priority);
    }
}

static void reply(void *user, uint16_t core, const struct hd_fx_reply *r, const void *rows)
{
}

static void route_mtu(void *user, const struct hd_ip6 *prefix, uint32_t len, uint32_t mtu)
{
}

/* Done when neither the driver nor netlink is in the middle of something. */
static void virt(void *user, const struct hd_virtual_change *c)
{
    struct node *n = user;

    if (n->change_count < HD_ARRAY_LEN(n->changes)) {
        n->changes[n->change_count++] = *c;
    }
}

static void make_virtuals(struct node *n)
{
    for (unsigned i = 0; i < n->change_count; i++) {
        const struct hd_virtual_change c = n->changes[i];
        if (c.del) {
            hd_virtual_del(&n->virtuals, &n->rtnl, c.owner, &c.v);
            continue;
        }
        int error = hd_virtual_set(&n->virtuals, &n->rtnl, c.owner, &c.v);
        if (error < 0) {
            fprintf(stderr, "virtual interface %u: %s\n", c.v.number, strerror(errno));
        }
        hd_driver_virtual_told(&n->driver, c.index, &c.v, error);
    }
    n->change_count = 0;
    if (hd_virtual_settle(&n->virtuals) < 0) {
        fprintf(stderr, "what is not accepted: %s\n", strerror(errno));
    }
}

/* --- the kernel ----------------------------------------------------------------------------------
 */

static struct hd_in_interface *interface_place(struct node *n, uint32_t ifindex)
{
    for (unsigned i = 0; i < n->interface_count; i++) {
        if (n->interfaces[i].ifindex == ifindex) {
            return &n->interfaces[i];
        }
    }
    return n->interface_count < HD_ARRAY_LEN(n->interfaces) ? &n->interfaces[n->interface_count++]
                                                            : NULL;
}

static void tell_interface(struct node *n, const struct hd_in_interface *i)
{
    struct hd_input in = {.type = HD_IN_INTERFACE, .u.interface = *i};
    hd_driver_input(&n->driver, &in);
}

static void on_link(void *user, const struct hd_link_facts *f)
{
    struct node *n = user;
    struct hd_in_interface *i;

    if (hd_virtual_link_news(&n->virtuals, f) || (i = interface_place(n, f->ifindex)) == NULL) {
        return;
    }
    i->ifindex = f->ifindex;
    i->gone = f->gone;
    i->up = (f->flags & IFF_UP) != 0 && (f->flags & IFF_RUNNING) != 0 && !f->gone;
    i->mtu = f->mtu;
    i->mac = f->mac;
    snprintf(i->name, sizeof i->name, "%s", f->name);
    tell_interface(n, i);
}

static void on_address(void *user, const struct hd_address_facts *f)
{
    struct node *n = user;
    struct hd_in_interface *i;

    if (hd_virtual_address_news(&n->virtuals, f) || (i = interface_place(n, f->ifindex)) == NULL) {
        return;
    }
    if (hd_ip6_is_link_local(&f->address) && !f->tentative) {
        i->link_local = f->gone ? (struct hd_ip6){{0}} : f->address;
        tell_interface(n, i);
    }
    struct hd_input in = {.type = HD_IN_ADDRESS,
                          .u.address = {.ifindex = f->ifindex,
                                        .address = f->address,
                                        .len = f->len,
                                        .secondary = f->secondary,
                                        .gone = f->gone || f->tentative}};
    hd_driver_input(&n->driver, &in);
}

static void on_news(void *user, uint32_t events)
{
    struct node *n = user;
    const struct hd_rtnl_sink sink = {.user = n, .link = on_link, .address = on_address};

    (void)!hd_rtnl_read(&n->rtnl, &sink);
}

static void found_link(void *user, const struct hd_link_facts *f)
{
    (void)hd_virtual_found(&((struct node *)user)->virtuals, f);
}

static void found_address(void *user, const struct hd_address_facts *f)
{
    (void)hd_virtual_address(&((struct node *)user)->virtuals, f);
}

/* What a predecessor left. */
static void adopt(struct node *n)
{
    const struct hd_rtnl_sink sink = {.user = n, .link = found_link, .address = found_address};

    if (hd_rtnl_dump(&n->rtnl, HD_RTNL_LINKS, &sink) < 0 ||
        hd_rtnl_dump(&n->rtnl, HD_RTNL_ADDRESSES, &sink) < 0 ||
        hd_rtnl_dump(&n->rtnl, HD_RTNL_ADDRESSES4, &sink) < 0) {
        die("netlink");
    }
    for (uint32_t i = 0; n->virtuals.v != NULL && i < HD_VIRTUALS_MAX; i++) {
        const struct hd_virtual_link *l = &n->virtuals.v[i];
        struct hd_virtual_value v;
        if (!l->used) {
            continue;
        }
        hd_virtual_value_of(l, &v);
        if (hd_driver_virtual_adopt(&n->driver, l->owner, &v) < 0) {
            die("adopt");
        }
    }
}

static void look(struct node *n)
{
    const struct hd_rtnl_sink sink = {.user = n, .link = on_link, .address = on_address};

    if (hd_rtnl_dump(&n->rtnl, HD_RTNL_LINKS, &sink) < 0 ||
        hd_rtnl_dump(&n->rtnl, HD_RTNL_ADDRESSES4, &sink) < 0 ||
        hd_rtnl_dump(&n->rtnl, HD_RTNL_ADDRESSES, &sink) < 0) {
        die("netlink");
    }
}

/* --- the router process --------------------------------------------------------------------------
 */

static void print_rows(struct node *n)
{
    struct hd_router *router = n->driver.router;
    struct hd_row_cursor cursor = {0};
    struct hd_vrrp_row_router r;
    struct hd_vrrp_row_counter c;

    while (!cursor.end) {
        if (hd_router_rows(router, HD_CORE_VRRP, HD_VRRP_LIST_ROUTERS, &cursor, &r, 1,
                           n->driver.now) == 0) {
            continue;
        }
        char source[HD_IP6_TEXT];
        printf("row interface=%s family=%u vrid=%u state=%u priority=%u transitions=%llu "
               "received=%llu sent=%llu bfd=%u installed=%u late-max-us=%lld false-switch=%llu "
               "split=%llu active=%s\n",
               r.interface, r.family, r.vrid, r.state, r.effective_priority,
               (unsigned long long)r.transitions, (unsigned long long)r.received,
               (unsigned long long)r.sent, r.bfd, r.installed, (long long)r.late_max_ns / 1000,
               (unsigned long long)r.false_switch, (unsigned long long)r.split,
               hd_ip6_format(&r.last_source, source));
    }
    cursor = (struct hd_row_cursor){0};
    while (!cursor.end) {
        if (hd_router_rows(router, HD_CORE_VRRP, HD_VRRP_LIST_COUNTERS, &cursor, &c, 1,
                           n->driver.now) != 0 &&
            c.value != 0) {
            printf("counter %s=%llu\n", c.name, (unsigned long long)c.value);
        }
    }
}

static void start(struct node *n, int table, bool again)
{
    static const uint16_t numbers[3] = {HD_BFD_PORT, HD_BFD_MULTIHOP_PORT, HD_BFD_ECHO_PORT};
    struct hd_driver_host host = {n, open_port, close_port, save, event, reply, route_mtu, virt};
    struct hd_driver_options o = {.loop = &n->loop,
                                  .log = &n->log,
                                  .host = &host,
                                  .core = HD_CORE_VRRP,
                                  .seed = (uint64_t)hd_clock_now()};
    struct hd_bfd_config bfd;
    struct hd_start bfd_start = {.config = &bfd, .config_len = sizeof bfd, .resumed = again};
    struct hd_start s = {
        .config = &config, .config_len = hd_vrrp_config_bytes(&config.head), .resumed = again};

    hd_bfd_config_default(&bfd);
    for (unsigned i = 0; i < 3; i++) {
        n->bfd[i] = hd_udp_open(numbers[i]);
    }
    if (hd_loop_init(&n->loop) < 0 || hd_driver_init(&n->driver, &o) < 0 ||
        hd_rtnl_open(&n->rtnl) < 0 ||
        hd_driver_sender(&n->driver, dup(table), HD_CORE_BFD, again) < 0) {
        die("driver");
    }
    n->news = (struct hd_loop_source){hd_rtnl_fd(&n->rtnl), n, on_news};
    if (hd_loop_add(&n->loop, &n->news) < 0) {
        die("loop");
    }
    adopt(n);
    if (hd_driver_start(&n->driver, HD_CORE_BFD, &bfd_start) < 0 ||
        hd_driver_start(&n->driver, HD_CORE_VRRP, &s) < 0) {
        fprintf(stderr, "a core refuses this configuration\n");
        exit(2);
    }
    look(n);
}

static void be_router(int table, bool again, hd_time rows_every)
{
    static struct node n;
    struct sched_param param = {.sched_priority = 40};
    hd_time rows_at = rows_every != 0 ? hd_clock_now() + rows_every : HD_NEVER;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sched_setscheduler(0, SCHED_FIFO, &param);
    hd_log_init(&n.log, "vrrp-node", HD_LOG_NOTICE);
    start(&n, table, again);
    while (!stopping) {
        hd_driver_turn(&n.driver);
        make_virtuals(&n);
        if (hd_clock_now() >= rows_at) {
            print_rows(&n);
            rows_at = hd_clock_now() + rows_every;
        }
        hd_loop_wait(&n.loop, hd_time_min(rows_at, hd_driver_deadline(&n.driver)));
    }
    print_rows(&n);
    hd_driver_stop(&n.driver);
    hd_virtual_del_all(&n.virtuals, &n.rtnl);
    (void)!hd_virtual_settle(&n.virtuals);
    exit(0);
}

int main(int argc, char **argv)
{
    int raw[2], at = 1;
    hd_time rows_every = 0;
    struct hd_sender *sender;

    if (at + 1 < argc && strcmp(argv[at], "--rows") == 0) {
        rows_every = HD_MS(atoi(argv[at + 1]));
        at += 2;
    }
    for (; at < argc && config.head.instance_count < ROUTERS_MAX; at++) {
        add(argv[at]);
    }
    int table = hd_sender_table_make();
    struct hd_sender_table *t = table >= 0 ? hd_sender_table_map(table) : NULL;
    if (t == NULL || hd_sender_sockets(raw) < 0) {
        die("sockets");
    }
    struct sigaction stop = {.sa_handler = on_stop};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    if (hd_sender_start(&sender, t, raw) < 0) {
        die("sender");
    }
    for (bool again = false; !stopping; again = true) {
        pid_t child = fork();
        if (child == 0) {
            be_router(table, again, rows_every);
        }
        printf("router %d\n", (int)child);
        fflush(stdout);
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
            kill(child, SIGTERM);
        }
        if (WIFEXITED(status)) {
            break;
        }
    }
    usleep(50000); /* the goodbye leaves */
    hd_sender_stop(sender);
    return 0;
}
