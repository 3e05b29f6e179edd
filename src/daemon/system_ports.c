/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the cores' ports. A port's socket lives on while the router process is replaced, and
 * by the keeper's duplicate while we are: datagrams that come meanwhile wait in it.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/system.h"
#include "lib/base.h"
#include "linux/frames.h"
#include "linux/sockets.h"
#include "linux/witness.h"
#include "router/router.h"

#define PORT_NAME  "port-" /* then core, port, number, kind, interface: what a deposit tells */
#define PORT_MIN   1024
#define VRRP       112 /* IP protocol */
#define OPEN_TRIES 40  /* of the main core, while a predecessor that was killed holds its port */
#define OPEN_PAUSE HD_MS(25)

static struct hd_system_port *find(struct hd_system *s, uint16_t core, uint16_t port)
{
    for (unsigned i = 0; i < HD_SYSTEM_PORTS_MAX; i++) {
        struct hd_system_port *p = &s->ports[i];
        if (p->used && p->core == core && p->spec.port == port) {
            return p;
        }
    }
    return NULL;
}

static struct hd_system_port *free_place(struct hd_system *s)
{
    for (unsigned i = 0; i < HD_SYSTEM_PORTS_MAX; i++) {
        if (!s->ports[i].used) {
            return &s->ports[i];
        }
    }
    return NULL;
}

/* --- what may be asked ---------------------------------------------------------------------------
 */

/* Whole frames, and with them any source address, only of the protocol that is a core's own. */
static const struct {
    uint16_t core, number;
} frames_allowed[] = {
    {HD_CORE_VRRP, VRRP},
};

static bool may_have_frames(struct hd_system *s, const struct hd_msg_port *p)
{
    for (unsigned i = 0; i < HD_ARRAY_LEN(frames_allowed); i++) {
        if (frames_allowed[i].core == p->core && frames_allowed[i].number == p->port.number) {
            return hd_interfaces_find(&s->interfaces, p->port.ifindex) != NULL;
        }
    }
    return false;
}

static bool is_allowed(struct hd_system *s, const struct hd_msg_port *p)
{
    switch ((enum hd_port_kind)p->port.kind) {
    case HD_PORT_UDP:
    case HD_PORT_UDP6:
        return p->port.number >= PORT_MIN;
    case HD_PORT_FRAME:
        return may_have_frames(s, p);
    }
    return false;
}

/* --- keeping -------------------------------------------------------------------------------------
 */

/* A socket of HD_PORT_UDP has no witness. */
static unsigned fd_count(const struct hd_system_port *p)
{
    return p->witness >= 0 ? 2 : 1;
}

static void deposit(struct hd_system *s, const struct hd_system_port *p, bool keep)
{
    struct hd_msg_name name = {{0}};
    const int fds[2] = {p->fd, p->witness};
    snprintf(name.name, sizeof name.name, PORT_NAME "%u-%u-%u-%u-%u", p->core, p->spec.port,
             p->spec.number, p->spec.kind, p->spec.ifindex);
    if (hd_channel_send_fds(HD_CHANNEL_KEEPER_FD, HD_MSG_DEPOSIT, &name, NULL, 0, fds,
                            keep ? fd_count(p) : 0) < 0) {
        hd_log_line(&s->log, HD_LOG_WARNING, "not-deposited", "name=%s", name.name);
    }
}

void hd_system_ports_adopt(struct hd_system *s, struct hd_message *m)
{
    const struct hd_msg_name *name = m->body;
    unsigned core, port, number, kind, ifindex;
    struct hd_system_port *p = free_place(s);
    if (p == NULL || m->nfds == 0 || m->nfds > 2 ||
        sscanf(name->name, PORT_NAME "%u-%u-%u-%u-%u", &core, &port, &number, &kind, &ifindex) !=
            5) {
        return;
    }
    *p = (struct hd_system_port){.used = true,
                                 .core = (uint16_t)core,
                                 .spec = {.port = (uint16_t)port,
                                          .kind = (uint16_t)kind,
                                          .number = (uint16_t)number,
                                          .ifindex = ifindex},
                                 .fd = m->fds[0],
                                 .witness = m->nfds == 2 ? m->fds[1] : -1};
    m->nfds = 0;
}

/* --- groups --------------------------------------------------------------------------------------
 */

/* That of a frame port was joined when it was opened, on its interface alone. */
static bool has_group(const struct hd_system_port *p)
{
    static const struct hd_ip6 none;
    return p->spec.kind == HD_PORT_UDP6 && !hd_ip6_equal(&p->spec.group, &none);
}

static void join(struct hd_system *s, const struct hd_system_port *p, uint32_t ifindex, bool use)
{
    if (p->used && has_group(p) && hd_udp6_member(p->fd, &p->spec.group, ifindex, use) < 0 && use) {
        hd_log_line(&s->log, HD_LOG_WARNING, "group-not-joined", "ifindex=%u port=%u", ifindex,
                    p->spec.number);
    }
}

void hd_system_ports_interface(struct hd_system *s, uint32_t ifindex, bool use)
{
    for (unsigned i = 0; i < HD_SYSTEM_PORTS_MAX; i++) {
        join(s, &s->ports[i], ifindex, use);
    }
}

/* --- opening -------------------------------------------------------------------------------------
 */

static int open_one(const struct hd_system *s, const struct hd_fx_port *spec)
{
    return spec->kind == HD_PORT_UDP ? hd_udp_open(spec->number)
                                     : hd_udp6_open(spec->number, s->node_prefix);
}

/*
 * Nothing else is done meanwhile, and carriers are news for this process: patience is for the port
 * without which there is no service. Others the router asks for again.
 */
static int open_socket(const struct hd_system *s, const struct hd_fx_port *spec, bool patiently)
{
    static const struct timespec pause = {.tv_nsec = OPEN_PAUSE};
    int fd = open_one(s, spec);
    for (unsigned i = 0; patiently && i < OPEN_TRIES && fd == HD_EEXIST; i++) {
        nanosleep(&pause, NULL);
        fd = open_one(s, spec);
    }
    return fd;
}

static int open_sockets(struct hd_system *s, struct hd_system_port *p)
{
    p->witness = -1;
    if (p->spec.kind == HD_PORT_FRAME) {
        return hd_frame_open(&p->spec, &p->fd, &p->witness);
    }
    /* The witness first: it must have seen the first datagram, too. */
    if (p->spec.kind == HD_PORT_UDP6) {
        p->witness = hd_witness_open(p->spec.number);
        if (p->witness < 0) {
            return p->witness;
        }
    }
    p->fd = open_socket(s, &p->spec, p->core == s->options.core);
    if (p->fd < 0) {
        hd_log_line(&s->log, HD_LOG_ERROR, "port-not-opened", "port=%u error=%s", p->spec.number,
                    hd_error_name(p->fd));
        if (p->witness >= 0) {
            close(p->witness);
        }
        return p->fd;
    }
    return 0;
}

static void answer(struct hd_system *s, const struct hd_msg_port *asked,
                   const struct hd_system_port *p, int error)
{
    struct hd_msg_port_opened o = {.core = asked->core, .port = asked->port.port, .error = error};
    int fds[2] = {-1, -1};
    if (error == 0) {
        fds[0] = p->fd;
        fds[1] = p->witness;
    }
    int missed = hd_channel_send_fds(s->router_source.fd, HD_MSG_PORT, &o, NULL, 0, fds,
                                     error == 0 ? fd_count(p) : 0);
    if (missed < 0) {
        hd_system_router_missed(s, HD_MSG_PORT, missed); /* told all, it asks again */
    }
}

static void join_everywhere(struct hd_system *s, const struct hd_system_port *p)
{
    for (uint32_t i = 0; i < s->interfaces.len; i++) {
        const struct hd_in_interface *told = &s->interfaces.v[i].told;
        if (told->usable && !told->gone) {
            join(s, p, told->ifindex, true);
        }
    }
}

/* Whether what was opened then serves for what is asked now. */
static bool serves(const struct hd_fx_port *was, const struct hd_fx_port *now)
{
    return was->number == now->number && was->kind == now->kind && was->ifindex == now->ifindex;
}

void hd_system_port_open(struct hd_system *s, const struct hd_msg_port *asked)
{
    struct hd_system_port *p = find(s, asked->core, asked->port.port);
    int error = 0;
    if (p != NULL && !serves(&p->spec, &asked->port)) {
        hd_system_port_close(s, asked);
        p = NULL;
    }
    if (p == NULL) {
        p = free_place(s);
        error = p == NULL ? HD_ELIMIT : 0;
        if (error == 0 && !is_allowed(s, asked)) {
            error = HD_EPERM;
        }
        if (error == 0) {
            *p = (struct hd_system_port){.core = asked->core, .spec = asked->port};
            error = open_sockets(s, p);
            p->used = error == 0;
        }
        if (error == 0) {
            deposit(s, p, true);
        }
    }
    if (error == 0) {
        p->spec = asked->port;
        join_everywhere(s, p);
    }
    answer(s, asked, p, error);
}

void hd_system_port_close(struct hd_system *s, const struct hd_msg_port *asked)
{
    struct hd_system_port *p = find(s, asked->core, asked->port.port);
    if (p == NULL) {
        return;
    }
    deposit(s, p, false);
    close(p->fd);
    if (p->witness >= 0) {
        close(p->witness);
    }
    p->used = false;
}

void hd_system_ports_tell(struct hd_system *s)
{
    for (unsigned i = 0; i < HD_SYSTEM_PORTS_MAX; i++) {
        const struct hd_system_port *p = &s->ports[i];
        struct hd_msg_port m = {.core = p->core, .port = p->spec};
        const int fds[2] = {p->fd, p->witness};
        if (p->used && hd_channel_send_fds(s->router_source.fd, HD_MSG_KEPT_PORT, &m, NULL, 0, fds,
                                           fd_count(p)) < 0) {
            return; /* it will ask */
        }
    }
}
